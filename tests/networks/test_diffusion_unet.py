"""The networks of diffusion: any grid, and blind to the rest of the batch."""

import pytest
import torch
from torch import nn

from halescan.networks.diffusion_unet import NoiseUNet, NoisyClassifier, level_code
from halescan.training.chance import noise, seeded


def build(kind: str, *, dims: int = 2) -> nn.Module:
    with seeded(0, kind):
        if kind == "unet":
            network: nn.Module = NoiseUNet(dims=dims, channels=1, widths=(4, 8), blocks=1, attention=1)
            for parameter in network.parameters():  # its end begins at zero
                nn.init.normal_(parameter, std=0.2)
            return network.eval()
        return NoisyClassifier(dims=dims, channels=1, widths=(4, 8)).eval()


@pytest.mark.parametrize("grid", [(16, 16), (11, 18)])
def test_the_noise_seen_lies_on_the_image_s_grid(grid: tuple[int, int]) -> None:
    images = torch.randn((2, 1, *grid), generator=noise(0, "test"))
    assert build("unet")(images, torch.tensor([3, 200])).shape == images.shape
    assert build("classifier")(images, torch.tensor([3, 200])).shape == (2,)


@pytest.mark.parametrize("kind", ["unet", "classifier"])
@torch.no_grad()
def test_an_image_alone_is_seen_as_in_a_batch(kind: str) -> None:
    network, images = build(kind), torch.randn((4, 1, 16, 16), generator=noise(0, "test"))
    levels = torch.tensor([0, 10, 100, 500])
    whole = network(images, levels)
    alone = torch.cat([network(images[n : n + 1], levels[n : n + 1]) for n in range(4)])
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["unet", "classifier"])
@torch.no_grad()
def test_the_level_makes_a_difference(kind: str) -> None:
    network, images = build(kind), torch.randn((1, 1, 16, 16), generator=noise(0, "test")).expand(2, -1, -1, -1)
    one, other = network(images, torch.tensor([0, 500]))
    assert not torch.allclose(one, other, atol=1e-3)


def test_no_two_levels_have_one_code() -> None:
    codes = level_code(torch.arange(1000), 16)
    assert codes.shape == (1000, 16)
    apart = torch.cdist(codes, codes) + torch.eye(1000)
    assert float(apart.min()) > 1e-3


def test_volumes_pass_the_classifier() -> None:
    assert build("classifier", dims=3)(torch.zeros(2, 1, 9, 10, 11), torch.tensor([0, 1])).shape == (2,)
