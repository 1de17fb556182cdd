"""Evaluate: how well a model does on labelled scans, beside the trivial baselines."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from halescan import __version__
from halescan.data.table import Cohort, Item
from halescan.errors import HalescanError, TableError
from halescan.evaluation.baselines import Trivial, trivial_statistics
from halescan.evaluation.pixels import PixelTally
from halescan.evaluation.reconstruction import reconstruction_figures, reconstruction_quality
from halescan.evaluation.results import plain
from halescan.scoring.patients import case_from_slices
from halescan.scoring.shift import Difference
from halescan.training.run import Progress, say_nothing
from halescan.workflows.cases import Case, cases_of, opened
from halescan.workflows.evaluation import Evaluation
from halescan.workflows.evaluation_files import done_already, write_evaluation
from halescan.workflows.healthy import embedding
from halescan.workflows.interpret import Read, level_of, measure_scans, place_back, together
from halescan.workflows.judged import Judged, Mapped, check_columns, label_of, labelled
from halescan.workflows.judged_record import Asked, first_of_patients, judged_record
from halescan.workflows.learned import Learned
from halescan.workflows.mask_check import fault_of, mask_sentences, spare_masks
from halescan.workflows.mask_geometry import drawn_on
from halescan.workflows.model import Model, load_model
from halescan.workflows.scan_names import told_of_file, told_of_mask, told_of_scan
from halescan.workflows.shift import LEAST
from halescan.workflows.train import cohort_fingerprint, digest

__all__ = ["Evaluation", "evaluate"]

_MOST_REBUILT = 8  # images of a case whose reconstruction is looked at, evenly spread


@dataclass
class _Seen:
    """What only a model can tell of each case: distance from the healthy mean, facts, a view from afar, copies.

    And which scans it has seen before.
    """

    learned: Learned
    mean: list[float] = field(default_factory=list)
    facts: list[dict[str, float | str]] = field(default_factory=list)
    views: list[np.ndarray] = field(default_factory=list)
    rebuilt: list[dict[str, float]] = field(default_factory=list)


def evaluate(
    model: Path | str | Model,
    test: Path | str,
    *,
    out: Path | str,
    false_alarms: float = 0.05,
    by: Sequence[str] = (),
    lesion_sizes: Sequence[float] = (),
    table: Path | None = None,
    split: str | None = None,
    layout: str | None = None,
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
        test: Folder with `healthy/`, `abnormal/` and perhaps `masks/`, a data set in a layout of its own, or a table
            with labels. Of a data set with parts, the test part where no `split` is named.
        out: Folder of the results.
        by: Columns of the table by whose values the figures are told too; `age=40,60` gives bands.
        lesion_sizes: Inner limits between bands of lesion size (mm where known, else pixels); none takes terciles.
        layout: Name of a layout with options; None recognises it.
        seed: Of the bootstrap.

    Raises:
        TableError: if no scan has a label.
        SettingError: if there is no such column, or it holds too many words.
        OutputError: if `out` holds another evaluation and `overwrite` is not set.
    """
    out, asked = Path(out), Asked(false_alarms, tuple(by), tuple(lesion_sizes), seed)
    judge = load_model(model, device=device)
    cohort = labelled(Path(test), table=table, split=split, layout=layout)
    check_columns(cohort, by)
    request = digest([__version__, judge.facts.fingerprint, plain(vars(asked)), cohort_fingerprint(cohort)])
    done = done_already(out, request, cohort, overwrite=overwrite)
    if done is not None:
        return done
    judged, seen = _measure_all(judge, cohort, asked, jobs or os.cpu_count() or 1, listen)
    if not judged.cases:
        raise TableError(f"{test}: none of {len(cohort)} scans could be read: {judged.problems[0]}")
    spare = spare_masks(cohort)
    record = _record(judge, judged, seen, asked, spare=len(spare))
    judged.problems += mask_sentences(record["about"]["masks"], {**judged.masks.names, "spare": spare})
    record["about"]["layout"] = cohort.layout
    record["about"]["request_sha256"] = request
    write_evaluation(out, record, judged, title=f"{judge.detector.name} on {judge.profile.name}")
    return Evaluation(out, record, (*(told_of_file(problem) for problem in cohort.problems), *judged.problems))


def _measure_all(
    model: Model, cohort: Cohort, asked: Asked, jobs: int, listen: Callable[[Progress], None]
) -> tuple[Judged, _Seen]:
    judged, seen = Judged(PixelTally(threshold=model.map_threshold)), _Seen(Learned(model))
    outlined = any(item.outlined for item in cohort.items)  # else there is nothing to hold maps against
    done = 0
    for group in together(opened(cases_of(cohort), model.profile, jobs=jobs, detector=model.detector)):
        scans = [scan for _, some in group for scan in some]
        judged.problems += [told_of_scan(scan.item.source, scan.error) for scan in scans if scan.scan is None]
        judged.left_out += [scan.item.label for scan in scans if scan.scan is None]
        readings = iter(measure_scans(model, [scan for scan in scans if scan.scan is not None]))
        for case, some in group:
            read_ones = [(scan.item, next(readings)) for scan in some if scan.scan is not None]
            if read_ones:
                if outlined:
                    _count_maps(model, judged, case, read_ones)
                _judge(model, judged, case, read_ones, asked.false_alarms)
                _see(model, seen, [found for _, found in read_ones])
                for item, found in read_ones:
                    seen.learned.look(item, found.scan, label_of(case))
        done += len(scans)
        listen(Progress("measuring", done, len(cohort)))
    return judged, seen


def _judge(model: Model, judged: Judged, case: Case, scans: Sequence[tuple[Item, Read]], false_alarms: float) -> None:
    """Keep the numbers of one case, pooled as `examine` does."""
    how, share = model.profile.slice_pooling
    scores = np.concatenate([found.scores for _, found in scans])
    score = case_from_slices(scores, how=how, share=share).score
    verdict = model.healthy.calibration.verdict(score, false_alarms, level=level_of([found for _, found in scans]))
    judged.add(case, score=score, p_value=verdict.p_value, decision=verdict.decision, trivial=_trivial(scans))
    if verdict.threshold is not None:
        judged.threshold = verdict.threshold


def _count_maps(model: Model, judged: Judged, case: Case, scans: Sequence[tuple[Item, Read]]) -> None:
    """Count the maps of the next case against its masks, finding what `examine` would find."""
    judged.count_maps(
        case,
        _mapped(judged, scans),
        threshold=model.map_threshold,
        min_diameter_mm=model.profile.min_finding_mm,
        min_diameter_px=model.profile.min_finding_px,
    )


def _mapped(judged: Judged, scans: Sequence[tuple[Item, Read]]) -> Iterator[Mapped]:
    """Maps with their masks: a healthy scan's is empty, another without one is left out."""
    for item, found in scans:
        if found.measured[0].maps is None:
            continue
        try:
            drawn = drawn_on(item, found.scan)
        except HalescanError as error:
            judged.problems.append(told_of_scan(item.source, f"mask not used: {told_of_mask(item, error)}"))
            continue
        judged.masks.note(item, fault_of(item, drawn))
        truth = np.zeros(found.scan.shape, bool) if item.label == "healthy" else drawn
        strangeness, mask = place_back(found)
        if truth is not None and strangeness is not None:
            yield Mapped(strangeness, truth, mask, found.scan.spacing_mm)


def _trivial(scans: Sequence[tuple[Item, Read]]) -> dict[str, float]:
    """Of a case's middle image, and of the file it comes from.

    What they are compared with are single healthy images too: the first `calibrate.MOST_TRIVIAL`, slices one by one.
    """
    images = [(item, image) for item, found in scans for image in found.images]
    item, middle = images[len(images) // 2]
    return trivial_statistics(middle.image, file_bytes=sum(file.stat().st_size for file in item.source.files))


def _see(model: Model, seen: _Seen, scans: Sequence[Read]) -> None:
    images = np.stack([image.image for found in scans for image in found.images])
    seen.mean.append(float(model.mean.score(images).mean()))
    seen.facts.append(dict(scans[0].images[0].facts))
    seen.views.append(embedding(images))
    copies = [found.reconstruction for read in scans for found in read.measured]
    if all(copy is not None for copy in copies):
        rebuilt = np.concatenate([copy for copy in copies if copy is not None])
        if rebuilt.shape == images.shape:
            seen.rebuilt.append(_rebuilt(images, rebuilt))


def _rebuilt(images: np.ndarray, copies: np.ndarray) -> dict[str, float]:
    """Mean quality of the reconstructions `(n, c, *grid)` of a case."""
    chosen = np.unique(np.linspace(0, len(images) - 1, min(_MOST_REBUILT, len(images))).astype(int))
    rows = [reconstruction_quality(images[number], copies[number]) for number in chosen]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _record(model: Model, judged: Judged, seen: _Seen, asked: Asked, *, spare: int) -> dict[str, Any]:
    """The content of `metrics.json`."""
    strangeness = Trivial().fit(model.healthy.trivial).score(judged.trivial)
    strangeness["healthy-mean"] = np.array(seen.mean)
    copies = None
    if len(seen.rebuilt) == len(judged.cases):
        copies = reconstruction_figures(judged.labels, seen.rebuilt, groups=judged.groups, seed=asked.seed)
    return judged_record(
        judged,
        asked,
        strangeness=strangeness,
        units=model.healthy.calibration.units,
        unit=model.healthy.calibration.unit,
        spare=spare,
        reconstruction=copies,
        about={
            "model": model.facts.fingerprint,
            "detector": model.detector.name,
            "profile": model.profile.name,
            "learned_from": seen.learned.record(),
            "differs_from_reference": [_difference(found) for found in _shift(model, judged, seen)],
        },
    )


def _shift(model: Model, judged: Judged, seen: _Seen) -> tuple[Difference, ...]:
    """In what the healthy scans differ from the reference: disease is not what makes these differ."""
    labels = judged.labels
    healthy = [number for number in first_of_patients(judged) if not labels[number]]
    if len(healthy) < LEAST:
        return ()
    facts = [seen.facts[number] for number in healthy]
    return model.healthy.reference.compare(facts, np.stack([seen.views[number] for number in healthy])).differences


def _difference(found: Difference) -> dict[str, Any]:
    return plain({"feature": found.feature, "effect": found.effect, "p_value": found.p_value})
