"""Structure and texture: any grid; what grey alone can carry is bounded by its bottleneck."""

import pytest
import torch

from halescan.networks.structure_texture import StructureTexture


@pytest.mark.parametrize("grid", [(16, 16), (19, 13)])
def test_any_grid_goes_in_and_comes_back(grid: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *grid)
    network = StructureTexture(channels=3, widths=(4, 8, 8), texture=2)
    assert network(images, images).shape == images.shape


def test_p_net_the_image_s_own_branch_cannot_copy() -> None:
    network = StructureTexture(channels=1, widths=(4, 8, 8), texture=2).eval()
    image, even = torch.rand(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    slopes = torch.autograd.functional.jacobian(lambda x: network(x, even), image).reshape(256, 256)
    rank = int(torch.linalg.matrix_rank(slopes.double(), rtol=1e-5))
    assert 0 < rank <= 2 * 4 * 4  # texture channels x coarsest places, of 256 pixels


def test_the_structure_branch_sees_every_pixel() -> None:
    network = StructureTexture(channels=1, widths=(4, 8, 8), texture=2).eval()
    image, lines = torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16)
    slopes = torch.autograd.functional.jacobian(lambda x: network(image, x), lines).reshape(256, 256)
    assert int(torch.linalg.matrix_rank(slopes.double(), rtol=1e-5)) > 128
