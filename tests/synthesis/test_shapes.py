"""Soft shapes against shapes whose distance is known in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halescan.synthesis.shapes import bump, cover, ellipse, join, meet, paint, superellipse_radius

Y, X = np.mgrid[-20:21, -20:21].astype(np.float32)


def test_a_circle_has_its_exact_distance() -> None:
    found = ellipse(X, Y, centre=(3, -2), half=(8, 8))
    np.testing.assert_allclose(found, np.hypot(X - 3, Y + 2) - 8, atol=1e-3)


@given(st.floats(3, 15), st.floats(3, 15), st.floats(-90, 90))
def test_the_outline_of_an_ellipse_lies_at_zero(a: float, b: float, degrees: float) -> None:
    turn, angle = np.deg2rad(degrees), np.linspace(0, 6, 20)
    u, v = a * np.cos(angle), b * np.sin(angle)
    x, y = u * np.cos(turn) + v * np.sin(turn), -u * np.sin(turn) + v * np.cos(turn)
    assert np.abs(ellipse(x, y, centre=(0, 0), half=(a, b), degrees=degrees)).max() < 1e-3


def test_a_superellipse_of_power_two_is_an_ellipse() -> None:
    angle = np.linspace(0, 6, 30)
    radius = superellipse_radius(angle, half=(5, 3), power=2)
    np.testing.assert_allclose((radius * np.cos(angle) / 5) ** 2 + (radius * np.sin(angle) / 3) ** 2, 1)


def test_joining_holds_both_shapes_and_meeting_only_what_they_share() -> None:
    left, right = (ellipse(X, Y, centre=(side * 5, 0), half=(8, 8)) for side in (-1, 1))
    both, shared = join(left, right, blend_mm=4), meet(left, right, blend_mm=4)
    assert ((left < 0) | (right < 0))[both >= 0].sum() == 0
    assert ((left < 0) & (right < 0))[shared < 0].all()


def test_the_cover_of_an_edge_is_half_and_never_leaves_zero_to_one() -> None:
    np.testing.assert_array_equal(cover(np.array([-9.0, 0.0, 9.0]), edge_mm=2), [1, 0.5, 0])


def test_paint_mixes_by_share() -> None:
    canvas = np.array([0.0, 0.0, 10.0])
    paint(canvas, 4.0, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(canvas, [0, 2, 4])


def test_a_bump_is_one_at_its_centre_and_zero_beyond() -> None:
    assert bump(np.array([0.5, 0.8, 0.1]), centre=0.5, width=0.3) == pytest.approx([1, 0, 0])
