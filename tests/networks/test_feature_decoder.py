"""The bottleneck and the decoder behind it."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from halescan.networks.feature_decoder import Bottleneck, FeatureDecoder, Student, grids_of


def levels(grids: Sequence[tuple[int, int]], widths: Sequence[int] = (4, 6, 8), seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, width, *grid, generator=generator) for width, grid in zip(widths, grids, strict=True)]


@pytest.mark.parametrize(
    "grids",
    [[(16, 12), (8, 6), (4, 3)], [(15, 13), (8, 7), (4, 4)], [(9, 9), (9, 9), (5, 5)], [(2, 2), (1, 1), (1, 1)]],
)
@pytest.mark.parametrize("width", [None, 5])
def test_every_level_is_drawn_in_its_own_shape(grids: list[tuple[int, int]], width: int | None) -> None:
    shown = levels(grids)
    drawn = Student((4, 6, 8), bottleneck=3, width=width).eval()(shown)
    assert [level.shape for level in drawn] == [level.shape for level in shown]


def test_what_passes_lies_on_half_the_coarsest_grid() -> None:
    assert Bottleneck((4, 6, 8), 3)(levels([(16, 12), (8, 6), (4, 4)])).shape == (2, 3, 2, 2)


def test_nothing_passes_but_through_the_bottleneck() -> None:
    student = Student((4, 6, 8), bottleneck=3, width=5).eval()
    for weight in student.bottleneck.parameters():
        torch.nn.init.zeros_(weight)
    one, two = (student(levels([(8, 8), (4, 4), (2, 2)], seed=seed)) for seed in (1, 2))
    assert all(torch.equal(*pair) for pair in zip(one, two, strict=True))


def test_a_level_is_drawn_without_those_finer_than_it() -> None:
    torch.manual_seed(0)
    decoder = FeatureDecoder(8, (4, 6), width=5).eval()
    inside, grids = torch.randn(1, 8, 2, 2), [(8, 8), (4, 4)]
    before = decoder(inside, grids)
    torch.nn.init.zeros_(decoder.heads[1].weight)
    after = decoder(inside, grids)
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[0], after[0])


def test_grids_are_the_levels_own() -> None:
    assert grids_of(levels([(8, 6), (4, 3), (2, 2)])) == [(8, 6), (4, 3), (2, 2)]
