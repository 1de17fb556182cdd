"""A word to stop is heard between two steps, and nothing of the step before it is lost."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from halescan.training.checkpoint import read_checkpoint
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.types import Stack
from tests.training.learner import clean, images, small_net

STEPS = Schedule(steps=12, batch_size=5, epoch_steps=6, learning_rate=0.01)
PLAIN = Run(device="cpu", precision="32")


def stopped(*, at: int, by: int = signal.SIGINT, times: int = 1) -> Callable[..., Tensor]:
    """A loss in the middle of which a word to stop comes."""
    steps = iter(range(1, 100))

    def loss(module: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        if next(steps) == at:
            for _ in range(times):
                os.kill(os.getpid(), by)
        return clean(module, batch, generator)

    return loss


@pytest.fixture
def a_scheduler() -> Iterator[None]:
    """SIGTERM ends as it does on the command line."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("a_scheduler")
def test_stopped_in_the_middle_of_a_step_it_ends_the_step_and_keeps_it(tmp_path: Path, by: int) -> None:
    heard = signal.getsignal(by)
    run = replace(PLAIN, folder=tmp_path)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        learn(small_net(), stopped(at=4, by=by), images=Stack(images()), settings=STEPS, run=run, stage="one")
    assert read_checkpoint(tmp_path / "one.checkpoint.safetensors")[1]["step"] == 4
    assert signal.getsignal(by) is heard
    whole, again = small_net(), small_net()
    learn(whole, clean, images=Stack(images()), settings=STEPS, run=PLAIN, stage="one")
    learn(again, clean, images=Stack(images()), settings=STEPS, run=replace(run, resume=True), stage="one")
    for one, other in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_who_insists_is_heard_at_once_and_half_a_step_is_not_kept(tmp_path: Path) -> None:
    run = replace(PLAIN, folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        learn(small_net(), stopped(at=4, times=2), images=Stack(images()), settings=STEPS, run=run, stage="one")
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_stop_in_the_last_step_is_not_lost() -> None:
    with pytest.raises(KeyboardInterrupt):
        learn(small_net(), stopped(at=12), images=Stack(images()), settings=STEPS, run=PLAIN)


def test_outside_the_first_thread_learning_leaves_signals_alone() -> None:
    done: list[float | None] = []

    def work() -> None:
        done.append(learn(small_net(), clean, images=Stack(images()), settings=STEPS, run=PLAIN).loss)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done
