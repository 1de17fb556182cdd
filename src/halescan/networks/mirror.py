"""The mirror: where does the plane lie that makes an image most like its own reflection?"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from halescan.networks.blocks import resize

_SIDE = {2: 48, 3: 24}  # longest side on which the plane is looked for: it is found to a fraction of a pixel
_SHIFTS = {2: 9, 3: 7}  # candidates along the shift, in each round
_TILTS = {2: 7, 3: 5}  # and along each tilt
_ROUNDS = 3  # each as wide as one step of the round before


def reflect(images: Tensor, planes: Tensor, *, extent: Sequence[float]) -> Tensor:
    """Images `(n, c, *grid)` mirrored, each at its plane `(n, dims)`; what comes from outside the image is 0.

    Args:
        planes: Distance of the plane from the middle, in half widths; and its tilt in radians towards the axis before
            the last, in 3-D then towards the first.
        extent: Length of each axis in one unit, as the grid's order: pixels, or millimetres where they are not cubes.
    """
    theta = _affine(planes, extent).to(images)
    places = F.affine_grid(theta, [len(theta), 1, *images.shape[2:]], align_corners=False)
    return F.grid_sample(images, places, mode="bilinear", padding_mode="zeros", align_corners=False)


def mirror_planes(images: Tensor, inside: Tensor, *, extent: Sequence[float], tilt_deg: float, shift: float) -> Tensor:
    """`(n, dims)` the plane, nearly across the last axis, at which each image is most like its reflection.

    Tried on a coarse grid of candidates and twice again around the best. The measure is the mean absolute difference,
    to which a lesion on one side adds the same wherever the plane lies, or nearly.

    Args:
        images: `(n, 1, *grid)`.
        inside: `(n, 1, *grid)` bool, where the body is; all else counts as 0.
        tilt_deg: Largest tilt of the plane; 0 does not tilt.
        shift: Largest distance of the plane from the image's middle, as a share of the width; 0 does not shift.
    """
    dims = images.ndim - 2
    longest = max(images.shape[2:])
    grid = [max(2, round(side * min(1, _SIDE[dims] / longest))) for side in images.shape[2:]]
    small = resize(images * inside, grid)
    reach = torch.tensor([2 * shift, *[torch.pi / 180 * tilt_deg] * (dims - 1)])
    return torch.stack([_plane(one[None], reach, extent) for one in small]) if len(small) else torch.zeros(0, dims)


def _plane(image: Tensor, reach: Tensor, extent: Sequence[float]) -> Tensor:
    """`(dims,)` for one small image `(1, 1, *grid)`."""
    dims = image.ndim - 2
    counts = [_SHIFTS[dims], *[_TILTS[dims]] * (dims - 1)]
    best, width = torch.zeros(dims), reach
    bright = float(image.abs().mean())
    for _ in range(_ROUNDS):
        lines = [
            torch.linspace(-1, 1, count) * wide if wide else torch.zeros(1)
            for count, wide in zip(counts, width, strict=True)
        ]
        tried = (best + torch.cartesian_prod(*lines).reshape(-1, dims)).clamp(-reach, reach)
        seen = reflect(image.expand(len(tried), -1, *[-1] * dims), tried, extent=extent)
        cost = (seen - image).abs().flatten(1).mean(1)
        far = (tried / reach.clamp(min=1e-6)).square().sum(1)
        best = tried[(cost + (1e-3 * bright + 1e-9) * far).argmin()]  # of equals the one in the middle
        width = torch.stack([2 * wide / (count - 1) for count, wide in zip(counts, width, strict=True)])
    return best


def _affine(planes: Tensor, extent: Sequence[float]) -> Tensor:
    """`(n, dims, dims + 1)` for `affine_grid`: q - 2 (q.n - s) n in lengths, whose unit is half the width."""
    half = torch.tensor([length / extent[-1] for length in reversed(extent)])  # x, y, z
    shift, tilt = planes[:, 0], planes[:, 1]
    lean = planes[:, 2] if planes.shape[1] == 3 else torch.zeros_like(tilt)
    normal = torch.stack([tilt.cos() * lean.cos(), tilt.sin() * lean.cos(), lean.sin()], dim=1)[:, : len(half)]
    turn = torch.eye(len(half)) - 2 * normal[:, :, None] * normal[:, None]
    move = 2 * shift[:, None] * normal
    return torch.cat([turn * half[None, None] / half[None, :, None], (move / half)[:, :, None]], dim=2)
