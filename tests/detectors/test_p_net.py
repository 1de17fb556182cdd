"""P-Net: structure and grey, together and apart."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from halescan.detectors.p_net import PNet
from halescan.errors import SettingError
from halescan.networks.structure import structure
from halescan.training.history import read_history
from halescan.training.run import Progress, Run
from tests.detectors.bodies import healthy, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {
    "side": 16,
    "widths": (4, 8, 8),
    "texture": 2,
    "critic_widths": (4, 8),
    "steps": 80,
    "batch_size": 8,
    "learning_rate": 5e-3,
}


def fitted(run: Run = RUN, **changes: Any) -> PNet:
    return PNet(**SMALL | changes).fit(healthy(24, grid=(16, 16)), run=run)


@cache
def known() -> PNet:
    return fitted()


def with_share(share: float) -> PNet:
    return PNet(**SMALL | {"structure_share": share}).restore(known().state())


class _Copies(torch.nn.Module):
    """A perfect reconstructor."""

    def forward(self, images: Tensor, lines: Tensor) -> Tensor:
        return images.clone()


@pytest.mark.parametrize("kind", ["edges", "ridges"])
def test_p_net_a_perfect_reconstruction_leaves_neither_grey_nor_structure(kind: str) -> None:
    detector = fitted(structure=kind, steps=2)
    detector._network.maker = _Copies()  # type: ignore[assignment]
    strange = detector.score(healthy(2, grid=(16, 16), seed=5)).map
    assert strange is not None
    assert np.abs(strange).max() < 1e-6


def test_p_net_without_a_share_of_structure_the_map_is_the_image_s_residual() -> None:
    images = healthy(3, grid=(16, 16), seed=5)
    scores = with_share(0.0).score(images)
    assert scores.map is not None
    assert scores.reconstruction is not None
    np.testing.assert_allclose(scores.map, np.abs(images - scores.reconstruction)[:, 0], atol=1e-6)


def test_p_net_with_nothing_but_structure_the_map_is_the_structure_s_residual() -> None:
    images = healthy(3, grid=(16, 16), seed=5)
    scores = with_share(1.0).score(images)
    assert scores.map is not None
    assert scores.reconstruction is not None
    real, drawn = (
        structure(torch.from_numpy(part), "edges", scales_px=(1.0, 2.0)) for part in (images, scores.reconstruction)
    )
    np.testing.assert_allclose(scores.map, (real - drawn).abs()[:, 0].numpy(), atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_lesion_shows_in_grey_and_in_structure(share: float) -> None:
    plain, detector = healthy(4, grid=(16, 16), seed=5), with_share(share)
    before, after = detector.score(plain).map, detector.score(with_lesion(plain, contrast=0.5)).map
    assert before is not None
    assert after is not None
    assert (after.mean((1, 2)) > before.mean((1, 2))).all()


def test_the_parts_of_its_loss_stand_in_the_history_and_only_those_it_has(tmp_path: Path) -> None:
    fitted(run=replace(RUN, folder=tmp_path / "whole"), steps=5)
    fitted(run=replace(RUN, folder=tmp_path / "bare"), critic_weight=0, structure_weight=0, steps=5)
    whole, bare = (read_history(tmp_path / name / "history.jsonl")[-1] for name in ("whole", "bare"))
    assert {"l1", "structure", "fooling", "critic"} <= set(whole)
    assert not {"structure", "fooling", "critic"} & set(bare)


def test_interrupted_and_resumed_it_is_the_same_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)

    def stop(progress: Progress) -> None:
        if progress.done == 57:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(run=replace(RUN, folder=tmp_path, listen=stop))
    images = healthy(2, grid=(16, 16), seed=5)
    resumed = fitted(run=replace(RUN, folder=tmp_path, resume=True)).score(images).map
    assert resumed == pytest.approx(known().score(images).map, abs=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"structure": "vessels"},
        {"scales_px": ()},
        {"scales_px": (0.1,)},
        {"widths": (8,)},
        {"texture": 0},
        {"critic_widths": ()},
        {"critic_weight": -1},
        {"structure_share": 1.5},
        {"side": 4},
    ],
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        PNet(**wrong)
