"""The U-Net: an image to an image, seen at several scales at once; in two or three dimensions.

Source: Ronneberger et al. 2015, arXiv:1505.04597. We differ: group norm instead of none (batches are small and a scan
alone must give what it gives in a batch), SiLU, padded convolutions, linear upsampling followed by a convolution
(transposed ones leave a chequerboard that a residual map would show), any size of image.
"""

import torch
from torch import Tensor, nn

from halescan.networks.blocks import conv, cut, double_conv, pad_to_multiple, resize


class UNet(nn.Module):
    """`(n, c, *grid)` to `(n, drawn, *grid)`; linear end.

    Args:
        dims: 2 or 3.
        channels: Of the image.
        width: Channels of the first storey; each storey below has twice as many, at most 16 times.
        depth: Storeys; the grid halves between them.
        norm: "group", for small batches; or "batch", twice as fast to learn with on a CPU.
        drawn: Channels that are drawn; None: the image's.
    """

    def __init__(
        self, *, dims: int, channels: int, width: int, depth: int, norm: str = "group", drawn: int | None = None
    ) -> None:
        super().__init__()
        widths = [width * min(2**storey, 16) for storey in range(depth)]
        self.step = 2 ** (depth - 1)
        self.shrink = nn.AvgPool2d(2) if dims == 2 else nn.AvgPool3d(2)
        self.down = nn.ModuleList(
            double_conv(dims, inside, out, norm=norm) for inside, out in zip([channels, *widths], widths, strict=False)
        )
        pairs = list(zip(widths[1:], widths, strict=False))[::-1]
        self.narrow = nn.ModuleList(conv(dims, below, here, kernel=1) for below, here in pairs)
        self.up = nn.ModuleList(double_conv(dims, 2 * here, here, norm=norm) for _, here in pairs)
        self.end = conv(dims, width, drawn or channels, kernel=1)

    def forward(self, images: Tensor) -> Tensor:
        hidden, crop = pad_to_multiple(images, self.step)
        beside: list[Tensor] = []
        for storey in self.down:
            hidden = storey(self.shrink(hidden) if beside else hidden)
            beside.append(hidden)
        for narrow, storey, skip in zip(self.narrow, self.up, beside[-2::-1], strict=True):
            hidden = storey(torch.cat([skip, resize(narrow(hidden), skip.shape[2:])], dim=1))
        return cut(self.end(hidden), crop)
