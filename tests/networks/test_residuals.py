"""Residuals: zero where nothing differs, and exact where something does."""

import pytest
import torch

from halescan.errors import SettingError
from halescan.networks.residuals import (
    COLOUR_KINDS,
    PIXEL_KINDS,
    colour_residual,
    feature_residual,
    gradient_residual,
    precision_residual,
    residual,
)


@pytest.mark.parametrize("kind", PIXEL_KINDS)
@pytest.mark.parametrize("grid", [(9, 12), (6, 7, 8)])
def test_a_perfect_reconstruction_leaves_nothing(kind: str, grid: tuple[int, ...]) -> None:
    images = torch.rand(2, 3, *grid)
    assert residual(kind, images, images.clone()).abs().max() < 1e-6
    assert residual(kind, images, images).shape == (2, *grid)


@pytest.mark.parametrize("offset", [0.25, -0.5])
def test_the_mean_absolute_error_of_an_offset_is_the_offset(offset: float) -> None:
    images = torch.rand(2, 1, 8, 8)
    assert torch.allclose(residual("l1", images, images + offset).mean(), torch.tensor(abs(offset)))
    assert torch.allclose(residual("l2", images, images + offset).mean(), torch.tensor(offset**2))


def test_channels_are_averaged() -> None:
    images = torch.zeros(1, 2, 4, 4)
    drawn = images.clone()
    drawn[:, 1] = 1.0
    assert (residual("l1", images, drawn) == 0.5).all()


def test_another_kind_is_refused() -> None:
    with pytest.raises(SettingError, match="l1, l2, ssim"):
        residual("l3", torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))


def features(*scale: float) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.rand(2, 4, 8, 8) * scale[0], torch.rand(2, 6, 4, 4) * scale[0]]


def test_equal_features_leave_nothing() -> None:
    levels, rest = features(1), [torch.zeros(4), torch.zeros(6)]
    ones = [torch.ones(4), torch.ones(6)]
    assert (feature_residual(levels, levels, means=rest, spreads=ones) == 0).all()


def test_the_mean_over_the_map_is_the_relative_distance() -> None:
    one, two = features(1)[:1], [features(1)[0].flip(0)]
    strange = feature_residual(one, two, means=[torch.zeros(4)], spreads=[torch.ones(4)])
    expected = (one[0] - two[0]).abs().sum((1, 2, 3)) / one[0].abs().sum((1, 2, 3))
    assert torch.allclose(strange.mean((1, 2)), expected, atol=1e-5)


def test_the_unit_of_a_channel_does_not_matter_once_standardised() -> None:
    one, two = features(1), [level.flip(0) for level in features(1)]
    mean, spread = [torch.full((4,), 0.5), torch.full((6,), 0.5)], [torch.full((4,), 0.3), torch.full((6,), 0.3)]
    larger = [level * 7 for level in one], [level * 7 for level in two]
    plain = feature_residual(one, two, means=mean, spreads=spread)
    scaled = feature_residual(*larger, means=[m * 7 for m in mean], spreads=[s * 7 for s in spread])
    assert torch.allclose(plain, scaled, atol=1e-5)
    assert plain.shape == (2, 8, 8)


def test_the_precision_weighted_error_is_counted_in_variances() -> None:
    images = torch.rand(2, 1, 4, 4)
    strange = precision_residual(images, images + 0.2, torch.full_like(images, 0.04).log())
    assert torch.allclose(strange, torch.ones(2, 4, 4), atol=1e-4)
    assert float(precision_residual(images, images, torch.zeros_like(images)).abs().max()) == 0


def test_the_gradient_of_a_sum_of_squares_is_twice_the_error() -> None:
    images, drawn = torch.rand(3, 2, 4, 5, requires_grad=True), torch.rand(3, 2, 4, 5)
    loss = (images - drawn).square().flatten(1).sum(1)
    expected = (2 * (images - drawn)).abs().mean(1)
    assert torch.allclose(gradient_residual(loss, images), expected, atol=1e-6)
    assert torch.allclose(gradient_residual(loss, images), expected, atol=1e-6)  # the graph is kept


def blue(red_pixels: int) -> torch.Tensor:
    """`(1, 3, 10, 10)`, the first pixels brown-red."""
    images = torch.tensor((0.5, 0.55, 0.8)).reshape(1, 3, 1, 1).repeat(1, 1, 10, 10)
    images.reshape(1, 3, 100)[..., :red_pixels] = torch.tensor((0.55, 0.25, 0.15))[:, None]
    return images


@pytest.mark.parametrize("kind", COLOUR_KINDS)
def test_red_that_is_lost_is_seen_where_it_was_and_red_that_is_drawn_is_not(kind: str) -> None:
    lost = colour_residual(kind, blue(7), blue(3))
    assert ((lost > 0.1).reshape(-1).nonzero().reshape(-1) == torch.arange(3, 7)).all()
    assert lost.reshape(-1)[7:].max() == 0
    assert colour_residual(kind, blue(3), blue(7)).max() == 0
    assert colour_residual(kind, blue(7), blue(7)).max() == 0


def test_a_residual_of_colours_needs_colours_and_a_kind() -> None:
    with pytest.raises(SettingError, match="needs 3 channels"):
        colour_residual("red", torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    with pytest.raises(SettingError, match="red, dab"):
        colour_residual("green", torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
