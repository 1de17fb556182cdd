"""The context encoder's network: its channel-wise dense layer, and any grid."""

import pytest
import torch

from halescan.networks.context_net import ChannelwiseDense, ContextNet


def test_a_channel_wise_dense_layer_has_channels_times_places_squared_weights() -> None:
    layer = ChannelwiseDense(channels=5, grid=(3, 4))
    assert layer.weight.numel() == 5 * (3 * 4) ** 2


@torch.no_grad()
def test_a_channel_reaches_every_place_of_its_own_and_no_other_channel() -> None:
    layer, features = ChannelwiseDense(channels=3, grid=(4, 4)), torch.rand(1, 3, 4, 4)
    changed = features.clone()
    changed[0, 1, 2, 3] += 1
    moved = layer(changed) != layer(features)
    assert moved[0, 1].all()
    assert not moved[0, [0, 2]].any()


@pytest.mark.parametrize("grid", [(16, 16), (13, 22), (8, 9, 10)])
@torch.no_grad()
def test_an_image_comes_out_on_its_own_grid_alone_as_in_a_batch(grid: tuple[int, ...]) -> None:
    net, images = ContextNet(channels=2, grid=grid, widths=(4, 8)).eval(), torch.rand(3, 2, *grid)
    assert net(images).shape == images.shape
    assert torch.allclose(net(images)[1:2], net(images[1:2]), atol=1e-6)
