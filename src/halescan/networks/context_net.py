"""The context encoder's network: a hole's content, from what every channel saw anywhere else in the image."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from halescan.networks.blocks import conv, cut, down, pad_to_multiple, up


class ChannelwiseDense(nn.Module):
    """`(n, c, *grid)` to the same: each channel densely joined with itself over all places, `c * places ** 2` weights.

    Args:
        channels: Of the features.
        grid: Their sides.
    """

    def __init__(self, *, channels: int, grid: Sequence[int]) -> None:
        super().__init__()
        places = math.prod(grid)
        bound = 1 / math.sqrt(places)
        self.weight = nn.Parameter(torch.empty(channels, places, places).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(channels, places))

    def forward(self, features: Tensor) -> Tensor:
        flat = features.flatten(2)
        mixed = torch.einsum("nci,cio->nco", flat, self.weight) + self.bias
        return mixed.reshape(features.shape)


class ContextNet(nn.Module):
    """`(n, c, *grid)` to `(n, c, *grid)`: halvings, a channel-wise dense layer, a mixing convolution, doublings.

    Args:
        channels: Of the image.
        grid: Its sides, padded inside to what the halvings need and cropped back.
        widths: Channels after each halving; mirrored on the way back.

    Source:
        Pathak et al. 2016, arXiv:1604.07379. We differ: the whole image is drawn, of which the hole counts; linear end.
    """

    def __init__(self, *, channels: int, grid: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        dims, self.step = len(grid), 2 ** len(widths)
        coarse = [-(-side // self.step) for side in grid]
        self.storeys = nn.Sequential(*(down(dims, inside, out) for inside, out in pairwise([channels, *widths])))
        self.spread = ChannelwiseDense(channels=widths[-1], grid=coarse)
        self.mix = nn.Sequential(nn.LeakyReLU(0.2), conv(dims, widths[-1], widths[-1], kernel=1), nn.LeakyReLU(0.2))
        self.mirror = nn.Sequential(*(up(dims, inside, out) for inside, out in pairwise([*widths[::-1], widths[0]])))
        self.end = conv(dims, widths[0], channels)

    def forward(self, images: Tensor) -> Tensor:
        padded, crop = pad_to_multiple(images, self.step)
        return cut(self.end(self.mirror(self.mix(self.spread(self.storeys(padded))))), crop)
