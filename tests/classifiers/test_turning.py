"""Flips and turns: eight views of a square, four of another, and every pixel kept."""

import numpy as np
import torch

from halescan.classifiers.turning import turned, view


def test_a_square_has_eight_different_views_and_the_first_is_itself() -> None:
    image = torch.arange(9.0).reshape(1, 3, 3)
    views = {tuple(view(image, number).flatten().tolist()) for number in range(8)}
    assert len(views) == 8
    assert torch.equal(view(image, 0), image)


def test_an_oblong_keeps_its_shape() -> None:
    image = torch.arange(12.0).reshape(1, 3, 4)
    views = [view(image, number, square=False) for number in range(8)]
    assert {tuple(one.shape) for one in views} == {(1, 3, 4)}
    assert len({tuple(one.flatten().tolist()) for one in views}) == 4


def test_every_pixel_is_kept_and_the_seed_decides() -> None:
    images = torch.from_numpy(np.random.default_rng(0).random((16, 3, 6, 6)))
    one, two = (turned(images, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, images)
    assert torch.equal(one.flatten(2).sort().values, images.flatten(2).sort().values)
