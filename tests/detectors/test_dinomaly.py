"""Dinomaly: groups of levels drawn by tokens, of a convolutional network or a vision transformer."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from halescan.detectors.dinomaly import Dinomaly
from halescan.errors import SettingError
from halescan.networks.token_decoder import gather
from halescan.training.run import Progress, Run
from halescan.training.schedule import Tensors
from tests.detectors.bodies import healthy, with_lesion
from tests.networks.tiny import tiny_weights

RUN = Run(device="cpu", precision="32", weights=tiny_weights())
GRID = (32, 32)
SMALL: dict[str, Any] = {
    "backbone": "tiny",
    "levels": (2, 4, 7, 8),
    "side": 32,
    "grid": 8,
    "width": 16,
    "heads": 2,
    "steps": 60,
    "batch_size": 8,
    "learning_rate": 5e-3,
}


def fitted(run: Run = RUN, **changes: Any) -> Dinomaly:
    return Dinomaly(**SMALL | changes).fit(healthy(16, grid=GRID), run=run)


@cache
def known() -> Dinomaly:
    return fitted()


class _Draws(nn.Module):
    """A decoder that knows the answer."""

    def __init__(self, answer: list[Tensor]) -> None:
        super().__init__()
        self.answer, self.weight = answer, nn.Parameter(torch.ones(1))

    def forward(self, shown: Tensor) -> list[Tensor]:
        return self.answer


def test_dinomaly_groups_that_are_drawn_perfectly_leave_no_map() -> None:
    detector, images = fitted(steps=1), healthy(2, grid=GRID, seed=5)
    _, wanted = detector._shown(torch.from_numpy(images))
    detector._decoder = _Draws([2 * group for group in wanted])  # type: ignore[assignment]
    strange = detector.score(images).map
    assert strange is not None
    assert strange.shape == (2, 8, 8)
    assert np.abs(strange).max() < 1e-6


def test_the_first_half_of_the_levels_is_one_group_and_the_rest_the_other() -> None:
    detector = fitted(steps=1)
    teacher, images = detector._ready(), torch.from_numpy(healthy(2, grid=GRID, seed=5))
    levels = teacher.levels(images)
    _, groups = detector._shown(images)
    for group, half in zip(groups, (levels[:2], levels[2:]), strict=True):
        torch.testing.assert_close(group, gather(half, (8, 8)))


def test_dinomaly_more_and_more_places_count_as_easy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    real = fitted(steps=1)

    def note(kind: str, wanted: list[Tensor], drawn: list[Tensor], *, easy: float, easy_gradient: float) -> Tensor:
        asked.append(easy)
        return torch.stack([group.mean() for group in drawn]).sum()

    monkeypatch.setattr("halescan.detectors.dinomaly.distillation_loss", note)
    detector = Dinomaly(**SMALL | {"steps": 40})
    detector._extractor = real._ready()
    batch = Tensors(torch.from_numpy(healthy(2, grid=GRID)))
    decoder = real._decoder
    decoder.taken.zero_()
    for _ in range(6):
        detector._loss(decoder.train(), batch, torch.Generator())
    assert asked == pytest.approx([0, 0.225, 0.45, 0.675, 0.9, 0.9])
    detector._loss(decoder.eval(), batch, torch.Generator())
    assert int(decoder.taken) == 6


def test_scoring_is_still_although_learning_was_noisy() -> None:
    images = healthy(2, grid=GRID, seed=5)
    one, two = known().score(images).map, known().score(images).map
    assert one is not None
    assert two is not None
    assert np.array_equal(one, two)
    assert int(known()._decoder.taken) == SMALL["steps"]


def test_tokens_of_a_vision_transformer_are_taken_in_whole_patches(tmp_path: Path) -> None:
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=12, num_hidden_layers=4, num_attention_heads=2, image_size=28, patch_size=14)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Dinov2Model(config).save_pretrained(tmp_path / "vit")
    detector = Dinomaly(**SMALL | {"backbone": "vit", "levels": (1, 2, 3, 4), "side": 60, "grid": None, "steps": 30})
    images = healthy(8, grid=(72, 64))
    detector.fit(images, run=replace(RUN, weights=tmp_path))
    assert detector._ready().look(torch.from_numpy(images)).shape == (8, 1, 56, 56)
    shown, groups = detector._shown(torch.from_numpy(images))
    assert [part.shape for part in (shown, *groups)] == [(8, 12, 4, 4)] * 3
    again = Dinomaly(**detector.settings).restore(detector.state())
    new = with_lesion(healthy(2, grid=(72, 64), seed=5), contrast=0.3)
    assert again.score(new).map == pytest.approx(detector.score(new).map, abs=1e-6)


def test_levels_that_an_own_encoder_cannot_tell_apart_are_one_group() -> None:
    detector = Dinomaly(**SMALL | {"backbone": "own", "levels": (10, 13), "encoder_steps": 1, "steps": 2})
    detector.fit(healthy(4, grid=GRID), run=RUN)
    strange = detector.score(healthy(2, grid=GRID, seed=5)).map
    assert strange is not None
    assert 0 <= strange.min() <= strange.max() <= 2


def test_interrupted_and_resumed_it_is_the_same_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)

    def stop(progress: Progress) -> None:
        if progress.stage == "dinomaly" and progress.done == 57:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(run=replace(RUN, folder=tmp_path, listen=stop))
    images = healthy(2, grid=GRID, seed=5)
    resumed = fitted(run=replace(RUN, folder=tmp_path, resume=True)).score(images).map
    assert resumed == pytest.approx(known().score(images).map, abs=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"grid": 0}, {"grid": 1000}, {"dropout": 1.0}, {"easy": 1.0}, {"depth": 1}, {"heads": 3}, {"width": 0}]
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        Dinomaly(**wrong)
