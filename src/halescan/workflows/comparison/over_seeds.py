"""Figures of a method on a set: the mean over the seeds that came through."""

from collections.abc import Mapping, Sequence
from typing import Any

from halescan.evaluation.metrics import of_so_many_patients


def mean_figure(metrics: Sequence[Mapping[str, Any]], *keys: str) -> dict[str, Any] | None:
    """The mean over seeds of a figure and of the ends of its interval; None where it is not there."""
    figures = []
    for record in metrics:
        found: Any = record
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping) and found.get("value") is not None:
            figures.append(found)
    if not figures:
        return None
    mean = {key: mean_of([figure.get(key) for figure in figures]) for key in ("value", "low", "high")}
    return {**mean, **({"optimistic": True} if figures[0].get("optimistic") else {})}


def mean_figures(metrics: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    keys = list(next((record[name] for record in metrics if record.get(name)), {}))
    return {key: mean_figure(metrics, name, key) for key in keys}


def patient_auroc(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The mean over seeds, without an interval where it rests on few patients."""
    found, n = mean_figure(metrics, "patient", "auroc"), next(iter(metrics), {}).get("n") or {}
    if found is None or "patients" not in n:
        return found
    ill = n["patients_with_abnormal"]
    return of_so_many_patients({"auroc": found}, healthy=n["patients"] - ill, abnormal=ill)["auroc"]


def lesions_found(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Lesions found at so many false findings a case, and at the threshold; the mean over seeds."""
    told = [record["lesions"] for record in metrics if (record.get("lesions") or {}).get("lesions")]
    if not told or len(told) != len(metrics):
        return None
    rates = {rate: mean_figure(told, "sensitivity_at", rate) for rate in told[0]["sensitivity_at"]}
    reached = {rate: all(one["sensitivity_at"][rate].get("reached") for one in told) for rate in rates}
    return {
        "lesions": told[0]["lesions"],
        "sensitivity_at": {
            rate: {**(figure or {"value": None}), "reached": reached[rate]} for rate, figure in rates.items()
        },
        "sensitivity": mean_figure(told, "at_threshold", "sensitivity"),
        "false_findings_per_case": mean_figure(told, "at_threshold", "false_findings_per_case"),
        "sensitivity_by_peak": mean_figure(told, "by_peak", "at_threshold", "sensitivity"),
    }


def reliability_of(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The test of the healthy cases' p-values in the first seed; None where they have none."""
    found = (metrics[0].get("reliability") if metrics else None) or {}
    test = found.get("uniform") or {}
    if test.get("p_value") is None:
        return None
    counted = {"cases": found["healthy"], "tested": found["patients"], "unit": found.get("unit") or "case"}
    return {**counted, **{key: test[key] for key in ("statistic", "p_value", "excess", "shortfall")}}


def false_alarms_of(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Asked and realised, the mean over seeds; `realised` is None where a decision was withheld."""
    told = [record["about"]["false_alarms"] for record in metrics if record.get("about", {}).get("false_alarms")]
    if not told:
        return None
    realised = mean_figure(told, "realised") if all(one.get("realised") for one in told) else None
    return {**{key: told[0].get(key) for key in ("asked", "units", "unit")}, "realised": realised}


def mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
