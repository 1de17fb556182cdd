"""Phantom chests: anatomy where it belongs, in Hounsfield units, the same for the same seed."""

import numpy as np
import pytest
from scipy import ndimage

from halescan.errors import SettingError
from halescan.synthesis import chest_slice, chest_volume, chest_xray
from halescan.synthesis.lesions import find_lungs

SEEDS = range(12)


@pytest.fixture(scope="module")
def volume():
    return chest_volume(5, size=(24, 64, 64))


def test_the_same_seed_gives_the_same_chest_and_another_seed_another() -> None:
    assert np.array_equal(chest_slice(3).pixels, chest_slice(3).pixels)
    assert not np.array_equal(chest_slice(3).pixels, chest_slice(4).pixels)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slice_holds_air_fat_muscle_and_bone(seed: int) -> None:
    pixels = chest_slice(seed).pixels
    shares = [
        ((pixels > low) & (pixels < high)).mean()
        for low, high in ((-1100, -950), (-920, -780), (-140, -70), (20, 90), (250, 900))
    ]
    assert shares[0] > 0.3  # the room
    assert 0.08 < shares[1] < 0.40  # lung
    assert shares[2] > 0.02  # fat
    assert shares[3] > 0.05  # muscle and blood
    assert 0.003 < shares[4] < 0.08  # bone


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slice_shows_two_lungs_left_and_right_of_the_middle(seed: int) -> None:
    lungs = find_lungs(chest_slice(seed).pixels)
    labels, count = ndimage.label(lungs)
    middles = sorted(x for _, x in ndimage.center_of_mass(lungs, labels, range(1, count + 1)))
    assert count == 2
    assert middles[0] < 60 < 68 < middles[1]
    assert 0.4 < lungs[:, :64].sum() / lungs.sum() < 0.65


@pytest.mark.parametrize("seed", SEEDS)
def test_lungs_hold_vessels(seed: int) -> None:
    pixels = chest_slice(seed).pixels
    deep = ndimage.binary_erosion(find_lungs(pixels), iterations=4)
    assert 0.002 < (pixels[deep] > -650).mean() < 0.25


def test_the_heart_lies_to_the_left_and_the_spine_at_the_back() -> None:
    pixels = np.mean([chest_slice(seed, level=0.30).pixels for seed in range(6)], axis=0)
    assert (pixels[40:70, 68:90] > 0).mean() > (pixels[40:70, 38:60] > 0).mean() + 0.3
    bone = pixels > 250
    assert bone[70:, 58:70].sum() > 3 * bone[:58, 58:70].sum()


def test_two_people_differ_in_outline() -> None:
    bodies = [chest_slice(seed, level=0.5).pixels > -300 for seed in range(8)]
    assert np.ptp([body.sum() for body in bodies]) > 500


def test_noise_is_grainy_not_white() -> None:
    air = chest_slice(1).pixels[:20, :20]
    beside = np.corrcoef(air[:, :-1].ravel(), air[:, 1:].ravel())[0, 1]
    assert 3 < air.std() < 12
    assert 0.15 < beside < 0.8


def test_a_slice_knows_its_geometry_in_the_usual_display_order() -> None:
    scan = chest_slice(1, size=(64, 96))
    assert scan.shape == (64, 96)
    assert scan.directions == ("P", "L")
    assert scan.spacing_mm == pytest.approx((370 / 96, 370 / 96))
    assert (scan.modality, scan.unit, scan.pixels.dtype) == ("CT", "HU", np.float32)


def test_a_finer_grid_shows_the_same_person() -> None:
    coarse, fine = (chest_slice(7, size=(side, side)).pixels > -300 for side in (64, 256))
    shrunk = fine.reshape(64, 4, 64, 4).mean(axis=(1, 3)) > 0.5
    assert (coarse == shrunk).mean() > 0.95


def test_a_volume_runs_from_the_diaphragm_to_above_the_apex(volume) -> None:
    air = find_lungs(volume.pixels).sum(axis=(1, 2))
    assert air[len(air) // 2] > 3 * max(air[0], 1)
    assert air[-1] < 0.05 * air.max()
    assert volume.directions == ("S", "P", "L")


def test_neighbouring_slices_of_a_volume_belong_together(volume) -> None:
    middle = volume.pixels[6:18]
    near = [np.corrcoef(middle[i].ravel(), middle[i + 1].ravel())[0, 1] for i in range(10)]
    assert min(near) > 0.93


def test_vessels_run_through_several_slices(volume) -> None:
    deep = ndimage.binary_erosion(find_lungs(volume.pixels), iterations=2)
    labels, count = ndimage.label((volume.pixels > -600) & deep)
    heights = [np.ptp(np.nonzero(labels == i)[0]) for i in range(1, count + 1)]
    assert max(heights) >= 3


def test_on_an_xray_the_lungs_are_darker_than_the_middle() -> None:
    pixels = chest_xray(2, size=(64, 64)).pixels
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert pixels[25:40, 12:24].mean() < 0.6 * pixels[25:40, 29:35].mean()


@pytest.mark.parametrize(
    "wrong", [{"size": (8, 64)}, {"spacing_mm": 0.0}, {"spacing_mm": float("nan")}, {"level": 1.5}, {"level": -0.1}]
)
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(SettingError, match=r"expected|too small"):
        chest_slice(1, **wrong)
