"""Views: flips and crops, by chance and by the same chance again."""

import pytest
import torch

from halescan.networks.views import cropped_by_chance, mirrored_by_chance
from halescan.training.chance import noise


def test_half_of_the_images_are_mirrored_and_the_others_left() -> None:
    images = torch.rand(200, 1, 4, 6)
    seen = mirrored_by_chance(images, generator=noise(0, "test"))
    turned = (seen != images).flatten(1).any(1)
    assert 70 < int(turned.sum()) < 130
    assert torch.equal(seen[turned], images[turned].flip(-1))


@pytest.mark.parametrize("grid", [(12, 10), (8, 6, 7)])
def test_a_crop_of_everything_is_the_image(grid: tuple[int, ...]) -> None:
    images = torch.rand(3, 2, *grid)
    assert torch.allclose(cropped_by_chance(images, smallest=1.0, generator=noise(0, "test")), images, atol=1e-5)


@pytest.mark.parametrize("grid", [(64, 64), (24, 24, 24)])
def test_a_crop_shows_between_the_least_share_and_all_of_the_image(grid: tuple[int, ...]) -> None:
    ramp = torch.linspace(0, 1, grid[-1]).expand(50, 1, *grid)
    seen = cropped_by_chance(ramp, smallest=0.5, generator=noise(0, "test"))
    spans = (seen.amax(-1) - seen.amin(-1)).flatten(1)[:, 0]
    least = 0.5 ** (1 / len(grid))
    assert spans.min() > least - 0.05
    assert spans.max() <= 1
    assert spans.max() - spans.min() > 0.5 * (1 - least)
