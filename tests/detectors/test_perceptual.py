"""Perception: healthy features standardised, and its way through arrays."""

import numpy as np
import torch

from halescan.detectors.perceptual import Perception
from halescan.networks.conv_autoencoder import ConvAutoencoder
from halescan.training.chance import seeded
from halescan.training.run import Run
from halescan.types import Stack
from tests.detectors.bodies import healthy


def network(grid: tuple[int, ...]) -> ConvAutoencoder:
    with seeded(0, "weights"):
        return ConvAutoencoder(channels=1, grid=grid, widths=(4, 6), latent=3).eval()


def test_healthy_features_have_mean_zero_and_spread_one() -> None:
    net, images = network((16, 16)), healthy(40, grid=(16, 16))
    seen = Perception.learn(net, Stack(images), name=None, grid=(16, 16), run=Run())
    with torch.no_grad():
        levels = net.features(torch.from_numpy(images))
    for level, mean, spread in zip(levels, seen.means, seen.spreads, strict=True):
        flat = level.transpose(0, 1).flatten(1)
        assert torch.allclose(mean, flat.mean(1), atol=1e-5)
        assert torch.allclose(spread, flat.std(1).clamp(min=1e-4), rtol=1e-2)
    assert seen.origin == "own"


def test_it_survives_the_way_through_arrays() -> None:
    net, images = network((8, 8, 8)), healthy(6, grid=(8, 8, 8))
    seen = Perception.learn(net, Stack(images), name="mobilenet_v2", grid=(8, 8, 8), run=Run())
    again = Perception.from_state(seen.state())
    one, two = torch.from_numpy(images[:2]), torch.from_numpy(images[2:4])
    with torch.no_grad():
        assert torch.equal(seen.residual(net, one, two), again.residual(net, one, two))
        assert np.abs(seen.residual(net, one, one).numpy()).max() == 0
