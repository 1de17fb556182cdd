"""The memory autoencoder's network."""

from typing import Any

import pytest
import torch
from torch import Tensor

from halescan.networks.memory_autoencoder import MemoryAutoencoder


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def network(**changes: Any) -> MemoryAutoencoder:
    torch.manual_seed(0)
    usual: dict[str, Any] = {
        "channels": 1,
        "grid": (16, 20),
        "widths": (4, 6),
        "where": "places",
        "latent": 5,
        "slots": 12,
        "threshold": 1 / 12,
        "similarity": "cosine",
        "temperature": 0.1,
    }
    return MemoryAutoencoder(**usual | changes).eval()


@pytest.mark.parametrize("grid", [(16, 20), (17, 21), (8, 10, 9)])
@pytest.mark.parametrize("where", ["places", "latent"])
def test_images_come_back_on_their_grid_with_the_weights_of_each_place(grid: tuple[int, ...], where: str) -> None:
    found, weights = network(grid=grid, where=where)(drawn(2, 1, *grid))
    assert found.shape == (2, 1, *grid)
    coarse = 1
    for side in grid:
        coarse *= -(-side // 4)
    assert weights.shape == (2, coarse if where == "places" else 1, 12)


@pytest.mark.parametrize("where", ["places", "latent"])
def test_the_weights_are_shares_and_some_are_none(where: str) -> None:
    _, weights = network(where=where)(drawn(4, 1, 16, 20))
    assert (weights >= 0).all()
    assert (weights == 0).any()
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]))


@pytest.mark.parametrize("where", ["places", "latent"])
def test_with_one_slot_every_image_is_drawn_alike(where: str) -> None:
    found, _ = network(where=where, slots=1, threshold=1.0)(drawn(4, 1, 16, 20))
    torch.testing.assert_close(found, found[:1].expand(4, -1, -1, -1))


def test_a_place_is_drawn_from_what_stood_at_that_place() -> None:
    built, images = network(slots=2, threshold=0.0), drawn(1, 1, 16, 20)
    with torch.no_grad():
        asked = built.encoder(images)
    _, weights = built(images)
    laid = weights[0, :, 0].reshape(asked.shape[2:])
    likeness = torch.nn.functional.cosine_similarity(asked[0], built.memory.slots[0, 0][:, None, None], dim=0)
    other = torch.nn.functional.cosine_similarity(asked[0], built.memory.slots[0, 1][:, None, None], dim=0)
    torch.testing.assert_close(laid, ((likeness - other) / 0.1).sigmoid())
