"""Black, white and the line between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halescan.data.intensity import Levels, inner_levels, luminance, range_levels, robust, window
from halescan.errors import SettingError


def test_a_window_maps_its_ends_to_black_and_white() -> None:
    np.testing.assert_allclose(window(np.array([-2000.0, -1000, -300, 400, 3000]), -1000, 400), [0, 0, 0.5, 1, 1])


def test_robust_levels_come_from_inside_the_mask_alone() -> None:
    pixels = np.linspace(100, 200, 10_000).reshape(100, 100)
    mask = np.ones((100, 100), dtype=bool)
    outlier = pixels.copy()
    outlier[:5], mask[:5] = 9999, False
    inside = robust(outlier, mask)[mask]
    assert inside.min() == 0
    assert 1.0 < inside.max() < 1.01


def test_what_is_brighter_than_all_healthy_tissue_keeps_its_rank() -> None:
    pixels = np.linspace(0, 100, 10_000).reshape(100, 100)
    pixels[0, 0], pixels[0, 1], pixels[0, 2] = 120, 130, 1e6
    values = robust(pixels)
    assert values[99, 99] < values[0, 0] < values[0, 1] < values[0, 2] == 1.5


@given(st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_robust_values_do_not_depend_on_gain_and_offset(gain: float, offset: float) -> None:
    pixels = np.random.default_rng(0).gamma(3, 50, (40, 40))
    np.testing.assert_allclose(robust(pixels), robust(pixels * gain + offset), atol=1e-3)


def test_an_empty_mask_and_equal_quantiles_still_give_finite_values() -> None:
    pixels = np.zeros((50, 50))
    pixels[0, 0] = 5
    for mask in (None, np.zeros((50, 50), dtype=bool)):
        assert np.isfinite(robust(pixels, mask)).all()
    assert np.isfinite(robust(np.full((4, 4), 3.0))).all()


def test_eight_and_sixteen_bits_keep_the_scale_of_the_file() -> None:
    for pixels, shares in (
        (np.array([51, 102], np.uint8), [0.2, 0.4]),
        (np.array([65535, 0], np.uint16), [1, 0]),
        (np.array([-3.0, 1.0, 5.0]), [0, 0.5, 1]),
    ):
        np.testing.assert_allclose(range_levels(pixels).apply(pixels), shares, rtol=1e-6)


def test_white_has_the_luminance_of_white() -> None:
    assert luminance(np.full((2, 2, 3), 255, np.uint8)) == pytest.approx(np.full((2, 2), 255.0), rel=1e-6)


def test_black_above_white_is_refused() -> None:
    with pytest.raises(SettingError, match="black must lie below white"):
        Levels(400, -1000)


def test_large_pictures_are_sampled_without_moving_the_levels() -> None:
    pixels = np.random.default_rng(0).normal(1000, 100, (1500, 1500)).astype(np.float32)
    exact = np.quantile(pixels, [0.005, 0.995])
    values = robust(pixels)
    at = values[np.abs(pixels - exact[1]) < 0.5].mean()
    assert at == pytest.approx(1, abs=0.02)


def head(brain: float, lesion: float = 0.0, size: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A disc of brain with a rim of bright fat, and perhaps a square lesion."""
    y, x = np.mgrid[:100, :100] - 49.5
    radius = np.hypot(y, x)
    pixels = np.where(radius < 45, np.where(radius > 40, 900.0, brain), 0.0)
    pixels[(np.abs(y) < 10) & (np.abs(x) < 4)] = 20.0  # ventricles
    pixels[45 : 45 + size, 45 : 45 + size] = lesion
    return pixels, radius < 45


@pytest.mark.parametrize("brain", [100.0, 300.0])
def test_inner_levels_show_every_brain_alike_whatever_the_gain_of_the_fat(brain: float) -> None:
    pixels, mask = head(brain)
    assert inner_levels(pixels, mask).apply(pixels)[50, 70] == pytest.approx(0.5, abs=0.01)


def test_a_large_bright_lesion_does_not_move_inner_levels() -> None:
    well, mask = head(200.0)
    sick, _ = head(200.0, lesion=600.0, size=20)
    assert inner_levels(sick, mask) == inner_levels(well, mask)
