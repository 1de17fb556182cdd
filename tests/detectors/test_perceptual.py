"""Perception: healthy features standardised, and its way through arrays."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from halescan.detectors.autoencoder import Autoencoder
from halescan.detectors.perceptual import Perception
from halescan.errors import SettingError
from halescan.networks.conv_autoencoder import ConvAutoencoder
from halescan.training.chance import seeded
from halescan.training.run import Run
from halescan.types import Stack
from tests.detectors.bodies import healthy, with_lesion

WEIGHTS = Path(os.environ.get("HALESCAN_WEIGHTS", Path(__file__).parents[2] / ".." / "shared" / "weights"))


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


def test_without_weights_the_own_encoder_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALESCAN_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    run = Run(device="cpu", precision="32", weights=tmp_path)
    seen = Perception.learn(
        network((16, 16)), Stack(healthy(4, grid=(16, 16))), name="resnet18", grid=(16, 16), run=run
    )
    assert seen.origin == "own"


def test_a_backbone_that_does_not_exist_is_refused_before_any_scan_is_read() -> None:
    Autoencoder(backbone="no-such").check_run(Run(device="cpu"))  # nothing looks through it
    with pytest.raises(SettingError, match="no backbone 'no-such'"):
        Autoencoder(backbone="no-such", residual="perceptual").check_run(Run(device="cpu"))


@pytest.mark.skipif(not (WEIGHTS / "mobilenet_v2").is_dir(), reason="no weights of mobilenet_v2 in HALESCAN_WEIGHTS")
def test_with_weights_the_backbone_looks_and_goes_into_the_state() -> None:
    run = Run(device="cpu", precision="32", weights=WEIGHTS)
    settings = {"widths": (4, 8), "latent": 4, "steps": 5, "batch_size": 4, "residual": "perceptual"}
    detector = Autoencoder(**settings).fit(healthy(8, grid=(64, 64)), run=run)
    images = with_lesion(healthy(2, grid=(64, 64), seed=5), contrast=0.4)
    again = Autoencoder(**settings).restore(detector.state())
    assert detector.backbone_origin == again.backbone_origin == "weights"
    assert detector.score(images).map == pytest.approx(again.score(images).map, abs=1e-5)
