"""Radiological convention, whatever the order of the voxels."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halescan.reporting.view import View, view_of
from halescan.types import Scan

_ALONG = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
_PLANES = {"axial": ("AP", "RL"), "coronal": ("SI", "RL"), "sagittal": ("SI", "AP")}
_EXPECTED = {"axial": ("R", "L", "A", "P"), "coronal": ("R", "L", "S", "I"), "sagittal": ("A", "P", "S", "I")}


def _scan(down: str, across: str, shape=(6, 9), spacing=(2.0, 1.0)) -> Scan:
    affine = np.eye(4)
    affine[:3, 1], affine[:3, 2] = np.multiply(_ALONG[down], spacing[0]), np.multiply(_ALONG[across], spacing[1])
    affine[:3, 0] = np.cross(affine[:3, 1], affine[:3, 2])
    return Scan(pixels=np.zeros(shape, np.uint8), dims=2, spacing_mm=spacing, affine_lps=affine)


_STORED = [
    (plane, *order)
    for plane, (downs, acrosses) in _PLANES.items()
    for down, across in itertools.product(downs, acrosses)
    for order in ((down, across), (across, down))
]


@pytest.mark.parametrize(("plane", "down", "across"), _STORED)
def test_every_storage_order_is_shown_alike(plane, down, across):
    scan = _scan(down, across)
    view = view_of(scan)
    assert view.edges == _EXPECTED[plane]
    assert scan.affine_lps is not None
    # millimetres grow along the page as its edges say
    position = np.stack(np.meshgrid(np.arange(6), np.arange(9), indexing="ij"), axis=-1)
    mm = position @ scan.affine_lps[:3, 1:3].T
    laid = view.lay(mm)
    left, right, top, bottom = (np.array(_ALONG[letter]) for letter in view.edges)
    assert (laid[0, -1] - laid[0, 0]) @ right > 0 > (laid[0, -1] - laid[0, 0]) @ left
    assert (laid[-1, 0] - laid[0, 0]) @ bottom > 0 > (laid[-1, 0] - laid[0, 0]) @ top


@given(
    st.booleans(),
    st.tuples(st.booleans(), st.booleans()),
    st.integers(0, 5),
    st.integers(1, 4),
    st.integers(0, 8),
    st.integers(1, 4),
)
def test_a_box_stays_on_its_pixels(turned, flips, row, tall, column, wide):
    view = View(shape=(10, 13), turned=turned, flips=flips)
    plane = np.zeros((10, 13), bool)
    plane[row : row + tall, column : column + wide] = True
    rows, columns = view.lay_box(((row, row + tall), (column, column + wide)))
    laid = np.zeros(view.page_shape, bool)
    laid[slice(*rows), slice(*columns)] = True
    assert (laid == view.lay(plane)).all()


def test_proportions_follow_the_spacing():
    height, width = view_of(_scan("P", "L", shape=(50, 100), spacing=(4.0, 1.0))).fit(400)
    assert (height, width) == (400, 200)


def test_without_geometry_a_plane_is_shown_as_stored():
    scan = Scan(pixels=np.arange(6, dtype=np.uint8).reshape(2, 3), dims=2)
    view = view_of(scan)
    assert view.edges is None
    assert (view.lay(scan.pixels) == scan.pixels).all()


def test_an_affine_that_names_one_axis_twice_gives_no_letters():
    scan = _scan("P", "L")
    affine = np.array(scan.affine_lps)
    affine[:3, 2] = (0.6, 0.8, 0)
    assert view_of(Scan(pixels=scan.pixels, dims=2, affine_lps=affine)).edges is None
