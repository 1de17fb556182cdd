"""The tree of vessels and the drawing of one tube."""

import numpy as np
import pytest

from halescan.synthesis.anatomy import draw_build
from halescan.synthesis.vessels import FORKS, draw_tubes, grow_vessels


@pytest.fixture(scope="module")
def tubes() -> np.ndarray:
    random = np.random.default_rng(1)
    return grow_vessels(draw_build(random), random)


def test_every_tree_forks_until_each_end_has_a_twig(tubes: np.ndarray) -> None:
    assert tubes.shape == (4 * (2 ** (FORKS + 1) - 1), 8)


def test_tubes_taper_and_hang_together(tubes: np.ndarray) -> None:
    assert (tubes[:, 7] < tubes[:, 3]).all()
    tree = tubes[: len(tubes) // 4]
    ends = {tuple(end) for end in tree[:, 4:7]}
    assert all(tuple(start) in ends for start in tree[1:, :3])


def test_a_fork_keeps_the_cube_of_the_radius(tubes: np.ndarray) -> None:
    tree = tubes[: len(tubes) // 4]
    assert 2 * tree[1, 3] ** 3 == pytest.approx(tree[0, 3] ** 3, rel=1e-4)


def test_a_straight_tube_fills_its_volume() -> None:
    canvas = np.full((20, 20, 20), -800.0, np.float32)
    tube = np.array([[-30.0, 10, 10, 4, 60, 10, 10, 4]])
    whole = np.ones(canvas.shape, np.float32)
    draw_tubes(canvas, tube, inside=whole, hounsfield=200.0, spacing_mm=(1, 1, 1), origin_mm=(0, 0, 0))
    filled = (canvas[10] + 800).sum() / 1000
    assert filled == pytest.approx(np.pi * 16, rel=0.05)


def test_a_tube_outside_the_lung_or_the_picture_leaves_no_trace() -> None:
    canvas = np.zeros((4, 16, 16), np.float32)
    tube = np.array([[2.0, 8, 8, 2, 2, 12, 12, 1]])
    draw_tubes(canvas, tube, inside=np.zeros(canvas.shape), hounsfield=50, spacing_mm=(1, 1, 1), origin_mm=(0, 0, 0))
    draw_tubes(canvas, tube, inside=np.ones(canvas.shape), hounsfield=50, spacing_mm=(1, 1, 1), origin_mm=(90, 0, 0))
    assert not canvas.any()
