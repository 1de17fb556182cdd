"""A lesson's checkpoint: taken up again, or refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from halescan.detectors import find_detector
from halescan.errors import ModelError, TrainingError
from halescan.training.encoders import train_encoder
from halescan.training.lesson import Lesson
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Turn
from halescan.types import Stack
from tests.training.learner import clean, images, small_net

STEPS = Schedule(steps=4, batch_size=4, epoch_steps=2, learning_rate=0.01)


def lesson(net: nn.Module, run: Run) -> Lesson:
    return Lesson(net, [Turn("loss", list(net.parameters()), clean)], settings=STEPS, run=run, stage="one", images=12)


def test_a_lesson_begins_where_the_checkpoint_was_left(tmp_path: Path) -> None:
    run = Run(device="cpu", precision="32", folder=tmp_path, resume=True)
    learn(small_net(), clean, images=Stack(images()), settings=STEPS, run=run, stage="one")
    assert lesson(small_net(), run).step == 4
    assert lesson(small_net(), replace(run, resume=False)).step == 0
    assert lesson(small_net(), replace(run, folder=None)).step == 0


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    run = Run(device="cpu", precision="32", folder=tmp_path, resume=True)
    learn(small_net(), clean, images=Stack(images()), settings=STEPS, run=run, stage="one")
    with pytest.raises(ModelError, match="does not fit"):
        lesson(nn.Sequential(nn.Conv2d(1, 7, 3)), run)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    run = Run(device="cpu", precision="32", folder=tmp_path, resume=True)
    learn(small_net(), clean, images=Stack(images()), settings=STEPS, run=run, stage="one")
    path = lesson(small_net(), run).path
    assert path is not None
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match="delete it"):
        lesson(small_net(), run)


@pytest.mark.parametrize(
    ("detector", "size", "rate", "advised"),
    [
        ("denoising-autoencoder", "cpu", 9.0, "0.002"),  # the preset's, not a tenth: that is no number either
        ("denoising-autoencoder", "paper", 9.0, "0.0001"),
        ("denoising-autoencoder", "cpu", 1e-3, "0.0001"),
    ],
)
def test_where_the_loss_is_no_number_a_rate_known_to_work_is_advised(
    detector: str, size: str, rate: float, advised: str
) -> None:
    small = {"width": 2, "depth": 1, "steps": 2, "learning_rate": rate, "batch_size": 4}
    method = find_detector(detector).preset(size, **small)
    with pytest.raises(TrainingError, match=rf"no checkpoint is kept yet\. Try learning_rate={advised}\. Look"):
        method.fit(np.full((4, 1, 16, 16), np.nan, np.float32), run=Run(device="cpu"))


def test_a_rate_that_nobody_set_is_not_advised() -> None:
    with pytest.raises(TrainingError, match=r"encoder: .* is kept yet\. Look for images"):
        train_encoder(Stack(np.full((4, 1, 32, 32), np.nan, np.float32)), Run(device="cpu"), steps=2)
