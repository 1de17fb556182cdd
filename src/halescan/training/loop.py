"""The loop: how every detector learns, whatever it learns."""

import math
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from halescan.errors import TrainingError
from halescan.training.chance import drawn_indices, noise, seeded
from halescan.training.device import open_device, to_tensors
from halescan.training.history import History
from halescan.training.lesson import Lesson
from halescan.training.run import Progress, Run
from halescan.training.schedule import Losses, Schedule, Step, Tensors, Turn
from halescan.training.weights import channels_last
from halescan.training.whole_steps import stops_at_whole_steps
from halescan.types import Images

PAUSE_S = 0.3  # between two reports to the listener


def learn(
    module: nn.Module,
    step: Step | Sequence[Turn],
    *,
    images: Images,
    check: Images | None = None,
    settings: Schedule,
    run: Run,
    stage: str = "learning",
) -> History:
    """Move a module's weights down its loss on healthy images; it comes back in evaluation mode, on its device.

    Args:
        module: Any torch module, built under `chance.seeded` so that its first weights follow from the seed.
        step: `(module, batch, generator) -> loss` (or named losses, which are summed); or several turns a step.
        check: Healthy images kept apart; their loss (the first turn's) stands in the history, to show over-fitting; it
            chooses nothing.
        stage: Name of this part of learning; one detector may have several, each with its checkpoint.

    Raises:
        TrainingError: if the loss is no number, or a checkpoint belongs to another run. The last good one stays.
        KeyboardInterrupt: at the end of a step, once the checkpoint is saved; a second Ctrl-C does not wait for that.
    """
    fabric = open_device(run)
    module = channels_last(fabric.to_device(module))
    turns = [Turn("loss", list(module.parameters()), step)] if callable(step) else list(step)
    lesson = Lesson(module, turns, settings=settings, run=run, stage=stage, images=len(images))
    begun, first, spoken = time.monotonic(), lesson.step, 0.0
    # seeded, so that dropout leaves the caller's generator alone
    with seeded(run.seed, stage), stops_at_whole_steps() as stops:
        while lesson.step < settings.steps:
            where = drawn_indices(
                len(images), batch_size=settings.batch_size, step=lesson.step, seed=run.seed, stage=stage
            )
            losses = _one_step(lesson, to_tensors(images.take(where.tolist()), fabric.device), fabric=fabric)
            lesson.note(losses)
            closing = lesson.step % settings.epoch_steps == 0 or lesson.step == settings.steps
            if closing:
                lesson.close_epoch(None if check is None else _check_loss(lesson, check, fabric=fabric))
            elif lesson.long_unsaved:
                lesson.save()
            with lesson.kept_if_stopped():
                if closing or time.monotonic() - spoken > PAUSE_S:
                    spoken = time.monotonic()
                    left = _seconds_left(spoken - begun, done=lesson.step - first, to_do=settings.steps - lesson.step)
                    run.listen(Progress(stage, lesson.step, settings.steps, losses["loss"], left))
                stops.hear()
    return lesson.finish()


def _one_step(lesson: Lesson, batch: Tensors, *, fabric: Any) -> dict[str, float]:
    """Every turn once: loss, gradient, step. Returns the losses as numbers; "loss" is the sum over the turns."""
    run, stage, number = lesson.run, lesson.stage, lesson.step
    module = lesson.module.train()
    torch.manual_seed(noise(run.seed, stage, "torch", number).initial_seed())
    told: dict[str, float] = {}
    total = 0.0
    for turn in lesson.turns_at(number):
        with fabric.autocast():
            parts = _named(turn.loss(module, batch, noise(run.seed, stage, turn.name, number)), turn.name)
        loss = torch.stack([part.float() for name, part in parts.items() if name not in turn.beside]).sum()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(lesson.why_stopped(value))
        lesson.move(turn, loss, backward=fabric.backward)
        told |= {name: float(part.detach()) for name, part in parts.items()}
        total += value
    return told | {"loss": total}


@torch.no_grad()
def _check_loss(lesson: Lesson, check: Images, *, fabric: Any) -> float:
    """The first turn's loss on the check images, with the same noise every time it is asked."""
    module, turn = lesson.module.eval(), lesson.turns[0]
    count = min(len(check), lesson.settings.check_images)
    where = [index * len(check) // count for index in range(count)]
    total = 0.0
    for start in range(0, count, lesson.settings.batch_size):
        part = where[start : start + lesson.settings.batch_size]
        batch = to_tensors(check.take(part), fabric.device)
        with fabric.autocast():
            losses = _named(turn.loss(module, batch, noise(lesson.run.seed, lesson.stage, "check", start)), turn.name)
        total += sum(float(loss) for name, loss in losses.items() if name not in turn.beside) * len(part)
    return total / count


def _named(losses: Losses, name: str) -> dict[str, Tensor]:
    return {name: losses} if isinstance(losses, Tensor) else dict(losses)


def _seconds_left(spent: float, *, done: int, to_do: int) -> float | None:
    """None for the first steps, which are slower than those that follow."""
    return spent / done * to_do if done >= 5 or to_do == 0 else None
