from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from halescan.errors import ScanError
from halescan.io.dicom_geometry import Plane, frame_planes, pixel_spacing, plane, slice_affine, stack
from tests.io.made import AXIAL, item

HERE = Path("series")


def axial(z, *, spacing=(0.5, 0.7), x=0.0):
    return Plane((x, 0.0, float(z)), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), spacing)


def test_the_normal_is_right_handed():
    np.testing.assert_array_equal(axial(0).normal, [0, 0, 1])


def test_a_slice_maps_columns_to_x_and_rows_to_y():
    affine = slice_affine(axial(9))
    np.testing.assert_allclose(affine @ [0, 2, 3, 1], [3 * 0.7, 2 * 0.5, 9, 1])


def test_without_spacing_there_is_no_affine():
    assert slice_affine(axial(0, spacing=None)) is None
    assert stack([axial(0, spacing=None), axial(1, spacing=None)], where=HERE).affine_lps is None


@given(st.permutations(range(6)))
def test_any_order_of_slices_is_undone(order):
    stacked = stack([axial(2.5 * place) for place in order], where=HERE)
    assert [order[group[0]] for group in stacked.order] == list(range(6))
    assert stacked.spacing_mm == (2.5, 0.5, 0.7)


def test_slices_at_one_place_are_grouped():
    stacked = stack([axial(0), axial(1), axial(1.001), axial(2)], where=HERE)
    assert stacked.order == ((0,), (1, 2), (3,))


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ((0, 1, 2, 4), r"1 slice missing: slice gaps range from 1\.00 to 2\.00 mm"),
        ((0, 1, 3, 4, 6), r"2 slices missing"),
        ((0, 1, 2.3, 3.3), r"series: slice gaps range from 1\.00 to 1\.30 mm"),
    ],
)
def test_gaps_that_differ_are_named(places, message):
    with pytest.raises(ScanError, match=message):
        stack([axial(place) for place in places], where=HERE)


def test_header_rounding_of_directions_is_forgiven():
    rounded = Plane((0, 0, 1), (0.9999, 0.001, 0), (-0.001, 0.9999, 0), (0.5, 0.7))
    assert len(stack([axial(0), rounded, axial(2)], where=HERE).order) == 3


def test_drift_beyond_half_a_pixel_is_refused():
    with pytest.raises(ScanError, match="one straight row"):
        stack([axial(0), axial(2, x=0.8), axial(4)], where=HERE)


@pytest.mark.parametrize("orientation", [[0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0], [1, 0, 0], None, [float("nan")] * 6])
def test_directions_that_make_no_plane_are_no_plane(orientation):
    dataset = item(ImagePositionPatient=[0, 0, 0])
    if orientation and np.isfinite(orientation).all():
        dataset.ImageOrientationPatient = orientation
    assert plane(dataset) is None


def test_pixel_spacing_in_the_patient_beats_the_detectors():
    dataset = item(PixelSpacing=[1, 2], ImagerPixelSpacing=[3, 4])
    assert pixel_spacing(dataset) == ((1.0, 2.0), ())
    del dataset.PixelSpacing
    assert pixel_spacing(dataset)[0] == (3.0, 4.0)
    assert pixel_spacing(Dataset()) == (None, ())


def test_frames_that_do_not_all_say_where_they_lie_have_no_planes():
    placed = item(
        PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 0])],
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(AXIAL))],
    )
    assert len(frame_planes(item(PerFrameFunctionalGroupsSequence=[placed, placed]), 2)) == 2
    assert frame_planes(item(PerFrameFunctionalGroupsSequence=[placed, item()]), 2) is None
    assert frame_planes(item(PerFrameFunctionalGroupsSequence=[placed]), 2) is None
