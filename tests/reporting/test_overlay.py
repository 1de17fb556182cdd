"""The picture that travels alone."""

import io

import numpy as np
from PIL import Image

from halescan.reporting.overlay import overlay_png
from tests.reporting.cases import flat_scan, model_of, volume_scan


def _open(png: bytes | None) -> np.ndarray:
    assert png is not None
    return np.asarray(Image.open(io.BytesIO(png)))


def test_it_carries_map_and_legend():
    with_map, outlines = (_open(overlay_png(flat_scan(**changes), model_of())) for changes in ({}, {"tail": None}))
    assert with_map.shape[0] == outlines.shape[0] + 50
    coloured = np.ptp(with_map[-84:-60].astype(int), axis=-1) > 60
    assert coloured.sum() > 2000


def test_the_original_stands_beside_the_map():
    page = _open(overlay_png(flat_scan(), model_of())).astype(int)
    half = (page.shape[1] - 8) // 2
    left, right = page[:-90, :half], page[:-90, half + 8 :]
    assert left.shape == right.shape
    assert np.ptp(left, axis=-1).max() == 0  # grey, as acquired
    assert np.ptp(right, axis=-1).max() > 60


def test_a_volume_shows_its_key_slice():
    assert _open(overlay_png(volume_scan(), model_of(window=(-1000.0, 400.0)))).ndim == 3


def test_a_method_without_location_gives_no_overlay():
    assert overlay_png(flat_scan(map=None, tail=None, findings=()), model_of()) is None
