"""Places: the words a reader would use for where something lies."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from halescan.errors import SettingError, ShapeError

Kind = Literal["chest-xray", "lung-ct", "brain", "none"]
Box = tuple[tuple[int, int], ...]

_MIDLINE = 0.05  # of the organ's width: nearer than that, a side would be a guess
_RIM = 0.93  # of a film's half width: beyond it and in the corners lie letters, markers, shutters and arms


def place_words(index: Sequence[float], *, box: Box, directions: tuple[str, ...] | None, kind: Kind) -> tuple[str, ...]:
    """Keys of `reporting.words` for a place, from the patient's point of view.

    Sides are told from `directions`; without them pictures are taken to follow the radiological convention (the left of
    the picture is the patient's right; axial slices show the front at the top). The slices of a volume without
    directions are taken to lie along axis 0 in an order nobody knows, so no zone is named. An axis that a slice
    does not show gives no word. On the rim and in the corners of a chest film no zone is named but "film-edge": what is
    strange there is seldom the lung's.

    Args:
        index: `(z, y, x)` or `(y, x)`, voxel centres.
        box: Half-open bounds of the organ's mask, an axis each; see `mask_box`.
        directions: As `Scan.directions`.
        kind: "chest-xray": side and zone; "lung-ct": side, front or back, and zone; "brain": side, front or back.

    Returns:
        Of "right" "left" "midline", "anterior" "posterior", "upper-zone" "mid-zone" "lower-zone" "film-edge", in this
        order.
    """
    if kind not in get_args(Kind):
        raise SettingError(f"places must be one of {list(get_args(Kind))}, got {kind!r}")
    if len(box) != len(index) or (directions is not None and len(directions) != len(index)):
        raise ShapeError(
            f"a place of {len(index)} numbers, a box of {len(box)} axes and directions {directions} differ"
        )
    if kind == "none":
        return ()
    leads = directions or _conventional(kind, len(index))
    words = [_side(_position(index, box, leads, "L"))]
    if kind != "chest-xray":
        words.append(_half(_position(index, box, leads, "P")))
    if kind == "chest-xray" and _on_rim(index, box):
        words.append("film-edge")
    elif kind != "brain":
        words.append(_zone(_position(index, box, leads, "I")))
    return tuple(word for word in words if word)


def mask_box(mask: np.ndarray | None, shape: tuple[int, ...]) -> Box:
    """Half-open bounds of a mask, or of the whole grid when there is none or it is empty."""
    if mask is None or not mask.any():
        return tuple((0, side) for side in shape)
    bounds = []
    for axis in range(mask.ndim):
        rows = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        bounds.append((int(rows[0]), int(rows[-1]) + 1))
    return tuple(bounds)


def _conventional(kind: Kind, dims: int) -> tuple[str, ...]:
    """Where the axes lead in a picture that does not say; "?" where no convention helps."""
    down = "I" if kind == "chest-xray" else "P"
    return (*("?",) * (dims - 2), down, "L")


def _position(index: Sequence[float], box: Box, leads: tuple[str, ...], towards: str) -> float | None:
    """How far along the box the place lies towards L, P or I, from 0 to 1; None if no axis leads there."""
    opposite = {"L": "R", "P": "A", "I": "S"}[towards]
    for place, (start, stop), lead in zip(index, box, leads, strict=True):
        if lead in (towards, opposite):
            share = (place + 0.5 - start) / (stop - start)
            return share if lead == towards else 1 - share
    return None


def _on_rim(index: Sequence[float], box: Box) -> bool:
    """Whether a place lies outside the box with its corners rounded off, a superellipse of exponent 4."""
    middle = (
        abs(2 * (place + 0.5 - start) / (stop - start) - 1) for place, (start, stop) in zip(index, box, strict=True)
    )
    return sum(share**4 for share in middle) > _RIM**4


def _side(share: float | None) -> str | None:
    if share is None:
        return None
    if abs(share - 0.5) <= _MIDLINE:
        return "midline"
    return "left" if share > 0.5 else "right"


def _half(share: float | None) -> str | None:
    if share is None or abs(share - 0.5) <= _MIDLINE:
        return None
    return "posterior" if share > 0.5 else "anterior"


def _zone(share: float | None) -> str | None:
    if share is None:
        return None
    return "upper-zone" if share < 1 / 3 else "mid-zone" if share < 2 / 3 else "lower-zone"
