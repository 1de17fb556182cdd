"""Patches and back, positions, and the stack of layers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.errors import SettingError
from halescan.networks.transformer import Blocks, patchify, positions, unpatchify


@settings(max_examples=25, deadline=None)
@given(counts=st.lists(st.integers(1, 4), min_size=2, max_size=3), patch=st.integers(1, 4), channels=st.integers(1, 3))
def test_patches_put_together_again_are_the_image(counts: list[int], patch: int, channels: int) -> None:
    grid = [number * patch for number in counts]
    images = torch.rand(2, channels, *grid)
    rows = patchify(images, patch)
    assert rows.shape == (2, math.prod(counts), channels * patch ** len(counts))
    assert torch.equal(unpatchify(rows, grid, patch), images)


def test_a_patch_is_a_square_of_the_image_and_patches_run_in_rows() -> None:
    images = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert patchify(images, 2)[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


@pytest.mark.parametrize("counts", [(4, 6), (2, 3, 4)])
def test_every_place_has_its_own_position(counts: tuple[int, ...]) -> None:
    where = positions(counts, 26)
    assert where.shape == (math.prod(counts), 26)
    apart = torch.cdist(where, where) + torch.eye(len(where))
    assert apart.min() > 0.05


def test_a_position_is_sine_and_cosine_of_the_place() -> None:
    where = positions((3, 5), 8)
    x, y = where[7][4:], where[7][:4]  # the patch in row 1, column 2
    assert torch.allclose(y, torch.tensor([math.sin(1), math.sin(0.01), math.cos(1), math.cos(0.01)]))
    assert torch.allclose(x, torch.tensor([math.sin(2), math.sin(0.02), math.cos(2), math.cos(0.02)]))


def test_an_image_alone_gives_what_it_gives_in_a_batch() -> None:
    net, tokens = Blocks(width=16, depth=2, heads=2).eval(), torch.rand(5, 7, 16)
    with torch.no_grad():
        assert torch.allclose(net(tokens)[2:3], net(tokens[2:3]), atol=1e-5)


def test_without_positions_the_order_of_the_tokens_does_not_matter() -> None:
    net, tokens = Blocks(width=16, depth=2, heads=2).eval(), torch.rand(1, 7, 16)
    order = torch.randperm(7)
    with torch.no_grad():
        assert torch.allclose(net(tokens)[:, order], net(tokens[:, order]), atol=1e-5)


def test_layers_are_skipped_by_chance_only_while_learning() -> None:
    net, tokens = Blocks(width=8, depth=3, heads=2, skip=0.5), torch.rand(4, 5, 8)
    learning = [net.train()(tokens) for _ in range(6)]
    assert any(not torch.allclose(one, learning[0]) for one in learning[1:])
    with torch.no_grad():
        assert torch.equal(net.eval()(tokens), net(tokens))


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(SettingError, match="heads"):
        Blocks(width=10, depth=1, heads=4)
