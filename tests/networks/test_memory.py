"""Memory: what it reads, what it keeps, and what it never does."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from halescan.errors import SettingError
from halescan.networks.memory import (
    HierarchicalMemory,
    MemoryRead,
    entropy,
    hard_shrink,
    renormalised,
    top_k_shrink,
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def memory(storage: Any = "matrix", **changes: Any) -> MemoryRead:
    torch.manual_seed(1)
    return MemoryRead(**{"size": 6, "slots": 8, "banks": 3, "storage": storage} | changes).eval()


def filled(**changes: Any) -> MemoryRead:
    queue = memory("queue", **changes)
    queue.write(drawn(8, 3, 6, seed=5))
    return queue


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_one_slot_is_returned_whatever_is_asked(similarity: str) -> None:
    single = memory(slots=1, similarity=similarity)
    found = single(drawn(4, 3, 6)).values
    torch.testing.assert_close(found, single.slots[:, 0].expand(4, 3, 6))


def test_a_remembered_feature_is_returned_as_it_is() -> None:
    queue = filled(shrink=partial(top_k_shrink, k=1))
    asked = queue.slots[:, 2][None] * 7.0  # cosine: the length does not matter
    found = queue(asked)
    torch.testing.assert_close(found.values, queue.slots[:, 2][None])
    torch.testing.assert_close(found.distance, torch.zeros(1, 3), rtol=0, atol=1e-6)


@pytest.mark.parametrize("k", [1, 3, 8])
def test_exactly_k_slots_are_mixed_by_weights_that_sum_to_one(k: int) -> None:
    found = filled(temperature=0.1, shrink=partial(top_k_shrink, k=k))(drawn(20, 3, 6))
    assert ((found.weights > 0).sum(-1) == k).all()
    assert (found.weights >= 0).all()
    torch.testing.assert_close(found.weights.sum(-1), torch.ones(20, 3))


def test_what_is_read_lies_between_the_slots() -> None:
    read = filled(temperature=0.1, shrink=partial(top_k_shrink, k=4))
    found, slots = read(drawn(20, 3, 6)), read.slots
    torch.testing.assert_close(found.values, torch.einsum("nbs,bsd->nbd", found.weights, slots))
    assert (found.values <= slots.amax(1) + 1e-6).all()
    assert (found.values >= slots.amin(1) - 1e-6).all()


def test_equal_weights_still_leave_exactly_k() -> None:
    kept = top_k_shrink(torch.full((2, 10), 0.1), k=3)
    assert ((kept > 0).sum(-1) == 3).all()


def test_the_gradient_passes_as_if_nothing_had_been_taken_away() -> None:
    logits = drawn(2, 6).requires_grad_()
    towards = drawn(2, 6, seed=3)
    (shrunk,) = torch.autograd.grad((top_k_shrink(logits.softmax(-1), k=2) * towards).sum(), logits)
    (plain,) = torch.autograd.grad((logits.softmax(-1) * towards).sum(), logits)
    torch.testing.assert_close(shrunk, plain)


@pytest.mark.parametrize("k", [0, 9])
def test_more_slots_than_there_are_cannot_be_kept(k: int) -> None:
    with pytest.raises(SettingError, match="top_k"):
        memory(shrink=partial(top_k_shrink, k=k))(drawn(1, 3, 6))


def test_the_hard_shrinkage_drops_small_weights_and_renormalises() -> None:
    kept = hard_shrink(torch.tensor([[0.5, 0.3, 0.15, 0.05]]), threshold=0.2)
    torch.testing.assert_close(kept, torch.tensor([[0.625, 0.375, 0.0, 0.0]]))


def test_where_no_weight_reaches_the_threshold_the_largest_stays() -> None:
    torch.testing.assert_close(hard_shrink(torch.tensor([[0.3, 0.4, 0.3]]), threshold=0.9), torch.tensor([[0.0, 1, 0]]))
    even = hard_shrink(torch.full((1, 4), 0.25), threshold=0.9)
    torch.testing.assert_close(even, torch.full((1, 4), 0.25))


def test_nothing_remembered_stays_nothing() -> None:
    assert (renormalised(torch.zeros(2, 3)) == 0).all()


def test_the_entropy_of_one_slot_is_none_and_of_even_ones_the_logarithm() -> None:
    torch.testing.assert_close(entropy(torch.eye(5)), torch.zeros(5))
    torch.testing.assert_close(entropy(torch.full((5,), 0.2)), torch.tensor(math.log(5)))


def test_the_entropy_has_a_slope_where_weights_are_none() -> None:
    weights = torch.eye(3).requires_grad_()
    (slope,) = torch.autograd.grad(entropy(weights).sum(), weights)
    assert torch.isfinite(slope).all()


def test_the_oldest_makes_room() -> None:
    queue = memory("queue", slots=4, banks=1, size=1)
    for value in range(1, 7):
        queue.write(torch.full((1, 1, 1), float(value)))
    assert sorted(queue.slots.flatten().tolist()) == [3, 4, 5, 6]
    queue.write(torch.tensor([7.0, 8.0, 9.0]).reshape(3, 1, 1))  # over the end
    assert sorted(queue.slots.flatten().tolist()) == [6, 7, 8, 9]


@pytest.mark.parametrize("before", [0, 1, 3])
def test_of_more_than_fit_the_last_are_kept(before: int) -> None:
    queue = memory("queue", slots=4, banks=1, size=1)
    queue.write(torch.full((before, 1, 1), -1.0))
    queue.write(torch.arange(11.0).reshape(11, 1, 1))
    assert sorted(queue.slots.flatten().tolist()) == [7, 8, 9, 10]
    queue.write(torch.full((1, 1, 1), 11.0))
    assert sorted(queue.slots.flatten().tolist()) == [8, 9, 10, 11]


def test_written_one_by_one_or_at_once_is_the_same() -> None:
    one, many = memory("queue"), memory("queue")
    new = drawn(13, 3, 6)
    one.write(new)
    for row in new:
        many.write(row[None])
    torch.testing.assert_close(one.slots, many.slots)
    assert int(one.written) == int(many.written) == 13


def test_an_empty_slot_is_never_read() -> None:
    queue = memory("queue", shrink=partial(top_k_shrink, k=5))
    assert (queue(drawn(2, 3, 6)).values == 0).all()
    queue.write(drawn(2, 3, 6))
    found = queue(-drawn(2, 3, 6))  # an empty slot would be nearer than what points the other way
    assert ((found.weights > 0).sum(-1) == 2).all()
    torch.testing.assert_close(found.weights.sum(-1), torch.ones(2, 3))


@pytest.mark.parametrize("storage", ["queue", "matrix"])
def test_reading_writes_nothing(storage: str) -> None:
    read = filled() if storage == "queue" else memory(storage)
    for mode in (True, False):
        read.train(mode)
        before = {name: value.clone() for name, value in read.state_dict().items()}
        read(drawn(4, 3, 6))
        assert all(torch.equal(before[name], value) for name, value in read.state_dict().items())


def test_where_the_queue_stands_is_kept_with_its_slots() -> None:
    assert set(memory("queue").state_dict()) == {"slots", "written"}


def test_one_can_go_backwards_through_what_was_read_before_a_write() -> None:
    queue, asked = filled(), drawn(2, 3, 6).requires_grad_()
    loss = queue(asked).values.square().sum()
    queue.write(asked)
    (slope,) = torch.autograd.grad(loss, asked)
    assert torch.isfinite(slope).all()


def test_each_place_reads_its_own_bank() -> None:
    own = filled(temperature=0.1)
    asked = drawn(1, 3, 6)
    swapped = asked[:, [1, 0, 2]]
    assert not torch.allclose(own(asked).distance.sum(), own(swapped).distance.sum())
    shared = memory("queue", temperature=0.1)
    shared.write(drawn(8, 1, 6, seed=5).expand(-1, 3, -1))
    torch.testing.assert_close(shared(asked).distance.sum(), shared(swapped).distance.sum())


def test_the_place_is_counted_within_an_image_and_not_within_a_batch() -> None:
    own, asked = filled(temperature=0.1), drawn(5, 3, 6)
    alone = torch.cat([own(one[None]).values for one in asked])
    torch.testing.assert_close(own(asked).values, alone)


@pytest.mark.parametrize("grid", [(2, 2), (3, 3), (4, 6)])
def test_the_hierarchy_reads_place_block_and_image(grid: tuple[int, int]) -> None:
    places = grid[0] * grid[1]
    whole = HierarchicalMemory(grid=grid, size=4, slots=6, temperature=0.1, shrink=partial(top_k_shrink, k=2))
    assert [level.slots.shape[0] for level in whole.levels] == [places, -(-grid[0] // 2) * -(-grid[1] // 2), 1]
    whole.write(drawn(6, places, 4))
    found = whole(drawn(3, places, 4, seed=2))
    assert found.values.shape == (3, places, 4)  # joined and brought back to the length of one
    assert found.distance.shape == (3, places)
    assert (found.distance >= 0).all()
    assert (found.distance <= 2).all()


def test_the_hierarchy_sums_up_blocks_by_their_mean_and_the_image_by_its_largest() -> None:
    whole = HierarchicalMemory(grid=(2, 4), size=1, slots=1, temperature=1.0, shrink=partial(top_k_shrink, k=1))
    whole.write(torch.arange(8.0).reshape(1, 8, 1))
    place, block, image = (level.slots.flatten().tolist() for level in whole.levels)
    assert place == list(range(8))
    assert block == [(0 + 1 + 4 + 5) / 4, (2 + 3 + 6 + 7) / 4]
    assert image == [7]
