"""The convolutional autoencoder: grid in, grid out, all of it through the bottleneck."""

import pytest
import torch

from halescan.networks.conv_autoencoder import ConvAutoencoder
from halescan.training.chance import seeded


@pytest.mark.parametrize("grid", [(16, 16), (15, 22), (3, 5), (8, 8, 8), (9, 6, 5)])
def test_an_image_comes_out_on_its_own_grid(grid: tuple[int, ...]) -> None:
    net = ConvAutoencoder(channels=3, grid=grid, widths=(4, 6), latent=5)
    assert net(torch.rand(2, 3, *grid)).shape == (2, 3, *grid)


def test_features_halve_from_level_to_level() -> None:
    net = ConvAutoencoder(channels=1, grid=(16, 8), widths=(4, 6, 8), latent=5)
    assert [tuple(level.shape) for level in net.features(torch.rand(2, 1, 16, 8))] == [
        (2, 4, 8, 4),
        (2, 6, 4, 2),
        (2, 8, 2, 1),
    ]


def test_all_passes_through_the_latent() -> None:
    net = ConvAutoencoder(channels=1, grid=(16, 16), widths=(4, 6), latent=3).eval()
    with torch.no_grad():
        net.squeeze.weight.zero_()
        drawn = net(torch.rand(2, 1, 16, 16))
    assert torch.allclose(drawn[0], drawn[1])  # two different images: nothing leaked around the bottleneck


def test_a_wider_latent_reconstructs_better() -> None:
    with seeded(0, "images"):
        images = torch.rand(8, 1, 8, 8)
    errors = [_error_after_learning(images, latent=latent) for latent in (1, 64)]
    assert errors[1] < 0.5 * errors[0]


def _error_after_learning(images: torch.Tensor, *, latent: int) -> float:
    with seeded(0, "weights"):
        net = ConvAutoencoder(channels=1, grid=(8, 8), widths=(16,), latent=latent)
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.01)
    for _ in range(150):
        optimiser.zero_grad()
        loss = (net(images) - images).square().mean()
        loss.backward()
        optimiser.step()
    return float(loss.detach())
