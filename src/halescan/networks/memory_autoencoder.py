"""The memory autoencoder: between encoder and decoder stands a memory, and only what it can mix together passes."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from halescan.networks.blocks import conv, cut, down, pad_to_multiple, up
from halescan.networks.memory import MemoryRead, hard_shrink

Where = Literal["places", "latent"]


class MemoryAutoencoder(nn.Module):
    """`(n, c, *grid)` to `(n, c, *grid)` and the weights of the memory, in 2-D and 3-D; linear end.

    Args:
        channels: Of the image.
        grid: Its sides; padded inside to what the halvings need and cropped back.
        widths: Channels after each halving of the grid; mirrored on the way back.
        where: "places": each place of the coarsest grid reads for itself; "latent": the whole image reads once.
        latent: Numbers of the latent, where that reads.
        slots: Features that memory holds, shared by all places.
        threshold: Weights below are dropped, see `hard_shrink`; 0 drops none.
    """

    def __init__(
        self,
        *,
        channels: int,
        grid: Sequence[int],
        widths: Sequence[int],
        where: Where,
        latent: int,
        slots: int,
        threshold: float,
        similarity: Literal["cosine", "dot"],
        temperature: float,
    ) -> None:
        super().__init__()
        dims, self.step = len(grid), 2 ** len(widths)
        coarse = (widths[-1], *(-(-side // self.step) for side in grid))
        inward, outward = [channels, *widths], [*widths[::-1], widths[0]]
        self.encoder = nn.Sequential(*(down(dims, inside, out) for inside, out in pairwise(inward)))
        self.decoder = nn.Sequential(
            *(up(dims, inside, out) for inside, out in pairwise(outward)), conv(dims, widths[0], channels)
        )
        self.squeeze: nn.Module = nn.Identity()
        self.unfold: nn.Module = nn.Identity()
        if where == "latent":
            cells = math.prod(coarse)
            self.squeeze = nn.Sequential(nn.Flatten(), nn.Linear(cells, latent))
            self.unfold = nn.Sequential(nn.Linear(latent, cells), nn.Unflatten(1, coarse))
        self.memory = MemoryRead(
            size=latent if where == "latent" else widths[-1],
            slots=slots,
            similarity=similarity,
            temperature=temperature,
            shrink=partial(hard_shrink, threshold=threshold) if threshold else None,
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The reconstruction, and the weights `(n, places, slots)` behind it."""
        padded, crop = pad_to_multiple(images, self.step)
        hidden = self.squeeze(self.encoder(padded))
        asked = hidden.flatten(2).transpose(1, 2) if hidden.ndim > 2 else hidden[:, None]
        found = self.memory(asked.reshape(-1, 1, asked.shape[-1]))
        values = found.values.reshape(asked.shape).transpose(1, 2).reshape(hidden.shape)
        drawn = self.decoder(self.unfold(values))
        return cut(drawn, crop), found.weights.reshape(*asked.shape[:2], -1)
