"""The residual pair: numbers to an image, and an image to numbers, in blocks that only add to what passes by.

Source: the networks of f-AnoGAN (Schlegl et al. 2019, doi:10.1016/j.media.2019.01.010), which are those of Gulrajani et
al. 2017, arXiv:1704.00028. We differ: a linear end instead of a hyperbolic tangent (robust intensities pass 1);
images of any grid.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from halescan.networks.blocks import crop_of, cut, pad_to_multiple


class ResidualGenerator(nn.Module):
    """`(n, latent)` numbers to images `(n, channels, *grid)`.

    Args:
        latent: Numbers an image is drawn from.
        channels: Of the image.
        grid: Its two sides.
        widths: Channels, finest first; one halving of the grid each.
    """

    def __init__(self, *, latent: int, channels: int, grid: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        step = 2 ** len(widths)
        self.coarse, self.crop = (widths[-1], *(-(-side // step) for side in grid)), crop_of(grid, step)
        self.unfold = nn.Linear(latent, math.prod(self.coarse))
        self.blocks = nn.Sequential(*(_Doubling(inside, out) for inside, out in pairwise([widths[-1], *widths[::-1]])))
        self.end = nn.Sequential(nn.BatchNorm2d(widths[0]), nn.ReLU(), nn.Conv2d(widths[0], channels, 3, padding=1))

    def forward(self, latent: Tensor) -> Tensor:
        """The images."""
        hidden = self.blocks(self.unfold(latent).reshape(-1, *self.coarse))
        return cut(self.end(hidden), self.crop)


class ResidualEncoder(nn.Module):
    """Images `(n, channels, *grid)` to `(n, told)` numbers; as a critic, to one logit each.

    Each image is normed by itself: a batch norm would let one image of a batch move another's slope.

    Args:
        channels: Of the image.
        grid: Its two sides.
        widths: Channels, finest first; one halving of the grid each.
        told: Numbers told of an image.
    """

    def __init__(self, *, channels: int, grid: Sequence[int], widths: Sequence[int], told: int) -> None:
        super().__init__()
        self.step = 2 ** len(widths)
        cells = math.prod(-(-side // self.step) for side in grid)
        self.begin = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.blocks = nn.Sequential(*(_Halving(inside, out) for inside, out in pairwise([widths[0], *widths])))
        self.tell = nn.Linear(widths[-1] * cells, told)

    def forward(self, images: Tensor) -> Tensor:
        """The numbers."""
        told: Tensor = self.tell(self.features(images))
        return told

    def features(self, images: Tensor) -> Tensor:
        """`(n, d)`: what it sees before it tells."""
        padded, _ = pad_to_multiple(images, self.step)
        return self.blocks(self.begin(padded)).flatten(1)


class _Doubling(nn.Module):
    """Twice the grid; batch norm, ReLU and convolution twice, added to what passes by."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(inside), nn.ReLU())
        self.body = nn.Sequential(
            nn.Conv2d(inside, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, padding=1),
        )
        self.beside = nn.Conv2d(inside, out, 1)

    def forward(self, images: Tensor) -> Tensor:
        opened = F.interpolate(self.first(images), scale_factor=2.0)
        passed: Tensor = F.interpolate(self.beside(images), scale_factor=2.0)
        return passed + self.body(opened)


class _Halving(nn.Module):
    """Half the grid; layer norm, ReLU and convolution twice, added to what passes by."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(1, inside),
            nn.ReLU(),
            nn.Conv2d(inside, inside, 3, padding=1),
            nn.GroupNorm(1, inside),
            nn.ReLU(),
            nn.Conv2d(inside, out, 3, padding=1),
            nn.AvgPool2d(2),
        )
        self.beside = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inside, out, 1))

    def forward(self, images: Tensor) -> Tensor:
        added: Tensor = self.beside(images) + self.body(images)
        return added
