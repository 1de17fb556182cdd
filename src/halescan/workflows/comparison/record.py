"""Record: from the figures of all cells to the content of `comparison.json`, and what the page draws beside it."""

import csv
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from halescan import __version__
from halescan.detectors import find_detector
from halescan.errors import HalescanError
from halescan.evaluation.leaks import shortcut_sentence, shortcut_warnings
from halescan.evaluation.metrics import of_so_many_patients
from halescan.evaluation.ranks import holm, joined, mean_ranks
from halescan.evaluation.results import plain
from halescan.evaluation.roc import Points, as_points, precision_recall_points, roc_points
from halescan.evaluation.seeds import Drawn, draw, over_seeds, paired
from halescan.reporting.words import note_sentence
from halescan.synthesis.distortions import DISTORTIONS
from halescan.workflows.cases import cases_of
from halescan.workflows.comparison.plan import BASELINE, Cell, DataSet, Method
from halescan.workflows.comparison.run import Outcome
from halescan.workflows.comparison.words import without_files
from halescan.workflows.judged import label_of
from halescan.workflows.model import packages

SCHEMA = "halescan.comparison/1"
_COSTS = ("fit_s", "ms_an_image", "peak_mb", "peak_gpu_mb")
_GRID = np.linspace(0, 1, 201)


@dataclass(frozen=True, eq=False)
class Done:
    """A cell, its folder (None where it never ran), and what came of it."""

    cell: Cell
    folder: Path | None
    outcome: Outcome

    def file(self, name: str) -> dict[str, Any]:
        """A record in the cell's folder; empty without one."""
        try:
            found = json.loads((self.folder / name).read_text(encoding="utf-8")) if self.folder else {}
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, eq=False)
class Scored:
    """The cases of one method on one set, `scores (seeds, n)`; `p_values` are NaN where there are none."""

    labels: np.ndarray
    patients: tuple[str | None, ...]
    scores: np.ndarray
    p_values: np.ndarray


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
            "summary": _summary(told, [method.name for method in methods]),
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


def curves_of(done: Sequence[Done]) -> dict[str, dict[str, Any]]:
    """For each set and method what its curves are drawn from: ROC, precision-recall, realised false alarms."""
    found: dict[str, dict[str, Any]] = {}
    for (dataset, method), cells in _by_row(done).items():
        scored = _scored(cells)
        if scored is not None and scored.labels.any() and not scored.labels.all():
            found.setdefault(dataset, {})[method] = {
                "roc": _mean_curve(roc_points, scored),
                "pr": _mean_curve(precision_recall_points, scored),
                "alarms": _realised(scored),
                "froc": _froc(cells),
            }
    return found


def pictures_of(record: Mapping[str, Any], done: Sequence[Done]) -> dict[str, dict[str, Any]]:
    """For each set the pictures of its leading method: `{"method", "pictures": [{..., "bytes"}]}`."""
    found: dict[str, dict[str, Any]] = {}
    rows = _by_row(done)
    for one in record["sets"]:
        for line in _leading(one["ranking"]):
            cell = next((cell for cell in rows[one["name"], line["method"]] if cell.cell.seed == 0), None)
            told = [] if cell is None else cell.file("pictures/pictures.json").get("pictures", [])
            if cell is not None and cell.folder is not None and told:
                pictures = [{**each, "bytes": (cell.folder / "pictures" / each["file"]).read_bytes()} for each in told]
                found[one["name"]] = {"method": line["method"], "pictures": pictures}
                break
    return found


def machine() -> dict[str, Any]:
    """The machine in words, without its name."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}",
        "accelerator": _accelerator(),
    }


def _set_record(
    dataset: DataSet,
    done: Sequence[Done],
    leaks: Mapping[str, Any],
    published: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    rows = {method: cells for (_, method), cells in _by_row(done).items()}
    scored = {name: _scored(cells) for name, cells in rows.items()}
    drawn = {name: _drawn(one, "auroc") for name, one in scored.items()}
    ranking = [_line(name, cells, scored[name], drawn[name]) for name, cells in rows.items()]
    ranking.sort(key=lambda line: (line["auroc"] is None, -((line["auroc"] or {}).get("value") or 0)))
    _number(ranking)
    _against_best(ranking, drawn)
    _against_baseline(ranking, drawn)
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
            *_shortcuts(ranking, rows),
        ],
        "above_chance": _above_chance(ranking),
        "remarks": [one["sentence"] for one in leaks["warnings"] if one["level"] == "minor"],
        "baselines": _trivial(rows),
        "ranking": ranking,
        "published": [dict(row) for row in published if row["set"] == dataset.name],
        "subgroups": _subgroups(ranking, rows),
        "robustness": _robustness(rows),
        "differs_from_reference": _differences(rows),
    }


def _planned(dataset: DataSet) -> dict[str, int]:
    """How many cases there are to test on, where no method has come through to tell."""
    labels = [label_of(case) for case in cases_of(dataset.test_cohort)]
    return {"images": len(labels), **{kind: labels.count(kind) for kind in ("healthy", "abnormal")}}


def _line(name: str, cells: Sequence[Done], scored: Scored | None, drawn: Drawn | None) -> dict[str, Any]:
    """One row of a set's table: the mean over the seeds that came through, and what became of the others."""
    through = [cell for cell in cells if cell.outcome.result is not None]
    metrics = [cell.file("metrics.json") for cell in through]
    results = [cell.outcome.result or {} for cell in through]
    failures = sorted({without_files(cell.outcome.why_not) for cell in cells if cell.outcome.result is None})
    return {
        "method": name,
        "detector": cells[0].cell.detector,
        "baseline": name == BASELINE,
        "state": "done" if len(through) == len(cells) else "partly" if through else "failed",
        "why": "; ".join(failures),
        "seeds": len(through),
        "same_in_every_seed": cells[0].cell.once,
        "rank": None,
        "auroc": None if drawn is None else over_seeds(drawn),
        "average_precision": None if scored is None else _over_seeds(scored, "average_precision"),
        "sensitivity_at": _by_key(metrics, "sensitivity_at"),
        "patient_auroc": _patient_auroc(metrics),
        "pixel_average_precision": _mean_figure(metrics, "pixel", "average_precision"),
        "dice": _mean_figure(metrics, "pixel", "dice"),
        "best_dice": _mean_figure(metrics, "pixel", "best_dice"),
        "aupro": _mean_figure(metrics, "pixel", "aupro"),
        "froc_score": _mean_figure(metrics, "lesions", "froc_score"),
        "lesions": _lesions(metrics),
        "reliability": _reliability(metrics),
        "false_alarms": _false_alarms(metrics),
        "sensitivity": _mean_figure(metrics, "operating_point", "sensitivity"),
        "versus_best": None,
        "versus_baseline": None,
        "cost": _cost(results, through),
    }


def _number(ranking: list[dict[str, Any]]) -> None:
    """Ranks from 1; failed methods have none."""
    known = [line for line in ranking if line["auroc"] is not None and line["auroc"]["value"] is not None]
    for line in known:
        line["rank"] = 1 + sum(other["auroc"]["value"] > line["auroc"]["value"] + 1e-12 for other in known)


def _against_best(ranking: list[dict[str, Any]], drawn: Mapping[str, Drawn | None]) -> None:
    """The paired difference of every method to the best one, Holm-corrected over the set."""
    known = [line for line in ranking if line["rank"] is not None]
    best = drawn[known[0]["method"]] if known else None
    if best is None:
        return
    tests = []
    for line in known[1:]:
        mine = drawn[line["method"]]
        try:
            tests.append((line, None if mine is None else paired(mine, best)))
        except HalescanError as error:
            line["versus_best"] = {"why": str(error)}
    told = [(line, found) for line, found in tests if found is not None]
    corrected = holm([found.p_value for _, found in told])
    for (line, found), p_holm in zip(told, corrected, strict=True):
        line["versus_best"] = {
            "difference": found.difference,
            "low": found.low,
            "high": found.high,
            "p_value": found.p_value,
            "p_holm": p_holm,
            "test": found.method,
        }


def _against_baseline(ranking: list[dict[str, Any]], drawn: Mapping[str, Drawn | None]) -> None:
    """The paired difference of every method to the trivial baseline: what it has learned beyond a mean image."""
    baseline = drawn.get(BASELINE)
    for line in ranking:
        mine = drawn[line["method"]]
        if mine is None or baseline is None or mine is baseline:
            continue
        try:
            found = paired(mine, baseline)
        except HalescanError:  # one patient of a class: nothing can be told
            continue
        line["versus_baseline"] = {key: getattr(found, key) for key in ("difference", "low", "high", "p_value")}


def _lesions(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Lesions found at so many false findings a case, and at the threshold; the mean over seeds."""
    told = [record["lesions"] for record in metrics if (record.get("lesions") or {}).get("lesions")]
    if not told or len(told) != len(metrics):
        return None
    rates = {rate: _mean_figure(told, "sensitivity_at", rate) for rate in told[0]["sensitivity_at"]}
    reached = {rate: all(one["sensitivity_at"][rate].get("reached") for one in told) for rate in rates}
    return {
        "lesions": told[0]["lesions"],
        "sensitivity_at": {
            rate: {**(figure or {"value": None}), "reached": reached[rate]} for rate, figure in rates.items()
        },
        "sensitivity": _mean_figure(told, "at_threshold", "sensitivity"),
        "false_findings_per_case": _mean_figure(told, "at_threshold", "false_findings_per_case"),
        "sensitivity_by_peak": _mean_figure(told, "by_peak", "at_threshold", "sensitivity"),
    }


def _reliability(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The test of the healthy cases' p-values in the first seed; None where they have none."""
    found = (metrics[0].get("reliability") if metrics else None) or {}
    test = found.get("uniform") or {}
    if test.get("p_value") is None:
        return None
    counted = {"cases": found["healthy"], "tested": found["patients"], "unit": found.get("unit") or "case"}
    return {**counted, **{key: test[key] for key in ("statistic", "p_value", "excess", "shortfall")}}


def _robustness(rows: Mapping[str, Sequence[Done]]) -> list[dict[str, Any]]:
    """Figures of each method's first seed under each distortion, from none to strong; empty where not asked for."""
    return [
        {"method": name, "title": DISTORTIONS[row["distortion"]].title, "unit": DISTORTIONS[row["distortion"]].unit}
        | {key: row.get(key) for key in ("distortion", "strength", "auroc", "false_alarm")}
        for name, cells in rows.items()
        for row in cells[0].file("robustness.json").get("rows", [])
        if row.get("distortion") in DISTORTIONS
    ]


def _froc(cells: Sequence[Done]) -> list[tuple[float, float]]:
    """Lesions found against false findings a case, of the first seed that came through."""
    first = next(cell for cell in cells if cell.outcome.result is not None)
    curve = (first.file("metrics.json").get("lesions") or {}).get("curve") or {}
    return list(zip(curve.get("false_findings_per_case", []), curve.get("sensitivity", []), strict=True))


def _summary(sets: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Mean AUROC and mean rank over the sets on which every method of the table came through."""
    table = {
        name: [
            next((line["auroc"]["value"] for line in one["ranking"] if line["method"] == name and line["rank"]), None)
            for one in sets
        ]
        for name in names
    }
    complete = [name for name, values in table.items() if None not in values]
    found: dict[str, Any] = {"sets": len(sets), "left_out": [name for name in names if name not in complete]}
    if not complete or not sets:
        return {**found, "rows": [], "p_value": None, "critical": None, "joined": []}
    figures = np.array([[table[name][place] for name in complete] for place in range(len(sets))], float)
    ranks = mean_ranks(figures)
    rows: list[dict[str, Any]] = [
        {"method": name, "mean_rank": rank, "mean_auroc": float(figures[:, place].mean()), "auroc": table[name]}
        for place, (name, rank) in enumerate(zip(complete, ranks.mean, strict=True))
    ]
    rows.sort(key=lambda row: (row["mean_rank"], -row["mean_auroc"]))
    alike = [[complete[place] for place in run] for run in joined(ranks.mean, ranks.critical)]
    return {**found, "rows": rows, "p_value": ranks.p_value, "critical": ranks.critical, "joined": alike}


def _by_row(done: Sequence[Done]) -> dict[tuple[str, str], list[Done]]:
    """Cells by set and method, seeds in order."""
    rows: dict[tuple[str, str], list[Done]] = {}
    for one in done:
        rows.setdefault((one.cell.dataset.name, one.cell.method.name), []).append(one)
    return {key: sorted(cells, key=lambda one: one.cell.seed) for key, cells in rows.items()}


def _scored(cells: Sequence[Done]) -> Scored | None:
    """The scores of all seeds on the same cases; None where no seed came through."""
    tables = [_read_scores(cell.folder / "scores.csv") for cell in cells if cell.outcome.result and cell.folder]
    if not tables:
        return None
    keys = [[(row["file"], row["index"], row["label"], row["patient"]) for row in table] for table in tables]
    same = [table for table, key in zip(tables, keys, strict=True) if key == keys[0]]
    first = same[0]
    patients = tuple(row["patient"] or None for row in first)
    return Scored(
        labels=np.array([row["label"] == "abnormal" for row in first]),
        patients=patients if all(patients) else tuple(None for _ in first),
        scores=np.array([[float(row["score"]) for row in table] for table in same]),
        p_values=np.array([[float(row["p_value"] or "nan") for row in table] for table in same]),
    )


def _read_scores(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _drawn(scored: Scored | None, metric: Any) -> Drawn | None:
    return None if scored is None else draw(scored.labels, scored.scores, groups=scored.patients, metric=metric)


def _over_seeds(scored: Scored, metric: str) -> dict[str, Any]:
    found = _drawn(scored, metric)
    assert found is not None
    return over_seeds(found)


def _mean_figure(metrics: Sequence[Mapping[str, Any]], *keys: str) -> dict[str, Any] | None:
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
    mean = {key: _mean([figure.get(key) for figure in figures]) for key in ("value", "low", "high")}
    return {**mean, **({"optimistic": True} if figures[0].get("optimistic") else {})}


def _patient_auroc(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The mean over seeds, without an interval where it rests on few patients."""
    found, n = _mean_figure(metrics, "patient", "auroc"), next(iter(metrics), {}).get("n") or {}
    if found is None or "patients" not in n:
        return found
    ill = n["patients_with_abnormal"]
    return of_so_many_patients({"auroc": found}, healthy=n["patients"] - ill, abnormal=ill)["auroc"]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _by_key(metrics: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    keys = list(next((record[name] for record in metrics if record.get(name)), {}))
    return {key: _mean_figure(metrics, name, key) for key in keys}


def _false_alarms(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Asked and realised, the mean over seeds; `realised` is None where a decision was withheld."""
    told = [record["about"]["false_alarms"] for record in metrics if record.get("about", {}).get("false_alarms")]
    if not told:
        return None
    realised = _mean_figure(told, "realised") if all(one.get("realised") for one in told) else None
    return {**{key: told[0].get(key) for key in ("asked", "units", "unit")}, "realised": realised}


def _cost(results: Sequence[Mapping[str, Any]], through: Sequence[Done]) -> dict[str, Any] | None:
    if not results:
        return None
    found = {
        key: _mean([one.get(key) for one in results]) for key in ("fit_s", "ms_an_image", "peak_mb", "peak_gpu_mb")
    }
    return {**found, "steps": through[0].cell.request.get("settings", {}).get("steps")}


def _trivial(rows: Mapping[str, Sequence[Done]]) -> list[dict[str, Any]]:
    """The trivial statistics of a set, the best first: they are the same whatever method was beside them."""
    cell = next((cell for cells in rows.values() for cell in cells if cell.outcome.result is not None), None)
    if cell is None:
        return []
    told = [{"name": name, **figures} for name, figures in cell.file("metrics.json").get("baselines", {}).items()]
    return sorted(told, key=_either, reverse=True)


def _either(figures: Mapping[str, Any]) -> float:
    """AUROC in whichever direction is better; 0 where it is not known."""
    found = figures.get("auroc_either_direction") or figures.get("auroc") or {}
    return float(found.get("value") or 0)


def _shortcuts(ranking: Sequence[Mapping[str, Any]], rows: Mapping[str, Sequence[Done]]) -> list[str]:
    """Trivial statistics that come near the best method, or beat it."""
    best = next(iter(_leading(ranking)), None)
    if best is None:
        return []
    cell = next(cell for cell in rows[best["method"]] if cell.outcome.result is not None)
    found = shortcut_warnings(best["auroc"]["value"], cell.file("metrics.json").get("baselines", {}))
    return [f"{best['method']}, on the scans as the profile prepares them: {shortcut_sentence(found)}"] if found else []


def _above_chance(ranking: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether the interval of any method's AUROC lies above 0.5; None where none came through."""
    known = [line["auroc"] for line in ranking if line["rank"] is not None]
    lows = [told["value"] if told["low"] is None else told["low"] for told in known]
    return any(low > 0.5 for low in lows) if lows else None


def _subgroups(ranking: Sequence[Mapping[str, Any]], rows: Mapping[str, Sequence[Done]]) -> dict[str, Any] | None:
    """The subgroups of the best method's first seed, where the record has them."""
    best = next(iter(_leading(ranking)), None)
    if best is None:
        return None
    cell = next(cell for cell in rows[best["method"]] if cell.outcome.result is not None)
    found = cell.file("metrics.json").get("subgroups")
    return {"method": best["method"], "columns": found} if found else None


def _leading(ranking: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The methods that came through, the best first; the trivial baseline last, wherever it stands."""
    return sorted((line for line in ranking if line["rank"] is not None), key=lambda line: line["baseline"])


def _differences(rows: Mapping[str, Sequence[Done]]) -> list[str]:
    """In what the healthy test scans differ from the calibration scans, by any method's record."""
    found: dict[str, None] = {}
    for cells in rows.values():
        for cell in cells:
            about = cell.file("metrics.json").get("about", {}) if cell.outcome.result else {}
            found |= {one["feature"]: None for one in about.get("differs_from_reference") or []}
    return list(found)


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
    cost = {key: result.get(key) for key in (*_COSTS, "encoder", "problems")}
    return {**told, "image": metrics.get("image"), "pixel": metrics.get("pixel"), **cost}


def _mean_curve(curve: Callable[..., Points], scored: Scored) -> Points:
    """The curve of one seed with all its corners, or the mean over seeds of its heights on a grid."""
    curves = [curve(scored.labels, row) for row in scored.scores]
    if len(curves) == 1:
        return curves[0]
    heights = [np.interp(_GRID, *np.transpose(one)) for one in curves]
    return as_points(_GRID, np.mean(heights, axis=0))


def _realised(scored: Scored) -> list[tuple[float, float]]:
    """Asked false-alarm rates, and the share of healthy cases whose p-value lies at or below them."""
    p_values = scored.p_values[:, ~scored.labels]
    if p_values.size == 0 or not np.isfinite(p_values).all():
        return []
    asked = np.linspace(0, 0.5, 101)
    return [(float(rate), float((p_values <= rate + 1e-12).mean())) for rate in asked]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _accelerator() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
