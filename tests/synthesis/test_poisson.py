"""Poisson blending against what it must give in closed form."""

import numpy as np
import pytest

from halescan.errors import ShapeError
from halescan.synthesis.poisson import poisson_blend

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1, 9, 12), (3, 8, 8), (2, 6, 7, 8)])
@pytest.mark.parametrize("mixed", [True, False])
def test_a_piece_blended_with_itself_stays_itself(shape: tuple[int, ...], mixed: bool) -> None:
    piece = RANDOM.random(shape)
    np.testing.assert_allclose(poisson_blend(piece, piece, mixed=mixed), piece, atol=1e-12)


def test_only_gradients_come_along_not_the_level() -> None:
    target = RANDOM.random((1, 10, 11))
    source = RANDOM.random((1, 10, 11))
    np.testing.assert_allclose(
        poisson_blend(target, source + 5, mixed=False), poisson_blend(target, source, mixed=False), atol=1e-12
    )


def test_the_rim_stays_the_targets() -> None:
    target, source = RANDOM.random((2, 1, 9, 9))
    blended = poisson_blend(target, source)
    for rim in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
        np.testing.assert_array_equal(blended[rim], target[rim])


def test_the_inside_solves_the_equation() -> None:
    target, source = RANDOM.random((2, 1, 8, 9))
    blended = poisson_blend(target, source, mixed=False)[0]

    def laplacian(plane: np.ndarray) -> np.ndarray:
        return plane[2:, 1:-1] + plane[:-2, 1:-1] + plane[1:-1, 2:] + plane[1:-1, :-2] - 4 * plane[1:-1, 1:-1]

    np.testing.assert_allclose(laplacian(blended), laplacian(source[0]), atol=1e-10)


def test_mixed_keeps_a_targets_edge_under_a_flat_piece() -> None:
    target = np.zeros((1, 9, 9))
    target[:, :, 5:] = 1
    flat = np.full_like(target, 0.3)
    np.testing.assert_allclose(poisson_blend(target, flat, mixed=True), target, atol=1e-12)
    assert np.abs(poisson_blend(target, flat, mixed=False) - target).max() > 0.1


def test_pieces_of_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        poisson_blend(np.zeros((1, 5, 5)), np.zeros((1, 5, 6)))
