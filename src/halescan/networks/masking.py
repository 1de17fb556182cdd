"""Masking: what is hidden of an image, what is pasted back, and that every place is hidden at least once.

Masks are bool and True where hidden: over places `(..., 1, *grid)`, or over the cells of a coarser grid `(..., cells)`,
cells in row order.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from halescan.errors import SettingError


def random_cells(count: int, cells: int, *, hidden: int, generator: torch.Generator) -> Tensor:
    """`(count, cells)`: in each row exactly `hidden` cells, drawn without returning."""
    places = torch.rand((count, cells), generator=generator).argsort(dim=1)[:, :hidden]
    return torch.zeros(count, cells, dtype=torch.bool).scatter_(1, places, True)


def complementary_cells(cells: int, *, hidden: int, draws: int, generator: torch.Generator) -> Tensor:
    """`(draws, cells)`: each row hides exactly `hidden`, and all cells are hidden equally often, give or take one.

    One random order of the cells is dealt out round and round. With `draws * hidden >= cells` every cell is hidden.

    Raises:
        SettingError: if so many draws cannot hide every cell.
    """
    if draws * hidden < cells:
        raise SettingError(
            f"{draws} draws that hide {hidden} of {cells} cells leave some never hidden; "
            f"take {math.ceil(cells / max(hidden, 1))} draws or more"
        )
    order = torch.randperm(cells, generator=generator)
    dealt = order[(torch.arange(draws)[:, None] * hidden + torch.arange(hidden)) % cells]
    return torch.zeros(draws, cells, dtype=torch.bool).scatter_(1, dealt, True)


def disjoint_cells(cells: int, *, parts: int, generator: torch.Generator) -> Tensor:
    """`(parts, cells)`: the cells split at random into sets of equal size, give or take one."""
    order = torch.randperm(cells, generator=generator)
    masks = torch.zeros(parts, cells, dtype=torch.bool)
    for part, places in enumerate(order.tensor_split(parts)):
        masks[part, places] = True
    return masks


def grid_masks(grid: Sequence[int], *, cell_px: int, parts: int, generator: torch.Generator) -> Tensor:
    """`(parts, 1, *grid)`: a grid of square cells, each cell hidden in exactly one of the parts.

    Cells at the far border are cut where the side is no multiple of `cell_px`.
    """
    counts = [-(-side // cell_px) for side in grid]
    return spread_cells(disjoint_cells(math.prod(counts), parts=parts, generator=generator), grid, cell_px=cell_px)


def spread_cells(masks: Tensor, grid: Sequence[int], *, cell_px: int) -> Tensor:
    """`(..., cells)` over cells to `(..., 1, *grid)` over places."""
    counts = [-(-side // cell_px) for side in grid]
    spread = masks.reshape(*masks.shape[:-1], 1, *counts)
    for axis in range(-len(counts), 0):
        spread = spread.repeat_interleave(cell_px, dim=axis)
    for axis, side in enumerate(grid, start=-len(counts)):
        spread = spread.narrow(axis, 0, side)
    return spread


def random_boxes(
    count: int, grid: Sequence[int], *, smallest_px: int, largest_px: int, generator: torch.Generator
) -> Tensor:
    """`(count, 1, *grid)`: one box an image, each side drawn in [smallest_px, largest_px], at a place where it fits.

    A side that is longer than the grid's is cut to it.
    """
    masks = torch.ones(count, 1, *grid, dtype=torch.bool)
    for axis, length in enumerate(grid):
        sides = torch.randint(smallest_px, largest_px + 1, (count,), generator=generator).clamp(max=length)
        starts = (torch.rand(count, generator=generator) * (length - sides + 1)).long()
        places = torch.arange(length)
        inside = (places >= starts[:, None]) & (places < (starts + sides)[:, None])
        shape = [count, 1, *[1] * len(grid)]
        shape[2 + axis] = length
        masks &= inside.reshape(shape)
    return masks


def sliding_boxes(grid: Sequence[int], *, hole_px: int, stride_px: int) -> Tensor:
    """`(windows, 1, *grid)`: a square hole at every `stride_px`-th place, and flush with the far borders.

    Raises:
        SettingError: if the stride is longer than the hole, which would leave places that are never hidden.
    """
    if not 1 <= stride_px <= hole_px:
        raise SettingError(f"stride must lie in [1, hole], got {stride_px} for a hole of {hole_px}; a half is usual")
    starts = [_starts(side, hole_px=hole_px, stride_px=stride_px) for side in grid]
    corners = torch.cartesian_prod(*(torch.tensor(along) for along in starts)).reshape(-1, len(grid))
    masks = torch.zeros(len(corners), 1, *grid, dtype=torch.bool)
    for mask, corner in zip(masks, corners.tolist(), strict=True):
        mask[(0, *(slice(start, start + hole_px) for start in corner))] = True
    return masks


def blank(images: Tensor, hidden: Tensor, *, fill: float = 0.0) -> Tensor:
    """The images with `fill` where hidden."""
    return images.masked_fill(hidden, fill)


def paste(images: Tensor, drawn: Tensor, hidden: Tensor) -> Tensor:
    """What was drawn where hidden, the image itself elsewhere."""
    return torch.where(hidden, drawn, images)


def mean_where_hidden(drawn: Tensor, hidden: Tensor) -> Tensor:
    """`(n, draws, c, *grid)` to `(n, c, *grid)`: at each place the mean over those draws in which it was hidden.

    So no true pixel is mixed in. Places that were never hidden come out 0.

    Args:
        hidden: `(draws, 1, *grid)`, or `(n, draws, 1, *grid)`.
    """
    weights = hidden.to(drawn.dtype)
    times = weights.sum(dim=-drawn.ndim + 1)
    return (drawn * weights).sum(dim=1) / times.clamp(min=1)


def draws_of(
    draw: Callable[[Tensor], Tensor], images: Tensor, hidden: Tensor, *, fill: float = 0.0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Each mask `(1, *grid)` of `(draws, 1, *grid)` with what `draw` makes of the images when that much is hidden."""
    for one in hidden:
        yield one, draw(blank(images, one, fill=fill))


def in_painted(draw: Callable[[Tensor], Tensor], images: Tensor, hidden: Tensor, *, fill: float = 0.0) -> Tensor:
    """`(n, c, *grid)`: every place as drawn without being seen, averaged over the draws in which it was hidden.

    Args:
        hidden: `(draws, 1, *grid)`; together they must hide every place.
    """
    total = torch.zeros_like(images)
    for one, drawn in draws_of(draw, images, hidden, fill=fill):
        total = total + drawn * one
    return total / hidden.sum(0).clamp(min=1)


def superpixels(images: Tensor, *, segments: int, compactness: float = 0.1) -> Tensor:
    """`(n, *grid)` int64 labels from 0 without gaps: pieces of about equal size that follow the image's edges.

    Args:
        images: `(n, c, *grid)` in about [0, 1]; on the CPU, where the library works.
        segments: About so many pieces an image.
        compactness: Higher gives squarer pieces; 0.1 suits grey images in [0, 1].

    Source:
        SLIC, Achanta et al. 2012, doi:10.1109/TPAMI.2012.120, from scikit-image.
    """
    from skimage.segmentation import slic  # a second: imported only to cut

    labels = []
    for image in images.detach().float().cpu().numpy():
        # SLIC divides by the image's range; one constant for all images would be lost on a flat one
        pieces = slic(
            np.moveaxis(image, 0, -1).astype(np.float64),
            n_segments=segments,
            compactness=compactness,
            start_label=0,
            channel_axis=-1,
            convert2lab=False,
        )
        labels.append(torch.from_numpy(np.unique(pieces, return_inverse=True)[1].reshape(pieces.shape)))
    return torch.stack(labels).long()


def piece_means(maps: Tensor, labels: Tensor) -> Tensor:
    """`(n, *grid)` with each place's value replaced by the mean over its piece; labels as from `superpixels`."""
    flat, where = maps.flatten(1), labels.to(maps.device).flatten(1)
    empty = torch.zeros(len(flat), int(where.max()) + 1, dtype=flat.dtype, device=flat.device)
    sums = empty.scatter_add(1, where, flat)
    sizes = empty.scatter_add(1, where, torch.ones_like(flat))
    return (sums / sizes.clamp(min=1)).gather(1, where).reshape(maps.shape)


def cut_around(images: Tensor, hidden: Tensor, *, size_px: int) -> Tensor:
    """`(n, c, size, size, ...)`: a square cut out around each image's hidden box `(n, 1, *grid)`, moved to fit in."""
    pieces = []
    for image, mask in zip(images, hidden[:, 0], strict=True):
        places = mask.nonzero()
        middle = (places.amin(0) + places.amax(0) + 1) // 2
        starts = [
            min(max(int(place) - size_px // 2, 0), max(side - size_px, 0))
            for place, side in zip(middle, mask.shape, strict=True)
        ]
        pieces.append(image[(slice(None), *(slice(start, start + size_px) for start in starts))])
    return torch.stack(pieces)


def grown(hidden: Tensor, *, by_px: int) -> Tensor:
    """`(n, 1, *grid)` masks whose boxes reach `by_px` further on every side."""
    pool = F.max_pool2d if hidden.ndim == 4 else F.max_pool3d
    return pool(hidden.float(), 2 * by_px + 1, stride=1, padding=by_px) > 0


def _starts(side: int, *, hole_px: int, stride_px: int) -> list[int]:
    last = max(side - hole_px, 0)
    return sorted({*range(0, last + 1, stride_px), last})
