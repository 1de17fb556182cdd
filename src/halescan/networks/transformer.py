"""The transformer: an image as a row of patches, each of which may look at all others.

Source: Dosovitskiy et al. 2021, arXiv:2010.11929, on torch's own layers (norm first, GELU). We differ: positions are
fixed sines and cosines, so that any grid has them; whole blocks are skipped by chance instead of their two halves.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from halescan.errors import SettingError


def patchify(images: Tensor, patch_px: int) -> Tensor:
    """`(n, c, *grid)` to `(n, patches, values)`: square patches in row order, each with all its values.

    The sides must be multiples of `patch_px`.
    """
    count, channels, *grid = images.shape
    dims = len(grid)
    split = [length for side in grid for length in (side // patch_px, patch_px)]
    cells, within = [2 + 2 * axis for axis in range(dims)], [3 + 2 * axis for axis in range(dims)]
    rows = images.reshape(count, channels, *split).permute(0, *cells, *within, 1)
    return rows.reshape(count, math.prod(split[::2]), patch_px**dims * channels)


def unpatchify(rows: Tensor, grid: Sequence[int], patch_px: int) -> Tensor:
    """The way back from `patchify`: `(n, patches, values)` to `(n, c, *grid)`."""
    dims, count = len(grid), len(rows)
    counts = [side // patch_px for side in grid]
    channels = rows.shape[2] // patch_px**dims
    split = rows.reshape(count, *counts, *[patch_px] * dims, channels)
    order = [axis for pair in zip(range(1, dims + 1), range(dims + 1, 2 * dims + 1), strict=True) for axis in pair]
    return split.permute(0, 2 * dims + 1, *order).reshape(count, channels, *grid)


def positions(counts: Sequence[int], width: int) -> Tensor:
    """`(patches, width)` fixed sines and cosines, an equal share of the width for every axis; the rest stays 0."""
    share = width // (2 * len(counts)) * 2
    axes = torch.meshgrid(*(torch.arange(number, dtype=torch.float32) for number in counts), indexing="ij")
    pace = torch.exp(-math.log(10_000.0) * torch.arange(share // 2, dtype=torch.float32) / max(share // 2, 1))
    waves = [along.reshape(-1, 1) * pace for along in axes]
    known = torch.cat([part for wave in waves for part in (wave.sin(), wave.cos())], dim=1)
    return torch.cat([known, known.new_zeros(len(known), width - known.shape[1])], dim=1)


class Blocks(nn.Module):
    """`(n, tokens, width)` to the same: a stack of transformer layers and a last layer norm.

    Args:
        width: Numbers a token.
        depth: Layers.
        heads: Of attention; must divide the width.
        mlp: Width of the hidden layer, in widths.
        dropout: Of attention and the hidden layer.
        skip: Chance that an image passes by the last layer while learning; grows linearly from 0 at the first.

    Raises:
        SettingError: if the heads do not divide the width.
    """

    def __init__(
        self, *, width: int, depth: int, heads: int, mlp: float = 4.0, dropout: float = 0.0, skip: float = 0.0
    ) -> None:
        super().__init__()
        if width < 1 or heads < 1 or width % heads:
            raise SettingError(f"heads must divide the width, got {heads} and {width}; width 128 with 4 heads works")
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, round(mlp * width), dropout=dropout, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.skips = [skip * number / max(depth - 1, 1) for number in range(depth)]

    def forward(self, tokens: Tensor) -> Tensor:
        for layer, skip in zip(self.layers, self.skips, strict=True):
            after = layer(tokens)
            if self.training and skip:
                kept = torch.rand(len(tokens), 1, 1, device=tokens.device) >= skip
                after = tokens + (after - tokens) * kept / (1 - skip)
            tokens = after
        normed: Tensor = self.norm(tokens)
        return normed
