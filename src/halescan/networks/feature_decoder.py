"""Feature decoder: the levels of a frozen network drawn again, coarse to fine, from what passes a bottleneck."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halescan.networks.blocks import resize, two_or_more
from halescan.networks.pointwise import Pointwise


class Bottleneck(nn.Module):
    """All levels on the coarsest one's grid, mixed, on half that grid: `(n, width, gh / 2, gw / 2)`.

    Args:
        widths: Channels of the levels.
        width: Channels of what is left of them.
    """

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Conv2d(sum(widths), width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.squeeze = _Residual(width, width, stride=2)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        grid = min((tuple(level.shape[2:]) for level in levels), key=lambda sides: sides[0] * sides[1])
        squeezed: Tensor = self.squeeze(self.mix(torch.cat([resize(level, grid) for level in levels], dim=1)))
        return squeezed


class FeatureDecoder(nn.Module):
    """From `(n, inside, *grid)` upwards: one residual storey a level, the coarsest first, and a linear head on each.

    Args:
        inside: Channels of what it draws from.
        widths: Channels of the levels it draws, finest first.
        width: Channels of a storey; None takes those of its level.
    """

    def __init__(self, inside: int, widths: Sequence[int], *, width: int | None = None) -> None:
        super().__init__()
        coarse_first = list(reversed(widths))
        storeys = [inside, *(width or level for level in coarse_first)]
        self.storeys = nn.ModuleList(_Residual(before, after) for before, after in pairwise(storeys))
        self.heads = nn.ModuleList(
            nn.Conv2d(storey, level, 1) for storey, level in zip(storeys[1:], coarse_first, strict=True)
        )

    def forward(self, inside: Tensor, grids: Sequence[Sequence[int]]) -> list[Tensor]:
        """The levels, finest first, on these grids."""
        here, drawn = inside, []
        for storey, head, grid in zip(self.storeys, self.heads, reversed(grids), strict=True):
            here = storey(resize(here, grid))
            drawn.append(head(here))
        return drawn[::-1]


class Student(nn.Module):
    """A bottleneck and a decoder behind it: draws the levels it is shown."""

    def __init__(self, widths: Sequence[int], *, bottleneck: int, width: int | None) -> None:
        super().__init__()
        self.bottleneck = Bottleneck(widths, bottleneck)
        self.decoder = FeatureDecoder(bottleneck, widths, width=width)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        drawn: list[Tensor] = self.decoder(self.bottleneck(levels), grids_of(levels))
        return drawn


def grids_of(levels: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """The grid of each level."""
    return [tuple(level.shape[2:]) for level in levels]


class _Residual(nn.Module):
    """Twice convolution 3 and batch norm, beside a linear way past them."""

    def __init__(self, inside: int, out: int, *, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.past = nn.Sequential(Pointwise(inside, out, stride=stride, bias=False), nn.BatchNorm2d(out))
        self.through = nn.Sequential(
            nn.Conv2d(inside, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out),
        )

    def forward(self, features: Tensor) -> Tensor:
        features = two_or_more(features) if self.stride == 2 else features
        return F.relu(self.past(features) + self.through(features))
