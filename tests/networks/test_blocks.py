"""The bricks keep their grids."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from halescan.networks.blocks import cut, double_conv, down, groups_of, pad_to_multiple, resize, two_or_more, up


@pytest.mark.parametrize("dims", [2, 3])
def test_down_halves_and_up_doubles(dims: int) -> None:
    images = torch.rand(2, 3, *[8, 12, 4][:dims])
    assert down(dims, 3, 5)(images).shape == (2, 5, *[4, 6, 2][:dims])
    assert up(dims, 3, 5)(images).shape == (2, 5, *[16, 24, 8][:dims])
    assert double_conv(dims, 3, 5, norm="group")(images).shape == (2, 5, *[8, 12, 4][:dims])


@given(sides=st.lists(st.integers(1, 19), min_size=2, max_size=3), step=st.sampled_from([1, 2, 4, 8, 16]))
def test_padding_is_taken_back_exactly(sides: list[int], step: int) -> None:
    images = torch.rand(1, 2, *sides)
    padded, crop = pad_to_multiple(images, step)
    assert all(side % step == 0 for side in padded.shape[2:])
    assert torch.equal(cut(padded, crop), images)


def test_padding_repeats_the_edge() -> None:
    padded, _ = pad_to_multiple(torch.tensor([[[[1.0, 2.0, 3.0]] * 4]]), 4)
    assert padded[0, 0, 0].tolist() == [1.0, 2.0, 3.0, 3.0]


@given(sides=st.lists(st.integers(2, 12), min_size=2, max_size=3), data=st.data())
def test_a_constant_stays_constant_on_any_grid(sides: list[int], data: st.DataObject) -> None:
    grid = data.draw(st.lists(st.integers(2, 12), min_size=len(sides), max_size=len(sides)))
    resized = resize(torch.full((1, 1, *sides), 3.0), grid)
    assert resized.shape[2:] == tuple(grid)
    assert torch.allclose(resized, torch.tensor(3.0))


def test_shrinking_averages() -> None:
    images = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert resize(images, (2, 2)).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert resize(images, (4, 4)) is images


@pytest.mark.parametrize(("channels", "groups"), [(16, 8), (12, 4), (6, 2), (5, 1), (1, 1)])
def test_groups_divide_the_channels(channels: int, groups: int) -> None:
    assert groups_of(channels) == groups


@pytest.mark.parametrize("sides", [(1, 1), (1, 4), (3, 1), (2, 2)])
def test_a_row_of_zeros_behind_a_single_place_changes_no_halving_convolution(sides: tuple[int, int]) -> None:
    halve, images = torch.nn.Conv2d(3, 5, 3, 2, 1), torch.rand(2, 3, *sides)
    torch.testing.assert_close(halve(two_or_more(images)), halve(images))


def test_a_single_place_teaches_a_halving_convolution_the_same_in_bfloat16() -> None:
    halve, place = torch.nn.Conv2d(16, 32, 3, 2, 1, bias=False), torch.rand(8, 16, 1, 1)
    halve, place = (part.to(memory_format=torch.channels_last) for part in (halve, place))
    gradients = []
    for half in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            loss = halve(two_or_more(place)).float().square().mean()
        gradients.append(torch.autograd.grad(loss, halve.weight)[0])
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0.05, atol=0.02 * float(gradients[0].abs().max()))
