"""Lesions painted on the voxels of a scan."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.data.lesions import Lesion, painted
from halescan.errors import ScanError
from halescan.types import Scan


def scan(spacing: tuple[float, float, float], turn: np.ndarray | None = None) -> Scan:
    """60 voxels each way, in its own direction, the first one somewhere."""
    affine = np.eye(4)
    axes = np.eye(3)[:, ::-1] if turn is None else turn
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = (-7, 11, 40)
    return Scan(np.arange(60**3).reshape(60, 60, 60), 3, spacing, affine)


@settings(max_examples=25, deadline=None)
@given(st.floats(8, 14), st.integers(0, 2**31 - 1))
def test_a_painted_ball_has_its_volume_however_the_scan_lies(diameter: float, seed: int) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    where = scan((1.0, 0.8, 0.5), turn)
    assert where.affine_lps is not None
    centre = where.affine_lps @ [30.2, 29.7, 30.4, 1]
    mask = painted([Lesion(tuple(centre[:3]), diameter)], where)  # type: ignore[arg-type]
    assert mask[30, 30, 30]
    assert mask.sum() * 0.4 == pytest.approx(math.pi / 6 * diameter**3, rel=0.12)


def test_a_lesion_of_unknown_size_is_the_voxel_at_its_centre() -> None:
    mask = painted([Lesion((-7 + 3, 11 + 4, 40 + 5))], scan((1, 1, 1)))
    np.testing.assert_array_equal(np.argwhere(mask), [[5, 4, 3]])


def test_several_lesions_are_all_painted() -> None:
    mask = painted([Lesion((0, 20, 50), 3), Lesion((10, 20, 60), 3)], scan((1, 1, 1)))
    assert mask[10, 9, 7]
    assert mask[20, 9, 17]


def test_a_lesion_outside_the_scan_is_refused() -> None:
    with pytest.raises(ScanError, match="a lesion lies outside the scan"):
        painted([Lesion((-100, 20, 50), 3)], scan((1, 1, 1)))


def test_a_scan_without_position_is_refused() -> None:
    with pytest.raises(ScanError, match="no position of its own"):
        painted([Lesion((0, 0, 0), 3)], Scan(np.arange(27).reshape(3, 3, 3), 3))


def test_on_a_slice_the_part_of_the_ball_that_it_cuts_is_painted() -> None:
    volume = scan((2, 1, 1))
    assert volume.affine_lps is not None
    affine = volume.affine_lps.copy()
    affine[:, 3] += 10 * affine[:, 0]
    cut = Scan(volume.pixels[10], 2, (1, 1), affine)
    lesion = Lesion((0, 20, 60), 6)
    np.testing.assert_array_equal(painted([lesion], cut), painted([lesion], volume)[10])
