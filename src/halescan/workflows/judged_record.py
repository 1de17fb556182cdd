"""From judged cases to the content of `metrics.json`: every figure with its interval, and the warnings in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from halescan.errors import SettingError
from halescan.evaluation.baselines import baseline_metrics, columns
from halescan.evaluation.confusion import operating_point
from halescan.evaluation.leaks import shortcut_warnings
from halescan.evaluation.metrics import (
    aggregate_patients,
    count_cases,
    image_figures,
    of_so_many_patients,
)
from halescan.evaluation.reliability import false_alarm_rate, reliability
from halescan.evaluation.resampling import number_groups
from halescan.evaluation.results import metrics_record
from halescan.evaluation.subgroups import parse_bands, subgroup_metrics
from halescan.workflows.judged import Judged, drawn_part

_CELLS = 20_000_000  # cases x draws: with very many cases intervals are narrow and steady with fewer draws
_LEAST_DRAWS = 200


@dataclass(frozen=True)
class Asked:
    """What an evaluation is asked for.

    Args:
        false_alarms: The rate at which decisions are counted.
        by: Columns of the table, perhaps with bands: `sex`, `age=40,60`.
        lesion_sizes: Inner limits between bands of lesion size; empty takes terciles.
        seed: Of the bootstrap.
    """

    false_alarms: float = 0.05
    by: tuple[str, ...] = ()
    lesion_sizes: tuple[float, ...] = ()
    seed: int = 0


def judged_record(
    judged: Judged,
    asked: Asked,
    *,
    about: Mapping[str, Any],
    strangeness: Mapping[str, np.ndarray],
    units: int | None,
    unit: str | None,
    spare: int = 0,
    reconstruction: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The record of one evaluation.

    Args:
        spare: Masks that are of no scan.
        strangeness: `(cases,)` of each trivial baseline that knows what healthy is.
        units: Healthy units behind the p-values, and what a unit is; None if nobody says.
    """
    labels, scores, groups = judged.labels, np.array(judged.scores, float), judged.groups
    options: dict[str, Any] = {"groups": groups, "seed": asked.seed, "draws": draws_for(len(labels))}
    image, at_specificities = image_figures(labels, scores, **options)
    baselines = baseline_metrics(labels, strangeness, values=columns(judged.trivial), **options)
    shortcuts = shortcut_warnings(image["auroc"]["value"], baselines)
    return metrics_record(
        image=image,
        sensitivity_at=at_specificities,
        n=count_cases(labels, groups=groups),
        pixel=judged.pixels.figures(seed=asked.seed) if judged.outlined and judged.pixels.images else None,
        lesions=_lesions(judged, asked),
        patient=_by_patient(judged, scores, options),
        operating_point=_operating_point(judged, options),
        reliability=_reliability(judged, units, unit, asked.seed),
        subgroups=_subgroups(judged, scores, asked, options),
        reconstruction=reconstruction,
        baselines=baselines,
        leaks=[shortcut.record() for shortcut in shortcuts],
        about={
            **about,
            "scans": sum(len(case.items) for case in judged.cases),
            "false_alarms": _false_alarms(judged, asked.false_alarms if judged.by_rate else None, units, unit),
            "masks": judged.masks.record(spare) if judged.outlined or spare else None,
            "left_out": {label: judged.left_out.count(label) for label in ("healthy", "abnormal")},
            "equal_scores": len(scores) > 1 and bool((scores == scores[0]).all()),
            "bootstrap_seed": asked.seed,
            "bootstrap_draws": options["draws"],
        },
    )


def draws_for(cases: int) -> int:
    """Bootstrap draws: 1000, fewer for very many cases."""
    return int(np.clip(_CELLS // max(cases, 1), _LEAST_DRAWS, 1000))


def _lesions(judged: Judged, asked: Asked) -> dict[str, Any] | None:
    """Figures lesion by lesion; None without maps, without a threshold for findings, or without outlined lesions."""
    if not judged.lesions.cases or not judged.outlined:
        return None
    return judged.lesions.record(
        bands=asked.lesion_sizes or None, seed=asked.seed, draws=draws_for(judged.lesions.cases)
    )


def _by_patient(judged: Judged, scores: np.ndarray, options: Mapping[str, Any]) -> dict[str, Any] | None:
    groups = judged.groups
    if groups is None or len(set(groups)) == len(groups):
        return None
    gathered = aggregate_patients(scores, judged.labels, groups, how="max")
    n = {"healthy": int((~gathered.labels).sum()), "abnormal": int(gathered.labels.sum())}
    image, at = image_figures(gathered.labels, gathered.scores, seed=options["seed"], draws=options["draws"])
    image, at = of_so_many_patients(image, **n), of_so_many_patients(at, **n)
    ill, well = ({groups[place] for place in np.flatnonzero(judged.labels == called)} for called in (True, False))
    return {**image, "sensitivity_at": at, "pooled_by": "max", "n": n, "with_both": len((ill & well) - {None})}


def _operating_point(judged: Judged, options: Mapping[str, Any]) -> dict[str, Any] | None:
    if judged.above is None:
        return None
    return {**operating_point(judged.labels, judged.above, **options), "threshold": judged.threshold}


def _reliability(judged: Judged, units: int | None, unit: str | None, seed: int) -> dict[str, Any] | None:
    """Of the healthy cases' p-values; None where any has none."""
    healthy = ~judged.labels
    p_values = [p for p, taken in zip(judged.p_values, healthy, strict=True) if taken]
    if not p_values or None in p_values:
        return None
    known = [p for p in p_values if p is not None]
    patients = drawn_part(judged.patients, healthy)
    counted = "patient" if patients and all(patients) else "case" if unit == "patient" else unit
    return {**reliability(known, units=units, groups=patients, seed=seed), "unit": counted}


def _subgroups(
    judged: Judged, scores: np.ndarray, asked: Asked, options: Mapping[str, Any]
) -> dict[str, dict[str, Any]] | None:
    if not asked.by:
        return None
    found = {}
    for name, bands in map(parse_bands, asked.by):
        try:
            found[name] = subgroup_metrics(
                judged.labels, scores, judged.column(name), decisions=judged.above, bands=bands, **options
            )
        except SettingError as error:
            raise SettingError(f"column {name!r}: {error}") from error
    return found


def _false_alarms(judged: Judged, asked: float | None, units: int | None, unit: str | None) -> dict[str, Any]:
    """The realised false-alarm rate on the healthy cases, with its interval; None where nothing was decided."""
    facts: dict[str, Any] = {"asked": asked, "units": units, "unit": unit}
    above, healthy = judged.above, ~judged.labels
    if above is None or not healthy.any():
        return {**facts, "realised": None}
    patients = drawn_part(judged.patients, healthy) or []
    return {**facts, "realised": false_alarm_rate(above[healthy], groups=patients)}


def first_of_patients(judged: Judged) -> list[int]:
    """Number of the first case of each patient: one witness a patient."""
    return np.unique(number_groups(judged.patients, len(judged.cases)), return_index=True)[1].tolist()
