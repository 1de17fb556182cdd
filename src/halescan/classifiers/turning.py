"""Turning: flips and right-angle turns, the changes that leave a slide or a patch as true as it was."""

import torch
from torch import Tensor


def turned(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each of the images `(n, c, h, w)` in one of its eight views; in one of four where it is not square."""
    square = images.shape[-2] == images.shape[-1]
    drawn = torch.randint(8, (len(images),), generator=generator).tolist()
    return torch.stack([view(image, number, square=square) for image, number in zip(images, drawn, strict=True)])


def view(image: Tensor, number: int, *, square: bool = True) -> Tensor:
    """View 0 to 7 of an image `(c, h, w)`: `number % 4` right-angle turns, mirrored from 4 upwards; 0 is itself."""
    turns = number % 4 if square else 2 * (number % 2)
    image = image.flip(-1) if number >= 4 else image
    return torch.rot90(image, turns, (-2, -1))
