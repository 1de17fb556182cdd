"""Planted lesions lie in the lung, have the size asked for, and change nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.errors import SettingError, ShapeError
from halescan.synthesis import chest_slice, chest_volume
from halescan.synthesis.lesions import KINDS, find_lungs, plant_lesion

SLICE = chest_slice(11, size=(96, 96))
SPACING = SLICE.spacing_mm


@pytest.mark.parametrize("kind", KINDS)
def test_a_lesion_is_brighter_than_the_lung_it_replaces(kind) -> None:
    pixels, mask = plant_lesion(SLICE.pixels, SPACING, 3, kind=kind)
    assert mask.sum() > 5
    assert (pixels[mask] - SLICE.pixels[mask]).mean() > 300
    assert not mask[~find_lungs(SLICE.pixels)].any()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changes_away_from_the_lesion_and_the_original_stays(kind) -> None:
    before = SLICE.pixels.copy()
    pixels, mask = plant_lesion(SLICE.pixels, SPACING, 3, kind=kind)
    y, x = np.nonzero(mask)
    far = np.ones(mask.shape, bool)
    far[y.min() - 6 : y.max() + 7, x.min() - 6 : x.max() + 7] = False
    assert np.array_equal(pixels[far], before[far])
    assert np.array_equal(SLICE.pixels, before)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(14, 34))
def test_a_nodule_is_as_wide_as_asked(seed: int, diameter_mm: float) -> None:
    _, mask = plant_lesion(SLICE.pixels, SPACING, seed, diameter_mm=diameter_mm)
    area = mask.sum() * SPACING[0] * SPACING[1]
    assert 2 * np.sqrt(area / np.pi) == pytest.approx(diameter_mm, rel=0.25)


def test_a_nodule_in_a_volume_is_round_in_millimetres() -> None:
    scan = chest_volume(2, size=(24, 64, 64))
    _, mask = plant_lesion(scan.pixels, scan.spacing_mm, 4, diameter_mm=40)
    sides = (np.ptp(np.argwhere(mask), axis=0) + 1) * np.asarray(scan.spacing_mm)
    assert sides == pytest.approx([40, 40, 40], abs=14)


def test_fluid_gathers_at_the_back_of_one_lung() -> None:
    _, mask = plant_lesion(SLICE.pixels, SPACING, 5, kind="effusion")
    lungs = find_lungs(SLICE.pixels)
    y, x = np.nonzero(mask)
    assert y.min() > np.nonzero(lungs)[0].mean()
    assert (x < 48).all() or (x >= 44).all()


def test_the_same_seed_plants_the_same_lesion() -> None:
    first, again, other = (plant_lesion(SLICE.pixels, SPACING, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_place_of_ones_own_is_kept() -> None:
    place = np.zeros(SLICE.shape, bool)
    place[40:60, 20:40] = True
    _, mask = plant_lesion(SLICE.pixels, SPACING, 1, diameter_mm=20, inside=place)
    assert mask.any()
    assert not mask[~place].any()


def test_lungs_leave_out_the_room_and_the_windpipe() -> None:
    scan = chest_slice(2, level=0.62)
    lungs = find_lungs(scan.pixels)
    assert not lungs[:15].any()
    assert not lungs[-10:].any()
    assert not lungs[60:75, 62:66].any()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"kind": "fracture"}, SettingError),
        ({"diameter_mm": 0.0}, SettingError),
        ({"inside": np.zeros((96, 96), bool)}, SettingError),
        ({"inside": np.ones((5, 5), bool)}, ShapeError),
    ],
)
def test_what_cannot_be_planted_is_refused(changes: dict, error: type) -> None:
    with pytest.raises(error):
        plant_lesion(SLICE.pixels, SPACING, 1, **changes)


def test_an_image_without_air_says_what_is_missing() -> None:
    with pytest.raises(SettingError, match="no air-filled lung"):
        plant_lesion(np.zeros((32, 32)), (1, 1), 1)


def test_spacing_must_fit_the_axes() -> None:
    with pytest.raises(ShapeError, match="3 spacings"):
        plant_lesion(SLICE.pixels, (1, 1, 1), 1)
