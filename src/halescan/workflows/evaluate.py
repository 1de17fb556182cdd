"""Evaluate: how well a model does on labelled scans, beside the trivial baselines."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from halescan.data.table import Cohort, Item, read_cohort
from halescan.errors import HalescanError, OutputError, ShapeError, TableError
from halescan.evaluation.baselines import Trivial, baseline_metrics, columns, trivial_statistics
from halescan.evaluation.metrics import aggregate_patients, count_cases, image_metrics, operating_point
from halescan.evaluation.pixels import PixelTally
from halescan.evaluation.results import metrics_record, plain
from halescan.io import read
from halescan.reporting.json_out import write_atomically, write_json
from halescan.reporting.plots import pr_plot, roc_plot, score_histogram
from halescan.scoring.calibration import Level
from halescan.scoring.patients import case_from_slices
from halescan.scoring.shift import Difference
from halescan.training.run import Progress, say_nothing
from halescan.types import Verdict
from halescan.workflows.cases import Case, Opened, item_key, opened
from halescan.workflows.healthy import embedding
from halescan.workflows.interpret import Read, measure_scans, place_back, together
from halescan.workflows.model import Model, load_model
from halescan.workflows.shift import LEAST
from halescan.workflows.train import cohort_fingerprint, digest


@dataclass(frozen=True)
class Evaluation:
    """What came of it: the content of `metrics.json`, and the scans that could not be used."""

    out: Path
    record: dict[str, Any]
    problems: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """For a program."""
        return {**self.record, "out": str(self.out), "problems": list(self.problems)}

    def lines(self) -> list[str]:
        """For a person."""
        record = self.record
        n = record["n"]
        lines = [f"{n['healthy']} healthy and {n['abnormal']} abnormal scans"]
        lines += [f"{level} {name}: {_figure(value)}" for level, name, value in _figures(record)]
        lines += _decision_lines(record)
        lines += ["", "trivial baselines (image AUROC; the last column read in whichever direction is better):"]
        for name, figures in record["baselines"].items():
            either = figures.get("auroc_either_direction")
            lines.append(
                f"  {name:<14} {_figure(figures.get('auroc')):<24} {_figure(either) if either else ''}".rstrip()
            )
        lines += ["", *(f"not used: {problem}" for problem in self.problems)] if self.problems else []
        return [*lines, f"figures, scores and plots: {self.out}"]


@dataclass
class _Rows:
    """What is gathered while the scans pass."""

    items: list[Item] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    trivial: list[dict[str, float]] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)
    facts: list[dict[str, float | str]] = field(default_factory=list)
    views: list[np.ndarray] = field(default_factory=list)
    mapped: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def evaluate(
    model: Path | str | Model,
    test: Path | str,
    *,
    out: Path | str,
    false_alarms: float = 0.05,
    table: Path | None = None,
    split: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    device: str = "auto",
    jobs: int | None = None,
    listen: Callable[[Progress], None] = say_nothing,
) -> Evaluation:
    """Measure a model on labelled scans and write `metrics.json`, `scores.csv` and plots.

    Nothing is chosen on the labels but what is marked "optimistic". Intervals are 95 % bootstraps over patients.

    Args:
        test: Folder with `healthy/`, `abnormal/` and perhaps `masks/`, or a table with labels.
        out: Folder of the results.
        seed: Of the bootstrap.

    Raises:
        TableError: if no scan has a label.
        OutputError: if `out` holds another evaluation and `overwrite` is not set.
    """
    out = Path(out)
    judge = load_model(model, device=device)
    cohort = _labelled(Path(test), table, split)
    request = digest([judge.facts.fingerprint, false_alarms, seed, cohort_fingerprint(cohort)])
    if (out / "metrics.json").exists() and not overwrite:
        return _done_already(out, request, cohort)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    tally = PixelTally(threshold=judge.map_threshold)
    rows = _measure_all(judge, cohort, tally, false_alarms, jobs or os.cpu_count() or 1, listen)
    if not rows.items:
        raise TableError(f"{test}: none of {len(cohort)} scans could be read: {rows.problems[0]}")
    record = _record(judge, rows, tally, false_alarms, seed)
    record["about"]["request_sha256"] = request
    _write(out, record, rows)
    return Evaluation(out, record, (*(str(p) for p in cohort.problems), *rows.problems))


def _done_already(out: Path, request: str, cohort: Cohort) -> Evaluation:
    """The evaluation of the same request, which need not be done twice."""
    try:
        record = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
        if record["about"]["request_sha256"] == request:
            return Evaluation(out, record, tuple(str(problem) for problem in cohort.problems))
    except (ValueError, KeyError, TypeError):
        pass
    raise OutputError(f"{out} holds another evaluation; choose another --out, or --overwrite to replace it")


def _labelled(test: Path, table: Path | None, split: str | None) -> Cohort:
    cohort = read_cohort(test, table=table, split=split)
    items = tuple(item for item in cohort.items if item.label is not None)
    if not items:
        raise TableError(
            f"{test}: no scan has a label. Put them into healthy/ and abnormal/, or give a table with a label column"
        )
    return Cohort(items, cohort.problems, cohort.notes)


def _measure_all(
    model: Model,
    cohort: Cohort,
    tally: PixelTally,
    false_alarms: float,
    jobs: int,
    listen: Callable[[Progress], None],
) -> _Rows:
    rows = _Rows()
    cases = [Case(item_key(item), (item,)) for item in cohort.items]
    done = 0
    for group in together(opened(cases, model.profile, jobs=jobs)):
        scans = [scan for _, some in group for scan in some]
        rows.problems += [f"{scan.item.source.path.name}: {scan.error}" for scan in scans if scan.scan is None]
        usable = [scan for scan in scans if scan.scan is not None]
        for scan, found in zip(usable, measure_scans(model, usable), strict=True):
            _note(model, rows, scan, found, tally, false_alarms)
        done += len(scans)
        listen(Progress("measuring", done, len(cohort)))
    return rows


def _note(model: Model, rows: _Rows, scan: Opened, found: Read, tally: PixelTally, false_alarms: float) -> None:
    """Keep the numbers of one scan; its map is counted and let go."""
    how, share = model.profile.slice_pooling
    level: Level = "volume" if len(found.scores) > 1 else "image"
    score = case_from_slices(found.scores, how=how, share=share).score
    images = np.stack([image.image for image in found.images])
    size = sum(file.stat().st_size for file in scan.item.source.files)
    try:
        _count_pixels(rows, scan.item, found, tally)
    except HalescanError as error:
        rows.problems.append(f"{scan.item.source.path.name}: mask not used: {error}")
    rows.items.append(scan.item)
    rows.scores.append(score)
    rows.verdicts.append(model.healthy.calibration.verdict(score, false_alarms, level=level))
    rows.trivial.append(trivial_statistics(images[len(images) // 2], file_bytes=size))
    rows.mean.append(float(model.mean.score(images).mean()))
    rows.facts.append(dict(found.images[0].facts))
    rows.views.append(embedding(images))


def _count_pixels(rows: _Rows, item: Item, found: Read, tally: PixelTally) -> None:
    """Count the map's pixels against the mask; a healthy scan has an empty one, an abnormal one without is left out."""
    if found.measured[0].maps is None or (item.label == "abnormal" and item.mask is None):
        return
    strangeness, _ = place_back(found)
    if strangeness is None:
        return
    truth = np.zeros(found.scan.shape, bool)
    if item.mask is not None and item.label == "abnormal":
        drawn = read(item.mask)
        truth = drawn.pixels[..., 0] > 0 if drawn.colour else drawn.pixels > 0
        if truth.shape != found.scan.shape:
            raise ShapeError(f"its shape {truth.shape} is not the scan's {found.scan.shape}")
    tally.add(strangeness, truth)
    rows.mapped.append(len(rows.items))


def _record(model: Model, rows: _Rows, tally: PixelTally, false_alarms: float, seed: int) -> dict[str, Any]:
    """The content of `metrics.json`."""
    labels = np.array([item.label == "abnormal" for item in rows.items])
    scores = np.array(rows.scores)
    patients = [item.patient for item in rows.items]
    groups = patients if all(patients) else None
    decided = [verdict.decision != "withheld" for verdict in rows.verdicts]
    masks = any(item.mask is not None for item in rows.items)
    return metrics_record(
        image=image_metrics(labels, scores, groups=groups, seed=seed),
        n=count_cases(labels, groups=groups),
        pixel=tally.figures(groups=_some(groups, rows.mapped), seed=seed) if masks and rows.mapped else None,
        patient=_by_patient(labels, scores, groups, model, seed),
        operating_point=_operating_point(rows, labels, groups, seed) if all(decided) else None,
        baselines=_baselines(model, rows, labels, groups, seed),
        about={
            "model": model.facts.fingerprint,
            "detector": model.detector.name,
            "profile": model.profile.name,
            "false_alarms": _false_alarms(model, rows, labels, groups, false_alarms),
            "differs_from_reference": [_difference(found) for found in _shift(model, rows, labels)],
            "bootstrap_seed": seed,
        },
    )


def _some(groups: Sequence[Any] | None, which: Sequence[int]) -> list[Any] | None:
    return None if groups is None else [groups[number] for number in which]


def _by_patient(
    labels: np.ndarray, scores: np.ndarray, groups: Sequence[Any] | None, model: Model, seed: int
) -> dict[str, Any] | None:
    if groups is None or len(set(groups)) == len(groups):
        return None
    gathered = aggregate_patients(scores, labels, groups, how="max")
    return {**image_metrics(gathered.labels, gathered.scores, seed=seed), "pooled_by": "max"}


def _operating_point(rows: _Rows, labels: np.ndarray, groups: Sequence[Any] | None, seed: int) -> dict[str, Any]:
    decisions = [verdict.decision == "above" for verdict in rows.verdicts]
    return {**operating_point(labels, decisions, groups=groups, seed=seed), "threshold": rows.verdicts[0].threshold}


def _baselines(
    model: Model, rows: _Rows, labels: np.ndarray, groups: Sequence[Any] | None, seed: int
) -> dict[str, dict[str, Any]]:
    strangeness = Trivial().fit(model.healthy.trivial).score(rows.trivial)
    strangeness["healthy-mean"] = np.array(rows.mean)
    return baseline_metrics(labels, strangeness, values=columns(rows.trivial), groups=groups, seed=seed)


def _false_alarms(
    model: Model, rows: _Rows, labels: np.ndarray, groups: Sequence[Any] | None, asked: float
) -> dict[str, Any]:
    """The realised false-alarm rate on the healthy scans, with its exact interval."""
    calibration = model.healthy.calibration
    above = [v.decision == "above" for v, sick in zip(rows.verdicts, labels, strict=True) if not sick]
    facts: dict[str, Any] = {"asked": asked, "units": calibration.units, "unit": calibration.unit}
    if not above or any(verdict.decision == "withheld" for verdict in rows.verdicts):
        return {**facts, "realised": None}
    interval = binomtest(sum(above), len(above)).proportion_ci()
    return {**facts, "realised": {"value": float(np.mean(above)), "low": interval.low, "high": interval.high}}


def _shift(model: Model, rows: _Rows, labels: np.ndarray) -> tuple[Difference, ...]:
    """In what the healthy scans differ from the reference: disease is not what makes these differ."""
    healthy = np.flatnonzero(~labels)
    if len(healthy) < LEAST:
        return ()
    facts = [rows.facts[number] for number in healthy]
    return model.healthy.reference.compare(facts, np.stack([rows.views[number] for number in healthy])).differences


def _difference(found: Difference) -> dict[str, Any]:
    return plain({"feature": found.feature, "effect": found.effect, "p_value": found.p_value})


def _write(out: Path, record: dict[str, Any], rows: _Rows) -> None:
    labels = np.array([item.label == "abnormal" for item in rows.items])
    scores = np.array(rows.scores)
    write_atomically(_scores_csv(rows), out / "scores.csv")
    threshold = rows.verdicts[0].threshold
    auroc = record["image"]["auroc"]
    title = f"{record['about']['detector']} on {record['about']['profile']}"
    score_histogram(labels, scores, out / "scores.png", threshold=threshold, auroc=auroc, title=title)
    if labels.any() and not labels.all():
        roc_plot(labels, scores, out / "roc.png", auroc=auroc, point=record["operating_point"], title=title)
        average = record["image"]["average_precision"]
        pr_plot(labels, scores, out / "pr.png", average_precision=average, title=title)
    write_json(record, out / "metrics.json")


def _scores_csv(rows: _Rows) -> str:
    """One row a scan: its file, label, score, p-value and decision; patients as numbers, never by name."""
    numbers: dict[str, int] = {}
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["file", "index", "label", "patient", "score", "p_value", "decision"])
    for item, score, verdict in zip(rows.items, rows.scores, rows.verdicts, strict=True):
        patient = "" if item.patient is None else numbers.setdefault(item.patient, len(numbers) + 1)
        place = item.source.path
        index = "" if item.source.index is None else item.source.index
        p_value = "" if verdict.p_value is None else f"{verdict.p_value:.6g}"
        writer.writerow(
            [f"{place.parent.name}/{place.name}", index, item.label, patient, f"{score:.9g}", p_value, verdict.decision]
        )
    return sink.getvalue()


def _figures(record: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for level, names in (
        ("image", ("auroc", "average_precision")),
        ("patient", ("auroc", "average_precision")),
        ("pixel", ("average_precision", "best_dice", "dice")),
    ):
        for name in names:
            if record[level] is not None and name in record[level]:
                yield level, name, record[level][name]


def _figure(figure: dict[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "none" if figure is None else f"none ({figure.get('why', 'not defined')})"
    interval = "" if figure.get("low") is None else f" ({figure['low']:.3f} to {figure['high']:.3f})"
    return f"{figure['value']:.3f}{interval}" + (" optimistic" if figure.get("optimistic") else "")


def _decision_lines(record: dict[str, Any]) -> list[str]:
    alarms, point = record["about"]["false_alarms"], record["operating_point"]
    if point is None:
        return [
            f"no decision at {alarms['asked']:.1%} false alarms: too few healthy {alarms['unit']}s ({alarms['units']})"
        ]
    lines = [
        f"at {alarms['asked']:.1%} asked false alarms: realised {_figure(alarms['realised'])}, "
        f"sensitivity {_figure(point['sensitivity'])}"
    ]
    if record["about"]["differs_from_reference"]:
        features = ", ".join(found["feature"] for found in record["about"]["differs_from_reference"])
        lines.append(
            f"the healthy scans differ from the reference ({features}): another site, protocol or patient mix; "
            "halescan recalibrate sets the false-alarm rate anew"
        )
    return lines
