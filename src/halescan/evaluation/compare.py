"""Are two methods different on the same cases? DeLong's test on independent cases, a paired bootstrap over patients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from halescan.errors import SettingError
from halescan.evaluation.curves import auroc, average_precision
from halescan.evaluation.metrics import check_labels, check_scores
from halescan.evaluation.resampling import Ranking, can_resample, number_groups, resample, strata_of, without_interval

_MEASURES = {"auroc": auroc, "average_precision": average_precision}


@dataclass(frozen=True)
class Comparison:
    """Two score sets on the same cases.

    Args:
        metric: "auroc" or "average_precision".
        first, second: Its value for either.
        difference: first minus second.
        low, high: 95 % interval of the difference.
        p_value: Two-sided, of no difference; None where the cases cannot tell (no spread at all).
        method: "delong" or "bootstrap".
    """

    metric: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float | None
    method: str


def delong_interval(labels: Sequence[Any] | np.ndarray, scores: Sequence[float] | np.ndarray) -> dict[str, Any]:
    """AUROC with DeLong's 95 % interval, cut at 0 and 1; for cases that are each a patient of their own.

    Source: DeLong, DeLong & Clarke-Pearson 1988 (doi:10.2307/2531595), computed by midranks as Sun & Xu 2014
    (doi:10.1109/LSP.2014.2337313).
    """
    truth = check_labels(labels)
    if truth.all() or not truth.any():
        return without_interval(None, "cases of one class only")
    value, covariance = _delong(truth, check_scores(scores, len(truth))[None])
    if min(truth.sum(), (~truth).sum()) < 2:
        return without_interval(float(value[0]), "fewer than two cases of a class: no interval")
    half = 1.959963984540054 * float(np.sqrt(covariance[0, 0]))
    return {"value": float(value[0]), "low": max(0.0, value[0] - half), "high": min(1.0, value[0] + half)}


def delong_test(
    labels: Sequence[Any] | np.ndarray,
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
) -> Comparison:
    """Paired test of two AUROCs on the same independent cases; with several cases a patient use `bootstrap_test`.

    Raises:
        SettingError: with fewer than two cases of a class.
        ShapeError: if the lengths differ.
    """
    from scipy.special import ndtr

    truth = check_labels(labels)
    _need_two(int(truth.sum()), int((~truth).sum()), "cases")
    values, covariance = _delong(truth, np.stack([check_scores(scores, len(truth)) for scores in (first, second)]))
    difference = float(values[0] - values[1])
    spread = float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0)))
    if spread < 1e-12:
        p_value = 1.0 if abs(difference) < 1e-12 else None
    else:
        p_value = float(2 * ndtr(-abs(difference) / spread))
    low, high = difference - 1.959963984540054 * spread, difference + 1.959963984540054 * spread
    return Comparison("auroc", float(values[0]), float(values[1]), difference, low, high, p_value, "delong")


def bootstrap_test(
    labels: Sequence[Any] | np.ndarray,
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
    *,
    groups: Sequence[Any] | None = None,
    metric: Literal["auroc", "average_precision"] = "auroc",
    seed: int = 0,
    draws: int = 2000,
) -> Comparison:
    """Paired bootstrap over patients: both methods are judged on the same redrawn patients each time.

    The p-value is twice the smaller share of draws on one side of zero, never below 2 / (draws + 1).

    Raises:
        SettingError: on an unknown metric, or with fewer than two patients of a class.
        ShapeError: if the lengths differ.
    """
    if metric not in _MEASURES:
        raise SettingError(f"metric is {metric!r}, expected one of {', '.join(_MEASURES)}")
    truth = check_labels(labels)
    members = number_groups(groups, len(truth))
    strata = strata_of(truth, members)
    if not can_resample(strata):
        _need_two(len(strata[1]) + len(strata[2]), len(strata[0]) + len(strata[2]), "patients")
    rankings = [Ranking(truth, check_scores(scores, len(truth)), members) for scores in (first, second)]
    measure = _MEASURES[metric]
    once = np.ones((1, int(members.max()) + 1), np.int32)
    values = [float(measure(*ranking.weigh(once))[0]) for ranking in rankings]
    drawn = np.concatenate(
        [
            measure(*rankings[0].weigh(counts)) - measure(*rankings[1].weigh(counts))
            for counts in resample(strata, cells=len(truth), seed=seed, draws=draws)
        ]
    )
    low, high = (float(bound) for bound in np.percentile(drawn, [2.5, 97.5]))
    # Rounding alone must not decide on which side of zero two equal methods fall.
    sides = [(1 + int(side.sum())) / (draws + 1) for side in (drawn <= 1e-12, drawn >= -1e-12)]
    difference = values[0] - values[1]
    return Comparison(metric, values[0], values[1], difference, low, high, min(1.0, 2 * min(sides)), "bootstrap")


def _need_two(abnormal: int, healthy: int, what: str) -> None:
    if min(abnormal, healthy) < 2:
        raise SettingError(f"{abnormal} abnormal and {healthy} healthy {what}; a comparison needs at least 2 of each")


def _delong(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROC `(m,)` of m score sets `(m, n)` and their covariance `(m, m)`."""
    from scipy.stats import rankdata

    ill, well = scores[:, truth], scores[:, ~truth]
    count_ill, count_well = ill.shape[1], well.shape[1]
    together = rankdata(np.concatenate([ill, well], axis=1), axis=1)
    beaten = (together[:, :count_ill] - rankdata(ill, axis=1)) / count_well  # (m, ill): share of healthy below
    beating = 1 - (together[:, count_ill:] - rankdata(well, axis=1)) / count_ill  # (m, well): share of ill above
    covariance = np.zeros((len(scores), len(scores)))
    if count_ill > 1:
        covariance += np.cov(beaten).reshape(covariance.shape) / count_ill
    if count_well > 1:
        covariance += np.cov(beating).reshape(covariance.shape) / count_well
    return beaten.mean(axis=1), covariance
