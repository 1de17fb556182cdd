"""In-painting in feature space: places, neighbours, and what a centre may not know of itself."""

from typing import Any

import pytest
import torch
from torch import Tensor

from halescan.networks.inpainting import (
    Inpainting,
    LookAround,
    PlaceMemory,
    finest,
    from_places,
    masked_shortcut,
    neighbours,
    position_code,
    to_places,
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def block(**changes: Any) -> Inpainting:
    torch.manual_seed(0)
    usual: dict[str, Any] = {
        "channels": 5,
        "grid": (2, 2),
        "cells": (4, 4),
        "squeezed": 2,
        "scales": (1,),
        "remembering": "queue",
        "slots": 6,
        "top_k": 2,
        "temperature": 0.1,
        "heads": 2,
    }
    return Inpainting(**usual | changes)


@pytest.mark.parametrize("grid", [(2, 2), (3, 3), (2, 5)])
def test_cut_into_places_and_laid_together_is_the_same(grid: tuple[int, int]) -> None:
    features = drawn(3, 4, 2 * grid[0], 3 * grid[1])
    places = to_places(features, grid)
    assert places.shape == (3, grid[0] * grid[1], 4 * 6)
    assert torch.equal(from_places(places, grid, like=features), features)


def test_the_neighbours_are_the_eight_around_and_not_the_centre() -> None:
    places = torch.arange(1.0, 13.0).reshape(1, 12, 1)  # three rows of four
    around, missing = neighbours(places, (3, 4))
    assert around[5, :, 0].tolist() == [1, 2, 3, 5, 7, 9, 10, 11]  # of place 6
    assert not missing[5].any()
    assert around[0][~missing[0]].flatten().tolist() == [2, 5, 6]
    assert missing.sum(1).tolist() == [5, 3, 3, 5, 3, 0, 0, 3, 5, 3, 3, 5]


def test_what_memory_says_of_the_centre_is_never_attended_to() -> None:
    torch.manual_seed(0)
    look, asked, recalled = LookAround(6, heads=2).eval(), drawn(2, 9, 6), drawn(2, 9, 6, seed=1)
    other = recalled.clone()
    other[:, 4] += 3.0
    one, two = (look.around(asked, values, (3, 3)) for values in (recalled, other))
    torch.testing.assert_close(one[:, 4], two[:, 4])
    assert not torch.allclose(one[:, 3], two[:, 3])  # to its neighbours it is one of theirs


def test_the_centre_matters_only_as_the_question() -> None:
    torch.manual_seed(0)
    look, asked, recalled = LookAround(6, heads=2).eval(), drawn(2, 9, 6), drawn(2, 9, 6, seed=1)
    other = asked.clone()
    other[:, 4] += 3.0
    asking = look(asked, recalled, (3, 3)), look(other, recalled, (3, 3))
    assert not torch.allclose(asking[0][:, 4], asking[1][:, 4])
    with torch.no_grad():  # the question is struck out
        look.attend.in_proj_weight[:6] = 0
    silent = look(asked, recalled, (3, 3)), look(other, recalled, (3, 3))
    torch.testing.assert_close(silent[0], silent[1])


def test_what_lies_beyond_the_border_takes_no_part() -> None:
    torch.manual_seed(0)
    look, asked, recalled = LookAround(4, heads=1).eval(), drawn(1, 4, 4), drawn(1, 4, 4, seed=1)
    with torch.no_grad():  # the mean of the values, and nothing else
        look.attend.in_proj_weight[:8] = 0
        look.attend.in_proj_weight[8:] = torch.eye(4)
        look.attend.in_proj_bias.zero_()
        look.attend.out_proj.weight.copy_(torch.eye(4))
    around = look.around(asked, recalled, (2, 2))
    torch.testing.assert_close(around[:, 0], recalled[:, 1:].mean(1))


def test_each_place_is_numbered() -> None:
    code = position_code(torch.zeros(2, 1, 6, 6), (3, 3))
    assert code.shape == (2, 4, 6, 6)
    numbers = sum(code[0, bit] * 2**bit for bit in range(4))
    assert numbers[::2, ::2].flatten().tolist() == list(range(9))  # type: ignore[index]
    assert torch.equal(code[..., ::2], code[..., 1::2])


@pytest.mark.parametrize("remembering", ["queue", "matrix", "hierarchy"])
@pytest.mark.parametrize("scales", [(1,), (1, 2), (2, 4)])
def test_the_shape_stays_and_each_scale_tells_its_distance(remembering: str, scales: tuple[int, ...]) -> None:
    painted, distances = block(remembering=remembering, scales=scales)(drawn(3, 5, 8, 8))
    assert painted.shape == (3, 5, 8, 8)
    assert [tuple(one.shape) for one in distances] == [(3, 2 * scale, 2 * scale) for scale in scales]
    assert finest(distances).shape == (3, 2 * scales[-1], 2 * scales[-1])


@pytest.mark.parametrize("remembering", ["queue", "hierarchy"])
def test_queues_are_written_while_learning_and_never_after(remembering: str) -> None:
    painter = block(remembering=remembering)
    before = {name: value.clone() for name, value in painter.memories.state_dict().items()}
    painter.eval()(drawn(3, 5, 8, 8))
    assert all(torch.equal(before[name], value) for name, value in painter.memories.state_dict().items())
    painter.train()(drawn(3, 5, 8, 8))
    assert any(not torch.equal(before[name], value) for name, value in painter.memories.state_dict().items())


def test_what_is_read_in_a_step_is_written_after_it() -> None:
    painter = block().train()
    _, first = painter(drawn(3, 5, 8, 8))
    torch.testing.assert_close(first[0], torch.ones(3, 2, 2))  # memory was empty
    _, again = painter(drawn(3, 5, 8, 8))
    assert float(again[0].detach().max()) < 0.9


def test_the_shortcut_lets_so_many_raw_features_through() -> None:
    raw, painted = torch.zeros(50, 3, 10, 10), torch.ones(50, 3, 10, 10)
    mixed = masked_shortcut(painted, raw, ratio=0.8, generator=torch.Generator().manual_seed(0))
    assert float(mixed.mean()) == pytest.approx(0.8, abs=0.02)
    assert torch.equal(mixed[:, 0], mixed[:, 2])  # a place takes one or the other, all its channels
    assert torch.equal(masked_shortcut(painted, raw, ratio=1.0, generator=torch.Generator()), painted)


def test_the_decoders_memory_mixes_windows_of_their_own_bank() -> None:
    torch.manual_seed(0)
    filtered = PlaceMemory(grid=(2, 2), size=3 * 4, slots=1, top_k=1, temperature=0.1)
    found = filtered(drawn(2, 3, 4, 4))
    places = to_places(found, (2, 2))
    torch.testing.assert_close(places, filtered.memory.slots[:, 0].expand(2, 4, 12))
