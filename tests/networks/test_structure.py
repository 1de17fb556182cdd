"""Structure: against scipy's derivatives, and blind to grey."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from halescan.networks.structure import KINDS, structure


def picture() -> np.ndarray:
    return ndimage.gaussian_filter(np.random.default_rng(0).random((21, 17)), 1.0)


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.5])
def test_edges_are_the_gaussian_gradient_of_scipy_times_the_scale(sigma: float) -> None:
    image = picture()
    expected = sigma * ndimage.gaussian_gradient_magnitude(image, sigma, mode="nearest")
    found = structure(torch.tensor(image)[None, None].float(), "edges", scales_px=(sigma,))
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_ridges_are_the_larger_curvature(sigma: float) -> None:
    image = picture()
    yy, yx, xx = (ndimage.gaussian_filter(image, sigma, order=o, mode="nearest") for o in ((2, 0), (1, 1), (0, 2)))
    curvatures = np.linalg.eigvalsh(np.stack([yy, yx, yx, xx], -1).reshape(*image.shape, 2, 2))
    found = structure(torch.tensor(image)[None, None].float(), "ridges", scales_px=(sigma,))
    np.testing.assert_allclose(
        found[0, 0].numpy(), sigma**2 * np.abs(curvatures).max(-1), atol=1e-3
    )  # scipy's sees grey


@pytest.mark.parametrize("kind", KINDS)
def test_p_net_structure_is_deterministic_and_blind_to_grey(kind: str) -> None:
    images = torch.rand(2, 3, 12, 15)
    found = structure(images, kind, scales_px=(1.0, 2.0))  # type: ignore[arg-type]
    assert torch.equal(found, structure(images.clone(), kind, scales_px=(1.0, 2.0)))  # type: ignore[arg-type]
    for other in (images + 3, 1 - images):
        assert torch.allclose(structure(other, kind, scales_px=(1.0, 2.0)), found, atol=1e-4)  # type: ignore[arg-type]
    assert float(structure(torch.full_like(images, 0.7), kind, scales_px=(1.0,)).abs().max()) < 1e-5  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_a_slope_where_all_is_even(kind: str) -> None:
    images = torch.full((1, 1, 9, 9), 0.5, requires_grad=True)
    structure(images, kind, scales_px=(1.0,)).sum().backward()  # type: ignore[arg-type]
    assert images.grad is not None
    assert bool(images.grad.isfinite().all())


def test_the_strongest_scale_counts() -> None:
    images = torch.rand(1, 1, 16, 16)
    both = structure(images, "edges", scales_px=(1.0, 3.0))
    each = [structure(images, "edges", scales_px=(scale,)) for scale in (1.0, 3.0)]
    assert torch.equal(both, torch.maximum(*each))
