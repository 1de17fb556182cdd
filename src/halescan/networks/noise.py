"""Noise: its laws, white, pyramid and simplex, and how far diffusion carries an image into it and back.

Source: DDPM is Ho et al. 2020, arXiv:2006.11239; DDIM is Song et al. 2020, arXiv:2010.02502; simplex noise for
anomalies is Wyatt et al. 2022 (AnoDDPM). We differ: every law has unit variance at every pixel, so that the schedule's
signal-to-noise ratio means the same for all; octaves are drawn anew for each image of a batch.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from halescan.errors import SettingError

LAWS = ("simplex", "pyramid", "gaussian")
LEVELS = 1000  # of the schedule; the last is pure noise
Law = Literal["simplex", "pyramid", "gaussian"]
Predict = Callable[[Tensor, Tensor], Tensor]  # (noisy images, levels (n,)) -> the noise in them

_KEPT = torch.cumprod(1 - torch.linspace(1e-4, 0.02, LEVELS), 0)
_SKEW, _UNSKEW = (math.sqrt(3) - 1) / 2, (3 - math.sqrt(3)) / 6  # between a square lattice and one of triangles
# A corner adds t^4 (g . d) with t = 1/2 - |d|^2 and a unit gradient g of any direction; its variance, t^8 |d|^2 / 2, is
# integrated over the disc and multiplied by the square root of 3 corners a unit area.
_SIMPLEX_SD = math.sqrt(math.sqrt(3) * math.pi / 184_320)


def draw_noise(
    law: Law, shape: Sequence[int], *, generator: torch.Generator, largest: float = 0.25, persistence: float = 0.8
) -> Tensor:
    """`(n, c, *grid)` noise of mean 0 and variance 1 at every pixel, on the CPU.

    Args:
        law: "gaussian" is white; "pyramid" sums enlarged white noise and "simplex" gradient noise, blobs of every size
            by halves from `largest` down to two pixels. "simplex" is 2-D.
        largest: Size of the largest blobs, as a share of the longest side.
        persistence: Amplitude of blobs of half the size, as a share.
    """
    if law == "gaussian":
        return torch.randn(tuple(shape), generator=generator)
    one = {"pyramid": _enlarged, "simplex": _simplex}[law]
    cells = cells_of(shape[2:], largest=largest)
    amplitudes = [persistence**octave for octave in range(len(cells))]
    total = torch.zeros(tuple(shape))
    for cell, amplitude in zip(cells, amplitudes, strict=True):
        total += amplitude * one(shape, cell, generator)
    return total / math.sqrt(sum(amplitude**2 for amplitude in amplitudes))


def cells_of(grid: Sequence[int], *, largest: float) -> list[int]:
    """Sizes of the blobs in pixels, the largest first, each half of the one before, none below two."""
    cells = [max(2, round(max(grid) * largest))]
    while cells[-1] >= 4:
        cells.append(cells[-1] // 2)
    return cells


class Diffusion:
    """A way into noise and back: monai's DDIM schedule, walked only as far as `depth`.

    Args:
        jumps: Steps that the whole way, from image to pure noise, would take, at most 1000; more are taken where
            they do not divide 1000.
        depth: Share of it that is walked; 0 stays at the image.
    """

    def __init__(self, *, jumps: int, depth: float) -> None:
        from monai.networks.schedulers import DDIMScheduler  # seconds: imported only where diffusion is used

        self.schedule = DDIMScheduler(LEVELS, "linear_beta", clip_sample=False)  # intensities may pass 1
        self.schedule.set_timesteps(jumps)
        stride = LEVELS // jumps  # the schedule's own step, whatever is left over
        self.stops = [stride * number - 1 for number in range(1, walked(jumps=jumps, depth=depth) + 1)]

    @property
    def deepest(self) -> int:
        """Number of levels that are ever visited; 0 where none is."""
        return self.stops[-1] + 1 if self.stops else 0

    def add_noise(self, images: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """Images with as much noise as their levels `(n,)` say."""
        return self.schedule.add_noise(images, noise, levels)

    def into(self, images: Tensor, noise: Tensor) -> Tensor:
        """Images thrown to the deepest stop by a given noise; the images themselves at depth 0."""
        return self.add_noise(images, noise, _levels(images, self.stops[-1])) if self.stops else images

    def encode(self, predict: Predict, images: Tensor) -> Tensor:
        """Images led to the deepest stop by the noise that the network sees in them: no chance, and a way back."""
        if not self.stops:
            return images
        noisy = self.add_noise(images, predict(images, _levels(images, 0)), _levels(images, self.stops[0]))
        for here, _ in pairwise(self.stops):
            noisy = self.schedule.reversed_step(predict(noisy, _levels(noisy, here)), here, noisy)[0]
        return noisy

    def decode(self, predict: Predict, noisy: Tensor) -> Tensor:
        """From the deepest stop to the image, each step by what the network calls noise; nothing is drawn."""
        for stop in reversed(self.stops):
            noisy = self.schedule.step(predict(noisy, _levels(noisy, stop)), stop, noisy)[0]
        return noisy


def walked(*, jumps: int, depth: float) -> int:
    """How many jumps reach that depth: where `jumps` does not divide 1000, a jump is shorter and there are more."""
    stride = LEVELS // jumps
    return min(round(depth * LEVELS / stride), LEVELS // stride)


def kept_at(levels: Tensor, *, dims: int) -> Tensor:
    """`(n, 1, *ones)`: what is kept of an image's variance at levels `(n,)`; the rest of 1 is the noise's."""
    return _KEPT.to(levels.device)[levels].reshape(-1, 1, *[1] * dims)


def check_walk(*, jumps: int, depth: float) -> None:
    """Refuse settings of `Diffusion` that walk nowhere.

    Raises:
        SettingError: if jumps or depth are out of range, or no jump is within that depth.
    """
    if not 1 <= jumps <= LEVELS:
        raise SettingError(f"jumps must lie in [1, {LEVELS}], got {jumps}; 40 is usual")
    if not 0 < depth <= 1 or walked(jumps=jumps, depth=depth) < 1:
        raise SettingError(
            f"depth must lie in (0, 1] and hold one of the {jumps} jumps at least, got {depth}; 0.25 is usual"
        )


def check_unet(*, side: int, widths: Sequence[int], blocks: int, attention: int) -> None:
    """Refuse settings that make no U-Net of diffusion.

    Raises:
        SettingError: if widths, blocks or attention are out of range, or that side cannot be halved so often.
    """
    if len(widths) < 2 or min(widths) < 2 or blocks < 1 or not 0 <= attention <= len(widths):
        raise SettingError(
            f"widths must be two or more numbers from 2, blocks 1 or more and attention from 0 to their number, got "
            f"{tuple(widths)}, {blocks} and {attention}; 16,32,64 and 1 and 0 work"
        )
    if side < 2 ** len(widths):
        raise SettingError(
            f"side must be {2 ** len(widths)} pixels or more for {len(widths)} widths, got {side}; 64 is usual"
        )


def _levels(images: Tensor, level: int) -> Tensor:
    """The same level for each image."""
    return torch.full((len(images),), level, dtype=torch.long, device=images.device)


def _enlarged(shape: Sequence[int], cell: int, generator: torch.Generator) -> Tensor:
    """White noise on cells of that size, enlarged linearly and cut out at a random place, an image at a time."""
    count, channels, *grid = shape
    counts = [-(-side // cell) + 2 for side in grid]
    coarse = torch.randn((count, channels, *counts), generator=generator)
    size = [number * cell for number in counts]
    fine = F.interpolate(coarse, size=size, mode={1: "linear", 2: "bilinear", 3: "trilinear"}[len(grid)])
    starts = cell // 2 + torch.randint(0, cell, (count, len(grid)), generator=generator)  # past the flat border
    cut = [
        image[(slice(None), *(slice(first, first + side) for first, side in zip(start, grid, strict=True)))]
        for image, start in zip(fine, starts.tolist(), strict=True)
    ]
    places = (torch.arange(cell) + 0.5) / cell - 0.5
    between = places - places.floor()
    along = float((between.square() + (1 - between).square()).mean())  # the variance that is left along one axis
    return torch.stack(cut) / along ** (len(grid) / 2)


def _simplex(shape: Sequence[int], cell: int, generator: torch.Generator) -> Tensor:
    """2-D simplex noise with triangles of that size: a gradient at every node, faded out over its neighbourhood."""
    count, channels, height, width = shape
    shift = torch.rand((count, 2, 1, 1), generator=generator)  # uniform over one mesh of the lattice
    y, x = torch.arange(height)[:, None] / cell, torch.arange(width)[None] / cell
    skewed_y, skewed_x = y + (x + y) * _SKEW + shift[:, 0], x + (x + y) * _SKEW + shift[:, 1]
    row, column = skewed_y.floor().long(), skewed_x.floor().long()
    fy, fx = skewed_y - row, skewed_x - column  # within the mesh
    dy, dx = fy - (fx + fy) * _UNSKEW, fx - (fx + fy) * _UNSKEW
    upper = (fy > fx).long()  # which of the two triangles of a mesh
    nodes = int(max(row.max(), column.max())) + 2
    angles = 2 * math.pi * torch.rand((count, channels, nodes * nodes), generator=generator)
    total = torch.zeros(count, channels, height * width)
    zero, one = torch.zeros_like(upper), torch.ones_like(upper)
    for down, right in ((zero, zero), (upper, 1 - upper), (one, one)):
        away = (down + right) * _UNSKEW
        from_y, from_x = (part.reshape(count, 1, -1) for part in (dy - down + away, dx - right + away))
        place = ((row + down) * nodes + column + right).reshape(count, 1, -1).expand(-1, channels, -1)
        angle = angles.gather(2, place)
        fade = (0.5 - from_y.square() - from_x.square()).clamp(min=0).square().square()
        total += fade * (angle.cos() * from_x + angle.sin() * from_y)
    return total.reshape(count, channels, height, width) / _SIMPLEX_SD
