"""Pooling: one number for an image from its map, and one for a case from its slices."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from halescan.errors import SettingError, ShapeError

How = Literal["mean", "max", "top"]


def pool(maps: np.ndarray, masks: np.ndarray | None = None, *, how: How, share: float = 0.01) -> np.ndarray:
    """One score an image: the mean, the largest, or the mean of the strangest `share` of the places in its mask.

    The mean finds what is spread out, the largest and the top share what is small; this choice decides as much as the
    method. An image whose mask is empty is pooled over its whole grid: a mask that failed must not hide the image
    behind a low score.

    Args:
        maps: `(n, *grid)`.
        masks: `(n, *grid)` bool; None looks everywhere.
        how: "mean", "max" or "top".
        share: In (0, 1]; used by "top", which takes at least one place.

    Returns:
        `(n,)` float64, finite.

    Raises:
        ShapeError: if masks and maps differ in shape or a map is not finite.
        SettingError: if `how` or `share` is unknown or out of range.
    """
    _check(how, share)
    if maps.ndim < 2 or (masks is not None and masks.shape != maps.shape):
        raise ShapeError(f"expected maps (n, *grid) and masks of the same shape, got maps {maps.shape}")
    if not np.isfinite(maps).all():
        raise ShapeError("a map holds values that are not finite; a score would be meaningless")
    rows = maps.reshape(len(maps), -1)
    if masks is None:
        return np.array([_pooled(row, how, share) for row in rows], np.float64)
    inside = np.asarray(masks, bool).reshape(rows.shape)
    return np.array([_pooled(row[m] if m.any() else row, how, share) for row, m in zip(rows, inside, strict=True)])


def pool_slices(scores: Sequence[float] | np.ndarray, *, how: How, share: float = 0.1) -> float:
    """One score for a volume from the scores `(z,)` of its slices, by the same three rules.

    Raises:
        ShapeError: without slices, or if a score is not finite.
    """
    _check(how, share)
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ShapeError(f"expected one finite score for each of one or more slices, got an array {values.shape}")
    return _pooled(values, how, share)


def _check(how: str, share: float) -> None:
    if how not in get_args(How):
        raise SettingError(f"pooling must be one of {list(get_args(How))}, got {how!r}")
    if not 0 < share <= 1:
        raise SettingError(f"the pooled share must lie in (0, 1], got {share}; 0.01 suits small lesions")


def _pooled(values: np.ndarray, how: str, share: float) -> float:
    """One number from `(places,)`."""
    if how == "mean":
        return float(values.mean(dtype=np.float64))
    if how == "max":
        return float(values.max())
    # Rounded before the ceiling: 0.07 * 100 is 7.000000000000001 in floating point.
    most = max(1, math.ceil(round(share * values.size, 6)))
    strangest = np.partition(values, values.size - most)[values.size - most :]
    # Sorted, so that the sum does not depend on the order of the places.
    return float(np.sort(strangest).mean(dtype=np.float64))
