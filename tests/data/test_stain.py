"""Stain: one look for one dye, red found around the circle of hues, and counts that are counts."""

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.color import rgb2hed

from halescan.data.stain import (
    MACENKO_LOOK,
    REINHARD_LOOK,
    MacenkoLook,
    ReinhardLook,
    check_look,
    dab,
    macenko_look,
    macenko_normalise,
    normalise,
    red_lost,
    red_mask,
    reinhard_look,
    reinhard_normalise,
)
from halescan.errors import SettingError, ShapeError

OTHER = MacenkoLook.of((0.77, 0.58, 0.26, 0.20, 0.50, 0.84, 0.8, 0.7))
colours = arrays(np.uint8, (4, 5, 3))


def stained(look: MacenkoLook = MACENKO_LOOK, *, marked: bool = True, seed: int = 0) -> np.ndarray:
    """A patch of two dyes (or the first alone) with bare glass at its edge, `(48, 48, 3)` float32 in [0, 1]."""
    rng = np.random.default_rng(seed)
    amounts = rng.uniform(0.25, 1, (48, 48, 2)) * look.strengths
    amounts[:, 16:, 1] = 0.0
    amounts[:, 8:16, 0] *= 0.05
    amounts[:, :16, 1] *= marked
    amounts[:, :16, 0] = amounts[:, :16, 0] if marked else 0.5 * look.strengths[0]
    amounts[:4] = 0.0
    return (10.0 ** -(amounts @ np.array(look.dyes))).astype(np.float32)


def square(red_pixels: int = 0) -> np.ndarray:
    """A blue picture of 100 pixels, the first of them red; uint8."""
    picture = np.full((10, 10, 3), (120, 130, 200), np.uint8)
    picture.reshape(-1, 3)[:red_pixels] = (200, 40, 60)
    return picture


@pytest.mark.parametrize("colour", [(200, 40, 60), (200, 60, 40), (200, 40, 40), (150, 90, 60), (200, 40, 140)])
def test_red_is_red_on_either_side_of_the_circle_whatever_type_it_comes_in(colour: tuple[int, int, int]) -> None:
    """Published code misses it: (200, 40, 60) is 176 of 180 in one library, 352 of 360 or 249 of 255 in others."""
    pixel = np.array([[colour]], np.uint8)
    for typed in (pixel, pixel.astype(np.uint16) * 257, pixel / 255, (pixel / 255).astype(np.float32)):
        assert red_mask(typed).all()


@pytest.mark.parametrize("colour", [(255, 255, 255), (128, 128, 128), (0, 0, 0), (250, 244, 244), (12, 2, 2)])
def test_what_has_no_colour_is_not_red(colour: tuple[int, int, int]) -> None:
    """A mistake of published code: white and grey have hue 0 where hue is a number."""
    assert not red_mask(np.array([[colour]], np.uint8)).any()


@pytest.mark.parametrize("colour", [(60, 60, 200), (60, 200, 60), (200, 200, 60), (160, 60, 220)])
def test_other_colours_are_not_red(colour: tuple[int, int, int]) -> None:
    assert not red_mask(np.array([[colour]], np.uint8)).any()


@given(picture=colours)
def test_eight_bits_and_fractions_say_the_same(picture: np.ndarray) -> None:
    """A mistake of published code: in eight bits 250 - (200 + 200) / 2 is 178."""
    wide = picture.astype(np.float64) / 255
    assert (red_mask(picture) == red_mask(wide)).all()
    assert np.allclose(dab(picture), dab(wide), atol=1e-5)


def test_a_pale_pink_of_eight_bits_is_weak_and_not_strong() -> None:
    assert not red_mask(np.array([[(250, 201, 200)]], np.uint8), least_saturation=0.5).any()


@given(picture=colours, turns=st.integers(-3, 3))
def test_a_whole_turn_of_the_hue_changes_nothing(picture: np.ndarray, turns: int) -> None:
    assert (red_mask(picture, hue=turns) == red_mask(picture)).all()


@pytest.mark.parametrize("turns", [-3, -1, 1, 2])
def test_a_hue_at_the_very_border_of_red_stays_red_after_whole_turns(turns: int) -> None:
    border = np.array([[(102, 0, 68), (102, 68, 0)]], np.uint8)  # 320 and 40 degrees
    assert red_mask(border).all()
    assert red_mask(border, hue=turns).all()


@given(shift=st.floats(0, 1), around=st.floats(-0.1, 0.1))
def test_hues_turned_together_are_found_alike(shift: float, around: float) -> None:
    pixel = np.array([[colorsys.hsv_to_rgb((shift + around) % 1, 0.8, 0.7)]])
    assert red_mask(pixel, hue=shift).all()
    assert not red_mask(pixel, hue=shift + 0.5).any()


@pytest.mark.parametrize("red", [0, 1, 7, 100])
def test_an_image_drawn_perfectly_loses_n_over_n_plus_one(red: int) -> None:
    """A perfect drawing gives n / (n + 1); and counts are of pixels, not of masks worth 255."""
    lost = red_lost(square(red), square(red))
    assert (lost.count, lost.drawn) == (red, red)
    assert lost.ratio == red / (red + 1)
    assert not lost.map.any()


@given(before=st.integers(0, 40), more=st.integers(0, 60), drawn=st.integers(0, 100))
def test_red_pixels_added_raise_the_score_by_exactly_their_share(before: int, more: int, drawn: int) -> None:
    """Each red pixel more raises the ratio by one part of the drawing's count and one."""
    first, second = red_lost(square(before), square(drawn)), red_lost(square(before + more), square(drawn))
    assert second.ratio - first.ratio == pytest.approx(more / (drawn + 1))
    assert second.map.sum() == max(0, before + more - drawn)


def test_images_of_two_shapes_have_lost_nothing_together() -> None:
    with pytest.raises(ShapeError, match="same shape"):
        red_lost(square(), square()[:5])


def test_the_brown_dye_is_found_and_the_blue_one_is_none() -> None:
    blue, brown = (10.0 ** -(np.array(dye) * 0.8) for dye in MACENKO_LOOK.dyes)
    assert dab(brown[None]) == pytest.approx(0.8, rel=0.01)
    assert dab(blue[None]) == pytest.approx(0, abs=0.01)
    assert dab(np.ones((1, 3))) == 0
    assert np.isfinite(dab(np.zeros((1, 3)))).all()


def test_twice_the_dye_is_twice_the_density() -> None:
    light = stained()
    assert np.allclose(dab(light**1.5), 1.5 * dab(light), atol=1e-3)


def test_brown_ranks_as_in_another_library_s_deconvolution() -> None:
    mixed = 10.0 ** -(np.linspace(0, 1, 9)[:, None] * MACENKO_LOOK.dyes[1] + 0.2 * np.array(MACENKO_LOOK.dyes[0]))
    assert (np.argsort(dab(mixed)) == np.argsort(rgb2hed(mixed)[..., 2])).all()


@pytest.mark.parametrize("look", [MACENKO_LOOK, OTHER])
def test_the_dyes_that_were_painted_are_found(look: MacenkoLook) -> None:
    found = macenko_look(stained(look))
    assert found is not None
    assert np.allclose(found.dyes, look.dyes, atol=0.06)
    assert np.allclose(found.strengths, look.strengths, rtol=0.12)


def test_one_dye_alone_is_told_apart_from_two() -> None:
    found = macenko_look(stained(OTHER, marked=False))
    assert found is not None
    assert np.allclose(found.dyes[0], OTHER.dyes[0], atol=0.02)
    assert found.dyes[1] == MACENKO_LOOK.dyes[1]
    assert found.strengths[1] == MACENKO_LOOK.strengths[1]


def test_two_scanners_pictures_of_one_tissue_become_alike() -> None:
    ours, theirs = stained(), stained(OTHER)
    for bring in (macenko_normalise, reinhard_normalise):
        same = [bring(picture) for picture in (ours, theirs)]
        assert same[0] is not None
        assert same[1] is not None
        assert np.abs(same[0] - same[1]).mean() < 0.5 * np.abs(ours - theirs).mean()


def test_macenko_keeps_glass_and_an_image_of_the_look_itself() -> None:
    picture = stained()
    own = macenko_look(picture)
    assert own is not None
    same = macenko_normalise(picture, own)
    assert same is not None
    assert np.allclose(same, picture, atol=1e-4)
    moved = macenko_normalise(picture, OTHER)
    assert moved is not None
    assert np.allclose(moved[:4], 1, atol=1e-4)


def test_reinhard_keeps_an_image_of_the_look_itself_and_reaches_another() -> None:
    picture = stained(marked=False)
    own = reinhard_look(picture)
    assert own is not None
    same = reinhard_normalise(picture, own)
    assert same is not None
    assert np.allclose(same, picture, atol=2e-3)
    goal = ReinhardLook((own.means[0] + 4, own.means[1] - 2, own.means[2] + 3), own.spreads)
    moved = reinhard_normalise(picture, goal)
    assert moved is not None
    reached = reinhard_look(moved)
    assert reached is not None
    assert np.allclose(reached.means, goal.means, atol=1.5)
    assert np.allclose(moved[:4], 1, atol=1e-3)


def test_a_marker_keeps_its_amount_beside_the_counterstain() -> None:
    picture, goal = stained(), MacenkoLook(MACENKO_LOOK.dyes, (MACENKO_LOOK.strengths[0], 1.0))
    kept, raised = macenko_normalise(picture, goal, marker=True), macenko_normalise(picture, goal)
    assert kept is not None
    assert raised is not None
    assert dab(kept).max() < 1.3 * dab(picture).max() < dab(raised).max()


def test_no_dye_is_blown_up_more_than_twice() -> None:
    picture = stained()
    raised = macenko_normalise(picture, MacenkoLook(MACENKO_LOOK.dyes, (0.55, 5.0)))
    assert raised is not None
    assert 1.5 * dab(picture).max() < dab(raised).max() <= 2.1 * dab(picture).max()


def test_a_tile_may_be_given_the_look_of_its_slide() -> None:
    slide = stained(OTHER)
    whole = macenko_normalise(slide)
    tile = macenko_normalise(slide[20:28], own=macenko_look(slide))
    assert whole is not None
    assert tile is not None
    assert np.allclose(tile, whole[20:28], atol=1e-6)


@pytest.mark.parametrize("bring", [macenko_normalise, reinhard_normalise])
@pytest.mark.parametrize("blank", [0.97, 1.0])
def test_a_blank_picture_has_no_look(bring: object, blank: float) -> None:
    assert callable(bring)
    assert bring(np.full((40, 40, 3), blank, np.float32)) is None


@pytest.mark.parametrize("way", ["macenko", "macenko-marker", "reinhard"])
@given(picture=arrays(np.uint8, (12, 12, 3)))
def test_whatever_comes_stays_a_picture_of_its_type(way: str, picture: np.ndarray) -> None:
    for typed in (picture, picture.astype(np.uint16) * 257, picture.astype(np.float32) / 255):
        found = normalise(typed, way)
        assert found is None or (found.dtype == typed.dtype and found.shape == typed.shape)
        assert found is None or (np.isfinite(found).all() and found.min() >= 0)


@pytest.mark.parametrize("colour", [0, 30, 127])
def test_a_single_colour_survives(colour: int) -> None:
    flat = np.full((16, 16, 3), (colour, colour // 2, 90), np.uint8)
    for way in ("macenko", "reinhard"):
        found = normalise(flat, way)
        assert found is not None
        assert np.ptp(found.reshape(-1, 3), axis=0).max() <= 1


def test_a_look_survives_as_numbers() -> None:
    assert np.allclose(MacenkoLook.of(OTHER.numbers).numbers, OTHER.numbers)
    assert ReinhardLook.of(REINHARD_LOOK.numbers) == REINHARD_LOOK


@pytest.mark.parametrize(
    ("way", "numbers"),
    [
        ("macenko", (1.0,) * 6),
        ("macenko", (0.6, 0.7, 0.3, 0.6, 0.7, 0.3, 1, 1)),
        ("macenko-marker", (0.6, 0.7, 0.3, 0.2, 0.6, 0.7, 1, 0)),
        ("reinhard", (60, 0, 0, 1, 1)),
        ("reinhard", (60, 0, 0, 1, 0, 1)),
        ("vahadane", None),
    ],
)
def test_numbers_that_are_no_look_are_refused(way: str, numbers: tuple[float, ...] | None) -> None:
    with pytest.raises(SettingError):
        check_look(way, numbers)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4)), np.zeros((4, 4, 4)), np.zeros((4, 4, 3), np.int32)])
def test_what_is_no_colour_picture_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ShapeError):
        dab(wrong)
