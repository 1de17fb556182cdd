"""Gradient magnitude similarity: its closed forms and its borders."""

import pytest
import torch

from halescan.networks.gms import gms_distance, gms_map


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_like_itself_everywhere(channels: int) -> None:
    images = torch.rand(2, channels, 20, 17)
    assert (gms_map(images, images) == 1).all()
    assert (gms_distance(images, images) == 0).all()


def test_it_is_symmetric_and_lies_above_0_and_not_above_1() -> None:
    one, two = torch.rand(2, 1, 20, 17), torch.rand(2, 1, 20, 17)
    assert torch.equal(gms_map(one, two), gms_map(two, one))
    assert gms_map(one, two).min() > 0
    assert gms_map(one, two).max() <= 1


def test_a_ramp_against_nothing_is_its_closed_form() -> None:
    slope = 0.1
    ramp = slope * torch.arange(12.0).expand(1, 1, 12, 12)
    size = 2 * slope  # Prewitt over two pixels, divided by three
    expected = 0.0026 / (size**2 + 0.0026)
    inner = gms_map(ramp, torch.zeros_like(ramp))[0, 3:-3, 3:-3]
    assert inner.flatten().tolist() == pytest.approx([expected] * 36, rel=1e-3)  # the root is lifted by a hair


def test_brightness_alone_makes_no_difference() -> None:
    images = torch.rand(1, 1, 16, 16)
    assert torch.allclose(gms_map(images, images + 0.2), torch.ones(1, 16, 16), atol=1e-4)


def test_a_speck_of_one_pixel_makes_no_difference() -> None:
    images = torch.zeros(1, 1, 16, 16)
    speck = images.clone()
    speck[0, 0, 8, 8] = 1
    assert (gms_map(images, speck) == 1).all()


@pytest.mark.parametrize("side", [4, 7, 16, 64])
def test_the_distance_lies_on_the_images_own_grid(side: int) -> None:
    assert gms_distance(torch.rand(2, 1, side, side), torch.rand(2, 1, side, side)).shape == (2, side, side)


def test_the_way_down_exists_where_both_are_flat() -> None:
    drawn = torch.zeros(1, 1, 16, 16, requires_grad=True)
    gms_distance(drawn, torch.zeros(1, 1, 16, 16)).sum().backward()
    assert drawn.grad is not None
    assert drawn.grad.isfinite().all()
