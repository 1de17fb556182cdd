"""Guided diffusion: without a pull the image comes back, with one it moves to what the classifier calls healthy."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from halescan.detectors.guided_diffusion import GuidedDiffusion, guided
from halescan.errors import SettingError, TrainingError
from halescan.networks.noise import Diffusion, kept_at
from halescan.training.chance import noise
from halescan.training.run import Progress, Run
from halescan.types import Batch, Labelled, Stack
from tests.detectors.bodies import healthy, lesion, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {
    "side": 16,
    "widths": (8, 8),
    "classifier_widths": (8, 8),
    "depth": 0.4,
    "jumps": 20,
    "steps": 30,
    "classifier_steps": 60,
    "batch_size": 4,
    "learning_rate": 1e-2,
}
INSIDE = lesion((16, 16))


def cohort() -> tuple[np.ndarray, np.ndarray]:
    ill = with_lesion(healthy(12, grid=(16, 16), seed=3), contrast=0.4)
    return np.concatenate([healthy(24, grid=(16, 16)), ill]), np.arange(36) >= 24


def fitted(run: Run = RUN, **changes: Any) -> GuidedDiffusion:
    images, labels = cohort()
    return GuidedDiffusion(**SMALL | changes).fit(images, labels=labels, run=run)


@cache
def known() -> GuidedDiffusion:
    return fitted()


def as_if(**changes: Any) -> GuidedDiffusion:
    """The known one with other settings of scoring."""
    return GuidedDiffusion(**SMALL | changes).restore(known().state())


def map_of(detector: GuidedDiffusion, images: np.ndarray) -> np.ndarray:
    found = detector.score(images).map
    assert found is not None
    return found


def test_guided_diffusion_without_a_pull_comes_nearer_to_the_image_with_more_steps() -> None:
    images = with_lesion(healthy(4, grid=(16, 16), seed=5), contrast=0.4)
    errors = [map_of(as_if(pull=0, jumps=jumps), images).mean() for jumps in (10, 50, 250)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01


def test_guided_diffusion_with_more_pull_more_is_changed_in_the_lesion() -> None:
    images = with_lesion(healthy(4, grid=(16, 16), seed=5), contrast=0.4)
    means = [map_of(as_if(pull=pull), images)[:, INSIDE].mean() for pull in (0, 2, 5)]
    assert means[0] < means[1] < means[2]


def test_guided_diffusion_pulls_a_gaussian_toy_to_what_is_called_healthy_the_more_the_stronger() -> None:
    """Images are N(0, 1/4), a closed form tells their noise; the classifier calls them healthy where they are dark."""

    def sees(noisy: Tensor, levels: Tensor) -> Tensor:
        kept = kept_at(levels, dims=2)
        return (1 - kept).sqrt() * noisy / (0.25 * kept + 1 - kept)

    def bright(noisy: Tensor, levels: Tensor) -> Tensor:
        return 4 * noisy.mean((1, 2, 3))

    images = 0.5 * torch.randn((20, 1, 4, 4), generator=noise(0, "toy"))
    diffusion = Diffusion(jumps=100, depth=0.5)
    likely = []
    for pull in (0.0, 1.0, 3.0, 10.0):
        back = diffusion.decode(guided(sees, bright, pull=pull), diffusion.encode(sees, images))
        likely.append(float(torch.sigmoid(-bright(back, torch.zeros(20, dtype=torch.long))).mean()))
    unchanged = float(torch.sigmoid(-bright(images, torch.zeros(20, dtype=torch.long))).mean())
    assert likely[0] == pytest.approx(unchanged, abs=0.01)
    assert likely[0] + 0.01 < likely[1] < likely[2] < likely[3]


def test_the_pull_is_the_classifier_s_gradient_scaled_by_the_noise() -> None:
    noisy, levels = torch.randn((2, 1, 3, 3), generator=noise(0, "toy")), torch.tensor([100, 400])
    weights = torch.arange(9.0).reshape(1, 1, 3, 3) / 10

    def sees(images: Tensor, levels: Tensor) -> Tensor:
        return torch.zeros_like(images)

    def linear(images: Tensor, levels: Tensor) -> Tensor:
        return (weights * images).sum((1, 2, 3))

    logit = linear(noisy, levels).reshape(-1, 1, 1, 1)
    by_hand = 7 * (1 - kept_at(levels, dims=2)).sqrt() * torch.sigmoid(logit) * weights  # - s sqrt(1-a) d log sigma(-l)
    torch.testing.assert_close(guided(sees, linear, pull=7.0)(noisy, levels), by_hand)


@torch.no_grad()
def test_the_classifier_tells_the_kinds_apart_through_noise() -> None:
    detector = known()
    images = healthy(20, grid=(16, 16), seed=5)
    levels = torch.full((20,), 100)
    logits = []
    for part in (images, with_lesion(images, contrast=0.4)):
        centred = detector._network.centred(torch.from_numpy(part))
        drawn = torch.randn(centred.shape, generator=noise(0, "drawn"))
        logits.append(detector._classifier(detector.diffusion.add_noise(centred, drawn, levels), levels))
    assert float((logits[1] > logits[0]).float().mean()) > 0.9
    assert float(logits[0].mean()) < 0 < float(logits[1].mean())


def test_what_had_to_change_lies_in_the_lesion() -> None:
    images = with_lesion(healthy(6, grid=(16, 16), seed=5), contrast=0.4)
    strange = map_of(known(), images)
    assert strange[:, INSIDE].mean() > 3 * strange[:, ~INSIDE].mean()


def test_without_labels_it_says_what_is_missing_and_how_to_give_it() -> None:
    images, labels = cohort()
    with pytest.raises(TrainingError, match=r"labels=.*--abnormal"):
        GuidedDiffusion(**SMALL).fit(images)
    for kind, only in (("abnormal", labels & False), ("healthy", labels | True)):
        with pytest.raises(TrainingError, match=f"no {kind} one"):
            GuidedDiffusion(**SMALL).fit(images, labels=only)
    with pytest.raises(TrainingError, match="36"):
        GuidedDiffusion(**SMALL).fit(images, labels=labels[:5])


def test_every_batch_holds_as_many_healthy_as_abnormal_images() -> None:
    images = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1)
    pairs = Labelled(Stack(images), np.isin(np.arange(10), [2, 5, 9])).pairs()
    assert pairs.take([0, 4]).images.ravel().tolist() == [0, 6, 2, 5]
    seen = [value for batch in pairs for value in batch.images.ravel().tolist()]
    assert set(seen) == set(range(10))
    assert sum(value in (2, 5, 9) for value in seen) == len(pairs) == len(seen) / 2


@pytest.mark.parametrize(("healthy_ones", "abnormal_ones"), [(100, 60), (60, 100), (50, 3), (7, 7), (1, 1)])
def test_no_image_comes_round_much_more_often_than_another_of_its_kind(healthy_ones: int, abnormal_ones: int) -> None:
    images = np.arange(healthy_ones + abnormal_ones, dtype=np.float32).reshape(-1, 1, 1, 1)
    pairs = Labelled(Stack(images), np.arange(len(images)) >= healthy_ones).pairs()
    times = np.bincount([int(value) for batch in pairs for value in batch.images.ravel()])
    for kind in (times[:healthy_ones], times[healthy_ones:]):
        assert 0 < kind.max() <= 9 / 8 * kind.min()


def test_pictures_show_the_image_and_what_it_became() -> None:
    images = known().pictures(Batch(healthy(2, grid=(16, 16), seed=5)))
    assert list(images) == ["original", "healthy"]
    assert images["healthy"].shape == (2, 1, 16, 16)


def test_interrupted_in_its_second_stage_and_resumed_it_is_the_same_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)

    def stop(progress: Progress) -> None:
        if progress.stage.endswith("classifier") and progress.done == 53:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(run=replace(RUN, folder=tmp_path, listen=stop))
    images = healthy(2, grid=(16, 16), seed=5)
    resumed = fitted(run=replace(RUN, folder=tmp_path, resume=True))
    np.testing.assert_allclose(map_of(resumed, images), map_of(known(), images), atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pull": -1},
        {"depth": 0},
        {"jumps": 0},
        {"widths": (8,)},
        {"classifier_widths": ()},
        {"classifier_steps": 0},
        {"side": 4},
    ],
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        GuidedDiffusion(**wrong)
