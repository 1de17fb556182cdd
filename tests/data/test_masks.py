"""Where to look."""

import numpy as np
import pytest

from halescan.data.masks import MASKS, find_region
from halescan.errors import SettingError
from tests.data.scenes import chest_ct, ellipse, fan, head_mri, radiograph, stained


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def test_the_body_is_filled_and_leaves_the_table_out() -> None:
    pixels = chest_ct()
    mask = find_region("body", pixels, dims=2, hu=True).mask
    assert dice(mask, ellipse(pixels.shape, (0.47, 0.5), (0.36, 0.44))) > 0.97
    assert not mask[int(0.92 * len(pixels)) :].any()


def test_both_lungs_are_found_in_units_and_in_a_picture_of_a_window() -> None:
    pixels = chest_ct()
    truth = ellipse(pixels.shape, (0.47, 0.3), (0.25, 0.15)) | ellipse(pixels.shape, (0.47, 0.7), (0.25, 0.15))
    picture = np.clip((pixels + 1000) / 1400 * 255, 0, 255).astype(np.uint8)
    assert dice(find_region("lungs", pixels, dims=2, hu=True).mask, truth) > 0.95
    assert dice(find_region("lungs", picture, dims=2).mask, truth) > 0.95


def test_consolidation_at_the_edge_of_a_lung_stays_inside_its_hull() -> None:
    pixels = chest_ct()
    lung = ellipse(pixels.shape, (0.47, 0.7), (0.25, 0.15))
    white = lung & ellipse(pixels.shape, (0.5, 0.78), (0.08, 0.05))
    pixels[white] = 40
    mask = find_region("lungs", pixels, dims=2, hu=True).mask
    assert (mask & white).sum() > 0.7 * white.sum()


def test_a_lung_that_disease_whitened_is_found_by_the_other() -> None:
    pixels = chest_ct()
    gone = ellipse(pixels.shape, (0.47, 0.3), (0.25, 0.15))
    pixels[gone] = 30
    mask = find_region("lungs", pixels, dims=2, hu=True).mask
    assert (mask & gone).sum() > 0.9 * gone.sum()


@pytest.mark.parametrize(
    ("white", "stands_in"),
    [
        (range(6, 10), False),  # one lung ends before the other: beside it lies the liver
        (range(4), False),
        (range(4, 6), True),  # disease between slices that show both
        (range(10), True),  # disease of a whole lung
    ],
)
def test_in_a_volume_a_lung_stands_in_for_the_other_but_not_beyond_its_ends(white: range, stands_in: bool) -> None:
    pixels = np.stack([chest_ct((96, 96))] * 10)
    gone = ellipse((96, 96), (0.47, 0.3), (0.25, 0.15))
    pixels[list(white)] = np.where(gone, 30, pixels[0])
    mask = find_region("lungs", pixels, dims=3, hu=True).mask
    share = [(mask[z] & gone).sum() / gone.sum() for z in range(10)]
    assert min(share[z] for z in range(10) if z not in white or stands_in) > 0.9
    assert stands_in or max(share[z] for z in white) < 0.1


def test_lungs_cut_by_a_tight_crop_are_still_inside() -> None:
    picture = np.clip((chest_ct((256, 256)) + 1000) / 1400 * 255, 0, 255).astype(np.uint8)[50:200, 46:210]
    region = find_region("lungs", picture, dims=2)
    assert not region.notes
    assert 0.4 < region.mask.mean() < 0.9


def test_where_there_are_no_lungs_the_body_stands_in_and_a_note_says_so() -> None:
    pixels = np.where(ellipse((128, 128), (0.5, 0.5), (0.4, 0.4)), 40.0, -1000.0)
    region = find_region("lungs", pixels, dims=2, hu=True)
    assert [note.key for note in region.notes] == ["lungs-not-found"]
    assert dice(region.mask, pixels > 0) > 0.97


def test_the_head_holds_its_dark_skull_and_ventricles() -> None:
    pixels = head_mri()
    assert dice(find_region("head", pixels, dims=2).mask, ellipse(pixels.shape, (0.5, 0.5), (0.42, 0.4))) > 0.97


def test_glass_is_no_tissue_and_pale_tissue_is() -> None:
    pixels = stained()
    mask = find_region("tissue", pixels, dims=2).mask
    assert mask[70:].mean() > 0.98
    assert mask[:58].mean() < 0.02


def test_a_patch_without_glass_is_tissue_throughout() -> None:
    pink = np.full((96, 96, 3), (220, 150, 180), np.uint8)
    pink[40:60, 40:60] = (120, 60, 140)
    assert find_region("tissue", pink, dims=2).mask.all()


def test_the_sector_keeps_a_shadow_and_leaves_the_screen_out() -> None:
    pixels = fan()
    mask = find_region("sector", pixels, dims=2).mask
    assert mask[100, 80]  # in the shadow
    assert not mask[5, 5]
    assert not mask[110, 2]


def test_a_volume_and_its_slices_agree() -> None:
    volume = np.stack([chest_ct(seed=seed) for seed in range(4)])
    for name in ("body", "lungs"):
        mask = find_region(name, volume, dims=3, hu=True).mask
        assert mask.shape == volume.shape
        assert dice(mask[1], find_region(name, volume[1], dims=2, hu=True).mask) > 0.97


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("pixels", [radiograph((33, 500)), np.zeros((9, 9), np.uint8), stained((40, 50))])
def test_no_mask_is_empty_whatever_is_shown(name: str, pixels: np.ndarray) -> None:
    region = find_region(name, pixels, dims=2)
    assert region.mask.shape == pixels.shape[:2]
    assert region.mask.dtype == bool
    assert region.mask.any()


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_hardly_depends_on_the_size_of_the_picture(name: str) -> None:
    small, large = (find_region(name, head_mri(shape), dims=2).mask.mean() for shape in ((128, 128), (384, 384)))
    assert small == pytest.approx(large, abs=0.04)


def test_an_unknown_mask_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(SettingError, match="everything, body, lungs"):
        find_region("liver", np.zeros((9, 9)), dims=2)
