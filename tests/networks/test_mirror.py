"""The mirror plane is found where it was put, and a reflection is what a flip would give."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from halescan.networks.mirror import mirror_planes, reflect


def made_symmetric(grid: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """`(*grid)` a smooth body, its own mirror image along the last axis."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(grid), 3)
    lines = [np.linspace(-1, 1, side) for side in grid]
    body = sum(line**2 for line in np.meshgrid(*lines, indexing="ij")) < 0.5
    return ((1 + 2 * (noise + noise[..., ::-1])) * body).astype(np.float32)


def as_batch(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image))[None, None]


@pytest.mark.parametrize("grid", [(20, 31), (8, 9, 12)])
def test_at_the_upright_plane_in_the_middle_it_is_a_flip(grid: tuple[int, ...]) -> None:
    image = torch.rand(2, 3, *grid, generator=torch.Generator().manual_seed(0))
    mirrored = reflect(image, torch.zeros(2, len(grid)), extent=grid)
    torch.testing.assert_close(mirrored, image.flip(-1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("grid", [(40, 52), (14, 16, 20)])
def test_reflected_twice_a_smooth_image_is_itself_again(grid: tuple[int, ...]) -> None:
    image = as_batch(made_symmetric(grid))
    smooth = as_batch(ndimage.gaussian_filter(image[0, 0].numpy(), 2))
    plane = torch.tensor([[0.05, 0.1, 0.05][: len(grid)]])
    twice = reflect(reflect(smooth, plane, extent=grid), plane, extent=grid)
    assert float((twice - smooth).abs().mean()) < 0.05 * float(smooth.abs().mean())


@pytest.mark.parametrize(("moved", "turned"), [(0, 0), (4, 0), (-3, 6), (2, -8)])
def test_the_plane_is_found_where_the_image_was_moved_and_turned_to(moved: float, turned: float) -> None:
    image = ndimage.rotate(made_symmetric((64, 64)), turned, reshape=False, order=1)
    image = ndimage.shift(image, (0, moved), order=1)
    found = mirror_planes(as_batch(image), as_batch(image) > 0, extent=(64, 64), tilt_deg=12, shift=0.1)[0]
    assert float(found[0]) * 32 == pytest.approx(moved * np.cos(np.radians(turned)), abs=0.5)
    assert np.degrees(float(found[1])) == pytest.approx(-turned, abs=1.0)


def test_the_plane_of_a_volume_is_found_in_millimetres() -> None:
    image = ndimage.shift(made_symmetric((10, 24, 30)), (0, 0, 2), order=1)
    found = mirror_planes(as_batch(image), as_batch(image) > 0, extent=(50, 24, 30), tilt_deg=8, shift=0.1)[0]
    assert float(found[0]) * 15 == pytest.approx(2, abs=0.5)
    assert np.degrees(found[1:].numpy()) == pytest.approx([0, 0], abs=1.5)


def test_of_an_image_without_a_body_the_plane_is_the_middle() -> None:
    found = mirror_planes(
        torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32, dtype=torch.bool), extent=(32, 32), tilt_deg=9, shift=0.1
    )
    assert float(found.abs().max()) < 1e-6


def test_without_reach_it_looks_nowhere_else() -> None:
    image = ndimage.shift(made_symmetric((32, 32)), (0, 3), order=1)
    found = mirror_planes(as_batch(image), as_batch(image) > 0, extent=(32, 32), tilt_deg=0, shift=0)
    assert float(found.abs().max()) == 0


def test_it_never_looks_beyond_its_reach() -> None:
    image = ndimage.shift(ndimage.rotate(made_symmetric((64, 64)), 15, reshape=False, order=1), (0, 8), order=1)
    found = mirror_planes(as_batch(image), as_batch(image) > 0, extent=(64, 64), tilt_deg=5, shift=0.05)[0]
    assert abs(float(found[0])) <= 2 * 0.05 + 1e-6
    assert abs(np.degrees(float(found[1]))) <= 5 + 1e-4
