"""The adversarial autoencoder: the shape of its latent, its score, its resumption."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.adversarial_autoencoder import AdversarialAutoencoder
from halescan.errors import SettingError
from halescan.training.chance import noise
from halescan.training.history import read_history
from halescan.training.run import Progress, Run
from tests.detectors.bodies import healthy

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {
    "side": 16,
    "widths": (8, 8),
    "latent": 2,
    "critic_width": 32,
    "steps": 80,
    "batch_size": 8,
    "learning_rate": 2e-3,
}


def fitted(run: Run = RUN, **changes: Any) -> AdversarialAutoencoder:
    return AdversarialAutoencoder(**SMALL | changes).fit(healthy(24, grid=(16, 16)), run=run)


def halves(count: int, *, seed: int) -> np.ndarray:
    """`(count, 1, 8, 8)`: two flat halves, each of a grey of its own in [0.2, 0.8]: two numbers tell all of it."""
    random = np.random.default_rng(seed)
    levels = np.repeat(random.uniform(0.2, 0.8, (count, 2)), 4, axis=1)
    noisy = np.repeat(levels[:, None, None], 8, axis=2) + 0.01 * random.standard_normal((count, 1, 8, 8))
    return noisy.astype(np.float32)


def fitted_on_halves(critic_weight: float, *, steps: int) -> AdversarialAutoencoder:
    settings = SMALL | {"side": 8, "widths": (8,), "steps": steps, "batch_size": 32, "critic_weight": critic_weight}
    return AdversarialAutoencoder(**settings).fit(halves(512, seed=0), run=RUN)


def told(detector: AdversarialAutoencoder) -> torch.Tensor:
    """The latent numbers of unseen halves."""
    with torch.no_grad():
        latent: torch.Tensor = detector._network.maker.encode(torch.from_numpy(halves(300, seed=1)))
    return latent


def test_adversarial_autoencoder_healthy_latents_fill_the_prior_and_the_prior_draws_healthy_images() -> None:
    detector = fitted_on_halves(0.05, steps=400)
    latent = told(detector)
    spreads = torch.linalg.eigvalsh(torch.cov(latent.T))
    assert float(latent.mean(0).abs().max()) < 0.4
    assert float(spreads.min()) > 0.6
    assert float(spreads.max()) < 1.6
    with torch.no_grad():
        drawn = detector._network.maker.decode(torch.randn((200, 2), generator=noise(0, "prior"))).numpy()
    parts = drawn.reshape(200, 8, 2, 4)
    assert parts.std(axis=(1, 3)).mean() < 0.05  # flat
    assert ((parts.mean((1, 3)) > 0.1) & (parts.mean((1, 3)) < 0.9)).mean() > 0.97  # of healthy grey


def test_adversarial_autoencoder_without_fooling_the_latent_goes_where_it_likes() -> None:
    latent = told(fitted_on_halves(0.0, steps=150))
    spreads = torch.linalg.eigvalsh(torch.cov(latent.T))
    assert float(latent.mean(0).abs().max()) > 0.5 or float(spreads.min()) < 0.5


def test_the_prior_s_share_stands_in_the_score() -> None:
    images = healthy(3, grid=(16, 16), seed=5)
    plain, weighed = fitted(steps=20), fitted(steps=20, prior_weight=2.0)
    assert plain.score(images).image is None
    scores = weighed.score(images)
    assert scores.map is not None
    with torch.no_grad():
        latent = weighed._network.maker.encode(torch.from_numpy(images)).numpy()
    expected = scores.map.mean((1, 2)) + 2.0 * 0.5 * np.square(latent).mean(1)
    np.testing.assert_allclose(scores.image, expected, rtol=1e-4)


def test_both_turns_stand_in_the_history(tmp_path: Path) -> None:
    fitted(steps=5, run=replace(RUN, folder=tmp_path))
    last = read_history(tmp_path / "history.jsonl")[-1]
    assert {"l2", "fooling", "critic"} <= set(last)


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
    "wrong",
    [
        {"residual": "perceptual"},
        {"latent": 0},
        {"widths": ()},
        {"side": 4},
        {"critic_weight": -1},
        {"critic_width": 0},
    ],
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        AdversarialAutoencoder(**wrong)
