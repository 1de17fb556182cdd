"""Cuts: the score above which a patch or a patient is called positive, robust to one bad fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from halescan.errors import SettingError, ShapeError

Density = Literal["NEG", "LOW", "HIGH"]


def closest_to_corner(labels: Sequence[Any] | np.ndarray, scores: Sequence[float] | np.ndarray) -> float:
    """The cut above which cases are called positive that comes closest to finding all of them without false alarms.

    It minimises fpr^2 + (1 - tpr)^2 over all cuts that differ in what they call. A cut lies midway between two scores;
    among equally good ones, in the widest gap. On scores that separate perfectly it therefore separates them.

    Args:
        labels: `(n,)` True or 1 is positive.
        scores: `(n,)` finite.

    Raises:
        ShapeError: if the lengths differ or a score is not finite.
        SettingError: if one class is missing: then there is no corner to come close to.
    """
    truth, values = np.asarray(labels).astype(bool), np.asarray(scores, np.float64)
    if truth.shape != values.shape or values.ndim != 1 or not np.isfinite(values).all():
        raise ShapeError(f"{truth.shape} labels for scores of shape {values.shape}; expected one finite score each")
    if truth.all() or not truth.any():
        raise SettingError("a cut needs positive and negative cases, found one class only")
    distinct = np.unique(values)
    below = np.concatenate([[np.nextafter(distinct[0], -np.inf)], distinct])
    above = np.concatenate([distinct, [np.nextafter(distinct[-1], np.inf)]])
    cuts = below + (above - below) / 2
    cuts[0] = below[0]  # half of the smallest step rounds onto a score
    found = _share_above(values[truth], below)
    alarms = _share_above(values[~truth], below)
    distance = alarms**2 + (1 - found) ** 2
    best = np.flatnonzero(distance <= distance.min() + 1e-12)[::-1]  # the highest first: fewest are called positive
    gaps = above - below
    gaps[[0, -1]] = 0  # beyond the last score there is no gap, only room
    return float(np.where(cuts < above, cuts, below)[best][np.argmax(gaps[best])])


@dataclass(frozen=True)
class FoldCuts:
    """The cut of each fold of a cross-validation; what is used is their median.

    One fold may be far off: a published system had 0.79 in one fold beside 0.04 to 0.07 in the others. A mean would
    follow it, and so would the cut of whichever fold came last.

    Args:
        values: One a fold; None where a fold held one class only.
        how: "corner" (closest to the corner of the ROC), "pooled" (the same over all folds together, as none had both
            classes), "conformal" (a false-alarm rate on negatives alone) or "none".
    """

    values: tuple[float | None, ...]
    how: Literal["corner", "pooled", "conformal", "none"] = "corner"

    @property
    def value(self) -> float | None:
        """The median of those that are there; None without any."""
        known = [value for value in self.values if value is not None]
        return float(np.median(known)) if known else None

    @property
    def missing(self) -> int:
        """Folds without a cut."""
        return sum(value is None for value in self.values)


def is_above(scores: Sequence[float] | np.ndarray, cut: float | None) -> np.ndarray:
    """`(n,)` bool: strictly above the cut; without a cut nothing is."""
    values = np.asarray(scores, np.float64)
    return np.zeros(values.shape, bool) if cut is None else values > cut


def ordinal(scores: Sequence[float] | np.ndarray, *, low: float, high: float | None) -> tuple[Density, ...]:
    """NEG up to the first cut, LOW above it, HIGH above the second; without a second cut nothing is HIGH.

    A second cut below the first would leave no room for LOW and is raised to it.
    """
    top = np.inf if high is None else max(low, high)
    values = np.asarray(scores, np.float64)
    return tuple("HIGH" if score > top else "LOW" if score > low else "NEG" for score in values)


def _share_above(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """`(k,)` share of the values strictly above each edge."""
    return 1 - np.searchsorted(np.sort(values), edges, side="right") / values.size
