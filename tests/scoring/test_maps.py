"""Maps land where they belong, and places are compared with themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from halescan.errors import SettingError, ShapeError
from halescan.scoring.maps import PlaceStatistics, erode, median_over_slices, sigma_px, smooth, to_grid

RNG = np.random.default_rng(0)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_a_ramp_over_the_picture_stays_the_same_ramp_between_cell_centres(rows, columns, up, across):
    y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij")
    fine = to_grid((2 * y + 3 * x)[None], (rows * up, columns * across))
    expected = [
        np.clip((np.arange(n * k) + 0.5) / (n * k), 0.5 / n, 1 - 0.5 / n) for n, k in ((rows, up), (columns, across))
    ]
    np.testing.assert_allclose(fine[0], 2 * expected[0][:, None] + 3 * expected[1][None], atol=1e-5)


def test_enlarging_agrees_with_torchs_pixel_centre_convention_in_two_and_three_dimensions():
    torch = pytest.importorskip("torch")
    for coarse, shape, mode in (((7, 5), (20, 33), "bilinear"), ((3, 7, 5), (8, 20, 15), "trilinear")):
        maps = RNG.normal(size=(2, *coarse)).astype(np.float32)
        reference = torch.nn.functional.interpolate(
            torch.from_numpy(maps)[:, None], size=shape, mode=mode, align_corners=False
        )[:, 0].numpy()
        np.testing.assert_allclose(to_grid(maps, shape), reference, atol=1e-5)


@given(st.floats(-100, 100), st.floats(0, 3))
@settings(max_examples=20, deadline=None)
def test_a_flat_map_stays_flat_whatever_the_smoothing(level, sigma):
    flat = to_grid(np.full((1, 3, 4, 5), level), (6, 9, 11), sigma_px=(sigma, 0.0, sigma))
    np.testing.assert_allclose(flat, level, rtol=1e-5, atol=1e-5)


def test_a_map_already_on_the_grid_is_left_alone():
    maps = RNG.normal(size=(2, 9, 8)).astype(np.float32)
    np.testing.assert_array_equal(to_grid(maps, (9, 8)), maps)


def test_mirroring_the_map_mirrors_the_result():
    maps = RNG.normal(size=(1, 5, 4))
    np.testing.assert_allclose(to_grid(maps[:, ::-1], (17, 12)), to_grid(maps, (17, 12))[:, ::-1], atol=1e-6)


def test_smoothing_is_scipys_gaussian_with_repeated_edges():
    maps = RNG.normal(size=(3, 20, 31))
    expected = ndimage.gaussian_filter(maps, (0, 2.0, 0.7), mode="nearest")
    np.testing.assert_allclose(smooth(maps, (2.0, 0.7)), expected, atol=1e-5)


def test_smoothing_while_enlarging_equals_smoothing_afterwards():
    maps = RNG.normal(size=(2, 6, 7))
    together = to_grid(maps, (30, 28), sigma_px=(2.0, 3.0))
    np.testing.assert_allclose(together, smooth(to_grid(maps, (30, 28)), (2.0, 3.0)), atol=1e-5)


def test_a_very_long_side_is_smoothed_like_any_other():
    line = RNG.normal(size=(1, 1, 1500))
    expected = ndimage.gaussian_filter1d(line, 2.0, axis=2, mode="nearest")
    np.testing.assert_allclose(smooth(line, (0.0, 2.0)), expected, atol=1e-5)


def test_smoothing_in_millimetres_follows_the_spacing_of_each_axis():
    assert sigma_px(smooth_mm=3, smooth_px=1, spacing_mm=(6.0, 1.5), dims=2) == (0.5, 2.0)
    assert sigma_px(smooth_mm=3, smooth_px=1, spacing_mm=None, dims=3) == (1.0, 1.0, 1.0)


def test_a_map_and_a_grid_of_different_dimensions_are_refused():
    with pytest.raises(ShapeError, match="cannot be laid"):
        to_grid(np.zeros((1, 4, 4)), (8, 8, 8))
    with pytest.raises(SettingError):
        smooth(np.zeros((1, 4, 4)), (1.0,))


def test_the_median_removes_a_lone_hot_voxel_and_keeps_the_heart_of_a_block():
    volume = np.zeros((9, 9, 9))
    volume[1, 1, 1] = 9
    volume[4:7, 4:7, 4:7] = 5
    filtered = median_over_slices(volume, 3)
    assert filtered[1, 1, 1] == 0
    assert filtered[5, 5, 5] == 5


def test_the_median_depends_on_the_order_of_the_slices():
    volume = np.zeros((6, 5, 5))
    volume[2:5] = 1
    order = np.array([2, 0, 3, 1, 4, 5])
    shuffled = median_over_slices(volume[order], 3)
    assert (shuffled != median_over_slices(volume, 3)[order]).any()


def test_too_few_slices_and_size_zero_leave_the_volume_alone():
    volume = RNG.normal(size=(2, 5, 5)).astype(np.float32)
    np.testing.assert_array_equal(median_over_slices(volume, 3), volume)
    np.testing.assert_array_equal(median_over_slices(volume, 0), volume)


@pytest.mark.parametrize("size", [2, 4, -1])
def test_an_even_median_window_is_refused(size):
    with pytest.raises(SettingError, match="odd"):
        median_over_slices(np.zeros((5, 5, 5)), size)


def test_erosion_takes_the_asked_rim_off_a_square():
    mask = np.zeros((100, 120), bool)
    mask[20:80, 20:80] = True
    inner = erode(mask, 0.05)
    expected = np.zeros_like(mask)
    expected[25:75, 25:75] = True
    np.testing.assert_array_equal(inner, expected)


def test_an_organ_that_runs_out_of_the_picture_keeps_its_places_at_the_border():
    mask = np.zeros((50, 50), bool)
    mask[:, :30] = True
    inner = erode(mask, 0.1)
    assert inner[:, 0].all()
    assert not inner[:, 26:].any()


def test_erosion_never_leaves_nothing():
    thin = np.zeros((50, 50), bool)
    thin[25, :] = True
    np.testing.assert_array_equal(erode(thin, 0.2), thin)
    assert erode(np.ones((5, 5), bool), 0.3).all()


def test_places_learn_the_mean_and_spread_they_were_made_with():
    mean, spread = np.linspace(0, 5, 64).reshape(8, 8), np.linspace(1, 2, 64).reshape(8, 8)
    places = PlaceStatistics.fit(mean + spread * RNG.normal(size=(4000, 8, 8)), blur_px=0)
    np.testing.assert_allclose(places.mean, mean, atol=0.15)
    np.testing.assert_allclose(places.spread, spread, rtol=0.08)


def test_standardised_healthy_maps_have_mean_zero_and_spread_one():
    maps = RNG.normal(3, 2, size=(500, 10, 12))
    standard = PlaceStatistics.fit(maps).apply(maps)
    assert abs(standard.mean()) < 0.02
    assert abs(standard.std() - 1) < 0.02


def test_a_mean_that_smoothing_flattened_is_made_up_for_by_the_spread():
    bumpy = np.indices((20, 20)).sum(axis=0) % 2 * 10.0
    standard = PlaceStatistics.fit(bumpy + 0.1 * RNG.normal(size=(50, 20, 20)), blur_px=2).apply(bumpy[None])
    assert abs(standard).max() < 1.5


@given(st.integers(1, 19))
@settings(max_examples=19, deadline=None)
def test_batches_learn_the_same_as_one_array(cut):
    maps, masks = RNG.normal(size=(20, 6, 6)), RNG.random((20, 6, 6)) > 0.3
    whole = PlaceStatistics.fit(maps, masks).state()
    parts = PlaceStatistics.fit_batches([(maps[:cut], masks[:cut]), (maps[cut:], masks[cut:])]).state()
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-5, atol=1e-6)


def test_a_place_seen_once_borrows_its_spread_from_all_the_others():
    maps, masks = RNG.normal(0, 2, size=(300, 9, 9)), np.ones((300, 9, 9), bool)
    masks[1:, 4, 4] = False
    places = PlaceStatistics.fit(maps, masks, blur_px=0, prior=10)
    # One map says nothing about its own spread; ten imagined ones have the whole grid's.
    assert places.spread[4, 4] == pytest.approx(2 * np.sqrt(10 / 11), rel=0.05)


def test_places_nobody_saw_and_places_that_never_varied_do_not_divide_by_zero():
    maps, masks = RNG.normal(size=(30, 40, 40)), np.ones((30, 40, 40), bool)
    masks[:, :, 30:] = False
    maps[:, :, :5] = 1.0
    places = PlaceStatistics.fit(maps, masks, blur_px=0, prior=0)
    assert np.isfinite(places.mean).all()
    assert places.spread.min() == pytest.approx(0.1 * np.sqrt(25 / 30), rel=0.05)


def test_standardising_keeps_larger_stranger_at_every_place():
    places = PlaceStatistics.fit(RNG.normal(size=(20, 5, 5)))
    maps = RNG.normal(size=(1, 5, 5))
    assert (places.apply(maps + 0.1) > places.apply(maps)).all()


def test_places_survive_their_own_state():
    places = PlaceStatistics.fit(RNG.normal(size=(20, 5, 5)))
    maps = RNG.normal(size=(2, 5, 5))
    np.testing.assert_array_equal(PlaceStatistics.from_state(places.state()).apply(maps), places.apply(maps))
    with pytest.raises(ShapeError, match="missing"):
        PlaceStatistics.from_state({"mean": places.mean})


def test_places_refuse_nothing_nan_and_other_grids():
    with pytest.raises(ShapeError, match="no healthy map"):
        PlaceStatistics.fit_batches([])
    with pytest.raises(ShapeError, match="finite"):
        PlaceStatistics.fit(np.full((2, 4, 4), np.nan))
    with pytest.raises(ShapeError, match="learned on a grid"):
        PlaceStatistics.fit(RNG.normal(size=(3, 4, 4))).apply(np.zeros((1, 5, 5)))
