"""The masked autoencoder's network sees what is visible and nothing else."""

import pytest
import torch

from halescan.errors import SettingError
from halescan.networks.masked_vit import MaskedViT
from halescan.networks.masking import random_cells
from halescan.training.chance import noise, seeded


def small(grid: tuple[int, ...] = (16, 16), channels: int = 1) -> MaskedViT:
    with seeded(0, "test"):
        return MaskedViT(
            channels=channels,
            grid=grid,
            patch_px=4,
            width=24,
            depth=2,
            heads=2,
            decoder_width=16,
            decoder_depth=1,
            decoder_heads=2,
        ).eval()


@pytest.mark.parametrize("grid", [(16, 16), (13, 22), (8, 9, 10)])
def test_an_image_of_any_grid_comes_back_from_its_rows(grid: tuple[int, ...]) -> None:
    net, images = small(grid, channels=2), torch.rand(3, 2, *grid)
    rows = net.rows(images)
    assert rows.shape[1] == net.patches
    assert torch.equal(net.images(rows, grid), images)


@torch.no_grad()
def test_what_is_hidden_is_not_looked_at() -> None:
    net = small()
    rows = net.rows(torch.rand(3, 1, 16, 16))
    hidden = random_cells(3, net.patches, hidden=12, generator=noise(0, "test"))
    other = torch.where(hidden[..., None], torch.rand_like(rows), rows)
    assert torch.equal(net(rows, hidden), net(other, hidden))


@torch.no_grad()
def test_what_is_visible_matters() -> None:
    net = small()
    rows = net.rows(torch.rand(3, 1, 16, 16))
    hidden = random_cells(3, net.patches, hidden=12, generator=noise(0, "test"))
    other = torch.where(hidden[..., None], rows, torch.rand_like(rows))
    assert not torch.allclose(net(rows, hidden), net(other, hidden))


@torch.no_grad()
def test_each_image_may_hide_other_patches() -> None:
    net = small()
    rows = net.rows(torch.rand(3, 1, 16, 16))
    hidden = random_cells(3, net.patches, hidden=12, generator=noise(0, "test"))
    together = net(rows, hidden)
    for number in range(3):
        one = slice(number, number + 1)
        assert torch.allclose(together[one], net(rows[one], hidden[one]), atol=1e-5)


def test_an_image_of_too_few_patches_is_refused_with_a_patch_that_works() -> None:
    with pytest.raises(SettingError, match="patch=2 works"):
        small((8, 4))


def test_constant_images_are_learned_in_a_few_steps() -> None:
    net = small().train()
    images = torch.rand(32, 1, 1, 1).expand(-1, 1, 16, 16)
    rows, optimiser, losses = net.rows(images), torch.optim.AdamW(net.parameters(), lr=5e-3), []
    for step in range(80):
        hidden = random_cells(32, net.patches, hidden=12, generator=noise(0, "test", step))
        loss = (net(rows, hidden) - rows).square().mean(2)[hidden].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.003  # their variance is 0.083
