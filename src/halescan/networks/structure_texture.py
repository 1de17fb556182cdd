"""Structure and texture: an image drawn from its lines, seen sharply, and its grey, seen through a bottleneck."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from halescan.networks.blocks import conv, cut, double_conv, down, pad_to_multiple, resize


class StructureTexture(nn.Module):
    """Images and their structure, both `(n, c, *grid)`, to images.

    The structure passes at every resolution, the image's own texture only through the coarsest: what a lesion changes
    of the grey has to come out as what healthy structure would have there.

    Args:
        channels: Of the image; the structure has as many.
        widths: Channels at full, half, quarter ... resolution.
        texture: Channels of the texture at the coarsest resolution; few are a narrow bottleneck.

    Source:
        Zhou et al. 2020 (P-Net), arXiv:2008.03632.
    """

    def __init__(self, *, channels: int, widths: Sequence[int], texture: int) -> None:
        super().__init__()
        self.step = 2 ** (len(widths) - 1)
        self.shrink = nn.AvgPool2d(2)
        self.lines = nn.ModuleList(
            double_conv(2, inside, out, norm="batch") for inside, out in pairwise([channels, *widths])
        )
        storeys = [down(2, inside, out) for inside, out in pairwise([channels, *widths[1:]])]
        self.grey = nn.Sequential(*storeys, conv(2, widths[-1], texture, kernel=1))
        self.fuse = double_conv(2, widths[-1] + texture, widths[-1], norm="batch")
        pairs = list(pairwise(widths[::-1]))
        self.narrow = nn.ModuleList(conv(2, below, here, kernel=1) for below, here in pairs)
        self.up = nn.ModuleList(double_conv(2, 2 * here, here, norm="batch") for _, here in pairs)
        self.end = conv(2, widths[0], channels, kernel=1)

    def forward(self, images: Tensor, structure: Tensor) -> Tensor:
        """The images, drawn again."""
        padded, crop = pad_to_multiple(images, self.step)
        hidden, _ = pad_to_multiple(structure, self.step)
        beside: list[Tensor] = []
        for storey in self.lines:
            hidden = storey(self.shrink(hidden) if beside else hidden)
            beside.append(hidden)
        hidden = self.fuse(torch.cat([hidden, self.grey(padded)], dim=1))
        for narrow, storey, skip in zip(self.narrow, self.up, beside[-2::-1], strict=True):
            hidden = storey(torch.cat([skip, resize(narrow(hidden), skip.shape[2:])], dim=1))
        return cut(self.end(hidden), crop)
