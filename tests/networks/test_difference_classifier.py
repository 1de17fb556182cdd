"""Classifiers of a difference: any grid, alone as in a batch, and able to learn."""

import pytest
import torch
from torch import nn

from halescan.networks.difference_classifier import ConvClassifier, PatchClassifier
from halescan.networks.masked_vit import MaskedViT
from halescan.training.chance import seeded


def build(kind: str, grid: tuple[int, ...]) -> nn.Module:
    with seeded(0, "test"):
        if kind == "cnn":
            return ConvClassifier(dims=len(grid), channels=1, widths=(4, 8))
        return PatchClassifier(channels=1, grid=grid, patch_px=4, width=16, depth=2, heads=2, skip=0.1)


each = pytest.mark.parametrize("kind", ["cnn", "vit"])


@each
@pytest.mark.parametrize("grid", [(16, 16), (13, 18), (8, 9, 10)])
@torch.no_grad()
def test_an_image_alone_gives_what_it_gives_in_a_batch(kind: str, grid: tuple[int, ...]) -> None:
    net, images = build(kind, grid).eval(), torch.rand(4, 1, *grid)
    assert net(images).shape == (4,)
    assert torch.allclose(net(images)[1:2], net(images[1:2]), atol=1e-5)


@each
def test_it_learns_to_tell_a_spot_from_none(kind: str) -> None:
    net = build(kind, (16, 16)).train()
    images, truth = torch.rand(32, 1, 16, 16) * 0.3, torch.arange(32) % 2
    images[truth == 1, :, 4:9, 6:11] += 0.5
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.005)
    for _ in range(60):
        loss = nn.functional.binary_cross_entropy_with_logits(net(images), truth.float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.2


def test_it_can_begin_as_the_encoder_of_a_masked_autoencoder() -> None:
    taught = MaskedViT(
        channels=1,
        grid=(16, 16),
        patch_px=4,
        width=16,
        depth=2,
        heads=2,
        decoder_width=8,
        decoder_depth=1,
        decoder_heads=1,
    )
    mine = PatchClassifier(channels=1, grid=(16, 16), patch_px=4, width=16, depth=2, heads=2, skip=0.0).begin_as(taught)
    assert all(
        torch.equal(mine.encoder.state_dict()[name], value) for name, value in taught.encoder.state_dict().items()
    )
    assert torch.equal(mine.embed.weight, taught.embed.weight)
    assert torch.equal(mine.summary, taught.summary)
