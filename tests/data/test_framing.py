"""The right part of the scan, the right way round."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.data.framing import frame, orientation
from halescan.data.grid import Grid
from halescan.data.profiles import load_profile
from halescan.types import Scan
from tests.data.scenes import affine_lps

TWO = load_profile("generic", {"size": [32, 32]})
THREE = load_profile("generic", {"dims": 3, "size": [16, 24, 32]})


def volume(directions: str, shape: tuple[int, ...] = (6, 8, 10)) -> Scan:
    pixels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Scan(pixels, 3, spacing_mm=(3.0, 2.0, 1.0), affine_lps=affine_lps(directions, (3.0, 2.0, 1.0)))


def all_directions() -> list[str]:
    letters = [("L", "R"), ("P", "A"), ("S", "I")]
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    signs = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    return [
        "".join(letters[axis][sign] for axis, sign in zip(order, one, strict=True)) for order in orders for one in signs
    ]


@pytest.mark.parametrize("directions", all_directions())
def test_a_volume_in_any_orientation_becomes_head_back_left(directions: str) -> None:
    scan = volume(directions)
    turn = orientation(scan, 3)
    turned = [directions[axis] for axis in turn.axes]
    opposite = dict(zip("LRPASI", "RLAPIS", strict=True))
    assert [opposite[letter] if flip else letter for letter, flip in zip(turned, turn.flips, strict=True)] == list(
        "SPL"
    )


@pytest.mark.parametrize(
    ("directions", "shown"), [("SAR", "PL"), ("SPL", "PL"), ("SLP", "PL"), ("ASR", "IL"), ("LAS", "IP"), ("RIP", "IP")]
)
def test_every_plane_is_shown_as_a_reader_sees_it(directions: str, shown: str) -> None:
    turn = orientation(volume(directions), 2)
    opposite = dict(zip("LRPASI", "RLAPIS", strict=True))
    letters = [directions[1:][axis] for axis in turn.axes]
    found = "".join(opposite[one] if flip else one for one, flip in zip(letters, turn.flips, strict=True))
    assert found == shown


def test_a_scan_that_does_not_know_its_orientation_is_not_turned() -> None:
    turn = orientation(Scan(np.zeros((4, 5)) + np.arange(5), 2), 2)
    assert (turn.axes, turn.flips) == ((0, 1), (False, False))


@settings(max_examples=80, deadline=None)
@given(st.integers(9, 90), st.integers(9, 90), st.data())
def test_a_padded_image_keeps_the_proportions_and_the_middle(height: int, width: int, data: st.DataObject) -> None:
    scan = Scan(np.arange(height * width, dtype=np.float32).reshape(height, width), 2)
    found = frame(scan, TWO, None)
    grid = Grid(scan.shape, TWO.size, found.steps)
    seen = grid.forward_mask(np.ones(scan.shape, dtype=bool))
    rows, columns = int(seen.any(axis=1).sum()), int(seen.any(axis=0).sum())
    assert max(rows, columns) == 32
    assert rows / 32 * max(height, width) == pytest.approx(height, abs=max(height, width) / 32)
    filled = np.flatnonzero(seen.any(axis=1))
    assert abs(int(filled[0]) - (31 - int(filled[-1]))) <= 1


def test_millimetres_are_as_long_along_every_axis_of_a_padded_image() -> None:
    scan = Scan(np.random.default_rng(0).random((40, 40)), 2, spacing_mm=(2.0, 1.0))
    found = frame(scan, TWO, None)
    assert found.spacing_mm == pytest.approx((2.5, 2.5))


def test_a_wanted_spacing_is_met_and_centred_on_the_mask() -> None:
    scan = Scan(np.random.default_rng(0).random((100, 100)), 2, spacing_mm=(1.0, 1.0))
    mask = np.zeros((100, 100), dtype=bool)
    mask[30:50, 60:80] = True
    profile = load_profile("generic", {"size": [20, 20], "spacing_mm": [2.0, 2.0]})
    found = frame(scan, profile, mask)
    assert found.spacing_mm == pytest.approx((2.0, 2.0))
    image = Grid(scan.shape, (20, 20), found.steps).forward(mask.astype(np.float32))
    places = np.argwhere(image > 0.5)
    np.testing.assert_allclose(places.mean(axis=0), 9.5, atol=0.5)


def test_a_crop_shows_the_box_with_its_margin_and_what_lies_beside_it() -> None:
    scan = Scan(np.random.default_rng(0).random((100, 100)), 2)
    mask = np.zeros((100, 100), dtype=bool)
    mask[40:60, 20:60] = True
    profile = load_profile("generic", {"size": [40, 40], "crop_margin": 0.0})
    seen = Grid(scan.shape, (40, 40), frame(scan, profile, mask).steps)
    where = seen.back_mask(np.ones((40, 40), dtype=bool))
    assert np.array_equal(np.flatnonzero(where.any(axis=0))[[0, -1]], [20, 59])
    assert np.array_equal(np.flatnonzero(where.any(axis=1))[[0, -1]], [30, 69])  # square, so more rows than the box


def test_stretching_fills_the_image() -> None:
    scan = Scan(np.random.default_rng(0).random((30, 90)), 2)
    profile = load_profile("generic", {"size": [32, 32], "fit": "stretch"})
    steps = frame(scan, profile, None).steps
    assert [type(step).__name__ for step in steps] == ["Resize"]


def test_a_long_thin_picture_cannot_claim_the_memory_of_a_square() -> None:
    scan = Scan(np.arange(40_000, dtype=np.uint16).reshape(1, 40_000), 2)
    steps = frame(scan, TWO, None).steps
    assert max(np.prod(step.after) for step in steps) <= 40_000


def test_a_volume_and_its_image_meet_in_three_dimensions() -> None:
    scan = volume("IAR", (12, 30, 20))
    grid = Grid(scan.shape, THREE.size, frame(scan, THREE, None).steps)
    assert grid.back(np.ones(THREE.size)).shape == scan.shape
