"""Where and how a detector learns: the one thing `fit` needs to know of the world outside its arrays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Progress:
    """How far learning has come; `seconds_left` is None until it can be estimated.

    A `note` is a sentence to be shown to a person as it is, and not as progress.
    `within` says how far the running one of several jobs has come, as "37 of 1000"; "" where there is but one.
    """

    stage: str
    done: int
    total: int
    loss: float | None = None
    seconds_left: float | None = None
    note: str = ""
    within: str = ""


def say_nothing(progress: Progress) -> None:
    """The listener of those who do not watch."""


@dataclass(frozen=True)
class Run:
    """Where and how a detector learns.

    Args:
        seed: The same seed gives the same model on the same machine.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        precision: "auto" is bfloat16 where it is faster and float32 elsewhere; or "32", "bf16".
        folder: Keeps `history.jsonl` and the checkpoint while learning; None keeps nothing.
        resume: Go on from the checkpoint in `folder` if there is one.
        weights: Folder with one sub-folder a backbone; None looks at HALESCAN_WEIGHTS, then transformers' cache.
        listen: Called with a `Progress` a few times a second at most.
        usual: The method's settings as its preset has them, to advise where others fail; `fit` fills them in.
    """

    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    folder: Path | None = None
    resume: bool = False
    weights: Path | None = None
    listen: Callable[[Progress], None] = say_nothing
    usual: Mapping[str, Any] = field(default_factory=dict, compare=False)
