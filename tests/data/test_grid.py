"""Every step knows its way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from halescan.data.grid import Crop, Grid, Orient, Resize, resample
from halescan.errors import SettingError, ShapeError

sides = st.integers(12, 40)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """A turn, a crop that keeps most of the middle, a resize and a pad; in 2-D or 3-D."""
    dims = draw(st.sampled_from([2, 3]))
    shape = tuple(draw(sides) for _ in range(dims))
    axes = tuple(draw(st.permutations(range(dims))))
    turn = Orient(shape, axes, tuple(draw(st.booleans()) for _ in range(dims)))
    bounds = tuple((draw(st.integers(-4, 2)), side + draw(st.integers(-2, 4))) for side in turn.after)
    crop = Crop(turn.after, bounds)
    resize = Resize(crop.after, tuple(draw(st.integers(max(8, side // 2), 48)) for side in crop.after))
    pad = Crop(resize.after, tuple((-draw(st.integers(0, 5)), side + draw(st.integers(0, 5))) for side in resize.after))
    return Grid(shape, pad.after, (turn, crop, resize, pad))


def bump(shape: tuple[int, ...], centre: np.ndarray, width: float) -> np.ndarray:
    """A smooth hill on a grid."""
    places = np.stack(np.meshgrid(*(np.arange(side) for side in shape), indexing="ij"), axis=-1)
    return np.exp(-(((places - centre) / width) ** 2).sum(axis=-1) / 2).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(grids(), st.data())
def test_a_lesion_comes_back_within_half_a_voxel(grid: Grid, data: st.DataObject) -> None:
    centre = np.array([data.draw(st.floats(0.4, 0.6)) * (side - 1) for side in grid.scan_shape])
    lesion = bump(grid.scan_shape, centre, 1.5)
    back = grid.back(grid.forward(lesion))
    assert back.shape == grid.scan_shape
    expected, found = ndimage.center_of_mass(lesion), ndimage.center_of_mass(back)
    assert np.abs(np.subtract(expected, found)).max() < 0.5


@settings(max_examples=60, deadline=None)
@given(grids())
def test_a_constant_stays_constant_inside_the_crop(grid: Grid) -> None:
    ones = np.ones(grid.scan_shape, np.float32)
    image = grid.forward(ones, fill=1)
    np.testing.assert_allclose(image, 1, atol=1e-5)
    seen = grid.back_mask(np.ones(grid.image_shape, dtype=bool))
    np.testing.assert_allclose(grid.back(image)[seen], 1, atol=1e-5)
    assert not grid.back(image)[~seen].any()


@settings(max_examples=40, deadline=None)
@given(grids())
def test_a_mask_that_went_forward_comes_back_where_it_was(grid: Grid) -> None:
    middle = np.array(grid.scan_shape) / 2 - 0.5
    ball = bump(grid.scan_shape, middle, 3.0) > 0.5
    back = grid.back_mask(grid.forward_mask(ball))
    assert np.abs(np.subtract(ndimage.center_of_mass(ball), ndimage.center_of_mass(back))).max() < 1


@given(st.tuples(sides, sides, sides), st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))
@settings(max_examples=30, deadline=None)
def test_a_turn_undoes_itself_bit_for_bit(shape: tuple[int, ...], axes: list[int], flips: tuple[bool, ...]) -> None:
    turn = Orient(shape, tuple(axes), flips)
    array = np.random.default_rng(0).normal(size=(2, *shape))
    turned = turn.forward(array)
    assert turned.shape[1:] == turn.after
    assert np.array_equal(turn.back(turned), array)


@given(st.integers(2, 60), st.integers(2, 60))
@settings(max_examples=60, deadline=None)
def test_a_smooth_map_survives_the_round_trip_through_a_finer_grid(coarse: int, more: int) -> None:
    fine = coarse + more
    wave = np.sin(np.linspace(0, 2, coarse, dtype=np.float32))[None].repeat(3, axis=0)
    there = resample(wave, (3, fine))
    np.testing.assert_allclose(resample(there, (3, coarse)), wave, atol=0.6 / coarse)


def test_steps_that_change_nothing_are_bit_identical() -> None:
    array = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)
    stay = (Orient((9, 7), (0, 1), (False, False)), Crop((9, 7), ((0, 9), (0, 7))), Resize((9, 7), (9, 7)))
    assert np.array_equal(Grid((9, 7), (9, 7), stay).forward(array), array)
    assert np.array_equal(Grid((9, 7), (9, 7), stay).back(array), array)


def test_halving_a_picture_averages_symmetrically_about_pixel_centres() -> None:
    step = np.array([[0, 0, 0, 0, 1, 1, 1, 1]], np.float32)
    half = resample(step, (1, 4))
    np.testing.assert_allclose(half + half[:, ::-1], 1, atol=1e-6)
    ramp = np.arange(8, dtype=np.float32)[None]
    np.testing.assert_allclose(resample(ramp, (1, 4))[0, 1:3], [2.5, 4.5], atol=1e-6)  # centres of pairs


def test_doubling_a_picture_interpolates_between_pixel_centres() -> None:
    doubled = resample(np.array([[0, 4]], np.float32), (1, 4))
    np.testing.assert_allclose(doubled, [[0, 1, 3, 4]], atol=1e-6)


def test_stripes_finer_than_the_new_pixels_turn_grey_instead_of_aliasing() -> None:
    stripes = np.tile([0, 1], 120).astype(np.float32)[None].repeat(240, axis=0)
    np.testing.assert_allclose(resample(stripes, (50, 50)), 0.5, atol=0.05)


def test_a_crop_beyond_the_grid_pads_with_what_it_is_told() -> None:
    crop = Crop((2, 2), ((-1, 2), (0, 4)))
    assert crop.forward(np.ones((2, 2)), fill=7).tolist() == [[7, 7, 7, 7], [1, 1, 7, 7], [1, 1, 7, 7]]
    assert np.array_equal(crop.back(crop.forward(np.ones((2, 2)), fill=7)), np.ones((2, 2)))


def test_a_crop_wholly_beyond_the_grid_holds_only_the_fill() -> None:
    for bounds in (((5, 8), (0, 2)), ((-6, -3), (0, 2))):
        assert not Crop((2, 2), bounds).forward(np.ones((2, 2))).any()


def test_a_fraction_fills_integers_without_being_rounded() -> None:
    padded = Crop((1, 1), ((0, 2), (0, 1))).forward(np.array([[3]], np.uint8), fill=0.25)
    assert padded[1, 0] == np.float32(0.25)


def test_steps_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"Resize takes a grid of shape \(5, 5\)"):
        Grid((4, 4), (8, 8), (Resize((5, 5), (8, 8)),))
    with pytest.raises(ShapeError, match="the image has"):
        Grid((4, 4), (9, 9), (Resize((4, 4), (8, 8)),))


def test_an_array_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="last axes"):
        Resize((4, 4), (8, 8)).forward(np.zeros((4, 5)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Orient((3, 3), (0, 0), (False, False)),
        lambda: Crop((3, 3), ((2, 2), (0, 1))),
        lambda: Resize((3, 3), (0, 3)),
        lambda: resample(np.zeros((3, 3)), (4, 4), order=3),
    ],
)
def test_steps_that_make_no_sense_are_refused(make: object) -> None:
    with pytest.raises(SettingError):
        make()  # type: ignore[operator]


def test_the_way_back_from_a_slice_has_the_shape_of_the_slice() -> None:
    grid = Grid((5, 8, 6), (16, 12), (Resize((8, 6), (16, 12)),), slice_index=2)
    assert grid.back(np.ones((16, 12))).shape == (8, 6)
