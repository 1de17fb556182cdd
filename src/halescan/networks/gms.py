"""Gradient magnitude similarity: do two images have their edges in the same places, and as strong?"""

import torch
from torch import Tensor
from torch.nn import functional as F

from halescan.networks.blocks import resize

_STEADY = 0.0026  # for images whose values span about 1
_LEAST_SIDE = 4  # of the coarsest scale


def gms_map(images: Tensor, others: Tensor) -> Tensor:
    """`(n, h, w)` in (0, 1] with 1 where both agree; differentiable; values spanning about 1.

    Colours are averaged, specks taken off by a 3 x 3 median, edges repeated at the border.

    Source:
        Xue et al. 2014, arXiv:1308.3052 (Prewitt gradients, c = 0.0026).
    """
    with torch.autocast(images.device.type, enabled=False):  # squares of small gradients: bfloat16 would lose them
        one, two = _slopes(images.float()), _slopes(others.float())
        return (2 * one * two + _STEADY) / (one * one + two * two + _STEADY)


def gms_distance(images: Tensor, others: Tensor, *, scales: int = 4) -> Tensor:
    """`(n, h, w)` in [0, 1), 0 where both agree: the mean of 1 - GMS over scales, each half as fine as the one before.

    Scales below 4 pixels a side are left out.

    Source:
        Zavrtanik, Kristan and Skočaj 2021, doi:10.1016/j.patcog.2020.107706.
    """
    grid = images.shape[2:]
    maps = []
    for _ in range(scales):
        maps.append(resize((1 - gms_map(images, others))[:, None], grid)[:, 0])
        if min(images.shape[2:]) < 2 * _LEAST_SIDE:
            break
        images, others = F.avg_pool2d(images, 2), F.avg_pool2d(others, 2)
    return torch.stack(maps).mean(0)


def _slopes(images: Tensor) -> Tensor:
    """`(n, h, w)`: the size of the Prewitt gradient of the grey, median-filtered image."""
    grey = F.pad(images.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    around = F.unfold(grey, 3).reshape(len(grey), 9, *images.shape[2:])
    calm = F.pad(around.median(dim=1, keepdim=True).values, (1, 1, 1, 1), mode="replicate")
    across = torch.tensor([[1.0, 0.0, -1.0]] * 3, device=calm.device) / 3
    slopes = F.conv2d(calm, torch.stack([across, across.T])[:, None])
    return (slopes.square().sum(1) + 1e-12).sqrt()  # the root has no slope at 0
