"""Encoders: the network a feature method looks with, found on this machine or else trained on the scans at hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from halescan.errors import SettingError
from halescan.networks import backbones
from halescan.networks.backbones import Backbone
from halescan.networks.own_encoder import OwnEncoder, SpotThePaste, stand_in_levels
from halescan.training.chance import seeded
from halescan.training.device import find_device
from halescan.training.loop import learn
from halescan.training.run import Progress, Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import part_of
from halescan.types import Images

Origin = Literal["weights", "own"]

_LEVELS = ("levels", "teacher/levels", "level")  # the last two in models of before
_INSTEAD = "an encoder is trained on the healthy scans in its place, which is slower and usually weaker"


class FeatureExtractor:
    """A backbone and the levels it is read at, in its own numbering.

    Raises:
        WeightsError: if the backbone lacks a level.
    """

    def __init__(self, backbone: Backbone, levels: Sequence[int]) -> None:
        backbone.check(levels)
        self.backbone, self.taken = backbone, tuple(levels)

    @property
    def origin(self) -> Origin:
        """Where the backbone came from."""
        return "own" if self.backbone.kind == "own" else "weights"

    def levels(self, images: Tensor) -> list[Tensor]:
        """Images `(n, c, h, w)` in [0, 1] to levels `(n, d, gh, gw)` float32; each image as if it had come alone."""
        return self.backbone.levels(images, self.taken)

    def to(self, device: torch.device | str) -> Self:
        """Move to a device."""
        self.backbone.to(device)
        return self

    def state(self) -> dict[str, np.ndarray]:
        """All of it, as named arrays; `stored_backbone` takes the backbone and its levels back."""
        return {
            "levels": np.asarray(self.taken, np.int64),
            **{f"backbone/{name}": value for name, value in self.backbone.state().items()},
        }


def stored_backbone(state: Mapping[str, np.ndarray]) -> tuple[Backbone, tuple[int, ...]]:
    """A backbone and its levels, back from `FeatureExtractor.state`.

    Raises:
        WeightsError: if the arrays do not make a backbone.
    """
    levels = next(state[name] for name in _LEVELS if name in state)
    return Backbone.from_state(part_of(state, "backbone")), tuple(int(level) for level in np.atleast_1d(levels))


def choose_backbone(
    name: str, images: Images, run: Run, *, levels: Sequence[int], steps: int = 300
) -> tuple[Backbone, tuple[int, ...]]:
    """The backbone of this name, or one trained on the images, without any label, where it is not at hand.

    Args:
        name: Name of a backbone, or "own" to train one whatever is at hand.
        levels: Levels asked for, in the named backbone's numbering; for "own", levels deeper than it has are taken as
            MobileNetV2's.
        steps: Steps of training an own encoder.

    Returns:
        The backbone on the run's device, cut behind the deepest level; and its levels, which in an own encoder are
        those of the same strides.

    Raises:
        SettingError: if there is no backbone of this name, here or among those known.
        WeightsError: if weights are there and damaged: nothing else is taken in their place.
    """
    found = find_known(name, run)
    if found is not None:
        return found.cut(max(levels)).to(find_device(run.device)), tuple(levels)
    own = train_encoder(images, run, steps=steps)
    in_its_numbers = name == "own" and max(levels) <= own.deepest
    stand_ins = tuple(levels) if in_its_numbers else stand_in_levels(levels, deepest=own.deepest)
    return own.cut(max(stand_ins)), stand_ins


def check_backbone(name: str, run: Run, *, instead: str = _INSTEAD) -> str:
    """Refuse unknown names and damaged weights before anything else is done, and say when none are at hand.

    Args:
        instead: What takes its place where its weights are not at hand, in words.

    Returns:
        What tells this backbone from others, or "own".

    Raises:
        SettingError: if there is no backbone of this name, here or among those known.
        WeightsError: if weights are there and differ from their checksum.
    """
    found = find_known(name, run)
    if found is None and name != "own":
        run.listen(Progress("looking for weights", 1, 1, note=_absent(name, run, instead)))
    return "own" if found is None else json.dumps(found.origin, sort_keys=True, default=str)


def find_known(name: str, run: Run) -> Backbone | None:
    """The backbone of this name; None for "own", and for a known one whose weights are not on this machine.

    Raises:
        SettingError: for any other name: another network in its place would go unseen.
        WeightsError: if its weights are there and damaged.
    """
    found = None if name == "own" else backbones.find_backbone(name, run.weights)
    if found is None and name not in ("own", *backbones.ON_THE_HUB):
        raise SettingError(
            f"there is no backbone {name!r}. {_at_hand(run)}; by `halescan backbones get NAME` come "
            f"{', '.join(backbones.ON_THE_HUB)} and others of the hub; own trains an encoder on the healthy scans; "
            "mobilenet_v2 is usual"
        )
    return found


def train_encoder(images: Images, run: Run, *, steps: int = 300, batch_size: int = 8) -> Backbone:
    """Train an encoder on images without labels, by the game of `SpotThePaste`."""
    channels = images.take([0]).images.shape[1]
    with seeded(run.seed, "encoder weights"):
        game = SpotThePaste(OwnEncoder(channels))
    schedule = Schedule(
        steps, batch_size=batch_size, learning_rate=2e-3, weight_decay=1e-4, curve="one-cycle", rate_setting=None
    )
    learn(game, _play, images=images, settings=schedule, run=run, stage="encoder")
    return Backbone.own(game.encoder).to(find_device(run.device))


def backbones_at_hand(weights: Path | None = None) -> list[dict[str, Any]]:
    """One row a backbone on this machine."""
    return backbones.list_backbones(weights)


def fetch_backbone(name: str, weights: Path | None = None) -> Path:
    """Fetch a backbone from the hub into the weights folder."""
    return backbones.get_backbone(name, weights)


def _absent(name: str, run: Run, instead: str) -> str:
    """What takes a backbone's place, in sentences."""
    return (
        f"the weights of {name} are not on this machine: {instead}. {_at_hand(run)}. "
        f"Stop and fetch them with `halescan backbones get {name}`, or give --weights DIR"
    )


def _at_hand(run: Run) -> str:
    """Which backbones are on this machine."""
    return f"At hand: {', '.join(backbones.names_at_hand(run.weights)) or 'none'}"


def _play(game: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """One step of the game."""
    assert isinstance(game, SpotThePaste)
    return game.losses(batch.images, generator)
