"""In-painting in feature space: each place is drawn anew from what memory knows of the places around it.

Source: Xiang et al. 2023 (SQUID), arXiv:2111.13495, and SimSID, arXiv:2403.08689. We differ: neighbours beyond the
image's border are left out of the attention (there they are zeros that take part); several sizes of place at once are
possible; the decoder's memory has a bank for each place of the whole image, not for each place of a patch.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from halescan.networks.blocks import resize
from halescan.networks.memory import HierarchicalMemory, MemoryRead, top_k_shrink

Remembering = Literal["queue", "matrix", "hierarchy"]
Memory = MemoryRead | HierarchicalMemory


class Inpainting(nn.Module):
    """`(n, c, h, w)` features of a whole image, place by place from memory and surroundings, and how far memory was.

    Args:
        channels: Of the features, in and out.
        grid: Places along the two sides at scale 1.
        cells: Features along the two sides of such a place.
        squeezed: Channels a place is squeezed into; `squeezed * cells` numbers are what memory remembers.
        scales: Each makes places so many times smaller; their answers are joined.
        remembering: What the memory is; see `memory`.
        heads: Of the attention.
    """

    def __init__(
        self,
        *,
        channels: int,
        grid: Sequence[int],
        cells: Sequence[int],
        squeezed: int,
        scales: Sequence[int],
        remembering: Remembering,
        slots: int,
        top_k: int,
        temperature: float,
        heads: int,
    ) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.grids = [(grid[0] * scale, grid[1] * scale) for scale in scales]
        sizes = [squeezed * (cells[0] // scale) * (cells[1] // scale) for scale in scales]
        pairs = list(zip(self.grids, sizes, strict=True))
        self.memories = nn.ModuleList(
            _memory(remembering, grid=places, size=size, slots=slots, top_k=top_k, temperature=temperature)
            for places, size in pairs
        )
        self.looks = nn.ModuleList(LookAround(size, heads=heads) for size in sizes)
        bits = sum(code_bits(places) for places in self.grids)
        self.open = nn.Sequential(
            nn.Conv2d(squeezed * len(sizes) + bits, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.SiLU()
        )

    def forward(self, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The features in-painted, and a scale at a time the memory's distance `(n, *grid)`."""
        small = self.squeeze(features)
        parts, distances = [], []
        for grid, memory, look in zip(self.grids, self.memories, self.looks, strict=True):
            asked = to_places(small, grid).float()
            found = memory(asked)
            drawn = look(asked, found.values, grid)
            parts += [from_places(drawn, grid, like=small), position_code(small, grid)]
            distances.append(found.distance.unflatten(1, grid))
            if self.training:
                cast(Memory, memory).write(asked)
        return self.open(torch.cat(parts, dim=1)), distances

    def write(self, features: Tensor) -> None:
        """Put features into the memories, if these are queues."""
        small = self.squeeze(features)
        for grid, memory in zip(self.grids, self.memories, strict=True):
            cast(Memory, memory).write(to_places(small, grid))


class LookAround(nn.Module):
    """One transformer layer: a place asks its eight neighbours; what memory said of itself is added, never attended to.

    Args:
        size: Numbers of a place; a multiple of `heads`.
    """

    def __init__(self, size: int, *, heads: int) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(size, heads, batch_first=True)
        self.first, self.second = nn.LayerNorm(size), nn.LayerNorm(size)
        self.think = nn.Sequential(nn.Linear(size, max(1, size // 4)), nn.ReLU(), nn.Linear(max(1, size // 4), size))

    def forward(self, asked: Tensor, recalled: Tensor, grid: tuple[int, int]) -> Tensor:
        """`(n, places, size)` raw features and what memory has in their stead, to the same shape."""
        hidden = F.relu(self.first(self.around(asked, recalled, grid) + recalled))
        answer: Tensor = F.relu(self.second(self.think(hidden) + hidden))
        return answer

    def around(self, asked: Tensor, recalled: Tensor, grid: tuple[int, int]) -> Tensor:
        """What the neighbours' memory says to each place: keys and values are the neighbours alone."""
        beside, missing = neighbours(recalled, grid)
        query = asked.flatten(0, 1)[:, None]
        found, _ = self.attend(query, beside, beside, key_padding_mask=missing, need_weights=False)
        answer: Tensor = found[:, 0].unflatten(0, asked.shape[:2])
        return answer


class PlaceMemory(nn.Module):
    """A learned memory inside a decoder: each window of a feature map is replaced by a mixture of its own bank.

    Args:
        grid: Windows along the two sides of the whole image, each with its bank.
        size: Numbers of a window.
    """

    def __init__(self, *, grid: tuple[int, int], size: int, slots: int, top_k: int, temperature: float) -> None:
        super().__init__()
        self.grid = grid
        self.memory = MemoryRead(
            size=size,
            slots=slots,
            banks=math.prod(grid),
            temperature=temperature,
            shrink=partial(top_k_shrink, k=top_k),
        )

    def forward(self, features: Tensor) -> Tensor:
        """`(n, c, h, w)` to the same shape."""
        found = self.memory(to_places(features, self.grid))
        return from_places(found.values, self.grid, like=features)


def neighbours(places: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """`(n, places, d)` to the eight around each `(n places, 8, d)` and which of them lie beyond the border."""
    count, _, size = places.shape
    laid = places.transpose(1, 2).unflatten(2, grid)
    others = [number for number in range(9) if number != 4]
    around = F.unfold(laid, 3, padding=1).unflatten(1, (size, 9))[:, :, others]
    there = F.unfold(laid.new_ones(1, 1, *grid), 3, padding=1)[0, others]
    return around.permute(0, 3, 2, 1).flatten(0, 1), (there == 0).T.repeat(count, 1)


def masked_shortcut(drawn: Tensor, raw: Tensor, *, ratio: float, generator: torch.Generator) -> Tensor:
    """Some places of `(n, c, h, w)` keep the raw feature: the drawn one is taken with probability `ratio`."""
    if ratio >= 1:
        return drawn
    shape = (len(drawn), 1, *drawn.shape[2:])
    taken = torch.rand(shape, generator=generator) < ratio
    return torch.where(taken.to(drawn.device), drawn, raw)


def to_places(features: Tensor, grid: tuple[int, int]) -> Tensor:
    """`(n, c, h, w)` cut into a grid of places, row by row: `(n, places, c * cells)`."""
    count, channels, height, width = features.shape
    cut = features.reshape(count, channels, grid[0], height // grid[0], grid[1], width // grid[1])
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(count, math.prod(grid), -1)


def from_places(places: Tensor, grid: tuple[int, int], *, like: Tensor) -> Tensor:
    """The way back of `to_places`, to the shape of `like`."""
    count, channels, height, width = like.shape
    cut = places.reshape(count, *grid, channels, height // grid[0], width // grid[1])
    return cut.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, height, width)


def code_bits(grid: tuple[int, int]) -> int:
    """Bits that number the places of a grid."""
    return max(1, (math.prod(grid) - 1).bit_length())


def position_code(features: Tensor, grid: tuple[int, int]) -> Tensor:
    """`(n, bits, h, w)`: the number of the place each feature lies in, as zeros and ones."""
    number = torch.arange(math.prod(grid), device=features.device)
    bits = torch.stack([number >> bit & 1 for bit in range(code_bits(grid))])
    laid = bits.to(features.dtype).unflatten(1, grid)[None]
    height, width = features.shape[2] // grid[0], features.shape[3] // grid[1]
    return laid.repeat_interleave(height, 2).repeat_interleave(width, 3).expand(len(features), -1, -1, -1)


def finest(maps: Sequence[Tensor]) -> Tensor:
    """The mean of maps `(n, *grid)` of several grids, on the finest of them."""
    grid = max((one.shape[1:] for one in maps), key=math.prod)
    return torch.stack([resize(one[:, None], grid)[:, 0] for one in maps]).mean(0)


def _memory(
    kind: Remembering, *, grid: tuple[int, int], size: int, slots: int, top_k: int, temperature: float
) -> Memory:
    shrink = partial(top_k_shrink, k=top_k)
    if kind == "hierarchy":
        return HierarchicalMemory(grid=grid, size=size, slots=slots, temperature=temperature, shrink=shrink)
    return MemoryRead(
        size=size, slots=slots, banks=math.prod(grid), storage=kind, temperature=temperature, shrink=shrink
    )
