"""The variational autoencoder: its residuals, its prior, its resumption."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.vae import VAE
from halescan.errors import SettingError
from halescan.networks.variational import Cloud
from halescan.training.history import read_history
from halescan.training.run import Progress, Run
from tests.detectors.bodies import healthy, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {"side": 16, "widths": (8, 8), "latent": 6, "steps": 80, "batch_size": 8}
GRADIENTS = ("elbo-gradient", "kl-gradient", "l2*kl-gradient")


def fitted(grid: tuple[int, ...] = (16, 16), run: Run = RUN, **changes: Any) -> VAE:
    return VAE(**SMALL | changes).fit(healthy(16, grid=grid), run=run)


def spread(detector: VAE) -> tuple[float, float]:
    """Mean square of the clouds' means, and mean of their variances, over healthy images."""
    with torch.no_grad():
        cloud = Cloud.told(detector._network.encode(torch.from_numpy(healthy(32, grid=(16, 16), seed=5))))
    return float(cloud.mean.square().mean()), float(cloud.log_variance.exp().mean())


@pytest.mark.parametrize("kind", ["l1", "l2", "ssim", *GRADIENTS])
@pytest.mark.parametrize("grid", [(16, 16), (8, 10, 12)])
def test_every_residual_sees_a_lesion_in_two_and_three_dimensions(kind: str, grid: tuple[int, ...]) -> None:
    detector = fitted(grid=grid, residual=kind)
    plain = healthy(4, grid=grid, seed=5)
    before, after = detector.score(plain).map, detector.score(with_lesion(plain, contrast=0.6)).map
    assert before is not None
    assert after is not None
    assert before.shape == (4, *grid)
    assert after.mean() > before.mean()


def test_the_gradient_of_the_bound_is_the_error_where_the_bottleneck_tells_nothing() -> None:
    detector = fitted(steps=5, residual="elbo-gradient")
    for weight in (detector._network.squeeze.weight, detector._network.squeeze.bias):
        torch.nn.init.zeros_(weight)
    images = healthy(2, grid=(16, 16), seed=5)
    scores = detector.score(images)
    assert scores.map is not None
    assert scores.reconstruction is not None
    np.testing.assert_allclose(scores.map, 2 * np.abs(images - scores.reconstruction)[:, 0], atol=1e-5)


def test_a_heavy_divergence_holds_the_latent_to_the_prior_and_none_lets_it_go() -> None:
    held, free = spread(fitted(kl_weight=1.0)), spread(fitted(kl_weight=0.0))
    assert held[0] < 0.05  # it tells nothing: mean 0 ...
    assert held[1] == pytest.approx(1, abs=0.2)  # ... and variance 1
    assert free[0] > 0.1
    assert free[1] < 0.8


def test_both_parts_of_the_loss_stand_in_the_history(tmp_path: Path) -> None:
    fitted(steps=100, run=replace(RUN, folder=tmp_path))
    rows = read_history(tmp_path / "history.jsonl")
    assert rows[-1]["loss"] == pytest.approx(rows[-1]["l2"] + rows[-1]["kl"], rel=1e-5)
    assert rows[-1]["loss"] < 0.6 * rows[0]["loss"]


def test_interrupted_and_resumed_it_is_the_same_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)

    def stop(progress: Progress) -> None:
        if progress.done == 57:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(run=replace(RUN, folder=tmp_path, listen=stop))
    images = healthy(2, grid=(16, 16), seed=5)
    resumed = fitted(run=replace(RUN, folder=tmp_path, resume=True)).score(images).map
    assert resumed == pytest.approx(fitted().score(images).map, abs=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"residual": "l3"}, {"latent": 0}, {"widths": ()}, {"widths": (0,)}, {"side": 4}, {"kl_weight": -1}]
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        VAE(**wrong)
