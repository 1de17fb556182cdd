"""Reverse distillation: the student and what it cannot draw."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from halescan.detectors.reverse_distillation import ReverseDistillation
from halescan.errors import SettingError
from halescan.training.history import read_history
from halescan.training.run import Progress, Run
from tests.detectors.bodies import healthy, lesion, with_lesion
from tests.networks.tiny import tiny_weights

RUN = Run(device="cpu", precision="32", weights=tiny_weights())
GRID = (32, 32)
SMALL: dict[str, Any] = {
    "backbone": "tiny",
    "levels": (2, 4, 7),
    "side": 32,
    "bottleneck": 8,
    "width": 8,
    "steps": 60,
    "batch_size": 8,
}


def fitted(run: Run = RUN, **changes: Any) -> ReverseDistillation:
    return ReverseDistillation(**SMALL | changes).fit(healthy(16, grid=GRID), run=run)


@cache
def known() -> ReverseDistillation:
    return fitted()


class _Copies(torch.nn.Module):
    """A student that draws perfectly, but stretched."""

    def __init__(self) -> None:
        super().__init__()
        self.stretch = torch.nn.Parameter(torch.tensor(2.0))

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        return [self.stretch * level for level in levels]


def test_reverse_distillation_what_is_drawn_perfectly_leaves_no_map_whatever_its_length() -> None:
    detector = fitted(steps=1)
    detector._student = _Copies()  # type: ignore[assignment]
    strange = detector.score(healthy(2, grid=GRID, seed=5)).map
    assert strange is not None
    assert strange.shape == (2, 8, 8)
    assert np.abs(strange).max() < 1e-6


def test_the_teacher_does_not_learn() -> None:
    one, two = fitted(steps=1)._ready(), known()._ready()
    for name, value in one.state().items():
        assert np.array_equal(value, two.state()[name])


@pytest.mark.parametrize("loss", ["global", "places", "square"])
def test_with_every_loss_a_lesion_raises_the_map(loss: str) -> None:
    detector, plain = fitted(loss=loss, steps=150), healthy(4, grid=GRID, seed=5)
    before, after = detector.score(plain).map, detector.score(with_lesion(plain, contrast=0.5)).map
    assert before is not None
    assert after is not None
    there = lesion(GRID)[2::4, 2::4]
    assert (after[:, there].mean(1) > before[:, there].mean(1)).all()


def test_the_student_comes_to_agree_with_its_teacher(tmp_path: Path) -> None:
    fitted(run=replace(RUN, folder=tmp_path), steps=60)
    rows = read_history(tmp_path / "history.jsonl")
    assert rows[-1]["disagreement"] < 0.7 * rows[0]["disagreement"]


def test_interrupted_and_resumed_it_is_the_same_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)

    def stop(progress: Progress) -> None:
        if progress.stage == "reverse-distillation" and progress.done == 57:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(run=replace(RUN, folder=tmp_path, listen=stop))
    images = healthy(2, grid=GRID, seed=5)
    resumed = fitted(run=replace(RUN, folder=tmp_path, resume=True)).score(images).map
    assert resumed == pytest.approx(known().score(images).map, abs=1e-5)


@pytest.mark.parametrize("wrong", [{"bottleneck": 0}, {"width": 0}, {"loss": "hardest"}, {"batch_size": 1}])
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        ReverseDistillation(**wrong)
