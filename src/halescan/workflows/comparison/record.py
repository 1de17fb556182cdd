"""Record: from the figures of all cells to the content of `comparison.json`."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from halescan import __version__
from halescan.detectors import find_detector
from halescan.evaluation.results import plain
from halescan.reporting.words import note_sentence
from halescan.scoring.calibration import units_for
from halescan.workflows.cases import cases_of
from halescan.workflows.comparison.beside import above_chance, differences, robustness, shortcuts, subgroups, trivial
from halescan.workflows.comparison.done import Done, by_row
from halescan.workflows.comparison.machine import machine
from halescan.workflows.comparison.plan import DataSet, Method
from halescan.workflows.comparison.ranking import COSTS, ranking_of
from halescan.workflows.comparison.summary import summary_of
from halescan.workflows.comparison.words import without_files
from halescan.workflows.judged import label_of
from halescan.workflows.model import packages

SCHEMA = "halescan.comparison/1"
_COLOURS = "the colours of the maps come from the scans learned from and mark too much"


def comparison_record(
    sets: Sequence[DataSet],
    methods: Sequence[Method],
    done: Sequence[Done],
    *,
    leaks: Mapping[str, Mapping[str, Any]],
    published: Sequence[Mapping[str, Any]],
    asked: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of `comparison.json`: plain values, no path and no id."""
    told = [
        _set_record(dataset, [one for one in done if one.cell.dataset is dataset], leaks[dataset.name], published)
        for dataset in sets
    ]
    return plain(
        {
            "schema": SCHEMA,
            "created_utc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "methods": [_method_record(method, sets, done) for method in methods],
            "sets": told,
            "summary": summary_of(told, [method.name for method in methods]),
            "published_elsewhere": [row for row in published if row["set"] not in {one.name for one in sets}],
            "cells": [_cell_record(one) for one in done],
            "conditions": {
                **asked,
                "machine": machine(),
                "packages": packages(),
                "halescan": __version__,
                "intervals": "95 %, bootstrap over patients, 1000 draws; where there are several seeds, over those too",
            },
        }
    )


def _set_record(
    dataset: DataSet,
    done: Sequence[Done],
    leaks: Mapping[str, Any],
    published: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    rows = {method: cells for (_, method), cells in by_row(done).items()}
    ranking = ranking_of(rows)
    metrics = [cell.file("metrics.json") for cells in rows.values() for cell in cells if cell.outcome.result]
    first = next(iter(metrics), {})
    return {
        "name": dataset.name,
        "profile": dataset.profile.name,
        "profile_detected": dataset.detected,
        "train": _training(dataset),
        "n": first.get("n") or _planned(dataset),
        "fingerprints": dict(dataset.fingerprints),
        "warnings": [
            *(one["sentence"] for one in leaks["warnings"] if one["level"] != "minor"),
            *shortcuts(ranking, rows),
            *_single_patient(dataset),
        ],
        "above_chance": above_chance(ranking),
        "remarks": [
            *(one["sentence"] for one in leaks["warnings"] if one["level"] == "minor"),
            *_not_calibrated(dataset, done),
        ],
        "baselines": trivial(rows),
        "ranking": ranking,
        "published": [dict(row) for row in published if row["set"] == dataset.name],
        "subgroups": subgroups(ranking, rows),
        "robustness": robustness(rows),
        "differs_from_reference": differences(rows),
    }


def _single_patient(dataset: DataSet) -> list[str]:
    """That one patient tells nothing of how healthy people vary."""
    if dataset.units != 1:
        return []
    return [
        f"all {len(dataset.train_cohort)} healthy training scans are of one patient: how healthy people vary cannot be "
        f"learned from them, no method is calibrated, there are no decisions, and {_COLOURS}"
    ]


def _not_calibrated(dataset: DataSet, done: Sequence[Done]) -> list[str]:
    """Why there are no decisions, where the plan left calibrating out."""
    units = dataset.units
    if units is None or units == 1 or all(one.cell.request.get("folds", True) for one in done):
        return []
    rate = done[0].cell.request["false_alarms"]
    strictest = math.ceil(1000 / (units + 1)) / 10
    who = "patients" if dataset.train_cohort.patients else "patients or groups of near-copies"
    return [
        f"{units} healthy {who} do not support a false-alarm rate of {100 * rate:g} % ({units_for(rate)} would): no "
        f"method was calibrated (five more trainings each), there are no decisions, and {_COLOURS}. "
        f"--false-alarms {strictest / 100:g} or more calibrates them"
    ]


def _planned(dataset: DataSet) -> dict[str, int]:
    """How many cases there are to test on, where no method has come through to tell."""
    labels = [label_of(case) for case in cases_of(dataset.test_cohort)]
    return {"images": len(labels), **{kind: labels.count(kind) for kind in ("healthy", "abnormal")}}


def _training(dataset: DataSet) -> dict[str, Any]:
    cohort = dataset.train_cohort
    told = {"left-out", "patient-in-both-splits"}  # of the latter the leak detector tells more
    notes = [note_sentence(note, "en") for note in cohort.notes if note.key not in told]
    return {"scans": len(cohort), "patients": cohort.patients, "notes": notes}


def _method_record(method: Method, sets: Sequence[DataSet], done: Sequence[Done]) -> dict[str, Any]:
    """A method with its source, and its settings on each set."""
    names = {dataset.name: method.detector_on(dataset.profile) for dataset in sets}
    kinds = {name: find_detector(name) for name in dict.fromkeys(names.values())}
    settings = {
        one.cell.dataset.name: _settings(one.cell.request) for one in done if one.cell.method.name == method.name
    }
    return {
        "name": method.name,
        "baseline": method.baseline,
        "detectors": names,
        "supervised": any(kind.needs_abnormal for kind in kinds.values()),
        "summary": kinds[method.name].summary if method.name in kinds else "the detector each profile recommends",
        "sources": {name: kind.source for name, kind in kinds.items()},
        "settings": settings,
    }


def _settings(request: Mapping[str, Any]) -> dict[str, Any]:
    """A cell's settings that were used: steps of an encoder were not where a backbone was at hand."""
    at_hand = str(request.get("encoder", "")).startswith("{")
    return {key: value for key, value in request["settings"].items() if not (at_hand and key == "encoder_steps")}


def _cell_record(done: Done) -> dict[str, Any]:
    cell, result = done.cell, done.outcome.result
    told: dict[str, Any] = {
        "set": cell.dataset.name,
        "method": cell.method.name,
        "detector": cell.detector,
        "seed": cell.seed,
        "cell": cell.key,
        "state": "failed" if result is None else "done",
    }
    if result is None:
        return {**told, "why": without_files(done.outcome.why_not)}
    metrics = done.file("metrics.json")
    cost = {key: result.get(key) for key in (*COSTS, "encoder", "problems")}
    return {**told, "image": metrics.get("image"), "pixel": metrics.get("pixel"), **cost}
