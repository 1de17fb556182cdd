"""Memory: what was never seen healthy cannot pass, for a feature may pass only as a mixture of remembered ones.

Source: Gong et al. 2019 (MemAE), arXiv:1904.02639, for the addressing and its hard shrinkage; Xiang et al. 2023
(SQUID), arXiv:2111.13495, for banks of their own place, queues and the soft shrinkage to a few slots. We differ: cosine
similarity with a temperature, since dot products of long features saturate the softmax; exactly `k` slots are kept (the
published comparison is strict and keeps k - 1); no random noise in the addressing; an empty slot is never read.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from halescan.errors import SettingError

Shrink = Callable[[Tensor], Tensor]
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Recalled:
    """What memory has in place of n features a bank.

    Args:
        values: `(n, banks, size)`, mixtures of the slots.
        distance: `(n, banks)` in [0, 2]: 1 - cosine between a feature and its mixture.
        weights: `(n, banks, slots)`: the shares of the mixture, at least 0, sum 1 (all 0 while a queue is empty).
    """

    values: Tensor
    distance: Tensor
    weights: Tensor


class MemoryRead(nn.Module):
    """Banks of slots; a feature reads its own bank only.

    Args:
        size: Numbers of a feature.
        slots: Features a bank remembers.
        banks: One a place makes the memory space-aware; 1 is shared by all.
        storage: "matrix": the slots are learned as weights are; "queue": they are the last features written.
        similarity: "cosine", or "dot" (divided by the root of `size`).
        temperature: The similarities are divided by it before the softmax; small reads few slots.
        shrink: Sharpens the softmax weights, see `top_k_shrink` and `hard_shrink`; None leaves them.
    """

    slots: Tensor
    written: Tensor

    def __init__(
        self,
        *,
        size: int,
        slots: int,
        banks: int = 1,
        storage: Literal["matrix", "queue"] = "matrix",
        similarity: Literal["cosine", "dot"] = "cosine",
        temperature: float = 1.0,
        shrink: Shrink | None = None,
    ) -> None:
        super().__init__()
        self.similarity, self.temperature, self.shrink = similarity, temperature, shrink
        if storage == "matrix":
            self.slots = nn.Parameter(torch.empty(banks, slots, size).uniform_(-1, 1) / math.sqrt(size))
        else:
            self.register_buffer("slots", torch.zeros(banks, slots, size))
            self.register_buffer("written", torch.zeros((), dtype=torch.int64))
        self.is_queue = storage == "queue"

    def forward(self, features: Tensor) -> Recalled:
        """Read for `(n, banks, size)`; nothing is written."""
        with torch.autocast(features.device.type, enabled=False):  # near slots differ by less than bfloat16 can tell
            asked, slots = features.float(), self.slots.float()
            weights = self._weights(self._likeness(asked, slots))
            values = torch.einsum("nbs,bsd->nbd", weights, slots)
            return Recalled(values, 1 - F.cosine_similarity(asked, values, dim=-1, eps=1e-8), weights)

    @torch.no_grad()
    def write(self, features: Tensor) -> None:
        """Put `(n, banks, size)` at the end of the queues; the oldest make room. A matrix learns in its own way.

        The slots become a new tensor: the old one may still be needed to go backwards through what was read.
        """
        if not self.is_queue:
            return
        room = self.slots.shape[1]
        new = features.detach()[-room:].float().transpose(0, 1)
        first = self.written + max(0, len(features) - room)
        where = (first + torch.arange(new.shape[1], device=new.device)) % room
        self.slots = self.slots.index_copy(1, where, new)
        self.written = self.written + len(features)

    def _likeness(self, asked: Tensor, slots: Tensor) -> Tensor:
        if self.similarity == "dot":
            return torch.einsum("nbd,bsd->nbs", asked, slots) / math.sqrt(slots.shape[-1])
        return torch.einsum("nbd,bsd->nbs", F.normalize(asked, dim=-1), F.normalize(slots, dim=-1))

    def _weights(self, likeness: Tensor) -> Tensor:
        logits = likeness / self.temperature
        if self.is_queue:
            filled = torch.arange(logits.shape[-1], device=logits.device) < self.written
            weights = logits.masked_fill(~filled, torch.finfo(logits.dtype).min).softmax(-1) * filled
        else:
            weights = logits.softmax(-1)
        return weights if self.shrink is None else self.shrink(weights)


class HierarchicalMemory(nn.Module):
    """Three memories at once: of each place, of each block of 2 x 2 places, and of the whole image.

    A block's feature is the mean of its places', the image's the largest of all, number by number. The three mixtures
    are joined and projected back to the size of one.

    Args:
        grid: Places along the two sides.
        size: Numbers of a feature.
        slots: Features each bank remembers.

    Source: the three levels (patch, block mean, global maximum) of an unpublished report on SimSID, whose joined
        features were three times as long as its generator could take.
    """

    def __init__(self, *, grid: Sequence[int], size: int, slots: int, temperature: float, shrink: Shrink) -> None:
        super().__init__()
        self.grid = (grid[0], grid[1])
        self.blocks = (-(-grid[0] // 2), -(-grid[1] // 2))
        counts = (math.prod(self.grid), math.prod(self.blocks), 1)
        self.levels = nn.ModuleList(
            MemoryRead(size=size, slots=slots, banks=count, storage="queue", temperature=temperature, shrink=shrink)
            for count in counts
        )
        self.join = nn.Linear(3 * size, size)

    def forward(self, features: Tensor) -> Recalled:
        """Read for `(n, places, size)`; the distance is the mean of the three levels', the weights the places' own."""
        found = [level(part) for level, part in zip(self.levels, self._parts(features), strict=True)]
        spread = [self._to_places(one.values) for one in found]
        distance = torch.stack([self._to_places(one.distance[..., None])[..., 0] for one in found]).mean(0)
        return Recalled(self.join(torch.cat(spread, dim=-1)).float(), distance, found[0].weights)

    def write(self, features: Tensor) -> None:
        """Put the features of `(n, places, size)` at the end of the queues of all levels."""
        for level, part in zip(self.levels, self._parts(features), strict=True):
            cast(MemoryRead, level).write(part)

    def _parts(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        laid = features.unflatten(1, self.grid).permute(0, 3, 1, 2)
        blocks = F.avg_pool2d(laid, 2, ceil_mode=True, count_include_pad=False)
        return features, blocks.flatten(2).transpose(1, 2), features.amax(1, keepdim=True)

    def _to_places(self, values: Tensor) -> Tensor:
        """`(n, places | blocks | 1, d)` to `(n, places, d)`: each place has the value of the block it lies in."""
        if values.shape[1] == math.prod(self.grid):
            return values
        if values.shape[1] == 1:
            return values.expand(-1, math.prod(self.grid), -1)
        rows, columns = (torch.arange(side, device=values.device) // 2 for side in self.grid)
        block = rows[:, None] * self.blocks[1] + columns[None]
        return values[:, block.flatten()]


def top_k_shrink(weights: Tensor, *, k: int) -> Tensor:
    """The `k` largest weights, made to sum to 1; the gradient passes as if nothing had been taken away.

    Raises:
        SettingError: if there are fewer than `k` slots.
    """
    if not 1 <= k <= weights.shape[-1]:
        raise SettingError(f"top_k must lie in [1, slots], got {k} of {weights.shape[-1]} slots; 5 is usual")
    largest = weights.topk(k, dim=-1)
    kept = renormalised(torch.zeros_like(weights).scatter(-1, largest.indices, largest.values))
    return weights + (kept - weights).detach()


def hard_shrink(weights: Tensor, *, threshold: float) -> Tensor:
    """Weights above a threshold, made to sum to 1; where none lies above, the largest stays.

    With N slots a threshold makes sense between 1/N, which even weights reach, and 3/N.
    """
    reached = (weights.amax(-1, keepdim=True) * (1 - 1e-3)).clamp(max=threshold).detach()
    return renormalised(torch.where(weights > reached, weights, 0.0))


def renormalised(weights: Tensor) -> Tensor:
    """Weights that sum to 1 along the last axis; all zeros stay so."""
    return weights / weights.sum(-1, keepdim=True).clamp(min=_TINY)


def entropy(weights: Tensor) -> Tensor:
    """Entropy along the last axis, in nats: 0 for one slot alone, log N for N slots evenly."""
    return -(weights * weights.clamp(min=_TINY).log()).sum(-1)
