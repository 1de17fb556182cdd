"""What moves and what stays when a backbone is fine-tuned; what pooling keeps of a speck."""

from functools import cache

import numpy as np
import pytest
import torch

from halescan.classifiers.describing import Describer, pooled
from halescan.classifiers.fine_tuned import FineTuned
from halescan.classifiers.frozen_head import FrozenHead
from halescan.errors import SettingError
from halescan.training.run import Run
from tests.classifiers.specks import halves, patches

RUN = Run(seed=1, device="cpu", precision="32")
OWN = {"backbone": "own", "levels": (1, 2, 3), "encoder_steps": 3, "folds": 2}


def weights_of(classifier: FrozenHead) -> dict[str, np.ndarray]:
    assert classifier.describer is not None
    return {name: value for name, value in classifier.describer.state().items() if "weights/" in name}


@cache
def both() -> tuple[FrozenHead, FineTuned]:
    labels = halves(8, 8)
    images, groups = patches(labels)
    tuned = FineTuned(**OWN, blocks=1, steps=3, batch_size=4)
    return FrozenHead(**OWN).fit(images, labels, groups=groups, run=RUN), tuned.fit(
        images, labels, groups=groups, run=RUN
    )


def test_only_the_last_blocks_and_the_head_move() -> None:
    frozen, tuned = both()
    before, after = weights_of(frozen), weights_of(tuned)
    moved = {name.split("blocks.")[1][0] for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {"2"}
    assert frozen.head is not None
    assert tuned.head is not None
    assert not np.array_equal(frozen.head.weights, tuned.head.weights)


def test_the_statistics_of_batch_norms_stay() -> None:
    frozen, tuned = both()
    before, after = weights_of(frozen), weights_of(tuned)
    running = [name for name in before if "running" in name]
    assert running
    assert all(np.array_equal(before[name], after[name]) for name in running)


def test_a_speck_that_the_mean_drowns_stands_out_in_the_extreme() -> None:
    plain = torch.zeros(1, 1, 40, 40)
    speck = plain.clone()
    speck[0, 0, 4:8, 4:8] = 1.0
    mean, highest, lowest = pooled([speck])[0].tolist()
    assert mean == pytest.approx(0.01)
    assert highest == 1.0
    assert lowest == 0.0


def test_levels_of_another_backbone_find_their_strides_in_an_encoder_of_our_own() -> None:
    images = patches(halves(4, 4), side=64)[0]
    from halescan.types import Stack

    describer = Describer.open("own", (3, 6, 13, 17), images=Stack(images), run=RUN, steps=1)
    assert describer.taken == (2, 3, 4, 5)


def test_settings_that_cannot_work_are_refused() -> None:
    for odd in ({"levels": ()}, {"folds": 1}, {"blocks": 0}, {"steps": 0}):
        with pytest.raises(SettingError):
            FineTuned(**odd)
