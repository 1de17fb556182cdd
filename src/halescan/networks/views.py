"""Views: the same healthy image, cut and turned a little otherwise each time it is learned from."""

import torch
from torch import Tensor
from torch.nn import functional as F


def mirrored_by_chance(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """About half of `(n, c, *grid)` flipped along the last axis (left to right)."""
    flips = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(flips.reshape(-1, *[1] * (images.ndim - 1)).to(images.device), images.flip(-1), images)


def cropped_by_chance(images: Tensor, *, smallest: float, generator: torch.Generator) -> Tensor:
    """`(n, c, *grid)`, each cut to a random share of its places in [smallest, 1], anywhere, and stretched back."""
    count, dims = len(images), images.ndim - 2
    share = smallest + (1 - smallest) * torch.rand(count, generator=generator)
    scale = share ** (1 / dims)
    shift = (2 * torch.rand(count, dims, generator=generator) - 1) * (1 - scale)[:, None]
    turn = torch.cat([scale[:, None, None] * torch.eye(dims), shift[..., None]], dim=2).to(images.device)
    with torch.autocast(images.device.type, enabled=False):
        where = F.affine_grid(turn, [count, images.shape[1], *images.shape[2:]], align_corners=False)
        return F.grid_sample(images.float(), where, padding_mode="border", align_corners=False)
