"""Patch students: small networks that see a patch of an image and say how a teacher describes its middle."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from halescan.networks.blocks import resize

_BEND = nn.LeakyReLU


class PatchNet(nn.Module):
    """Images `(n, c, h, w)` in [0, 1] to descriptions `(n, out, *grid)`; each comes from a patch around its place.

    Two convolutions 3 a width, the second of which halves the grid but for the last; without batch norm, so that a
    patch's description depends on the patch alone. Three widths see 29 x 29 pixels.

    Args:
        channels: Of the images.
        widths: Channels at full, half, quarter ... resolution.
        out: Dimensions of a description.
    """

    def __init__(self, channels: int, widths: Sequence[int], out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for number, width in enumerate(widths, start=1):
            stride = 2 if number < len(widths) else 1
            layers += [nn.Conv2d(before, width, 3, 1, 1), _BEND(0.01)]
            layers += [nn.Conv2d(width, width, 3, stride, 1), _BEND(0.01)]
            before = width
        self.see = nn.Sequential(*layers)
        self.tell = nn.Conv2d(before, out, 1)

    def forward(self, images: Tensor, grid: Sequence[int]) -> Tensor:
        told: Tensor = self.tell(resize(self.see(2 * images - 1), grid))
        return told


class Students(nn.Module):
    """So many networks of one shape, each from first weights of its own."""

    def __init__(self, count: int, channels: int, widths: Sequence[int], out: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(PatchNet(channels, widths, out) for _ in range(count))

    def forward(self, images: Tensor, grid: Sequence[int]) -> Tensor:
        """`(students, n, out, *grid)`."""
        return torch.stack([student(images, grid) for student in self.each])


def regression_error(wanted: Tensor, told: Tensor) -> Tensor:
    """`(n, *grid)`: squared error of the students' mean, averaged over dimensions.

    Args:
        wanted: `(n, d, *grid)`.
        told: `(students, n, d, *grid)`.
    """
    return (wanted - told.mean(0)).square().mean(1)


def uncertainty(told: Tensor) -> Tensor:
    """`(n, *grid)`: variance between students `(students, n, d, *grid)`, averaged over dimensions."""
    return told.var(0, correction=0).mean(1)
