"""Soft shapes: signed distances in millimetres (negative inside) and the paint that covers what lies inside.

Every function takes coordinate arrays that broadcast against each other, so one line serves a slice and a volume.
"""

import numpy as np

Field = np.ndarray


def ellipse(x: Field, y: Field, *, centre: tuple, half: tuple, degrees: float = 0.0) -> Field:
    """Distance to an ellipse with half axes `half`, turned counter-clockwise as seen on the page.

    First-order exact (implicit function over its gradient), which is all that a one-pixel edge needs.
    """
    turn = np.deg2rad(degrees)
    u = (x - centre[0]) * np.float32(np.cos(turn)) - (y - centre[1]) * np.float32(np.sin(turn))
    v = (x - centre[0]) * np.float32(np.sin(turn)) + (y - centre[1]) * np.float32(np.cos(turn))
    a, b = (np.maximum(side, 0.5) for side in half)
    level = np.sqrt((u / a) ** 2 + (v / b) ** 2)
    steepness = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2)
    # At the very centre both vanish: there the distance is the shorter half axis.
    return np.where(level > 1e-3, level * (level - 1) / np.maximum(steepness, 1e-9), -np.minimum(a, b))


def superellipse_radius(angle: Field, *, half: tuple, power: float) -> Field:
    """Distance from the centre to the outline at `angle`; power 2 is an ellipse, more is boxier."""
    a, b = half
    reach = np.abs(np.cos(angle) / a) ** power + np.abs(np.sin(angle) / b) ** power
    return reach ** (-1 / power)


def join(first: Field, second: Field, *, blend_mm: float) -> Field:
    """Smooth union of two shapes: a fillet of about `blend_mm` where they meet (cubic-free polynomial blend)."""
    share = np.clip(0.5 + 0.5 * (second - first) / blend_mm, 0, 1)
    return second + (first - second) * share - blend_mm * share * (1 - share)


def meet(first: Field, second: Field, *, blend_mm: float) -> Field:
    """Smooth intersection of two shapes."""
    return -join(-first, -second, blend_mm=blend_mm)


def cover(distance: Field, *, edge_mm: float) -> Field:
    """Share of a voxel that lies inside, in [0, 1], for an edge as wide as a voxel."""
    return np.clip(0.5 - distance / edge_mm, 0, 1)


def paint(canvas: Field, value: Field | float, share: Field) -> None:
    """Lay `value` over the canvas in place, as thick as `share` says."""
    canvas += share * (value - canvas)


def bump(level: Field, *, centre: float, width: float) -> Field:
    """A smooth hill of height 1 over the levels, zero beyond `width` on either side."""
    return np.clip(1 - ((level - centre) / width) ** 2, 0, None)
