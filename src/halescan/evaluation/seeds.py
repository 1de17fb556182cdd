"""Several seeds, one figure: what a method scores on the same cases, with an interval over patients and seeds.

Every method is drawn with the same redrawn patients (the same bootstrap seed), so draws can be subtracted pairwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.compare import Comparison, delong_test
from halescan.evaluation.curves import auroc, average_precision
from halescan.evaluation.metrics import check_labels, check_scores
from halescan.evaluation.resampling import (
    Ranking,
    can_resample,
    number_groups,
    resample,
    strata_of,
    with_interval,
    without_interval,
)

Metric = Literal["auroc", "average_precision"]
_MEASURES = {"auroc": auroc, "average_precision": average_precision}


@dataclass(frozen=True, eq=False)
class Drawn:
    """One method's figure with each seed, and again on redrawn patients.

    Args:
        metric: "auroc" or "average_precision".
        labels: `(n,)` bool.
        scores: `(seeds, n)`.
        alone: Whether each case is a patient of its own.
        values: `(seeds,)`; NaN with cases of one class only.
        draws: `(seeds, d)`; None where a class has fewer than two patients.
    """

    metric: str
    labels: np.ndarray
    scores: np.ndarray
    alone: bool
    values: np.ndarray
    draws: np.ndarray | None


def draw(
    labels: Sequence[Any] | np.ndarray,
    scores: np.ndarray,
    *,
    groups: Sequence[Any] | None = None,
    metric: Metric = "auroc",
    seed: int = 0,
    draws: int = 1000,
) -> Drawn:
    """The figure of a method's scores `(seeds, n)`, and again on `draws` bootstrap cohorts of patients.

    Raises:
        ShapeError: if the lengths differ.
        SettingError: on an unknown metric, no seed at all, or values that are not numbers.
    """
    if metric not in _MEASURES:
        raise SettingError(f"metric is {metric!r}, expected one of {', '.join(_MEASURES)}")
    truth, rows = check_labels(labels), np.atleast_2d(np.asarray(scores, float))
    if rows.ndim != 2 or len(rows) == 0:
        raise ShapeError(f"scores have shape {np.shape(scores)}, expected (seeds, cases)")
    rows = np.stack([check_scores(row, len(truth)) for row in rows])
    members = number_groups(groups, len(truth))
    alone = len(np.unique(members)) == len(truth)
    if truth.all() or not truth.any():
        return Drawn(metric, truth, rows, alone, np.full(len(rows), np.nan), None)
    rankings = [Ranking(truth, row, members) for row in rows]
    measure = _MEASURES[metric]
    once = np.ones((1, int(members.max()) + 1), np.int32)
    values = np.array([float(measure(*ranking.weigh(once))[0]) for ranking in rankings])
    strata = strata_of(truth, members)
    if not can_resample(strata):
        return Drawn(metric, truth, rows, alone, values, None)
    blocks = [
        np.stack([measure(*ranking.weigh(counts)) for ranking in rankings])
        for counts in resample(strata, cells=len(truth), seed=seed, draws=draws)
    ]
    return Drawn(metric, truth, rows, alone, values, np.concatenate(blocks, axis=1))


def over_seeds(drawn: Drawn, *, seed: int = 0) -> dict[str, Any]:
    """The mean over seeds, `{"value", "low", "high", "seeds": {"count", "sd", "min", "max"}}`.

    The 95 % interval is a percentile bootstrap in which patients are redrawn, and with several seeds the seeds too.
    """
    if not np.isfinite(drawn.values).all():
        return without_interval(None, "cases of one class only")
    value = float(drawn.values.mean())
    figure = (
        without_interval(value, "a class rests on a single patient: no interval")
        if drawn.draws is None
        else with_interval(value, _mean_of_redrawn(drawn.draws, seed))
    )
    count = len(drawn.values)
    spread = float(drawn.values.std(ddof=1)) if count > 1 else None
    seeds = {"count": count, "sd": spread, "min": float(drawn.values.min()), "max": float(drawn.values.max())}
    return {**figure, "seeds": seeds}


def paired(first: Drawn, second: Drawn, *, seed: int = 0) -> Comparison:
    """Whether two methods differ: DeLong with one seed each on independent cases, else a paired bootstrap.

    The bootstrap redraws the same patients for both and, where there are several, the seeds of either.

    Raises:
        SettingError: if the metrics differ, or a class has fewer than two patients.
        ShapeError: if the cases differ.
    """
    if first.metric != second.metric:
        raise SettingError(f"{first.metric} cannot be compared with {second.metric}")
    if not np.array_equal(first.labels, second.labels):
        raise ShapeError("the two methods were not scored on the same cases")
    if first.draws is None or second.draws is None:
        raise SettingError("a comparison needs at least two patients of each class")
    if first.metric == "auroc" and first.alone and len(first.values) == len(second.values) == 1:
        return delong_test(first.labels, first.scores[0], second.scores[0])
    apart = _mean_of_redrawn(first.draws, seed) - _mean_of_redrawn(second.draws, seed + 1)
    low, high = (float(bound) for bound in np.percentile(apart, [2.5, 97.5]))
    count = len(apart) + 1
    # Rounding alone must not decide on which side of zero two equal methods fall.
    sides = [(1 + int(side.sum())) / count for side in (apart <= 1e-12, apart >= -1e-12)]
    mine, other = float(first.values.mean()), float(second.values.mean())
    return Comparison(first.metric, mine, other, mine - other, low, high, min(1.0, 2 * min(sides)), "bootstrap")


def _mean_of_redrawn(draws: np.ndarray, seed: int) -> np.ndarray:
    """`(d,)` means over seeds drawn with replacement, from `(seeds, d)`; one seed stands for itself."""
    seeds, count = draws.shape
    if seeds == 1:
        return draws[0]
    chosen = np.random.default_rng([seed, 5]).integers(0, seeds, (seeds, count))
    return np.take_along_axis(draws, chosen, axis=0).mean(axis=0)
