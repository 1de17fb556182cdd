"""Confusion: what yes-or-no decisions come to, as sensitivity, precision, F1 and specificity, and ordinal answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.metrics import ONE_PATIENT, Figure, check_labels, missing_class, wilson
from halescan.evaluation.resampling import (
    can_resample,
    number_groups,
    resample,
    strata_of,
    with_interval,
    without_interval,
)

Measure = Callable[[np.ndarray], np.ndarray]


def operating_point(
    labels: Sequence[Any] | np.ndarray,
    decisions: Sequence[Any] | np.ndarray,
    *,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, Any]:
    """What a yes-or-no decision is worth: sensitivity, specificity, balanced accuracy, F1 and the four counts.

    Sensitivity and specificity carry Wilson intervals with n the number of *patients* of that class (for several
    cases a patient this errs on the wide side); the other two a bootstrap over patients as in `image_metrics`.

    Args:
        labels: `(n,)` True or 1 is abnormal.
        decisions: `(n,)` True is "above the threshold". Cases whose decision was withheld do not belong here.

    Raises:
        ShapeError: if the lengths differ.
        SettingError: on values other than 0 and 1.
    """
    tally = _Tally.of(labels, decisions, groups)
    counts = tally.counts
    hits, misses, alarms, passes = counts.values()
    measures = {"balanced_accuracy": _balanced, "f1": _f1}
    lacking = missing_class(tally.truth)
    return {
        "sensitivity": wilson(hits, hits + misses, patients=tally.patients_with("hits", "misses")),
        "specificity": wilson(passes, passes + alarms, patients=tally.patients_with("false_alarms", "passes")),
        **(
            {name: without_interval(None, lacking) for name in measures}
            if lacking
            else tally.figures(measures, seed=seed, draws=draws)
        ),
        "counts": counts,
    }


def confusion_figures(
    labels: Sequence[Any] | np.ndarray,
    decisions: Sequence[Any] | np.ndarray,
    *,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, Any]:
    """Precision, recall (sensitivity), F1 and specificity of the positive class, precision and F1 of the negative one,
    accuracy and balanced accuracy, each with a 95 % bootstrap over patients; and the four counts.

    Where nothing or everything is right no draw differs, and a bootstrap would claim to be certain: the interval is
    then Wilson's, over the patients whose cases count there.

    What cannot be told (the precision of no alarm) is None with `"why"`.

    Args:
        labels: `(n,)` True or 1 is positive.
        decisions: `(n,)` True is called positive.
        groups: `(n,)` patient of each case; None makes each case a patient.

    Raises:
        ShapeError: if the lengths differ.
        SettingError: on values other than 0 and 1.
    """
    tally = _Tally.of(labels, decisions, groups)
    found: dict[str, Any] = tally.figures(_MEASURES, seed=seed, draws=draws)
    for name, figure in found.items():
        if tally.can_resample and figure["value"] in (0.0, 1.0):
            units = tally.patients_with(*_COUNTED[name])
            found[name] = wilson(round(figure["value"]) * units, units)
    return {**found, "counts": tally.counts}


def ordinal_table(truth: Sequence[str], answers: Sequence[str], *, order: Sequence[str]) -> dict[str, Any]:
    """An ordinal answer against the truth: the table `(true, answered)`, accuracy, and Cohen's kappa with quadratic
    weights (doi:10.1037/h0026256), which forgives a neighbour more than the far end.

    Raises:
        ShapeError: if the lengths differ.
        SettingError: for a word that is not in the order.
    """
    if len(truth) != len(answers):
        raise ShapeError(f"{len(answers)} answers for {len(truth)} patients; expected one each")
    strange = sorted((set(truth) | set(answers)) - set(order))
    if strange:
        raise SettingError(f"answers hold {strange[0]!r}; expected {', '.join(order)}")
    table = np.zeros((len(order), len(order)), np.int64)
    for real, said in zip(truth, answers, strict=True):
        table[order.index(real), order.index(said)] += 1
    total = int(table.sum())
    places = np.arange(len(order))
    apart = (places[:, None] - places) ** 2 / max(1, len(order) - 1) ** 2
    chance = np.outer(table.sum(1), table.sum(0)) / max(total, 1)
    expected = float((apart * chance).sum())
    kappa = None if expected == 0 else 1 - float((apart * table).sum()) / expected
    return {
        "order": list(order),
        "table": table.tolist(),
        "accuracy": float(np.trace(table)) / total if total else None,
        "quadratic_kappa": kappa,
    }


_KINDS = ("hits", "misses", "false_alarms", "passes")


@dataclass(frozen=True, eq=False)
class _Tally:
    """Decisions counted by patient.

    Args:
        truth: `(n,)` bool.
        members: `(n,)` number of each case's patient.
        apiece: `(patients, 4)` how many of each of `_KINDS` every patient brings.
    """

    truth: np.ndarray
    members: np.ndarray
    apiece: np.ndarray

    @classmethod
    def of(
        cls, labels: Sequence[Any] | np.ndarray, decisions: Sequence[Any] | np.ndarray, groups: Sequence[Any] | None
    ) -> "_Tally":
        truth, above = check_labels(labels), check_labels(decisions, what="decisions")
        if len(above) != len(truth):
            raise ShapeError(f"{len(above)} decisions for {len(truth)} labels; expected one a case")
        members = number_groups(groups, len(truth))
        kinds = (truth & above, truth & ~above, ~truth & above, ~truth & ~above)
        return cls(truth, members, np.stack([np.bincount(members, weights=kind) for kind in kinds], axis=1))

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind there are."""
        return {name: int(count) for name, count in zip(_KINDS, self.apiece.sum(axis=0), strict=True)}

    @property
    def can_resample(self) -> bool:
        """Whether an interval can be told."""
        return can_resample(strata_of(self.truth, self.members))

    def patients_with(self, *kinds: str) -> int:
        """Patients who bring a case of any of these kinds."""
        which = [_KINDS.index(kind) for kind in kinds]
        return int((self.apiece[:, which].sum(axis=1) > 0).sum())

    def figures(self, measures: Mapping[str, Measure], *, seed: int, draws: int) -> dict[str, Figure]:
        """Each measure, with a bootstrap over patients where there are two of each class."""
        found = {name: _one(measure, self.apiece.sum(axis=0)) for name, measure in measures.items()}
        if not self.can_resample:
            return found
        blocks = resample(strata_of(self.truth, self.members), cells=len(self.truth), seed=seed, draws=draws)
        drawn = np.concatenate([counts @ self.apiece for counts in blocks]).T
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                name: figure if figure["value"] is None else with_interval(figure["value"], measures[name](drawn))
                for name, figure in found.items()
            }


def _one(measure: Measure, totals: np.ndarray) -> Figure:
    """A figure without interval; None where there is nothing to divide by."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(measure(totals))
    return without_interval(value, ONE_PATIENT) if np.isfinite(value) else without_interval(None, "no such case")


def _precision(kinds: np.ndarray) -> np.ndarray:
    hits, _, alarms, _ = kinds
    return hits / (hits + alarms)


def _recall(kinds: np.ndarray) -> np.ndarray:
    hits, misses, _, _ = kinds
    return hits / (hits + misses)


def _specificity(kinds: np.ndarray) -> np.ndarray:
    _, _, alarms, passes = kinds
    return passes / (passes + alarms)


def _f1(kinds: np.ndarray) -> np.ndarray:
    hits, misses, alarms, _ = kinds
    return 2 * hits / (2 * hits + misses + alarms)


def _negative_precision(kinds: np.ndarray) -> np.ndarray:
    _, misses, _, passes = kinds
    return passes / (passes + misses)


def _negative_f1(kinds: np.ndarray) -> np.ndarray:
    _, misses, alarms, passes = kinds
    return 2 * passes / (2 * passes + misses + alarms)


def _accuracy(kinds: np.ndarray) -> np.ndarray:
    hits, misses, alarms, passes = kinds
    return (hits + passes) / (hits + misses + alarms + passes)


def _balanced(kinds: np.ndarray) -> np.ndarray:
    return 0.5 * (_recall(kinds) + _specificity(kinds))


_MEASURES: dict[str, Measure] = {
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "specificity": _specificity,
    "negative_precision": _negative_precision,
    "negative_f1": _negative_f1,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced,
}
_COUNTED: dict[str, tuple[str, ...]] = {  # the kinds that a measure divides by
    "precision": ("hits", "false_alarms"),
    "recall": ("hits", "misses"),
    "f1": ("hits", "misses", "false_alarms"),
    "specificity": ("false_alarms", "passes"),
    "negative_precision": ("misses", "passes"),
    "negative_f1": ("misses", "false_alarms", "passes"),
    "accuracy": _KINDS,
    "balanced_accuracy": _KINDS,
}
