"""The networks of diffusion: one that sees the noise in an image, and one that tells healthy from abnormal through it.

Source: the U-Net is monai's `DiffusionModelUNet` (Rombach et al. 2022, arXiv:2112.10752). We differ: images of any
size; one attention head a level; it begins at the best linear guess and learns what is left, as in Karras et al. 2022,
arXiv:2206.00364, which a short training needs.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from halescan.networks.blocks import conv, cut, groups_of, pad_to_multiple
from halescan.networks.noise import kept_at

_VARIANCE = 0.25  # of images in [-1, 1], about


class NoiseUNet(nn.Module):
    """Noisy images `(n, c, *grid)` and their levels `(n,)` to the noise in them.

    Images are `centred` before they are noised: their mean, learned once, goes to 0, and [0, 1] to a range of 2.

    Args:
        dims: 2 or 3.
        channels: Of the image.
        widths: Channels at full, half, quarter ... resolution.
        blocks: Residual blocks at each.
        attention: Coarsest resolutions with attention, beside the one at the very bottom.
    """

    def __init__(self, *, dims: int, channels: int, widths: Sequence[int], blocks: int, attention: int) -> None:
        from monai.networks.nets import DiffusionModelUNet  # seconds: imported only where diffusion is used

        super().__init__()
        self.step = 2 ** (len(widths) - 1)
        self.register_buffer("middle", torch.zeros(channels, *[1] * dims))
        self.middle: Tensor
        self.network = DiffusionModelUNet(
            spatial_dims=dims,
            in_channels=channels,
            out_channels=channels,
            num_res_blocks=blocks,
            channels=tuple(widths),
            attention_levels=tuple(level >= len(widths) - attention for level in range(len(widths))),
            norm_num_groups=groups_of(math.gcd(*widths)),
            num_head_channels=tuple(widths),
        )

    def forward(self, noisy: Tensor, levels: Tensor) -> Tensor:
        padded, crop = pad_to_multiple(noisy, self.step)
        learned = cut(self.network(padded, timesteps=levels), crop).float()
        kept = kept_at(levels, dims=noisy.ndim - 2)
        return noisy * (1 - kept).sqrt() / _spread(kept) + learned * (_VARIANCE * kept / _spread(kept)).sqrt()

    def loss(self, noisy: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """The mean squared error of what is learned: that of the noise, weighed so that each level counts alike."""
        kept = kept_at(levels, dims=noisy.ndim - 2)
        return ((self(noisy, levels) - noise).square() * _spread(kept) / (_VARIANCE * kept)).mean()

    def look_at(self, images: Tensor) -> None:
        """Take the mean of some images `(n, c, *grid)` for that of all."""
        self.middle.copy_(images.mean((0, *range(2, images.ndim)), keepdim=True)[0])

    def centred(self, images: Tensor) -> Tensor:
        """Images as noise is: of mean near 0."""
        return 2 * (images - self.middle)

    def uncentred(self, images: Tensor) -> Tensor:
        """The way back from `centred`."""
        return images / 2 + self.middle


class NoisyClassifier(nn.Module):
    """Noisy images `(n, c, *grid)` and their levels `(n,)` to how abnormal they are `(n,)`: above 0, rather so.

    Convolutions that halve the grid, each shifted and scaled by the level; what speaks loudest anywhere decides beside
    the mean, as a lesion fills a small part of an image.

    Args:
        dims: 2 or 3.
        channels: Of the image.
        widths: Channels after each halving.
    """

    def __init__(self, *, dims: int, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.coded = coded = 4 * widths[0]
        self.code = nn.Sequential(nn.Linear(coded, coded), nn.SiLU())
        pairs = list(zip([channels, *widths], widths, strict=False))
        self.storeys = nn.ModuleList(conv(dims, inside, out, kernel=4, stride=2) for inside, out in pairs)
        self.norms = nn.ModuleList(nn.GroupNorm(groups_of(out), out) for out in widths)
        self.levels = nn.ModuleList(nn.Linear(coded, 2 * out) for out in widths)
        self.end = nn.Linear(2 * widths[-1], 1)

    def forward(self, noisy: Tensor, levels: Tensor) -> Tensor:
        hidden = pad_to_multiple(noisy, 2 ** len(self.storeys))[0]
        code = self.code(level_code(levels, self.coded))
        for storey, norm, level in zip(self.storeys, self.norms, self.levels, strict=True):
            scale, shift = level(code).reshape(len(noisy), -1, *[1] * (noisy.ndim - 2)).chunk(2, dim=1)
            hidden = nn.functional.silu(norm(storey(hidden)) * (1 + scale) + shift)
        flat = hidden.flatten(2)
        loudest = flat.logsumexp(2) - math.log(flat.shape[2])
        return self.end(torch.cat([flat.mean(2), loudest], dim=1))[:, 0]


def _spread(kept: Tensor) -> Tensor:
    """Variance of noised images."""
    return _VARIANCE * kept + 1 - kept


def level_code(levels: Tensor, size: int) -> Tensor:
    """`(n, size)`: a level as sines and cosines of many wavelengths."""
    rates = torch.exp(-math.log(10_000) * torch.arange(size // 2, device=levels.device) / (size // 2))
    angles = levels[:, None].float() * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
