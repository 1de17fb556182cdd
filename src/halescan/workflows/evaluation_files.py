"""What an evaluation leaves on disk: `metrics.json`, `scores.csv` and plots; folders' names stay out, ids too."""

import csv
import io
import json
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from halescan.data.table import Cohort
from halescan.errors import OutputError
from halescan.reporting.json_out import write_atomically, write_json
from halescan.reporting.plots import froc_plot, pr_plot, reliability_plot, roc_plot, score_histogram
from halescan.workflows.evaluation import Evaluation
from halescan.workflows.judged import Judged, label_of
from halescan.workflows.mask_check import mask_sentences, spare_masks
from halescan.workflows.scan_names import shown_name, told_of_file

_COLUMNS = ("file", "index", "label", "patient", "score", "p_value", "decision", "scans", "slice")


def done_already(out: Path, request: str, cohort: Cohort, *, overwrite: bool) -> Evaluation | None:
    """The evaluation of the same request, which need not be done twice; None where there is none.

    Raises:
        OutputError: if `out` holds another, or cannot be written.
    """
    if not (out / "metrics.json").exists() or overwrite:
        try:
            out.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=out):  # a folder that is closed is told of before hours are spent
                pass
        except OSError as error:
            raise OutputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
        return None
    try:
        record = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
        if record["about"]["request_sha256"] == request:
            masks = {**(record["about"].get("masks") or {}), "spare": len(spare_masks(cohort))}
            problems = [told_of_file(problem) for problem in cohort.problems] + mask_sentences(masks)
            return Evaluation(out, record, tuple(problems))
    except (ValueError, KeyError, TypeError):
        pass
    raise OutputError(f"{out} holds another evaluation; choose another --out, or --overwrite to replace it")


def write_evaluation(out: Path, record: dict[str, Any], judged: Judged, *, title: str) -> None:
    """Write everything; `metrics.json` last, as it says that all is there."""
    labels, scores = judged.labels, np.array(judged.scores)
    write_atomically(_scores_csv(judged), out / "scores.csv")
    auroc = record["image"]["auroc"]
    score_histogram(labels, scores, out / "scores.png", threshold=judged.threshold, auroc=auroc, title=title)
    if labels.any() and not labels.all():
        roc_plot(labels, scores, out / "roc.png", auroc=auroc, point=record["operating_point"], title=title)
        average = record["image"]["average_precision"]
        pr_plot(labels, scores, out / "pr.png", average_precision=average, title=title)
    if record["reliability"] is not None and record["reliability"]["curve"] is not None:
        reliability_plot(record["reliability"], out / "reliability.png", title=title)
    if record["lesions"] is not None and record["lesions"]["curve"] is not None:
        froc_plot(record["lesions"], out / "froc.png", title=title)
    write_json(record, out / "metrics.json")


def _scores_csv(judged: Judged) -> str:
    """One row a case: its first file, label, score, p-value, decision and scans; patients as numbers, never by name."""
    numbers: dict[str, int] = {}
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(_COLUMNS)
    table = zip(judged.cases, judged.patients, judged.scores, judged.p_values, judged.decisions, strict=True)
    for row, (case, who, score, p, decision) in enumerate(table, start=1):
        patient = "" if who is None else numbers.setdefault(who, len(numbers) + 1)
        source = case.items[0].source
        index = "" if source.index is None else source.index
        cut = "" if source.slice_index is None else source.slice_index
        p_value = "" if p is None else f"{p:.6g}"
        decided = [f"{score:.9g}", p_value, decision, len(case.items), cut]
        writer.writerow([_file_name(source.path, row), index, label_of(case), patient, *decided])
    return sink.getvalue()


def _file_name(place: Path, row: int) -> str:
    """What a scan is called in `scores.csv`: folders' names stay out unless they are known to be nobody's."""
    if place.is_dir():
        return f"series-{row}"
    return shown_name(place)
