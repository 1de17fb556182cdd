"""How well scores tell abnormal from healthy: AUROC and average precision, with intervals over patients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.evaluation import curves
from halescan.evaluation.curves import auroc, average_precision
from halescan.evaluation.pixels import pixel_metrics
from halescan.evaluation.resampling import (
    Ranking,
    can_resample,
    number_groups,
    resample,
    strata_of,
    with_interval,
    without_interval,
)

__all__ = [
    "LEAST_PATIENTS",
    "SPECIFICITIES",
    "PatientScores",
    "aggregate_patients",
    "count_cases",
    "image_figures",
    "image_metrics",
    "of_so_many_patients",
    "pixel_metrics",
    "ranking_figures",
    "sensitivity_at",
    "wilson",
]

SPECIFICITIES = (0.90, 0.95)
"""Shares of healthy cases that must pass, at which sensitivity is told."""

LEAST_PATIENTS = 10
"""Patients of a class below which a figure by patient has no interval: two patients redrawn are nearly always alike."""

ONE_PATIENT = "fewer than two patients of a class: no interval"

Figure = dict[str, Any]
Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]
How = Literal["max", "mean", "median", "top"]


def image_metrics(
    labels: Sequence[Any] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    *,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, Figure]:
    """AUROC and average precision of n cases, each `{"value", "low", "high"}` with a 95 % interval.

    Percentile bootstrap over patients, drawn within those with healthy, abnormal and both kinds of cases. What cannot
    be told is None, with `"why"`: the value with one class only, the interval with a single patient of a class.
    Average precision depends on the share of abnormal cases; say it beside (`count_cases`).

    Args:
        labels: `(n,)` True or 1 is abnormal, False or 0 healthy.
        scores: `(n,)` larger is stranger; ties count half.
        groups: `(n,)` patient of each case; None makes each case a patient.
        draws: Bootstrap draws, at least 100.

    Raises:
        ShapeError: if labels, scores and groups differ in length.
        SettingError: on labels other than 0 and 1, or scores that are not numbers.
    """
    return ranking_figures(labels, scores, _RANKED, groups=groups, seed=seed, draws=draws)


def sensitivity_at(
    labels: Sequence[Any] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    *,
    specificities: Sequence[float] = SPECIFICITIES,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, Figure]:
    """Sensitivity where at least a stated share of the healthy cases passes, by that share: `{"0.90": figure, ...}`.

    The threshold is set on these very healthy cases, so each is marked optimistic; in the bootstrap it is set anew in
    every draw. Arguments and errors as `image_metrics`.

    Raises:
        SettingError: on a specificity outside (0, 1).
    """
    if not all(0 < share < 1 for share in specificities):
        raise SettingError(f"specificities are {list(specificities)}, expected shares between 0 and 1, as 0.95")
    found = ranking_figures(labels, scores, _at(specificities), groups=groups, seed=seed, draws=draws)
    return {name: {**figure, "optimistic": True} for name, figure in found.items()}


def image_figures(
    labels: Sequence[Any] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    *,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """What `image_metrics` and `sensitivity_at` give, from one bootstrap."""
    measures = {**_RANKED, **_at(SPECIFICITIES)}
    found = ranking_figures(labels, scores, measures, groups=groups, seed=seed, draws=draws)
    at = {name: {**found[name], "optimistic": True} for name in _at(SPECIFICITIES)}
    return {name: found[name] for name in _RANKED}, at


def ranking_figures(
    labels: Sequence[Any] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    measures: Mapping[str, Measure],
    *,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, Figure]:
    """Any measures of `curves` with intervals, all on the same redrawn patients; see `image_metrics`."""
    truth, values = check_labels(labels), check_scores(scores, len(labels))
    members = number_groups(groups, len(truth))
    lacking = missing_class(truth)
    if lacking:
        return {name: without_interval(None, lacking) for name in measures}
    ranking = Ranking(truth, values, members)
    whole = ranking.weigh(np.ones((1, int(members.max()) + 1), np.int32))
    found = {name: float(measure(*whole)[0]) for name, measure in measures.items()}
    strata = strata_of(truth, members)
    if not can_resample(strata):
        return {name: without_interval(value, ONE_PATIENT) for name, value in found.items()}
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in measures}
    for counts in resample(strata, cells=len(truth), seed=seed, draws=draws):
        weights = ranking.weigh(counts)
        for name, measure in measures.items():
            drawn[name].append(measure(*weights))
    return {name: with_interval(value, np.concatenate(drawn[name])) for name, value in found.items()}


def wilson(successes: int, trials: int, *, patients: int | None = None) -> Figure:
    """A share with its 95 % Wilson score interval (doi:10.1080/01621459.1927.10502953).

    Args:
        patients: Independent units behind the trials; None takes every trial for one.
    """
    if trials == 0:
        return without_interval(None, "no case of this class")
    z = 1.959963984540054
    share, n = successes / trials, trials if patients is None else min(patients, trials)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return {"value": share, "low": max(0.0, float(middle - half)), "high": min(1.0, float(middle + half))}


@dataclass(frozen=True, eq=False)
class PatientScores:
    """One score a patient.

    Args:
        patients: `(p,)` in the order of first appearance.
        scores: `(p,)`.
        labels: `(p,)` bool; a patient with one abnormal image is abnormal.
        images: `(p,)` images behind each score.
    """

    patients: tuple[Any, ...]
    scores: np.ndarray
    labels: np.ndarray
    images: np.ndarray


def aggregate_patients(
    scores: Sequence[float] | np.ndarray,
    labels: Sequence[Any] | np.ndarray,
    patients: Sequence[Any],
    how: How = "max",
    *,
    top_share: float = 0.1,
) -> PatientScores:
    """One score a patient from the scores of the images: the largest, the mean, the median or the mean of the top.

    Args:
        patients: `(n,)`; an image whose patient is None stands alone.
        top_share: For "top": share of a patient's images, at least one.

    Raises:
        SettingError: on an unknown `how` or a share outside (0, 1].
        ShapeError: if the lengths differ.
    """
    if how not in _POOLS:
        raise SettingError(f"how is {how!r}, expected one of {', '.join(_POOLS)}")
    if not 0 < top_share <= 1:
        raise SettingError(f"top_share is {top_share}, expected above 0 and at most 1")
    truth, values = check_labels(labels), check_scores(scores, len(labels))
    members = number_groups(patients, len(truth))
    order = np.argsort(members, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(members[order])) + 1) if len(order) else []
    return PatientScores(
        patients=tuple(patients[part[0]] for part in parts),
        scores=np.array([_POOLS[how](values[part], top_share) for part in parts]),
        labels=np.array([truth[part].any() for part in parts], bool),
        images=np.array([len(part) for part in parts], int),
    )


def of_so_many_patients(figures: Mapping[str, Figure], *, healthy: int, abnormal: int) -> dict[str, Figure]:
    """Figures by patient, without their intervals where a class has fewer than `LEAST_PATIENTS`; `"why"` counts them.

    Args:
        healthy: Patients without any abnormal case.
        abnormal: Patients with one.
    """
    if min(healthy, abnormal) >= LEAST_PATIENTS:
        return dict(figures)
    why = f"{healthy} healthy and {abnormal} abnormal patients, fewer than {LEAST_PATIENTS} of a class: no interval"
    return {
        name: figure if figure["value"] is None else {**figure, "low": None, "high": None, "why": why}
        for name, figure in figures.items()
    }


def count_cases(labels: Sequence[Any] | np.ndarray, *, groups: Sequence[Any] | None = None) -> dict[str, int]:
    """How many images the figures rest on, and how many patients if `groups` is given."""
    truth = check_labels(labels)
    members = number_groups(groups, len(truth))
    counts = {"images": len(truth), "healthy": int((~truth).sum()), "abnormal": int(truth.sum())}
    if groups is not None:
        counts["patients"] = len(np.unique(members))
        counts["patients_with_abnormal"] = len(np.unique(members[truth]))
    return counts


def check_labels(labels: Sequence[Any] | np.ndarray, *, what: str = "labels") -> np.ndarray:
    """Labels as bool `(n,)`; the words of `types.Label` are taken too."""
    given = np.asarray(labels)
    if given.ndim != 1:
        raise ShapeError(f"{what} have shape {given.shape}, expected one a case")
    if given.dtype == bool or len(given) == 0:
        return given.astype(bool)
    if given.dtype.kind == "U" and set(given.tolist()) <= {"healthy", "abnormal"}:
        return given == "abnormal"
    if given.dtype.kind not in "iuf" or not np.isin(given, (0, 1)).all():
        others = sorted({str(value) for value in given.tolist()} - {"0", "1"})[:5]
        raise SettingError(f"{what} hold {', '.join(others)}; expected 0 or False (healthy) and 1 or True (abnormal)")
    return given == 1


def check_scores(scores: Sequence[float] | np.ndarray, count: int) -> np.ndarray:
    """Scores as float64 `(count,)` without NaN; infinite ones have a rank and may stay."""
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (count,):
        raise ShapeError(f"scores have shape {values.shape}, expected ({count},) as the labels")
    broken = int(np.isnan(values).sum())
    if broken:
        raise SettingError(
            f"{broken} of {count} scores are not a number; leave those cases out and count them as failed"
        )
    return values


def missing_class(truth: np.ndarray) -> str | None:
    """Why a figure that needs both classes cannot be told, if so."""
    if len(truth) == 0:
        return "no cases"
    if truth.all():
        return "only abnormal cases"
    return None if truth.any() else "only healthy cases"


def _at(specificities: Sequence[float]) -> dict[str, Measure]:
    """The sensitivity at each specificity, by its name in the record."""
    return {f"{share:.2f}": partial(curves.sensitivity_at, specificity=share) for share in specificities}


_RANKED: dict[str, Measure] = {
    "auroc": auroc,
    "average_precision": average_precision,
}


def _mean_of_top(values: np.ndarray, share: float) -> float:
    count = max(1, int(np.ceil(share * len(values))))
    return float(np.partition(values, len(values) - count)[len(values) - count :].mean())


_POOLS: dict[str, Callable[[np.ndarray, float], float]] = {
    "max": lambda values, share: float(values.max()),
    "mean": lambda values, share: float(values.mean()),
    "median": lambda values, share: float(np.median(values)),
    "top": _mean_of_top,
}
