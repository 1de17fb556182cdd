"""A lesson: the state of one stage of learning, epoch by epoch, and how it is kept and taken up again."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from halescan.errors import ModelError, OutputError, TrainingError
from halescan.training.checkpoint import put_back, read_checkpoint, save_checkpoint
from halescan.training.history import History
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Turn

SAVE_S = 60.0  # no more than a minute is lost, however long an epoch takes


class Lesson:
    """Module, optimisers, step and history of one stage; begins at the run's checkpoint if it resumes.

    Raises:
        TrainingError: if the checkpoint in the run's folder belongs to another run.
        ModelError: if it is damaged.
    """

    def __init__(
        self, module: nn.Module, turns: Sequence[Turn], *, settings: Schedule, run: Run, stage: str, images: int
    ) -> None:
        self.module, self.turns, self.settings, self.run, self.stage = module, turns, settings, run, stage
        self.optimisers = {turn.name: _optimiser(turn, settings) for turn in turns}
        self.facts = {"stage": stage, "seed": run.seed, "images": images, "settings": asdict(settings)}
        self.step = self.saved_step = 0
        self.history = History(stage, path=None if run.folder is None else run.folder / "history.jsonl")
        self._sums: dict[str, tuple[float, int]] = {}  # of this epoch: the sum of each loss, and how many
        self._begin_epoch()
        if run.resume and self.path is not None and self.path.is_file():
            self._take_up(self.path)
        self.history.begin(step=self.step)

    @property
    def path(self) -> Path | None:
        """Where the checkpoint of this stage lies."""
        return None if self.run.folder is None else self.run.folder / f"{self.stage}.checkpoint.safetensors"

    def turns_at(self, step: int) -> Iterator[Turn]:
        """The turns whose turn it is, each with its learning rate set."""
        for turn in self.turns:
            if step % turn.every == 0:
                rate = (turn.learning_rate or self.settings.learning_rate) * self.settings.share_at(step)
                for group in self.optimisers[turn.name].param_groups:
                    group["lr"] = rate
                yield turn

    def move(self, turn: Turn, loss: Tensor, *, backward: Callable[[Tensor], None]) -> None:
        """One step down this turn's loss."""
        self.module.zero_grad(set_to_none=True)  # a turn's loss reaches the others' weights too
        backward(loss)
        if self.settings.clip is not None:
            nn.utils.clip_grad_norm_(turn.parameters, self.settings.clip)
        self.optimisers[turn.name].step()

    def note(self, losses: dict[str, float]) -> None:
        """Count one step and its losses."""
        self.step += 1
        for name, value in losses.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)

    def close_epoch(self, check_loss: float | None) -> None:
        """Write the epoch's line and save the checkpoint."""
        if not self._sound:
            raise TrainingError(self.why_stopped(math.nan))
        self.history.add(
            {"stage": self.stage, "epoch": -(-self.step // self.settings.epoch_steps), "step": self.step}
            | {name: total / count for name, (total, count) in self._sums.items()}
            | {"check_loss": check_loss, "seconds": round(time.monotonic() - self._begun, 3)}
            | {"learning_rate": self.settings.learning_rate * self.settings.share_at(self.step - 1)}
        )
        self._begin_epoch()
        self.save()

    @property
    def long_unsaved(self) -> bool:
        """Whether an interruption would now cost more than `SAVE_S`."""
        return self.path is not None and time.monotonic() - self._saved > SAVE_S

    def save(self) -> None:
        """Save the checkpoint, in the middle of an epoch with its losses so far."""
        if self.path is not None:
            facts = {**self.facts, "step": self.step, "losses": self._sums}
            save_checkpoint(self.path, module=self.module, optimisers=self.optimisers, facts=facts)
            self.saved_step = self.step
        self._saved = time.monotonic()

    @contextmanager
    def kept_if_stopped(self) -> Iterator[None]:
        """Between two steps, where all is whole: what was learned is saved before a stop goes on its way."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            if self.step > self.saved_step and self._sound:
                with suppress(OutputError):  # a full disk: the older one stays
                    self.save()
            raise

    @property
    def _sound(self) -> bool:
        """Whether all weights are numbers."""
        return all(bool(torch.isfinite(parameter).all()) for parameter in self.module.parameters())

    def finish(self) -> History:
        """The module as it is to be kept, in evaluation mode."""
        self.module.zero_grad(set_to_none=True)
        self.module.eval()
        return self.history

    def why_stopped(self, loss: float) -> str:
        """What to say when the loss is no number."""
        kept = "no checkpoint is kept yet"
        if self.saved_step:
            kept = f"the checkpoint of step {self.saved_step} is kept as {self.path}, resume goes on from there"
        return (
            f"{self.stage}: the loss became {loss} at step {self.step + 1} of {self.settings.steps}; {kept}. "
            f"{self._slower()}Look for images that are not finite, too"
        )

    def _slower(self) -> str:
        """Advice to take a smaller rate, and no larger one than is usual, if a setting of the method gave it."""
        name, rate = self.settings.rate_setting, self.settings.learning_rate
        if name is None:
            return ""
        return f"Try {name}={min(rate / 10, self.run.usual.get(name, rate)):g}. "

    def _take_up(self, path: Path) -> None:
        tensors, facts = read_checkpoint(path)
        kept = {**facts, "settings": _what_not_how_fast(facts.get("settings") or {})}
        mine = {**self.facts, "settings": _what_not_how_fast(asdict(self.settings))}
        differing = [name for name, value in mine.items() if kept.get(name) != value]
        if differing:
            raise TrainingError(f"{path} belongs to another run (other {', '.join(differing)}); start without resume")
        try:
            put_back(tensors, module=self.module, optimisers=self.optimisers)
        except (RuntimeError, ValueError, KeyError) as error:
            raise ModelError(f"{path} does not fit this method as set; start without resume") from error
        self.step = self.saved_step = int(facts["step"])
        self._sums = {name: (total, count) for name, (total, count) in facts["losses"].items()}

    def _begin_epoch(self) -> None:
        self._sums = {}
        self._begun = self._saved = time.monotonic()


def _what_not_how_fast(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule's settings without the rate: after a loss that was no number, learning goes on more slowly."""
    return {name: value for name, value in settings.items() if name not in ("learning_rate", "rate_setting")}


def _optimiser(turn: Turn, settings: Schedule) -> torch.optim.Optimizer:
    rate = turn.learning_rate or settings.learning_rate
    moved = [parameter for parameter in turn.parameters if parameter.requires_grad]
    return torch.optim.AdamW(moved, lr=rate, betas=turn.betas, weight_decay=settings.weight_decay)
