"""Healthy scale: any method's score as -log10 of the healthy tail, so that two methods can be added."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from halescan.errors import ShapeError


@dataclass(frozen=True, eq=False)
class HealthyScale:
    """How rare a score is among healthy images, on one scale for all methods: 1 is "1 in 10", 2 is "1 in 100".

    Rising without a step, so that it keeps every ranking: between the healthy scores by straight lines through the
    conformal -log10((1 + healthy units at least as strange) / (units + 1)), in which each patient counts once; above
    the strangest healthy score it goes on as the logarithm of a heavy tail, with the slope of the upper healthy half.

    Nothing but healthy scores goes into it, so that a fusion on this scale has nothing fitted to the disease.

    Args:
        values: `(k,)` rising, the distinct healthy scores.
        tails: `(k,)` rising.
        slope: Of the tail just above the strangest healthy score.
    """

    values: np.ndarray
    tails: np.ndarray
    slope: float

    @classmethod
    def fit(
        cls, healthy: Sequence[float] | np.ndarray, *, groups: Sequence[Hashable] | np.ndarray | None = None
    ) -> Self:
        """From scores `(n,)` of healthy images that were not learned from, and the patient of each.

        Raises:
            ShapeError: without a score, with one that is not finite, or if scores and groups differ in number.
        """
        scores = np.asarray(healthy, np.float64)
        if scores.ndim != 1 or not scores.size or not np.isfinite(scores).all():
            raise ShapeError(f"expected one or more finite healthy scores, got an array of shape {scores.shape}")
        members = np.arange(scores.size) if groups is None else _numbered(groups)
        if members.shape != scores.shape:
            raise ShapeError(f"{members.size} groups for {scores.size} healthy scores; expected one each")
        weights = 1 / np.bincount(members)[members]
        values, place = np.unique(scores, return_inverse=True)
        each = np.bincount(place.reshape(-1), weights=weights)
        units = int(members.max()) + 1
        stranger = np.minimum(np.cumsum(each[::-1])[::-1], units)
        tails = -np.log10((1 + stranger) / (units + 1))
        return cls(values, tails, _slope(values, tails))

    def __call__(self, scores: Sequence[float] | np.ndarray) -> np.ndarray:
        """`(n,)` float64 on the scale; below the least healthy score it is negative."""
        given = np.asarray(scores, np.float64)
        inside = np.interp(given, self.values, self.tails)
        over = np.maximum(given - self.values[-1], 0)
        under = np.maximum(self.values[0] - given, 0)
        beyond = np.log1p(np.log(10) * self.slope * over) - np.log1p(np.log(10) * self.slope * under)
        return inside + beyond / np.log(10)


def fused(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of several methods' healthy tails `(n,)`: each counts alike, and nothing is fitted."""
    return np.mean(np.stack([np.asarray(part, np.float64) for part in parts]), axis=0)


def _numbered(groups: Sequence[Hashable] | np.ndarray) -> np.ndarray:
    """Groups as whole numbers from 0."""
    known: dict[Hashable, int] = {}
    return np.asarray([known.setdefault(group, len(known)) for group in groups], np.intp)


def _slope(values: np.ndarray, tails: np.ndarray) -> float:
    """Tail per unit of score over the upper half of the healthy scores; for equal scores, one per their own size."""
    middle = len(values) // 2
    run = float(values[-1] - values[middle])
    if run <= 0:
        middle, run = 0, float(values[-1] - values[0])
    rise = float(tails[-1] - tails[middle])
    return rise / run if run > 0 and rise > 0 else 1.0 / max(abs(float(values[-1])), 1e-9)
