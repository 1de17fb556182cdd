"""Encoder-decoder contrast: an encoder that learns and does not collapse."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from halescan.detectors.edc import EDC, _Pair
from halescan.errors import SettingError
from halescan.networks.feature_decoder import FeatureDecoder
from halescan.training.history import read_history
from halescan.training.run import Progress, Run
from halescan.training.schedule import Tensors
from tests.detectors.bodies import healthy
from tests.networks.tiny import tiny_weights

RUN = Run(device="cpu", precision="32", weights=tiny_weights())
GRID = (32, 32)
SMALL: dict[str, Any] = {
    "backbone": "tiny",
    "levels": (2, 4, 7),
    "side": 32,
    "width": 8,
    "steps": 60,
    "batch_size": 8,
    "encoder_rate": 1e-4,
}


def fitted(run: Run = RUN, **changes: Any) -> EDC:
    return EDC(**SMALL | changes).fit(healthy(16, grid=GRID), run=run)


@cache
def known() -> EDC:
    return fitted()


def weights_of(detector: EDC) -> dict[str, np.ndarray]:
    return {key: value for key, value in detector.state().items() if key.startswith("backbone/weights")}


class _Draws(nn.Module):
    """A decoder that knows the answer."""

    def __init__(self, answer: list[Tensor]) -> None:
        super().__init__()
        self.answer, self.weight = answer, nn.Parameter(torch.ones(1))

    def forward(self, inside: Tensor, grids: Sequence[Sequence[int]]) -> list[Tensor]:
        return self.answer


def test_edc_a_decoder_that_draws_the_features_leaves_neither_map_nor_loss() -> None:
    detector, images = fitted(steps=1), healthy(2, grid=GRID, seed=5)
    teacher = detector._ready()
    levels = teacher.levels(teacher.look(torch.from_numpy(images)))
    detector._decoder = _Draws([3 * level for level in levels[:-1]])  # type: ignore[assignment]
    strange = detector.score(images).map
    assert strange is not None
    assert np.abs(strange).max() < 1e-6
    pair = _Pair(teacher.backbone.network, detector._decoder)
    told = detector._decoder_loss(pair, Tensors(torch.from_numpy(images)), torch.Generator())
    assert float(told["decoder"]) < 1e-6


def test_edc_the_encoder_learns_through_its_deepest_level_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = fitted(steps=1)
    teacher, images = detector._ready(), torch.from_numpy(healthy(2, grid=GRID, seed=5))
    levels = [level.clone().requires_grad_() for level in teacher.levels(images)]
    monkeypatch.setattr(teacher, "learning_levels", lambda images: levels)
    pair = _Pair(teacher.backbone.network, detector._decoder)
    detector._encoder_loss(pair, Tensors(images), torch.Generator()).backward()  # type: ignore[no-untyped-call]
    assert [level.grad is None for level in levels] == [True, True, False]
    assert levels[-1].grad is not None
    assert levels[-1].grad.abs().sum() > 0


def test_edc_the_features_do_not_collapse(tmp_path: Path) -> None:
    fitted(run=replace(RUN, folder=tmp_path), steps=55, encoder_rate=1e-3)
    rows = read_history(tmp_path / "history.jsonl")
    assert rows[-1]["spread"] > 0.1 * rows[0]["spread"]
    assert rows[-1]["decoder"] < rows[0]["decoder"]


def test_the_encoder_learns_at_its_own_rate_or_not_at_all() -> None:
    as_found, moved = weights_of(fitted(encoder_rate=0.0, steps=5)), weights_of(known())
    untrained = weights_of(fitted(encoder_rate=0.0, steps=1))
    assert all(np.array_equal(as_found[name], untrained[name]) for name in as_found)
    assert any(not np.array_equal(as_found[name], moved[name]) for name in as_found)
    assert not any(weight.requires_grad for weight in known()._ready().backbone.network.parameters())


def test_batch_norms_of_the_encoder_stay_as_they_came() -> None:
    encoder = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    pair = _Pair(encoder, FeatureDecoder(2, (2,))).train()
    assert pair.decoder.training
    assert not any(part.training for part in encoder.modules())


def test_interrupted_and_resumed_it_is_the_same_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)

    def stop(progress: Progress) -> None:
        if progress.stage == "edc" and progress.done == 57:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(run=replace(RUN, folder=tmp_path, listen=stop))
    images = healthy(2, grid=GRID, seed=5)
    resumed = fitted(run=replace(RUN, folder=tmp_path, resume=True)).score(images).map
    assert resumed == pytest.approx(known().score(images).map, abs=1e-5)


def test_levels_that_an_own_encoder_cannot_tell_apart_are_refused() -> None:
    with pytest.raises(SettingError, match="further apart"):
        EDC(backbone="own", levels=(10, 13), side=32, encoder_steps=1).fit(healthy(4, grid=GRID), run=RUN)


@pytest.mark.parametrize(
    "wrong",
    [
        {"levels": (3,)},
        {"width": 0},
        {"loss": "square"},
        {"encoder_rate": -1.0},
        {"encoder_rate": 1.0},
        {"batch_size": 1},
    ],
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        EDC(**wrong)
