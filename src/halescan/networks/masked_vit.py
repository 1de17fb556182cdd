"""The masked autoencoder's network: from a few visible patches, all the others."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from halescan.errors import SettingError
from halescan.networks.blocks import cut, pad_to_multiple
from halescan.networks.transformer import Blocks, patchify, positions, unpatchify


class MaskedViT(nn.Module):
    """Images and hidden patches to images: the encoder sees the visible patches alone, a light decoder draws all.

    Args:
        channels: Of the image.
        grid: Its sides; any, they are padded inside to multiples of `patch_px` and cropped back.
        patch_px: Side of a patch.
        width: Numbers a token in the encoder.
        depth: Layers of the encoder.
        heads: Of attention; must divide the width.
        decoder_width: As `width`, in the decoder.
        decoder_depth: Layers of the decoder.
        decoder_heads: As `heads`, in the decoder.

    Source:
        He et al. 2022, arXiv:2111.06377: class token, fixed positions, linear end of raw pixels. We differ: images may
        be seen as deviations from a mean image, which takes hundreds of steps off the learning.
    """

    def __init__(
        self,
        *,
        channels: int,
        grid: Sequence[int],
        patch_px: int,
        width: int,
        depth: int,
        heads: int,
        decoder_width: int,
        decoder_depth: int,
        decoder_heads: int,
    ) -> None:
        super().__init__()
        self.patch_px = patch_px
        self.counts = tuple(-(-side // patch_px) for side in grid)
        self.patches = math.prod(self.counts)
        if self.patches < 4:
            raise SettingError(
                f"an image of {'x'.join(map(str, grid))} holds {self.patches} patches of {patch_px} pixels, "
                f"at least 4 are needed; patch={max(1, min(grid) // 2)} works"
            )
        values = patch_px ** len(grid) * channels
        self.embed = nn.Linear(values, width)
        self.register_buffer("where", positions(self.counts, width)[None])
        self.summary = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.encoder = Blocks(width=width, depth=depth, heads=heads)
        self.narrow = nn.Linear(width, decoder_width)
        self.register_buffer("decoder_where", positions(self.counts, decoder_width)[None])
        self.unseen = nn.Parameter(torch.randn(1, 1, decoder_width) * 0.02)
        self.decoder = Blocks(width=decoder_width, depth=decoder_depth, heads=decoder_heads)
        self.end = nn.Linear(decoder_width, values)
        self.register_buffer("typical", torch.zeros(1, self.patches, values))
        self.register_buffer("spread", torch.ones(()))

    where: Tensor
    decoder_where: Tensor
    typical: Tensor
    spread: Tensor

    def centre_on(self, mean: Tensor, *, spread: float) -> None:
        """From now on see and draw images as deviations from a mean image `(c, *grid)`, in units of `spread`."""
        self.typical.copy_(self.rows(mean[None]))
        self.spread.fill_(spread)

    def rows(self, images: Tensor) -> Tensor:
        """`(n, patches, values)`: what is to be predicted."""
        return patchify(pad_to_multiple(images, self.patch_px)[0], self.patch_px)

    def images(self, rows: Tensor, grid: Sequence[int]) -> Tensor:
        """`(n, c, *grid)` from `(n, patches, values)`."""
        _, crop = pad_to_multiple(rows.new_zeros(1, 1, *grid), self.patch_px)
        return cut(unpatchify(rows, [number * self.patch_px for number in self.counts], self.patch_px), crop)

    def forward(self, rows: Tensor, hidden: Tensor) -> Tensor:
        """`(n, patches, values)` predictions of all patches.

        Args:
            rows: As from `rows`; what is hidden of them is not looked at.
            hidden: `(n, patches)` bool, as many in every row.
        """
        order = hidden.to(torch.uint8).argsort(dim=1, stable=True)
        visible = order[:, : self.patches - int(hidden[0].sum())]
        tokens = self.embed(_pick((rows - self.typical) / self.spread, visible)) + _pick(
            self.where.expand(len(rows), -1, -1), visible
        )
        seen = self.narrow(self.encoder(torch.cat([self.summary.expand(len(rows), -1, -1), tokens], dim=1)))
        places = visible[..., None].expand(-1, -1, seen.shape[2])
        every = self.unseen.to(seen.dtype).expand(len(rows), self.patches, -1).scatter(1, places, seen[:, 1:])
        drawn = self.decoder(torch.cat([seen[:, :1], every + self.decoder_where.to(seen.dtype)], dim=1))
        predicted: Tensor = self.end(drawn[:, 1:])
        return self.typical + self.spread * predicted


def _pick(rows: Tensor, places: Tensor) -> Tensor:
    """`(n, k, d)`: the rows `(n, patches, d)` at places `(n, k)`."""
    return rows.gather(1, places[..., None].expand(-1, -1, rows.shape[2]))
