"""Confusion: what decisions about patches or patients come to, as precision, recall, F1 and specificity."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.metrics import Figure, check_labels, wilson
from halescan.evaluation.resampling import (
    can_resample,
    number_groups,
    resample,
    strata_of,
    with_interval,
    without_interval,
)

_ONE_PATIENT = "fewer than two patients of a class: no interval"


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
    truth, above = check_labels(labels), check_labels(decisions, what="decisions")
    if len(above) != len(truth):
        raise ShapeError(f"{len(above)} decisions for {len(truth)} labels; expected one a case")
    members = number_groups(groups, len(truth))
    kinds = np.stack([truth & above, truth & ~above, ~truth & above, ~truth & ~above]).astype(np.int64)
    totals = kinds.sum(axis=1)
    found: dict[str, Any] = {name: _one(measure, totals) for name, measure in _MEASURES.items()}
    strata = strata_of(truth, members)
    if len(truth) and can_resample(strata):
        apiece = np.stack([np.bincount(members, weights=kind) for kind in kinds], axis=1)
        drawn = np.concatenate([c @ apiece for c in resample(strata, cells=len(truth), seed=seed, draws=draws)]).T
        for name, measure in _MEASURES.items():
            if found[name]["value"] in (0.0, 1.0):
                found[name] = _at_the_end(found[name]["value"], apiece[:, list(_COUNTED[name])])
            elif found[name]["value"] is not None:
                with np.errstate(invalid="ignore", divide="ignore"):
                    found[name] = with_interval(found[name]["value"], measure(drawn))
    names = ("hits", "misses", "false_alarms", "passes")
    found["counts"] = dict(zip(names, (int(count) for count in totals), strict=True))
    return found


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


def _one(measure: Callable[[np.ndarray], np.ndarray], totals: np.ndarray) -> Figure:
    """A figure without interval; None where there is nothing to divide by."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(measure(totals.astype(np.float64)))
    return without_interval(value, _ONE_PATIENT) if np.isfinite(value) else without_interval(None, "no such case")


def _at_the_end(value: float, apiece: np.ndarray) -> Figure:
    """Wilson's interval of a figure that is 0 or 1; `apiece` `(patients, kinds)` counts the cases behind it."""
    units = int((apiece.sum(axis=1) > 0).sum())
    return wilson(round(value) * units, units)


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


_MEASURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "specificity": _specificity,
    "negative_precision": _negative_precision,
    "negative_f1": _negative_f1,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced,
}
_COUNTED: dict[str, tuple[int, ...]] = {  # the kinds (hits, misses, false alarms, passes) that a measure divides by
    "precision": (0, 2),
    "recall": (0, 1),
    "f1": (0, 1, 2),
    "specificity": (2, 3),
    "negative_precision": (1, 3),
    "negative_f1": (1, 2, 3),
    "accuracy": (0, 1, 2, 3),
    "balanced_accuracy": (0, 1, 2, 3),
}
