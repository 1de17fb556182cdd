"""Pseudo-abnormal images: healthy reconstructions, spoilt here and there, to teach a classifier what to look for."""

from collections.abc import Sequence

import torch
from torch import Tensor

from halescan.networks.masking import random_boxes

MOST_PIECES = 9
_SMALLEST, _LARGEST = 10 / 224, 40 / 224  # of the image's side, as in the paper at 224 pixels


def darkened_boxes(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """One to nine boxes an image, each multiplied by its own number in [0, 1]: the paper's module.

    Args:
        images: `(n, c, *grid)`.

    Source:
        Georgescu 2023, arXiv:2307.07534. The sides of a box are drawn in [10, 40) for 224 pixels and
        scaled with the image; the paper has [5, 12) for 64 pixels, here [3, 11).
    """
    smallest, largest = box_sides(images.shape[2:])
    times = _pieces(len(images), images, generator)
    for number in range(MOST_PIECES):
        boxes = random_boxes(
            len(images), images.shape[2:], smallest_px=smallest, largest_px=largest, generator=generator
        )
        ratio = torch.rand(times.shape, generator=generator)
        factor = torch.where(boxes & (number < times), ratio, 1.0)
        images = images * factor.to(images.device)
    return images


def soft_spots(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """One to nine boxes or ellipses an image with soft edges, each darkened or lit: a factor in [0, 2] at its heart.

    Not from the paper, where nothing ever gets brighter and every edge is sharp: a classifier may then learn the edge.
    """
    smallest, largest = box_sides(images.shape[2:])
    times = _pieces(len(images), images, generator)
    for number in range(MOST_PIECES):
        share = _spots(len(images), images.shape[2:], smallest=smallest, largest=largest, generator=generator)
        ratio = 2 * torch.rand(times.shape, generator=generator)
        factor = torch.where(number < times, 1 + (ratio - 1) * share, 1.0)
        images = images * factor.to(images.device)
    return images


def box_sides(grid: Sequence[int]) -> tuple[int, int]:
    """The least and the greatest side of a box in pixels, both included."""
    side = min(grid)
    smallest = max(2, round(_SMALLEST * side))
    return smallest, max(smallest, round(_LARGEST * side) - 1)


def _pieces(count: int, images: Tensor, generator: torch.Generator) -> Tensor:
    """`(n, 1, ...)` how many pieces each image gets."""
    shape = (count, *[1] * (images.ndim - 1))
    return torch.randint(1, MOST_PIECES + 1, shape, generator=generator)


def _spots(count: int, grid: Sequence[int], *, smallest: int, largest: int, generator: torch.Generator) -> Tensor:
    """`(n, 1, *grid)` in [0, 1]: a box or an ellipse, 1 at its heart and falling smoothly to 0 at its edge."""
    box = torch.zeros(count, 1, *grid)
    ball = torch.zeros(count, 1, *grid)
    for axis, length in enumerate(grid):
        side = (smallest + (largest + 1 - smallest) * torch.rand(count, generator=generator)).clamp(max=length)
        start = torch.rand(count, generator=generator) * (length - side)
        shape = [count, 1, *[1] * len(grid)]
        shape[2 + axis] = length
        places = torch.arange(length) + 0.5
        away = ((places - (start + side / 2)[:, None]) / (side / 2)[:, None]).reshape(shape)
        box, ball = torch.maximum(box, away.abs()), ball + away.square()
    each = (count, *[1] * (len(grid) + 1))
    radius = torch.where(torch.rand(each, generator=generator) < 0.5, box, ball.sqrt())
    edge = 0.2 + 0.8 * torch.rand(each, generator=generator)
    rise = ((1 - radius) / edge).clamp(0, 1)
    return rise * rise * (3 - 2 * rise)
