"""Token decoder: features drawn again by transformer layers that cannot look at single places, behind a noisy
bottleneck.

Source: Guo et al. 2024, arXiv:2405.14325 (Dinomaly). We differ: fixed positions are added to the tokens, and no class
token is among them; each group has a linear head; the bottleneck loses numbers of its hidden layer alone; levels of
unequal width, which a convolutional network has, are laid side by side instead of averaged.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.transformer import positions


class TokenDecoder(nn.Module):
    """Features `(n, inside, gh, gw)` to one such grid a group.

    The hidden layer of the bottleneck loses a share `dropout` of its numbers while learning. The layers are parted
    into as many runs as there are groups; the first run's mean output draws the last group (the deepest), and so on.

    Args:
        inside: Channels of what is shown.
        groups: Channels of each group drawn, shallowest first.
        width: Numbers a token.
        depth: Layers, as many as groups or more.
        heads: Of attention; must divide the width.
        dropout: In the bottleneck.

    Raises:
        SettingError: if the heads do not divide the width, or there are fewer layers than groups.
    """

    taken: Tensor

    def __init__(
        self, inside: int, groups: Sequence[int], *, width: int, depth: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        if width < 1 or heads < 1 or width % heads:
            raise SettingError(f"heads must divide the width, got {heads} and {width}; width 128 with 4 heads works")
        if depth < len(groups):
            raise SettingError(f"depth must be {len(groups)} or more, a layer for each group of levels, got {depth}")
        self.width = width
        self.bottleneck = nn.Sequential(
            nn.Linear(inside, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(depth))
        self.heads = nn.ModuleList(nn.Linear(width, group) for group in groups)
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))  # steps so far: survives a checkpoint

    def forward(self, shown: Tensor) -> list[Tensor]:
        """`(n, inside, gh, gw)` to `(n, group, gh, gw)` a group, shallowest first."""
        grid = shown.shape[2:]
        tokens = self.bottleneck(shown.flatten(2).transpose(1, 2))
        tokens = tokens + positions(grid, self.width).to(tokens)
        told = []
        for layer in self.layers:
            tokens = layer(tokens)
            told.append(tokens)
        drawn = []
        for head, where in zip(reversed(self.heads), parted(len(told), len(self.heads)), strict=True):
            mean = torch.stack([told[number] for number in where]).mean(0)
            drawn.append(head(mean).transpose(1, 2).unflatten(2, grid))
        return drawn[::-1]


class LinearAttention(nn.Module):
    """Attention without softmax: each token's answer is a mean of all values, weighted by positive features.

    Weights are (elu(q) + 1) . (elu(k) + 1), so they can hardly single out one place, least of all the token's own, and
    the cost grows with the number of tokens instead of its square.

    Source:
        Katharopoulos et al. 2020, arXiv:2006.16236.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """`(n, tokens, width)` to the same."""
        query, key, value = self.ask(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = linear_attention(query, key, value)
        answered: Tensor = self.answer(mixed.transpose(1, 2).flatten(2))
        return answered


def linear_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """`(..., tokens, d)` each; in float32, since sums over many tokens outgrow half precision."""
    with torch.autocast(query.device.type, enabled=False):
        query, key, value = _positive(query.float()), _positive(key.float()), value.float()
        total = query @ key.sum(-2).unsqueeze(-1)
        return query @ (key.transpose(-2, -1) @ value) / total.clamp(min=1e-30)


def _positive(features: Tensor) -> Tensor:
    """elu + 1, which keeps its digits where it is nearly 0."""
    return torch.where(features > 0, features + 1, features.clamp(max=0).exp())


def gather(levels: Sequence[Tensor], grid: Sequence[int]) -> Tensor:
    """Levels on one grid: their mean if they are equally wide, as in a transformer; else side by side."""
    laid = [resize(level, grid) for level in levels]
    if len({level.shape[1] for level in laid}) == 1:
        return torch.stack(laid).mean(0)
    return torch.cat(laid, dim=1)


def parted(count: int, parts: int) -> list[range]:
    """0, 1 ... `count` - 1 in at most so many runs of about equal length, none empty."""
    parts = min(count, parts)
    ends = [round(number * count / parts) for number in range(parts + 1)]
    return [range(start, end) for start, end in pairwise(ends)]


class _Layer(nn.Module):
    """Linear attention, then a hidden layer four times as wide; norm first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.look = nn.Sequential(nn.LayerNorm(width), LinearAttention(width, heads))
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.look(tokens)
        told: Tensor = tokens + self.think(tokens)
        return told
