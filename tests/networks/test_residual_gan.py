"""The residual pair: any grid, and each image by itself."""

import pytest
import torch

from halescan.networks.residual_gan import ResidualEncoder, ResidualGenerator


@pytest.mark.parametrize("grid", [(16, 16), (19, 13), (5, 30)])
def test_numbers_become_images_of_the_grid_and_numbers_again(grid: tuple[int, int]) -> None:
    drawn = ResidualGenerator(latent=5, channels=3, grid=grid, widths=(4, 8))(torch.randn(2, 5))
    encoder = ResidualEncoder(channels=3, grid=grid, widths=(4, 8), told=7)
    assert drawn.shape == (2, 3, *grid)
    assert encoder(drawn).shape == (2, 7)
    assert encoder.features(drawn).shape == (2, 8 * -(-grid[0] // 4) * -(-grid[1] // 4))


def test_the_encoder_sees_each_image_by_itself_while_learning_too() -> None:
    encoder = ResidualEncoder(channels=1, grid=(16, 16), widths=(4, 8), told=3).train()
    images = torch.rand(3, 1, 16, 16)
    assert torch.allclose(encoder(images)[:1], encoder(images[:1]), atol=1e-6)
