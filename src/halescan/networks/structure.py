"""Structure: where lie the borders and the lines of an image, whatever the grey between them? Nothing is learned.

Source: derivatives of Gaussians as in scale-space theory; the lines are those of Sato et al. 1998,
doi:10.1016/S1361-8415(98)80009-1, for both dark and bright ones.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

StructureKind = Literal["edges", "ridges"]
KINDS = ("edges", "ridges")
_REACH = 4  # sigmas at which a Gaussian is cut


def structure(images: Tensor, kind: StructureKind, *, scales_px: Sequence[float]) -> Tensor:
    """`(n, c, h, w)`, 0 where all is even: the largest over the scales; differentiable, edges repeated at the border.

    Args:
        images: `(n, c, h, w)`; each channel by itself.
        kind: "edges": the size of the gradient, times the scale; "ridges": the larger curvature in size, times the
            scale squared: vessels, ribs, layers.
        scales_px: Sigmas of the Gaussians.
    """
    found = [_edges(images, sigma) if kind == "edges" else _ridges(images, sigma) for sigma in scales_px]
    return torch.stack(found).amax(0)


def _edges(images: Tensor, sigma: float) -> Tensor:
    down, across = _derivative(images, sigma, (1, 0)), _derivative(images, sigma, (0, 1))
    return sigma * _root(down.square() + across.square())


def _ridges(images: Tensor, sigma: float) -> Tensor:
    """The larger eigenvalue of the Hessian, in size."""
    yy, yx, xx = (_derivative(images, sigma, order) for order in ((2, 0), (1, 1), (0, 2)))
    middle, half = (yy + xx) / 2, _root(((yy - xx) / 2).square() + yx.square())
    return sigma**2 * (middle.abs() + half)


def _root(squares: Tensor) -> Tensor:
    """A root with a slope at 0, and exactly 0 there."""
    return (squares + 1e-12).sqrt() - 1e-6


def _derivative(images: Tensor, sigma: float, order: tuple[int, int]) -> Tensor:
    """Derivatives of the smoothed images, `order` times down and across."""
    reach = int(_REACH * sigma + 0.5)
    flat = images.float().reshape(-1, 1, *images.shape[2:])
    flat = F.pad(flat, [reach] * 4, mode="replicate")
    flat = F.conv2d(flat, _window(flat, sigma, order[0])[None, None, :, None])
    flat = F.conv2d(flat, _window(flat, sigma, order[1])[None, None, None])
    return flat.reshape(images.shape)


def _window(images: Tensor, sigma: float, order: int) -> Tensor:
    """A Gaussian's derivative, sampled; mirrored, since torch's convolution is a correlation."""
    reach = int(_REACH * sigma + 0.5)
    places = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    bell = torch.exp(-0.5 * (places / sigma).square())
    bell = bell / bell.sum()
    if order == 0:
        return bell
    if order == 1:
        return bell * places / sigma**2
    curved = bell * (places.square() / sigma**4 - 1 / sigma**2)
    return curved - bell * curved.sum()  # sampled, it does not sum to 0, and grey would count as curvature
