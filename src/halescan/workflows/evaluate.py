"""Evaluate: how well a model does on labelled scans, beside the trivial baselines."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from halescan.data.table import Cohort, Item, read_cohort
from halescan.errors import HalescanError, OutputError, ShapeError, TableError
from halescan.evaluation.baselines import Trivial, baseline_metrics, columns, trivial_statistics
from halescan.evaluation.metrics import aggregate_patients, count_cases, image_metrics, operating_point, wilson
from halescan.evaluation.pixels import PixelTally
from halescan.evaluation.results import metrics_record, plain
from halescan.io import read
from halescan.reporting.json_out import write_atomically, write_json
from halescan.reporting.plots import pr_plot, roc_plot, score_histogram
from halescan.scoring.patients import case_from_slices
from halescan.scoring.shift import Difference
from halescan.training.run import Progress, say_nothing
from halescan.types import Label, Scan, Verdict
from halescan.workflows.cases import Case, case_keys, cases_of, opened
from halescan.workflows.healthy import embedding
from halescan.workflows.interpret import Read, level_of, measure_scans, place_back, together
from halescan.workflows.model import Model, load_model
from halescan.workflows.shift import LEAST
from halescan.workflows.train import cohort_fingerprint, digest

_SAYS_NO_NAME = {
    "healthy",
    "abnormal",
    "images",
    "train",
    "test",
    "masks",
}  # other folders may be called after a patient
_OFF_GRID = 0.1  # voxels between the centres of a mask and those of its scan that are taken for rounding


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
        lines = [f"{n['healthy']} healthy and {n['abnormal']} abnormal {_counted(record)}"]
        lines += [f"{level} {name}: {_figure(value)}" for level, name, value in _figures(record)]
        lines += _decision_lines(record)
        lines += ["", "trivial baselines (image AUROC; the last column read in whichever direction is better):"]
        for name, figures in record["baselines"].items():
            either = figures.get("auroc_either_direction")
            lines.append(
                f"  {name:<14} {_figure(figures.get('auroc')):<24} {_figure(either) if either else ''}".rstrip()
            )
        lines += ["", *(f"problem: {problem}" for problem in self.problems)] if self.problems else []
        return [*lines, f"figures, scores and plots: {self.out}"]


@dataclass
class _Rows:
    """What is gathered while the cases pass, one entry a case; `mapped` has the case of each map that was counted."""

    cases: list[Case] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    trivial: list[dict[str, float]] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)
    facts: list[dict[str, float | str]] = field(default_factory=list)
    views: list[np.ndarray] = field(default_factory=list)
    mapped: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def labels(self) -> np.ndarray:
        """`(cases,)` True is abnormal."""
        return np.array([_label(case) == "abnormal" for case in self.cases])

    @property
    def patients(self) -> list[str | None]:
        """`(cases,)` None where nobody says."""
        return [next((item.patient for item in case.items if item.patient), None) for case in self.cases]


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

    A case is what `examine` makes one: a study, or else a scan; it is abnormal if one of its scans is. Nothing is
    chosen on the labels but what is marked "optimistic". Intervals are 95 % bootstraps over patients.

    `scores.csv` has a row a case with the name of its first scan's file, and that of the folder only where it is one of
    healthy, abnormal, images, train, test and masks, as other folders may be called after patients. A DICOM series is
    `series-` and the number of its row.

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
    if not rows.cases:
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
    """The scans of the cases with a label: as in `examine`, all scans of a study have their say."""
    cohort = read_cohort(test, table=table, split=split)
    keys = case_keys(cohort)
    known = {key for key, item in zip(keys, cohort.items, strict=True) if item.label is not None}
    if not known:
        raise TableError(
            f"{test}: no scan has a label. Put them into healthy/ and abnormal/, or give a table with a label column"
        )
    return replace(cohort, items=tuple(item for key, item in zip(keys, cohort.items, strict=True) if key in known))


def _label(case: Case) -> Label:
    return "abnormal" if any(item.label == "abnormal" for item in case.items) else "healthy"


def _measure_all(
    model: Model,
    cohort: Cohort,
    tally: PixelTally,
    false_alarms: float,
    jobs: int,
    listen: Callable[[Progress], None],
) -> _Rows:
    rows = _Rows()
    done = 0
    for group in together(opened(cases_of(cohort), model.profile, jobs=jobs)):
        scans = [scan for _, some in group for scan in some]
        rows.problems += [f"{scan.item.source.path.name}: {scan.error}" for scan in scans if scan.scan is None]
        readings = iter(measure_scans(model, [scan for scan in scans if scan.scan is not None]))
        for case, some in group:
            read_ones = [(scan.item, next(readings)) for scan in some if scan.scan is not None]
            if read_ones:
                _note(model, rows, case, read_ones, tally, false_alarms)
        done += len(scans)
        listen(Progress("measuring", done, len(cohort)))
    return rows


def _note(
    model: Model, rows: _Rows, case: Case, scans: Sequence[tuple[Item, Read]], tally: PixelTally, false_alarms: float
) -> None:
    """Keep the numbers of one case, pooled as `examine` does; its maps are counted and let go."""
    how, share = model.profile.slice_pooling
    scores = np.concatenate([found.scores for _, found in scans])
    level = level_of([found for _, found in scans])
    score = case_from_slices(scores, how=how, share=share).score
    images = np.stack([image.image for _, found in scans for image in found.images])
    for item, found in scans:
        try:
            _count_pixels(rows, item, found, tally)
        except HalescanError as error:
            rows.problems.append(f"{item.source.path.name}: mask not used: {error}")
    if {"healthy", "abnormal"} <= {item.label for item in case.items}:
        first = case.items[0].source.path.name
        rows.problems.append(f"{first}: scans of its study are labelled healthy and abnormal; it counts as abnormal")
    rows.cases.append(case)
    rows.scores.append(score)
    rows.verdicts.append(model.healthy.calibration.verdict(score, false_alarms, level=level))
    rows.trivial.append(_trivial(scans))
    rows.mean.append(float(model.mean.score(images).mean()))
    rows.facts.append(dict(scans[0][1].images[0].facts))
    rows.views.append(embedding(images))


def _trivial(scans: Sequence[tuple[Item, Read]]) -> dict[str, float]:
    """Of a case's middle image, and of the file it comes from.

    What they are compared with are single healthy images too: the first `calibrate.MOST_TRIVIAL`, slices one by one.
    """
    images = [(item, image) for item, found in scans for image in found.images]
    item, middle = images[len(images) // 2]
    return trivial_statistics(middle.image, file_bytes=sum(file.stat().st_size for file in item.source.files))


def _count_pixels(rows: _Rows, item: Item, found: Read, tally: PixelTally) -> None:
    """Count the map's pixels against the mask; a healthy scan has an empty one, another without is left out."""
    if found.measured[0].maps is None or (item.label != "healthy" and item.mask is None):
        return
    strangeness, _ = place_back(found)
    if strangeness is None:
        return
    truth = np.zeros(found.scan.shape, bool)
    if item.mask is not None and item.label != "healthy":
        truth = _onto(read(item.mask), found.scan)
    tally.add(strangeness, truth)
    rows.mapped.append(len(rows.cases))


def _onto(drawn: Scan, scan: Scan) -> np.ndarray:
    """A mask `(*scan.shape)` bool on the scan's voxels: by position where both know theirs, else as it is stored.

    Raises:
        ShapeError: if its voxels are not the scan's, however its axes are swapped and mirrored.
    """
    inside = drawn.pixels[..., 0] > 0 if drawn.colour else drawn.pixels > 0
    if scan.affine_lps is None or drawn.affine_lps is None or drawn.dims != scan.dims:
        if inside.shape != scan.shape:
            raise ShapeError(f"its shape {inside.shape} is not the scan's {scan.shape}")
        return inside
    corners = _corners(scan.affine_lps, scan.shape)
    found = [
        (float(np.linalg.norm(_corners(affine, scan.shape) - corners, axis=1).max()), order, steps)
        for affine, order, steps in _turned(drawn.affine_lps, inside.shape)
        if tuple(inside.shape[axis] for axis in order) == scan.shape
    ]
    if not found:
        raise ShapeError(f"its shape {inside.shape} is not the scan's {scan.shape}")
    off_mm, order, steps = min(found, key=lambda one: one[0])
    voxel_mm = float(np.linalg.norm(scan.affine_lps[:3, 3 - scan.dims : 3], axis=0).min())
    if off_mm > _OFF_GRID * voxel_mm:
        raise ShapeError(
            f"its voxels are up to {off_mm:.3g} mm from the scan's, however its axes are swapped and mirrored; "
            "resample it onto the scan, or correct its position"
        )
    return inside.transpose(order)[tuple(slice(None, None, step) for step in steps)]


def _turned(
    affine: np.ndarray, shape: tuple[int, ...]
) -> Iterator[tuple[np.ndarray, tuple[int, ...], tuple[int, ...]]]:
    """Every way to swap and mirror the axes of an array, none first: the affine `(4, 4)` then, and how to do it."""
    dims = len(shape)
    for order in permutations(range(dims)):
        for steps in product((1, -1), repeat=dims):
            turned = affine.copy()
            for axis, (old, step) in enumerate(zip(order, steps, strict=True), start=3 - dims):
                column = affine[:, 3 - dims + old]
                turned[:, axis] = step * column
                if step < 0:
                    turned[:, 3] += (shape[old] - 1) * column
            yield turned, order, steps


def _corners(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`(2^dims, 3)` positions of the corner voxels: where two grids agree on these they agree on all."""
    ends = [(0,)] * (3 - len(shape)) + [(0, size - 1) for size in shape]
    return np.array([(*corner, 1) for corner in product(*ends)]) @ affine[:3].T


def _record(model: Model, rows: _Rows, tally: PixelTally, false_alarms: float, seed: int) -> dict[str, Any]:
    """The content of `metrics.json`."""
    labels = rows.labels
    scores = np.array(rows.scores)
    patients = rows.patients
    groups = patients if all(patients) else None
    drawn_from = list(range(len(patients))) if groups is None else groups
    decided = [verdict.decision != "withheld" for verdict in rows.verdicts]
    masks = any(item.mask is not None for case in rows.cases for item in case.items)
    return metrics_record(
        image=image_metrics(labels, scores, groups=groups, seed=seed),
        n=count_cases(labels, groups=groups),
        pixel=tally.figures(groups=[drawn_from[n] for n in rows.mapped], seed=seed) if masks and rows.mapped else None,
        patient=_by_patient(labels, scores, groups, model, seed),
        operating_point=_operating_point(rows, labels, groups, seed) if all(decided) else None,
        baselines=_baselines(model, rows, labels, groups, seed),
        about={
            "model": model.facts.fingerprint,
            "detector": model.detector.name,
            "profile": model.profile.name,
            "scans": sum(len(case.items) for case in rows.cases),
            "false_alarms": _false_alarms(model, rows, labels, false_alarms),
            "differs_from_reference": [_difference(found) for found in _shift(model, rows, labels)],
            "bootstrap_seed": seed,
        },
    )


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


def _false_alarms(model: Model, rows: _Rows, labels: np.ndarray, asked: float) -> dict[str, Any]:
    """The realised false-alarm rate on the healthy cases, with its interval.

    The exact one (Clopper and Pearson) where each case is a patient of its own; where patients repeat, Wilson's with n
    the number of patients, which errs on the wide side. A case of an unknown patient counts as one.
    """
    calibration = model.healthy.calibration
    above = [v.decision == "above" for v, sick in zip(rows.verdicts, labels, strict=True) if not sick]
    facts: dict[str, Any] = {"asked": asked, "units": calibration.units, "unit": calibration.unit}
    if not above or any(verdict.decision == "withheld" for verdict in rows.verdicts):
        return {**facts, "realised": None}
    named = [patient for patient, sick in zip(rows.patients, labels, strict=True) if not sick and patient]
    repeats = len(named) - len(set(named))
    if repeats:
        return {**facts, "realised": wilson(sum(above), len(above), patients=len(above) - repeats)}
    interval = binomtest(sum(above), len(above)).proportion_ci()
    return {**facts, "realised": {"value": float(np.mean(above)), "low": interval.low, "high": interval.high}}


def _shift(model: Model, rows: _Rows, labels: np.ndarray) -> tuple[Difference, ...]:
    """In what the healthy scans differ from the reference: disease is not what makes these differ."""
    _, first = np.unique([name or str(n) for n, name in enumerate(rows.patients)], return_index=True)
    healthy = np.array([number for number in first if not labels[number]], np.intp)  # one witness a patient
    if len(healthy) < LEAST:
        return ()
    facts = [rows.facts[number] for number in healthy]
    return model.healthy.reference.compare(facts, np.stack([rows.views[number] for number in healthy])).differences


def _difference(found: Difference) -> dict[str, Any]:
    return plain({"feature": found.feature, "effect": found.effect, "p_value": found.p_value})


def _write(out: Path, record: dict[str, Any], rows: _Rows) -> None:
    labels = rows.labels
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
    """One row a case: its first file, label, score, p-value, decision and scans; patients as numbers, never by name."""
    numbers: dict[str, int] = {}
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["file", "index", "label", "patient", "score", "p_value", "decision", "scans"])
    table = zip(rows.cases, rows.patients, rows.scores, rows.verdicts, strict=True)
    for row, (case, who, score, verdict) in enumerate(table, start=1):
        patient = "" if who is None else numbers.setdefault(who, len(numbers) + 1)
        source = case.items[0].source
        index = "" if source.index is None else source.index
        p_value = "" if verdict.p_value is None else f"{verdict.p_value:.6g}"
        decided = [f"{score:.9g}", p_value, verdict.decision, len(case.items)]
        writer.writerow([_file_name(source.path, row), index, _label(case), patient, *decided])
    return sink.getvalue()


def _file_name(place: Path, row: int) -> str:
    """What a scan is called in `scores.csv`: folders' names stay out unless they are known to be nobody's."""
    if place.is_dir():
        return f"series-{row}"
    return f"{place.parent.name}/{place.name}" if place.parent.name.lower() in _SAYS_NO_NAME else place.name


def _counted(record: dict[str, Any]) -> str:
    cases, scans = record["n"]["images"], record["about"].get("scans", 0)
    return f"cases, {scans} scans in all" if scans > cases else "scans"


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
