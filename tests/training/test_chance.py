"""Chance follows from the seed, the stage and the step alone."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from halescan.training.chance import drawn_indices, noise, number_from, numbers, seeded


@given(count=st.integers(1, 40), batch_size=st.integers(1, 50), passes=st.integers(1, 3), seed=st.integers(0, 2**32))
def test_every_image_is_seen_once_a_pass(count: int, batch_size: int, passes: int, seed: int) -> None:
    steps = -(-count * passes // batch_size)
    drawn = [drawn_indices(count, batch_size=batch_size, step=step, seed=seed, stage="s") for step in range(steps)]
    assert all(len(indices) == batch_size for indices in drawn)
    seen = np.concatenate(drawn)[: count * passes].reshape(passes, count)
    assert (np.sort(seen, axis=1) == np.arange(count)).all()


def test_a_step_can_be_drawn_without_those_before_it() -> None:
    one = drawn_indices(30, batch_size=8, step=17, seed=3, stage="learning")
    two = drawn_indices(30, batch_size=8, step=17, seed=3, stage="learning")
    other = drawn_indices(30, batch_size=8, step=17, seed=4, stage="learning")
    assert (one == two).all()
    assert (one != other).any()


def test_stage_and_step_give_different_noise() -> None:
    draws = [torch.randn(4, generator=noise(0, *names)) for names in [("a", 1), ("a", 2), ("b", 1), ("a", 1)]]
    assert torch.equal(draws[0], draws[3])
    assert not torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert (numbers(0, "a").random(3) != numbers(0, "b").random(3)).all()


def test_the_number_is_the_same_on_every_machine() -> None:
    assert number_from(0, "learning", 1) == 2997516895003540337


def test_the_callers_generator_is_left_alone() -> None:
    torch.manual_seed(1)
    untouched = torch.rand(3)
    torch.manual_seed(1)
    with seeded(5, "weights"):
        torch.rand(100)
    assert torch.equal(torch.rand(3), untouched)
