"""The convolutional autoencoder: an image through a bottleneck of a few numbers and back, in 2-D and 3-D."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from halescan.networks.blocks import conv, crop_of, cut, down, pad_to_multiple, up


class ConvAutoencoder(nn.Module):
    """`(n, c, *grid)` to `(n, c, *grid)`; no skips, which would carry the lesion across; linear end.

    Args:
        channels: Of the image.
        grid: Its sides; any, they are padded inside to what the halvings need and cropped back.
        widths: Channels after each halving of the grid; mirrored on the way back.
        latent: Numbers that an image is drawn from.
        told: Numbers that the encoder tells of an image; None: the `latent` ones. Twice as many are means and
            variances.
        drawn: Channels that are drawn; None: the image's.
    """

    def __init__(
        self,
        *,
        channels: int,
        grid: Sequence[int],
        widths: Sequence[int],
        latent: int,
        told: int | None = None,
        drawn: int | None = None,
    ) -> None:
        super().__init__()
        dims, self.step = len(grid), 2 ** len(widths)
        self.crop = crop_of(grid, self.step)
        self.coarse = (widths[-1], *(-(-side // self.step) for side in grid))
        cells = math.prod(self.coarse)
        inward = [channels, *widths]
        self.storeys = nn.ModuleList(down(dims, inside, out) for inside, out in pairwise(inward))
        self.squeeze = nn.Linear(cells, told or latent)
        self.unfold = nn.Linear(latent, cells)
        outward = [*widths[::-1], widths[0]]
        self.mirror = nn.ModuleList(up(dims, inside, out) for inside, out in pairwise(outward))
        self.end = conv(dims, widths[0], drawn or channels)

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))

    def encode(self, images: Tensor) -> Tensor:
        """`(n, told)`: the numbers an image is squeezed into."""
        told: Tensor = self.squeeze(self.features(images)[-1].flatten(1))
        return told

    def decode(self, latent: Tensor) -> Tensor:
        """Images from `(n, latent)` numbers, on the image's own grid."""
        return cut(self.draw(latent), self.crop)

    def features(self, images: Tensor) -> list[Tensor]:
        """What the encoder sees after each halving, finest first."""
        hidden, _ = pad_to_multiple(images, self.step)
        levels: list[Tensor] = []
        for storey in self.storeys:
            hidden = storey(hidden)
            levels.append(hidden)
        return levels

    def draw(self, latent: Tensor) -> Tensor:
        """Images from `(n, latent)` numbers, on the padded grid."""
        hidden = self.unfold(latent).reshape(-1, *self.coarse)
        for storey in self.mirror:
            hidden = storey(hidden)
        drawn: Tensor = self.end(hidden)
        return drawn
