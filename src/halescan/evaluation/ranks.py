"""Who leads over several data sets: mean ranks, Friedman's test, and how far ranks must lie apart to mean anything.

Source: Demsar 2006, Statistical comparisons of classifiers over multiple data sets (JMLR 7:1-30).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from halescan.errors import SettingError


@dataclass(frozen=True)
class Ranks:
    """Mean ranks over data sets; 1 is best.

    Args:
        mean: One a method.
        sets: Number of data sets behind them.
        p_value: Friedman's test that all methods are equal; None with fewer than three methods or two sets.
        critical: Nemenyi's critical difference of two mean ranks at 5 %; None likewise.
    """

    mean: tuple[float, ...]
    sets: int
    p_value: float | None
    critical: float | None


def mean_ranks(figures: np.ndarray) -> Ranks:
    """From figures `(sets, methods)`, larger is better, ties share their ranks.

    Raises:
        SettingError: without a set or a method, or with a figure missing.
    """
    from scipy.stats import friedmanchisquare, rankdata

    table = np.asarray(figures, float)
    if table.ndim != 2 or 0 in table.shape or not np.isfinite(table).all():
        raise SettingError(f"ranks need a figure of every method on every set, got an array of shape {table.shape}")
    sets, methods = table.shape
    mean = rankdata(-table, axis=1).mean(axis=0)
    enough = sets >= 2 and methods >= 3
    told_apart = enough and bool((table != table[:, :1]).any())
    p_value = float(friedmanchisquare(*table.T).pvalue) if told_apart else None
    return Ranks(tuple(float(rank) for rank in mean), sets, p_value, critical_difference(sets, methods))


def critical_difference(sets: int, methods: int) -> float | None:
    """Nemenyi's critical difference at 5 %; None with fewer than three methods or two sets."""
    from scipy.stats import studentized_range

    if sets < 2 or methods < 3:
        return None
    reach = float(studentized_range.ppf(0.95, methods, np.inf)) / np.sqrt(2)
    return reach * float(np.sqrt(methods * (methods + 1) / (6 * sets)))


def joined(mean: Sequence[float], critical: float | None) -> tuple[tuple[int, ...], ...]:
    """The methods not told apart, as places in `mean`: each run of mean ranks less than `critical` apart.

    A run within another is left out, and so is a method by itself: these are the bars of Demsar's drawing. Without a
    critical difference there is no test, and no bar.
    """
    if critical is None:
        return ()
    order = sorted(range(len(mean)), key=lambda place: mean[place])
    runs: list[tuple[int, ...]] = []
    for first, place in enumerate(order):
        run = tuple(other for other in order[first:] if mean[other] - mean[place] < critical)
        if len(run) > 1 and not any(set(run) <= set(longer) for longer in runs):
            runs.append(run)
    return tuple(runs)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction for testing several hypotheses at once; None stays None and counts for nothing.

    Source: Holm 1979, Scandinavian Journal of Statistics 6:65-70.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for done, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - done)))
        corrected[place] = largest
    return corrected
