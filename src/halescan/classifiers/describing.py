"""Describing: an image as one row of numbers, pooled from shallow and deep levels of a backbone."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from halescan.errors import SettingError
from halescan.networks.backbones import Backbone, find_backbone
from halescan.networks.own_encoder import OwnEncoder, SpotThePaste, stand_in_levels
from halescan.training.chance import seeded
from halescan.training.device import find_device
from halescan.training.loop import learn
from halescan.training.run import Progress, Run
from halescan.training.schedule import Schedule, Tensors
from halescan.types import Images

EXTREME = 0.01  # share of the places whose mean stands for "somewhere in the image"
NUMBERS = 3  # a channel gives: mean, highest, lowest
AT_ONCE = 16  # images read at once


class Describer:
    """A backbone and the levels it is read at.

    Each channel of a level gives three numbers: its mean, and its means over the highest and the lowest hundredth of
    the places. The mean tells texture; the extremes tell of a speck that a mean would drown.
    """

    def __init__(self, backbone: Backbone, levels: Sequence[int]) -> None:
        self.backbone, self.levels = backbone, tuple(levels)

    @classmethod
    def open(cls, name: str, levels: Sequence[int], *, images: Images, run: Run, steps: int) -> Self:
        """The backbone of this name, or one trained on the images, without their labels, where it is not at hand.

        Args:
            name: Name of a backbone, or "own" to train one whatever is at hand.
            levels: In the named backbone's numbering; an own encoder takes its levels of the same strides.
            steps: Steps of training an own encoder.

        Raises:
            WeightsError: if weights are there and damaged, or lack a level.
        """
        device = find_device(run.device)
        found = None if name == "own" else find_backbone(name, run.weights)
        if found is not None:
            return cls(found.cut(max(levels)).to(device), levels)
        own = _trained_encoder(images, run, steps=steps)
        in_its_numbers = name == "own" and max(levels) <= own.deepest
        used = tuple(levels) if in_its_numbers else stand_in_levels(levels, deepest=own.deepest)
        return cls(own.cut(max(used)).to(device), used)

    def describe(self, images: Tensor) -> Tensor:
        """Images `(n, c, h, w)` in [0, 1] to rows `(n, d)`; each image as if it had come alone."""
        return pooled(self.backbone.levels(images, self.levels))

    def level_of_columns(self, image: np.ndarray) -> np.ndarray:
        """The level that each number of the row of an image `(c, h, w)` comes from: `(d,)`."""
        widths = [level.shape[1] for level in self.backbone.levels(as_tensor(image[None]), self.levels)]
        return np.repeat(self.levels, [NUMBERS * width for width in widths])

    def rows(self, images: Images, run: Run) -> np.ndarray:
        """All images as rows `(n, d)` float32."""
        parts = []
        for start in range(0, len(images), AT_ONCE):
            where = list(range(start, min(start + AT_ONCE, len(images))))
            parts.append(self.describe(as_tensor(images.take(where).images)).cpu().numpy())
            run.listen(Progress("features", start + len(where), len(images)))
        return np.concatenate(parts)

    def to(self, device: torch.device | str) -> Self:
        """Move to a device."""
        self.backbone.to(device)
        return self

    def state(self) -> dict[str, np.ndarray]:
        """All of it, as named arrays."""
        return {
            "levels": np.asarray(self.levels, np.int64),
            **{f"backbone/{name}": value for name, value in self.backbone.state().items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Back from `state`.

        Raises:
            WeightsError: if the arrays do not make a backbone.
        """
        backbone = Backbone.from_state(part_of(state, "backbone"))
        levels = tuple(int(level) for level in state["levels"])
        backbone.check(levels)
        return cls(backbone, levels)


def pooled(levels: Sequence[Tensor]) -> Tensor:
    """Levels `(n, d, h, w)` to rows `(n, 3 sum of d)`: mean, mean of the highest, mean of the lowest places."""
    parts = []
    for level in levels:
        places = level.flatten(2).float()
        count = max(1, round(EXTREME * places.shape[2]))
        highest, lowest = (places.topk(count, dim=2, largest=largest).values.mean(2) for largest in (True, False))
        parts += [places.mean(2), highest, lowest]
    return torch.cat(parts, dim=1)


def as_tensor(images: np.ndarray) -> Tensor:
    """`(n, c, h, w)` float32."""
    return torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))


def part_of(state: Mapping[str, np.ndarray], room: str) -> dict[str, np.ndarray]:
    """The arrays named `room/...`, without that prefix."""
    return {name.removeprefix(room + "/"): value for name, value in state.items() if name.startswith(room + "/")}


def check_levels(name: str, levels: Sequence[int]) -> None:
    """Refuse a setting `levels` that names none.

    Raises:
        SettingError: if it is empty or counts below 0.
    """
    if not levels or min(levels) < 0:
        raise SettingError(f"{name}: levels must name one or more levels of the backbone, got {list(levels)}")


def _trained_encoder(images: Images, run: Run, *, steps: int) -> Backbone:
    """An encoder taught by the game of `SpotThePaste`, which needs no label."""
    with seeded(run.seed, "encoder weights"):
        game = SpotThePaste(OwnEncoder(images.take([0]).images.shape[1]))
    schedule = Schedule(steps, batch_size=8, learning_rate=2e-3, weight_decay=1e-4, curve="one-cycle")
    learn(game, _play, images=images, settings=schedule, run=run, stage="encoder")
    return Backbone.own(game.encoder)


def _play(game: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
    assert isinstance(game, SpotThePaste)
    return game.losses(batch.images, generator)
