"""Structural similarity, against scikit-image's."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from halescan.networks.ssim import ssim_map


def pair(*grid: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    one = random.random(grid).astype(np.float32)
    return one, np.clip(one + 0.2 * random.standard_normal(grid), 0, 1).astype(np.float32)


@pytest.mark.parametrize("grid", [(32, 27), (18, 16, 15)])
def test_it_agrees_with_scikit_image_inside(grid: tuple[int, ...]) -> None:
    one, two = pair(*grid)
    kinds = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0, "full": True}
    _, theirs = structural_similarity(one, two, **kinds)
    ours = ssim_map(torch.from_numpy(one)[None, None], torch.from_numpy(two)[None, None])[0, 0].numpy()
    inside = tuple(slice(5, -5) for _ in grid)
    assert np.abs(ours - theirs)[inside].max() < 1e-5


def test_an_image_is_like_itself_and_order_does_not_matter() -> None:
    one, two = (torch.from_numpy(image)[None, None] for image in pair(12, 9))
    assert torch.allclose(ssim_map(one, one), torch.tensor(1.0), atol=1e-6)
    assert torch.allclose(ssim_map(one, two), ssim_map(two, one), atol=1e-6)
    assert float(ssim_map(one, two).max()) <= 1


def test_it_can_be_learned_from() -> None:
    one, two = (torch.from_numpy(image)[None, None] for image in pair(16, 16))
    drawn = two.clone().requires_grad_()
    (1 - ssim_map(one, drawn).mean()).backward()
    assert drawn.grad is not None
    nearer = two - 0.5 * drawn.grad / drawn.grad.abs().max() * 0.01
    assert ssim_map(one, nearer).mean() > ssim_map(one, two).mean()


def test_bfloat16_around_it_does_not_reach_it() -> None:
    one, two = (torch.from_numpy(image)[None, None] for image in pair(12, 12))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = ssim_map(one, two)
    assert torch.equal(inside, ssim_map(one, two))
