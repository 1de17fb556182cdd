"""The bricks of the convolutional networks, in two and three dimensions alike."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_SMOOTH = {2: "bilinear", 3: "trilinear"}


def conv(dims: int, inside: int, out: int, *, kernel: int = 3, stride: int = 1, bias: bool = True) -> nn.Module:
    """A convolution that keeps the grid (stride 1) or halves it (kernel 4, stride 2)."""
    return _CONV[dims](inside, out, kernel, stride=stride, padding=(kernel - 1) // 2, bias=bias)


def down(dims: int, inside: int, out: int) -> nn.Sequential:
    """Halve the grid: convolution 4 stride 2, batch norm, leaky ReLU 0.2."""
    return nn.Sequential(
        conv(dims, inside, out, kernel=4, stride=2, bias=False), _BATCH_NORM[dims](out), nn.LeakyReLU(0.2)
    )


def up(dims: int, inside: int, out: int) -> nn.Sequential:
    """Double the grid: the mirror of `down`."""
    opened = _TRANSPOSED[dims](inside, out, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(opened, _BATCH_NORM[dims](out), nn.LeakyReLU(0.2))


def double_conv(dims: int, inside: int, out: int, *, norm: str) -> nn.Sequential:
    """Twice convolution 3, "batch" or "group" norm, SiLU: one storey of a U-Net."""
    layers: list[nn.Module] = []
    for first in (inside, out):
        levelled = _BATCH_NORM[dims](out) if norm == "batch" else nn.GroupNorm(groups_of(out), out)
        layers += [conv(dims, first, out, bias=False), levelled, nn.SiLU()]
    return nn.Sequential(*layers)


def groups_of(channels: int) -> int:
    """The largest of 8, 4, 2, 1 groups that divides the channels."""
    return next(groups for groups in (8, 4, 2, 1) if channels % groups == 0)


def resize(images: Tensor, grid: Sequence[int]) -> Tensor:
    """`(n, c, *grid)` on another grid: averaged where it shrinks, linear between pixel centres where it grows."""
    here = tuple(images.shape[2:])
    if here == tuple(grid):
        return images
    smaller = tuple(min(old, new) for old, new in zip(here, grid, strict=True))
    if smaller != here:
        images = F.interpolate(images, size=smaller, mode="area")
    if smaller != tuple(grid):
        images = F.interpolate(images, size=tuple(grid), mode=_SMOOTH[len(here)], align_corners=False)
    return images


def two_or_more(features: Tensor) -> Tensor:
    """`(n, c, h, w)` with zeros behind a side of one place: the same to a convolution 3 of stride 2, padding 1.

    Of a single place, in bfloat16 on a CPU, torch 2.15 gives that convolution's weights the gradient of whatever lay in
    memory.
    """
    return F.pad(features, (0, int(features.shape[3] == 1), 0, int(features.shape[2] == 1)))


def pad_to_multiple(images: Tensor, step: int) -> tuple[Tensor, tuple[slice, ...]]:
    """Images whose sides are multiples of `step`, edges repeated, and the slices that crop them back."""
    extra, crop = [-side % step for side in images.shape[2:]], crop_of(images.shape[2:], step)
    if not any(extra):
        return images, crop
    both = [amount for more in reversed(extra) for amount in (more // 2, more - more // 2)]
    return F.pad(images, both, mode="replicate"), crop


def crop_of(grid: Sequence[int], step: int) -> tuple[slice, ...]:
    """Where a grid lies in the grid of `pad_to_multiple`."""
    extra = [-side % step for side in grid]
    return tuple(slice(more // 2, more // 2 + side) for more, side in zip(extra, grid, strict=True))


def cut(images: Tensor, crop: tuple[slice, ...]) -> Tensor:
    """`(n, c, *grid)` cropped by the slices of `pad_to_multiple`."""
    return images[(slice(None), slice(None), *crop)]
