"""Difference classifiers: is what a reconstruction left over more than what it leaves of healthy images?"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from halescan.networks.blocks import down, pad_to_multiple
from halescan.networks.masked_vit import MaskedViT
from halescan.networks.transformer import Blocks, patchify, positions


class ConvClassifier(nn.Module):
    """`(n, c, *grid)` to `(n,)` logits: halvings of the grid, the mean over what is left, one number.

    Args:
        dims: 2 or 3.
        channels: Of the image.
        widths: Channels after each halving; the sides must be `2 ** len(widths)` or more.
    """

    def __init__(self, *, dims: int, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.step = 2 ** len(widths)
        self.storeys = nn.Sequential(*(down(dims, inside, out) for inside, out in pairwise([channels, *widths])))
        self.end = nn.Linear(widths[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.end(self.storeys(pad_to_multiple(images, self.step)[0]).flatten(2).mean(2))
        return logits[:, 0]


class PatchClassifier(nn.Module):
    """`(n, c, *grid)` to `(n,)` logits: a transformer's mean token and one number. It can begin as a `MaskedViT`.

    Args:
        channels: Of the image.
        grid: Its sides, padded inside to multiples of `patch_px`.
        patch_px: Side of a patch.
        width: Numbers a token.
        depth: Layers.
        heads: Of attention.
        skip: Chance that an image passes by a layer while learning.
    """

    def __init__(
        self, *, channels: int, grid: Sequence[int], patch_px: int, width: int, depth: int, heads: int, skip: float
    ) -> None:
        super().__init__()
        self.patch_px = patch_px
        counts = [-(-side // patch_px) for side in grid]
        self.embed = nn.Linear(patch_px ** len(grid) * channels, width)
        self.register_buffer("where", positions(counts, width)[None])
        self.summary = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.encoder = Blocks(width=width, depth=depth, heads=heads, skip=skip)
        self.end = nn.Linear(width, 1)

    where: Tensor

    def begin_as(self, taught: MaskedViT) -> Self:
        """Take over the encoder's weights."""
        with torch.no_grad():
            self.summary.copy_(taught.summary)
        self.embed.load_state_dict(taught.embed.state_dict())
        self.encoder.load_state_dict(taught.encoder.state_dict())
        return self

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(patchify(pad_to_multiple(images, self.patch_px)[0], self.patch_px)) + self.where
        seen = self.encoder(torch.cat([self.summary.expand(len(tokens), -1, -1), tokens], dim=1))
        logits: Tensor = self.end(seen[:, 1:].mean(1))
        return logits[:, 0]
