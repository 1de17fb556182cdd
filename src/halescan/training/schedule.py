"""The schedule: how many steps, how large, how fast, and in which turns."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from halescan.errors import SettingError

MOST_STEPS = 100_000_000  # more is a slip of the keyboard
_COUNTS = ("steps", "batch_size", "encoder_steps", "epoch_steps", "check_images")
_USUAL = {"steps": 1000, "batch_size": 16, "learning_rate": 1e-3, "epoch_steps": 50, "check_images": 128}


@dataclass(frozen=True, eq=False)
class Tensors:
    """A batch on the device: `images (n, c, *grid)` float32, `mask (n, *grid)` bool or None."""

    images: Tensor
    mask: Tensor | None = None


Losses = Tensor | Mapping[str, Tensor]
Step = Callable[[nn.Module, Tensors, torch.Generator], Losses]


@dataclass(frozen=True, eq=False)
class Turn:
    """One of several optimisers that take turns within a step, as a generator and its critic do.

    Args:
        name: Word for the turn's loss in the history.
        parameters: What this turn moves; all else is left alone, whatever gradients reach it.
        loss: `(module, batch, generator) -> loss`, or named losses whose sum is the loss.
        learning_rate: None takes the schedule's.
        betas: Of AdamW.
        every: Taken at every so-many-th step.
        beside: Names among its losses that are written down and are no part of the loss: measures to watch.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    loss: Step
    learning_rate: float | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    every: int = 1
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn: a budget of steps, never of seconds, so that a busy machine learns the same.

    Args:
        steps: Steps in all.
        batch_size: Images a step.
        learning_rate: The highest of the curve.
        rate_setting: Which setting of the method that rate is; None: none of them, so that nobody can change it.
        weight_decay: Of AdamW.
        epoch_steps: Steps between two lines of the history, two looks at the check images, and two checkpoints (a long
            epoch keeps some more).
        curve: "constant"; "cosine" falls to zero; "one-cycle" first climbs for `climb` of the steps.
        climb: Share of the steps in which "one-cycle" climbs.
        clip: Largest norm of the gradient; None leaves it.
        check_images: At most so many check images are looked at, spread evenly.
    """

    steps: int
    batch_size: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    epoch_steps: int = 50
    curve: Literal["constant", "cosine", "one-cycle"] = "cosine"
    climb: float = 0.1
    clip: float | None = 1.0
    check_images: int = 128
    rate_setting: str | None = "learning_rate"

    def __post_init__(self) -> None:
        check_pace(asdict(self))
        if self.curve not in ("constant", "cosine", "one-cycle"):
            raise SettingError(f'curve must be "constant", "cosine" or "one-cycle", got {self.curve!r}')

    def share_at(self, step: int) -> float:
        """The share of the learning rate used at a step, in (0, 1]."""
        done = step / self.steps
        if self.curve == "constant":
            return 1.0
        if self.curve == "cosine":
            return 0.5 * (1 + math.cos(math.pi * done))
        if done < self.climb:
            return (step + 1) / (self.climb * self.steps + 1)
        return 0.5 * (1 + math.cos(math.pi * (done - self.climb) / (1 - self.climb)))


def check_pace(settings: Mapping[str, Any], usual: Mapping[str, Any] = _USUAL) -> None:
    """Refuse numbers of steps, of images and a learning rate that nothing can be learned with.

    Args:
        settings: Any settings; others are not looked at.
        usual: Good values, to advise.

    Raises:
        SettingError: names the first that is wrong, its range and the usual value.
    """
    for name in _COUNTS:
        if name in settings and not 1 <= settings[name] <= MOST_STEPS:
            raise SettingError(_outside(name, f"[1, {MOST_STEPS}]", settings, usual))
    if "learning_rate" in settings and not 0 < settings["learning_rate"] < 10:
        raise SettingError(_outside("learning_rate", "(0, 10)", settings, usual))


def _outside(name: str, limits: str, settings: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    return f"{name} must lie in {limits}, got {settings[name]}; {usual[name]} is usual"
