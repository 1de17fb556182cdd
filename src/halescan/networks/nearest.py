"""Nearest healthy patches: exact search among patches of the same place, or among all; and which patches to keep."""

from typing import Self

import numpy as np
import torch
from torch import Tensor

_ROOM = 2**24  # distances in one block of a search by place: 64 MB
_ROOM_ON_CPU = 2**16  # queries in such a block where distances are kept of one place at a time
_ROOM_OF_ALL = 2**19  # in one block of a search among all: 2 MB stay in the cache, which is half again as fast


class BankByPlace:
    """Patches of m healthy images, each kept at its place.

    Args:
        patches: `(p, m, d)`, the places of `grid` row by row.
        grid: Places down and across.
        steps: A place is compared with patches of the places up to so many steps around it. Places over the border of
            the image do not exist: a corner has fewer healthy patches to be compared with.
    """

    def __init__(self, patches: Tensor, *, grid: tuple[int, int], steps: int) -> None:
        self.patches, self.grid = patches, grid
        self.half = patches.square().sum(-1).div_(2)[:, None]
        around, inside = places_around(grid, steps)
        self.around, self.inside = around.to(patches.device), inside.to(patches.device)

    def to(self, device: torch.device | str) -> Self:
        """Move to a device."""
        self.patches, self.half = self.patches.to(device), self.half.to(device)
        self.around, self.inside = self.around.to(device), self.inside.to(device)
        return self

    def nearest(self, queries: Tensor, *, count: int = 1) -> tuple[Tensor, Tensor]:
        """Queries `(n, p, d)` to distances, nearest first, and the numbers of their images: both `(n, p, count)`."""
        room = _ROOM_ON_CPU if queries.device.type == "cpu" else _ROOM // self.patches.shape[1]
        parts = [self._nearest(part, count) for part in queries.split(max(1, room // self.around.numel()))]
        return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])

    def _nearest(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """One block of `nearest`.

        Each place's patches are multiplied once with the queries of all places around it; then every query collects its
        answers from the places around its own.
        """
        images, places, _ = queries.shape
        window = self.around.shape[1]
        asked = queries[:, self.around].permute(1, 0, 2, 3).reshape(places, images * window, -1)
        best, image = (part.reshape(places, images, window, -1) for part in self._own(asked, count))
        opposite = torch.arange(window - 1, -1, -1, device=queries.device)
        best, image = (part[self.around, :, opposite].permute(2, 0, 1, 3) for part in (best, image))
        best = best.masked_fill(~self.inside[None, :, :, None], torch.inf).flatten(2)  # (n, p, window * count)
        first = _smallest(best, count)[1]
        image = image.flatten(2).gather(2, first)
        place = self.around.repeat_interleave(best.shape[2] // window, dim=1).expand(images, -1, -1).gather(2, first)
        return _sorted_exact(queries, self.patches[place, image], image)

    def _own(self, asked: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The `count` smallest (d^2 - |query|^2) / 2 of queries `(p, q, d)`, each to the patches of its place.

        A processor takes place after place: what it multiplies then stays in its cache, in half the time.
        """
        if asked.device.type != "cpu":
            return _smallest(torch.baddbmm(self.half, asked, self.patches.transpose(1, 2), alpha=-1), count)
        far = torch.empty(asked.shape[1], self.patches.shape[1])
        parts = [
            _smallest(torch.addmm(half, queries, patches.T, alpha=-1, out=far), count)
            for half, queries, patches in zip(self.half, asked, self.patches, strict=True)
        ]
        best, image = (torch.stack(part) for part in zip(*parts, strict=True))
        return best, image


class BankOfAll:
    """Patches `(m, d)` of healthy images, wherever they came from."""

    def __init__(self, patches: Tensor) -> None:
        self.patches = patches
        self.half = patches.square().sum(-1).div_(2)

    def to(self, device: torch.device | str) -> Self:
        """Move to a device."""
        self.patches, self.half = self.patches.to(device), self.half.to(device)
        return self

    def nearest(self, queries: Tensor, *, count: int = 1) -> tuple[Tensor, Tensor]:
        """Queries `(n, p, d)` to distances, nearest first, and the rows of their patches: both `(n, p, count)`."""
        rows = queries.flatten(0, 1)
        size = max(1, min(_ROOM_OF_ALL // len(self.patches), len(rows)))
        far = rows.new_empty(size, len(self.patches))  # one for all parts: thousands of new ones would scatter memory
        parts = [
            _smallest(torch.addmm(self.half, part, self.patches.T, alpha=-1, out=far[: len(part)]), count)[1]
            for part in rows.split(size)  # (d^2 - |query|^2) / 2
        ]
        found = torch.cat(parts).reshape(*queries.shape[:2], -1)
        return _sorted_exact(queries, self.patches[found], found)


def places_around(grid: tuple[int, int], steps: int) -> tuple[Tensor, Tensor]:
    """`(p, (2 steps + 1)^2)` numbers of the places around each place, and whether they lie in the grid.

    Column j and the j-th column from the end lie opposite each other.
    """
    y, x = (axis.reshape(-1, 1) for axis in torch.meshgrid(*map(torch.arange, grid), indexing="ij"))
    offsets = torch.arange(-steps, steps + 1)
    down, right = (axis.reshape(1, -1) for axis in torch.meshgrid(offsets, offsets, indexing="ij"))
    there_y, there_x = y + down, x + right
    inside = (there_y >= 0) & (there_y < grid[0]) & (there_x >= 0) & (there_x < grid[1])
    return torch.where(inside, there_y * grid[1] + there_x, 0), inside


def spread_out(rows: Tensor, *, keep: int, seed: int, dimensions: int = 24) -> Tensor:
    """Numbers `(keep,)` of rows that leave no row far from all kept ones: greedy k-centres.

    Distances are taken after a random projection to `dimensions`, which keeps them well enough to choose by.

    Args:
        rows: `(m, d)`.
        keep: How many; all of them if there are no more.
    """
    if keep >= len(rows):
        return torch.arange(len(rows))
    rng = np.random.default_rng(seed)
    thin = rows.float().cpu()
    if rows.shape[1] > dimensions:
        thin = thin @ torch.from_numpy(rng.standard_normal((rows.shape[1], dimensions)).astype(np.float32))
    half = thin.square().sum(1).div_(2)
    chosen = torch.empty(keep, dtype=torch.long)
    chosen[0] = int(rng.integers(len(rows)))
    farness = torch.full((len(rows),), torch.inf)  # half squared distance to the nearest kept row, less half |row|^2
    for number in range(1, keep):
        last = chosen[number - 1]
        farness = torch.minimum(farness, torch.addmv(half[last], thin, thin[last], alpha=-1))
        chosen[number] = (farness + half).argmax()
    return chosen


def _smallest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` smallest along the last axis and where they stand."""
    if count == 1 and values.device.type == "cpu":
        place = torch.from_numpy(values.numpy().argmin(-1, keepdims=True))  # NumPy's is eight times as fast as torch's
        return values.gather(-1, place), place
    if count == 1:
        return values.min(-1, keepdim=True)
    return values.topk(min(count, values.shape[-1]), largest=False)


def _sorted_exact(queries: Tensor, found: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Distances taken anew by subtraction: the expanded square loses all digits where a patch equals its neighbour."""
    distances = (queries[..., None, :] - found).square().sum(-1).sqrt()
    distances, order = distances.sort(dim=-1, stable=True)
    return distances, numbers.gather(-1, order)
