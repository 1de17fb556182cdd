"""The autoencoder: its residuals, its grid, its resumption."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.autoencoder import Autoencoder, working_grid
from halescan.errors import SettingError
from halescan.training.history import read_history
from halescan.training.model_folder import read_model, write_model
from halescan.training.run import Progress, Run
from tests.detectors.bodies import healthy, lesion, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {"side": 16, "widths": (8, 8), "latent": 6, "steps": 60, "batch_size": 8, "backbone": None}


def fitted(grid: tuple[int, ...] = (16, 16), run: Run = RUN, **changes: Any) -> Autoencoder:
    return Autoencoder(**SMALL | changes).fit(healthy(16, grid=grid), run=run)


def test_the_mean_of_the_l1_map_is_the_mean_absolute_error() -> None:
    images = healthy(3, grid=(16, 16), seed=5)
    scores = fitted(residual="l1").score(images)
    assert scores.map is not None
    assert scores.reconstruction is not None
    assert scores.map.mean() == pytest.approx(np.abs(images - scores.reconstruction).mean(), rel=1e-5)


@pytest.mark.parametrize("kind", ["l1", "l2", "ssim", "perceptual"])
@pytest.mark.parametrize("grid", [(16, 16), (8, 10, 12)])
def test_every_residual_sees_a_lesion_in_two_and_three_dimensions(kind: str, grid: tuple[int, ...]) -> None:
    detector = fitted(grid=grid, residual=kind)
    plain = healthy(4, grid=grid, seed=5)
    before, after = detector.score(plain).map, detector.score(with_lesion(plain, contrast=0.5)).map
    assert before is not None
    assert after is not None
    assert (after.reshape(4, -1).mean(1) > before.reshape(4, -1).mean(1)).all()


@pytest.mark.parametrize("kind", ["l1", "l2", "ssim", "perceptual"])
def test_a_perfect_reconstruction_leaves_an_empty_map(kind: str) -> None:
    detector = fitted(residual=kind)
    images = healthy(2, grid=(16, 16), seed=5)
    drawn = detector.score(images).reconstruction
    assert drawn is not None
    copies = _Copies(detector._network)
    detector._network = copies  # type: ignore[assignment]
    strange = detector.score(images).map
    assert strange is not None
    assert np.abs(strange).max() < 1e-6


@pytest.mark.parametrize("kind", ["red", "dab"])
def test_a_red_speck_is_seen_by_the_residuals_of_colour_and_a_blue_one_is_not(kind: str) -> None:
    blue = np.repeat(healthy(16, grid=(16, 16)), 3, axis=1) * np.array([0.5, 0.6, 0.9], np.float32)[:, None, None]
    detector = Autoencoder(**SMALL | {"residual": kind}).fit(blue, run=RUN)
    red, dark = blue[:4].copy(), blue[:4].copy()
    red[:, :, 6:9, 6:9] = np.array([0.6, 0.25, 0.15], np.float32)[:, None, None]
    dark[:, :, 6:9, 6:9] *= np.array([0.5, 0.5, 0.9], np.float32)[:, None, None]
    tops = [detector.score(images).map[:, 6:9, 6:9].mean((1, 2)) for images in (blue[:4], dark, red)]  # type: ignore[index]
    assert (tops[2] > 5 * np.maximum(tops[0], tops[1]) + 0.05).all()


def test_a_residual_of_colours_refuses_grey_images() -> None:
    with pytest.raises(SettingError, match="needs 3 channels, got 1"):
        fitted(residual="red")


class _Copies(torch.nn.Module):
    """A perfect reconstructor with another's features."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network, self.features = network, network.features

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.clone()


@pytest.mark.parametrize("loss", ["l1", "l2", "ssim+l1"])
def test_every_loss_falls(loss: str, tmp_path: Path) -> None:
    fitted(loss=loss, steps=100, run=replace(RUN, folder=tmp_path))
    rows = read_history(tmp_path / "history.jsonl")
    assert rows[-1]["loss"] < 0.6 * rows[0]["loss"]


def test_ae_u_forgives_where_healthy_images_are_uncertain() -> None:
    """Left half: noise; right half: even. The same speck is stranger where all was certain."""
    random = np.random.default_rng(0)
    images = np.full((64, 1, 16, 16), 0.5, np.float32)
    images[..., :8] += 0.2 * random.standard_normal((64, 1, 16, 8)).astype(np.float32)
    images[..., 8:] += 0.03 * random.standard_normal((64, 1, 16, 8)).astype(np.float32)
    settings = SMALL | {"steps": 400, "learning_rate": 5e-3, "loss": "uncertainty", "residual": "precision"}
    detector = Autoencoder(**settings).fit(images[:48], run=RUN)
    strange = detector.score(images[48:]).map
    assert strange is not None
    ratio = strange[..., 8:].mean() / strange[..., :8].mean()
    assert 0.3 < ratio < 3  # in variances both halves are alike; in squares they differ forty-fold
    spot = images[48:].copy()
    spot[:, :, 4, 3] += 0.3
    spot[:, :, 4, 12] += 0.3
    gained = detector.score(spot).map - strange
    assert gained[:, 4, 12].mean() > 5 * gained[:, 4, 3].mean()


def test_ae_u_other_residuals_see_the_image_alone() -> None:
    images = healthy(2, grid=(16, 16), seed=5)
    scores = fitted(loss="uncertainty", residual="l1").score(images)
    assert scores.reconstruction is not None
    np.testing.assert_allclose(scores.map, np.abs(images - scores.reconstruction)[:, 0], atol=1e-6)


def test_precision_without_a_drawn_variance_is_refused() -> None:
    with pytest.raises(SettingError, match="uncertainty"):
        Autoencoder(residual="precision")


def test_any_size_of_image_goes_in_and_comes_back() -> None:
    scores = fitted(grid=(37, 21)).score(healthy(2, grid=(37, 21)))
    assert scores.map is not None
    assert scores.reconstruction is not None
    assert scores.map.shape == (2, 16, 9)
    assert scores.reconstruction.shape == (2, 1, 37, 21)


@pytest.mark.parametrize(
    ("grid", "side", "expected"),
    [((224, 224), 64, (64, 64)), ((100, 50), 64, (64, 32)), ((30, 20), 64, (30, 20)), ((9, 900), 30, (1, 30))],
)
def test_the_working_grid_keeps_proportions_and_never_grows(
    grid: tuple[int, ...], side: int, expected: tuple[int, ...]
) -> None:
    assert working_grid(grid, side=side) == expected
    assert working_grid(grid, side=None) == grid


def test_interrupted_and_resumed_it_is_the_same_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)

    def stop(progress: Progress) -> None:
        if progress.done == 57:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(run=replace(RUN, folder=tmp_path, listen=stop))
    images = healthy(2, grid=(16, 16), seed=5)
    resumed = fitted(run=replace(RUN, folder=tmp_path, resume=True)).score(images).map
    whole = fitted().score(images).map
    assert resumed == pytest.approx(whole, abs=1e-5)


def test_through_a_model_folder_the_scores_stay(tmp_path: Path) -> None:
    detector = fitted(residual="perceptual")
    write_model(tmp_path / "model", record={"settings": detector.settings}, tensors=detector.state())
    record, tensors, _ = read_model(tmp_path / "model")
    again = Autoencoder(**record["settings"]).restore(tensors)
    images = with_lesion(healthy(2, grid=(16, 16), seed=5), contrast=0.3)
    assert again.score(images).map == pytest.approx(detector.score(images).map, abs=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"loss": "l3"}, {"residual": "l3"}, {"latent": 0}, {"widths": ()}, {"widths": (0,)}, {"side": 4}]
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        Autoencoder(**wrong)


def test_the_lesion_of_these_tests_lies_inside_the_body() -> None:
    assert healthy(8, grid=(16, 16))[:, 0][:, lesion((16, 16))].min() > 0
