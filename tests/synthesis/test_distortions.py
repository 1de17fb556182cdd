"""Distortions: none is none, more goes further the same way, and geometry and masks follow."""

import numpy as np
import pytest
from scipy import ndimage

from halescan.errors import SettingError, ShapeError
from halescan.synthesis.distortions import DISTORTIONS, distort
from halescan.types import Scan

AFFINE = np.array([[0, 0.1, 0.7, -30], [0, 0.5, -0.1, 12], [3.0, 0, 0, 5], [0, 0, 0, 1]])
EVERY = [(name, strength) for name, row in DISTORTIONS.items() for strength in row.strengths]
STRONG = [(name, row.strengths[-1]) for name, row in DISTORTIONS.items()]


def scan(dims: int = 2, *, colour: bool = False, kind: type = np.uint8) -> Scan:
    shape = (4, 40, 32)[3 - dims :] + ((3,) if colour else ())
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(shape), 2)
    pixels = (128 + 60 * smooth / smooth.std()).clip(0, 255).astype(kind)
    return Scan(pixels, dims, (3.0, 0.5, 0.7)[3 - dims :], AFFINE)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_none_gives_the_very_scan_back(name: str) -> None:
    before = scan()
    assert distort(before, name, DISTORTIONS[name].none)[0] is before


@pytest.mark.parametrize(("name", "strength"), EVERY)
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_type_and_range_are_kept_and_the_scan_is_not_touched(name: str, strength: float, kind: type) -> None:
    before = scan(kind=kind)
    copy = before.pixels.copy()
    after = distort(before, name, strength, seed=1)[0]
    assert after.pixels.dtype == kind
    assert np.isfinite(after.pixels).all()
    np.testing.assert_array_equal(before.pixels, copy)


@pytest.mark.parametrize(("name", "strength"), STRONG)
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_slices_volumes_and_colours_all_go_with_their_masks(
    name: str, strength: float, dims: int, colour: bool
) -> None:
    before = scan(dims, colour=colour)
    after, mask = distort(before, name, strength, mask=np.ones(before.shape, bool))
    assert mask is not None
    assert mask.shape == after.shape
    assert mask.dtype == bool
    assert after.colour == colour
    assert after.shape[:-2] == before.shape[:-2]


@pytest.mark.parametrize("name", ["noise", "brightness", "contrast", "resolution", "jpeg"])
def test_stronger_goes_further(name: str) -> None:
    before = scan(kind=np.float32)
    apart = []
    for strength in DISTORTIONS[name].strengths:
        pixels = distort(before, name, strength, seed=3)[0].pixels
        grown = ndimage.zoom(pixels, np.array(before.shape) / pixels.shape, order=1, grid_mode=True, mode="nearest")
        apart.append(float(np.abs(grown - before.pixels).mean()))
    assert apart == sorted(apart)
    assert apart[0] == 0 < apart[1]


def test_noise_is_one_draw_at_every_strength() -> None:
    before = scan(kind=np.float32)
    weak, strong = (distort(before, "noise", by, seed=3)[0].pixels - before.pixels for by in (0.1, 0.2))
    np.testing.assert_allclose(strong, 2 * weak, atol=1e-3)


@pytest.mark.parametrize("name", ["crop", "resolution"])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_place_keeps_its_millimetres(name: str, dims: int) -> None:
    """A linear ramp of positions, distorted as pixels, is what the new affine says of the new places."""
    shape = (3, 32, 40)[3 - dims :]
    index = np.stack(np.meshgrid(*(np.arange(side) for side in shape), indexing="ij"), -1).astype(float)
    padded = np.concatenate([np.zeros((*shape, 3 - dims)), index, np.ones((*shape, 1))], -1)
    ramp = (padded @ AFFINE.T)[..., 0].astype(np.float32)
    after = distort(Scan(ramp, dims, (3.0, 0.5, 0.7)[3 - dims :], AFFINE), name, 0.2 if name == "crop" else 2)[0]
    assert after.affine_lps is not None
    new = np.stack(np.meshgrid(*(np.arange(side) for side in after.shape), indexing="ij"), -1).astype(float)
    places = np.concatenate([np.zeros((*after.shape, 3 - dims)), new, np.ones((*after.shape, 1))], -1)
    np.testing.assert_allclose(after.pixels, (places @ after.affine_lps.T)[..., 0], atol=1e-3)


def test_coarser_pixels_are_as_much_larger_in_millimetres() -> None:
    after = distort(scan(), "resolution", 2)[0]
    assert after.shape == (20, 16)
    assert after.spacing_mm == (1.0, 1.4)


def test_a_mask_turns_with_its_lesion() -> None:
    mask = np.zeros((41, 41), bool)
    mask[8:14, 24:32] = True
    turned, moved = distort(Scan(mask.astype(np.float32), 2, (1.0, 1.0)), "rotation", 20, seed=0, mask=mask)
    assert moved is not None
    assert (moved & (turned.pixels > 0.5)).sum() > 0.9 * moved.sum()
    assert (moved & mask).sum() < 0.7 * mask.sum()


def test_a_quarter_turn_in_millimetres_of_a_disc_is_the_disc() -> None:
    y, x = np.meshgrid(np.arange(-20, 21) * 1.0, np.arange(-40, 41) * 0.5, indexing="ij")
    disc = (np.hypot(y, x) < 12).astype(np.float32)
    turned = distort(Scan(disc, 2, (1.0, 0.5)), "rotation", 90)[0].pixels
    assert np.abs(turned - disc).mean() < 0.01


def test_jpeg_of_a_byte_picture_keeps_its_greys() -> None:
    flat = Scan(np.full((32, 32), 77, np.uint8), 2)
    np.testing.assert_allclose(distort(flat, "jpeg", 75)[0].pixels, 77, atol=1)


def test_what_cannot_be_is_refused_with_what_can() -> None:
    with pytest.raises(SettingError, match="jpeg"):
        distort(scan(), "fog", 1)
    with pytest.raises(SettingError, match="usual"):
        distort(scan(), "crop", 2)
    with pytest.raises(ShapeError, match="mask"):
        distort(scan(), "crop", 0.1, mask=np.ones((2, 2), bool))
