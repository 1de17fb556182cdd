"""The U-Net takes any grid, and can learn to copy."""

import pytest
import torch

from halescan.networks.unet import UNet
from halescan.training.chance import seeded


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("grid", [(16, 16), (13, 22), (5, 3), (8, 8, 8), (7, 10, 3)])
def test_an_image_comes_out_on_its_own_grid(grid: tuple[int, ...], norm: str) -> None:
    net = UNet(dims=len(grid), channels=2, width=4, depth=3, norm=norm).eval()
    assert net(torch.rand(2, 2, *grid)).shape == (2, 2, *grid)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_an_image_alone_gives_what_it_gives_in_a_batch(norm: str) -> None:
    net = UNet(dims=2, channels=1, width=4, depth=3, norm=norm).eval()
    images = torch.rand(4, 1, 12, 12)
    with torch.no_grad():
        assert torch.allclose(net(images)[1:2], net(images[1:2]), atol=1e-6)


def test_one_storey_is_enough_for_a_net() -> None:
    assert UNet(dims=2, channels=1, width=4, depth=1)(torch.rand(1, 1, 6, 6)).shape == (1, 1, 6, 6)


def test_it_learns_to_copy_an_image() -> None:
    with seeded(0, "copy"):
        net, images = UNet(dims=2, channels=1, width=8, depth=3), torch.rand(2, 1, 16, 16)
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = (net(images) - images).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.15 * losses[0]
    assert losses[-1] < 0.02  # the variance of the image is 1/12: this is no mere mean


def test_every_weight_is_used() -> None:
    net = UNet(dims=3, channels=1, width=4, depth=3)
    net(torch.rand(1, 1, 8, 8, 8)).square().mean().backward()
    assert all(
        weight.grad is not None and weight.grad.abs().sum() > 0 for weight in net.parameters() if weight.ndim > 1
    )
