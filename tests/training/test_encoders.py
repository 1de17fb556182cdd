"""Encoders: found, or trained on the healthy scans."""

from pathlib import Path

import numpy as np
import pytest
import torch

from halescan.errors import SettingError
from halescan.networks.own_encoder import stand_in_levels
from halescan.training.encoders import (
    FeatureExtractor,
    check_backbone,
    choose_backbone,
    stored_backbone,
    train_encoder,
)
from halescan.training.run import Progress, Run
from halescan.types import Stack
from tests.detectors.bodies import healthy

RUN = Run(device="cpu")


def test_a_trained_encoder_tells_places_apart_better_than_an_untrained_one() -> None:
    images = Stack(healthy(16, grid=(48, 48)))
    new = torch.from_numpy(healthy(8, grid=(48, 48), seed=7))

    def share_between_places(steps: int) -> float:
        """Variance between places as a share of all: the rest is noise within a place."""
        level = train_encoder(images, RUN, steps=steps).levels(new, [3])[0]
        return float(level.mean(0).var(dim=(1, 2)).sum() / level.var(dim=(0, 2, 3)).sum())

    assert share_between_places(40) > share_between_places(1)


def test_the_same_seed_trains_the_same_encoder() -> None:
    images = Stack(healthy(6, grid=(32, 32)))
    one, two, other = (train_encoder(images, Run(seed=seed, device="cpu"), steps=2).state() for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert any(not np.array_equal(one[name], other[name]) for name in one)


def test_three_scans_are_enough_to_start() -> None:
    backbone = train_encoder(Stack(healthy(3, grid=(40, 33))), RUN, steps=2)
    assert backbone.levels(torch.rand(1, 1, 40, 33), [2])[0].shape[-2:] == (10, 9)


def test_blocks_of_mobilenet_are_stood_in_for_by_levels_of_the_same_stride() -> None:
    assert stand_in_levels((3, 6, 10), deepest=5) == (2, 3, 4)
    assert stand_in_levels((10, 13, 17), deepest=5) == (4, 5)
    assert stand_in_levels((2, 3), deepest=5) == (2,)


def test_an_own_encoder_can_be_asked_for_by_name(tmp_path: Path) -> None:
    backbone, levels = choose_backbone("own", Stack(healthy(3, grid=(32, 32))), RUN, levels=(1, 2), steps=2)
    assert (backbone.name, levels, backbone.deepest) == ("own", (1, 2), 2)
    with pytest.raises(Exception, match="levels 1 to 2"):
        backbone.levels(torch.rand(1, 1, 32, 32), [3])


@pytest.fixture
def nothing_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A weights folder without weights."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


@pytest.mark.parametrize("name", ["mobilenet-v2", "nope", "someone/resnet", "", "OWN"])
def test_an_unknown_backbone_is_refused_and_never_replaced(nothing_at_hand: Path, name: str) -> None:
    run = Run(device="cpu", weights=nothing_at_hand)
    with pytest.raises(SettingError, match=r"At hand: none; .*mobilenet_v2.*own trains an encoder"):
        check_backbone(name, run)
    with pytest.raises(SettingError, match="no backbone"):
        choose_backbone(name, Stack(healthy(3, grid=(32, 32))), run, levels=(1,), steps=1)


@pytest.mark.parametrize("name", ["mobilenet_v2", "dinov2_small"])
def test_of_a_known_backbone_that_is_not_at_hand_it_is_said_before_anything_is_done(
    nothing_at_hand: Path, name: str
) -> None:
    heard: list[Progress] = []
    assert check_backbone(name, Run(device="cpu", weights=nothing_at_hand, listen=heard.append)) == "own"
    assert f"the weights of {name} are not on this machine" in heard[0].note
    assert f"halescan backbones get {name}" in heard[0].note


def test_who_asks_for_an_own_encoder_is_told_nothing(nothing_at_hand: Path) -> None:
    heard: list[Progress] = []
    assert check_backbone("own", Run(device="cpu", weights=nothing_at_hand, listen=heard.append)) == "own"
    assert not heard


@pytest.mark.parametrize("name", ["levels", "teacher/levels", "level"])
def test_extractors_of_older_models_are_read_too(name: str) -> None:
    backbone = train_encoder(Stack(healthy(3, grid=(32, 32))), RUN, steps=1)
    state = FeatureExtractor(backbone, (2,)).state()
    state[name] = state.pop("levels") if name != "level" else state.pop("levels")[0]
    again, levels = stored_backbone(state)
    assert (again.name, levels) == ("own", (2,))
