"""The pages of `halescan patients`: one over all patients, and one for each with the most suspicious patches shown."""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from halescan.reporting.charts import BASELINE, COLOURS, DASHES, Axis, Line, Point, Style, lines_svg, swatch_svg
from halescan.reporting.json_out import write_atomically

_NONE = "–"
_STYLES = {
    "detector": Style(COLOURS[0], DASHES[0], 2.0),
    "classifier": Style(COLOURS[1], DASHES[1], 2.0),
    "fusion": Style(COLOURS[2], DASHES[2], 2.4),
    "red-count": Style(BASELINE, "1 3", 2.0),
}
_ANSWER_COLOURS = {"NEG": "#56B4E9", "LOW": "#E69F00", "HIGH": "#D55E00", "POS": "#D55E00", None: "#b4bcc6"}
_ANSWER_WORDS = {"NEG": "negative", "LOW": "low", "HIGH": "high", "POS": "positive", None: "not known"}
_COLUMNS = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "specificity": "specificity",
    "negative_precision": "precision, negatives",
    "negative_f1": "F1, negatives",
    "accuracy": "accuracy",
}


def write_patients_page(
    record: Mapping[str, Any], *, curves: Mapping[str, Mapping[str, Any]], lead: str, path: Path
) -> None:
    """Write the page over all patients, whole or not at all.

    Args:
        record: The content of `patients.json`.
        curves: By level ("patch", "patient") and method, the points of a ROC curve.
        lead: The method that orders the patients.

    Raises:
        OutputError: if the file cannot be written.
    """
    write_atomically(render_patients_page(record, curves=curves, lead=lead), path)


def render_patients_page(record: Mapping[str, Any], *, curves: Mapping[str, Mapping[str, Any]], lead: str) -> str:
    """The whole page as text."""
    methods = list(record["methods"])
    drawn = list(_all(record))
    return (
        _pages()
        .get_template("patients.html.j2")
        .render(
            record=record,
            about=record["about"],
            n=record["n"],
            lead=lead,
            lead_words=_method_words(record, lead),
            headline=_headline(record),
            columns=["AUROC", "average precision", *_COLUMNS.values()],
            legend=[(Markup(swatch_svg(_STYLES[name])), _method_words(record, name)) for name in drawn],
            levels=[_level(record, level, curves.get(level, {})) for level in ("patch", "patient")],
            patients_chart=Markup(_patients_chart(record, lead)),
            answer_legend=_answer_legend(record),
            ordinals=_ordinals(record),
            cuts=[_cut_rows(record, name) for name in drawn],
            rows=[_patient_row(told, methods) for told in record["patients"]],
            methods=[(name, _method_words(record, name)) for name in methods],
        )
    )


def write_patient_page(
    record: Mapping[str, Any],
    told: Mapping[str, Any],
    *,
    pictures: Sequence[Mapping[str, Any]],
    tails: Sequence[float],
    cut: float | None,
    path: Path,
) -> None:
    """Write the page of one patient, whole or not at all.

    Args:
        told: The patient's entry in the record.
        pictures: The most suspicious patches: `{"bytes", "methods": [{"name", "tail", "above"}]}`, strangest first.
        tails: Of all patches by which the patient is judged, strangest first.
        cut: Tail above which a patch is called positive.

    Raises:
        OutputError: if the file cannot be written.
    """
    write_atomically(render_patient_page(record, told, pictures=pictures, tails=tails, cut=cut), path)


def render_patient_page(
    record: Mapping[str, Any],
    told: Mapping[str, Any],
    *,
    pictures: Sequence[Mapping[str, Any]],
    tails: Sequence[float],
    cut: float | None,
) -> str:
    """The whole page as text."""
    methods = list(record["methods"])
    return (
        _pages()
        .get_template("patient.html.j2")
        .render(
            record=record,
            told=told,
            diagnosis=_ANSWER_WORDS[told["diagnosis"]],
            rows=[
                {
                    **_patient_cells(told, name),
                    "name": _method_words(record, name),
                    "cut": _fold_cut(record, told, name),
                }
                for name in methods
            ],
            pictures=[_picture(picture) for picture in pictures],
            by=_pictured(record),
            above=sum(cut is not None and tail > cut for tail in tails),
            count=len(tails),
            chart=Markup(_tails_chart(tails, cut, _pictured(record))),
        )
    )


def figure(told: Mapping[str, Any] | None) -> str:
    """`0.912 (0.885–0.936)`, or a dash."""
    if told is None or told.get("value") is None:
        return _NONE
    text = f"{told['value']:.3f}"
    if told.get("low") is not None:
        text += f" ({told['low']:.3f}–{told['high']:.3f})"
    return text


def _two_lines(told: Mapping[str, Any]) -> tuple[str, str]:
    """A figure and, below it, its interval."""
    value, _, interval = figure(told).partition(" (")
    return value, interval.rstrip(")")


def p_words(told: Mapping[str, Any]) -> str:
    """`p ≤ 0.034`."""
    p = told["p_value"]
    return _NONE if p is None else f"{'≤' if told['p_value_is_bound'] else '='} {p:.3g}"


def _all(record: Mapping[str, Any]) -> dict[str, Any]:
    """The methods, then the baselines, by name."""
    return {**record["methods"], **record["baselines"]}


def _headline(record: Mapping[str, Any]) -> list[str]:
    """What came of it, in one sentence a level."""
    said = []
    for level, thing in (("patch", "patches"), ("patient", "patients")):
        told = [
            f"{_method_words(record, name)} {figure(found[level]['auroc'])}"
            for name, found in _all(record).items()
            if found[level] is not None and found[level]["auroc"]["value"] is not None
        ]
        if told:
            said.append(f"AUROC of {thing}: " + "; ".join(told))
    return said


def _method_words(record: Mapping[str, Any], name: str) -> str:
    """A method and what stood in its place: "detector (patchcore)"; a baseline has learned nothing."""
    own = "nothing learned" if name in record["baselines"] else record["about"].get(name)
    return name if not own else f"{name} ({own})"


def _level(record: Mapping[str, Any], level: str, curves: Mapping[str, Any]) -> dict[str, Any]:
    """The table, the confusion tables and the curves of patches or patients."""
    rows, confusions = [], []
    for name, found in _all(record).items():
        told = found[level]
        if told is None:
            continue
        rows.append(
            {
                "name": _method_words(record, name),
                "swatch": Markup(swatch_svg(_STYLES[name])),
                "cells": [
                    _two_lines(one)
                    for one in (told["auroc"], told["average_precision"], *(told["decisions"][key] for key in _COLUMNS))
                ],
            }
        )
        confusions.append({"name": _method_words(record, name), **told["decisions"]["counts"]})
    lines = [Line(name, points, _STYLES[name]) for name, points in curves.items()]
    well, ill = (
        ("healthy patches", "abnormal patches") if level == "patch" else ("negative patients", "positive patients")
    )
    chart = ""
    if lines:
        chart = lines_svg(
            lines,
            x=Axis(f"False alarms (share of {well})", 0.0, 1.0),
            y=Axis(f"Found (share of {ill})", 0.0, 1.0),
            alt=f"ROC curves: {ill} against {well}",
            diagonal=True,
            width=380,
            height=330,
        )
    sample = next((found[level] for found in record["methods"].values() if found[level] is not None), None)
    return {
        "name": level,
        "rows": rows,
        "confusions": confusions,
        "chart": Markup(chart),
        "n": None if sample is None else sample["n"],
        "wide": _wide(record) if level == "patch" else [],
    }


def _wide(record: Mapping[str, Any]) -> list[str]:
    """The ranking of patches with those of negative patients beside the annotated ones."""
    found = []
    for name, told in _all(record).items():
        if told["patch"] is not None and told["patch"]["with_negative_patients"]["auroc"]["value"] is not None:
            wide = told["patch"]["with_negative_patients"]
            found.append(f"{name} {figure(wide['auroc'])}")
    return found


def _patients_chart(record: Mapping[str, Any], lead: str) -> str:
    """Every patient in the order of the leading method's score, coloured by the diagnosis given, and the cuts."""
    scores = [told["methods"][lead]["score"] for told in record["patients"]]
    if not scores:
        return ""
    points = [
        Point("", float(len(scores) - place), score, style=Style(_ANSWER_COLOURS[told["diagnosis"]]))
        for place, (told, score) in enumerate(zip(record["patients"], scores, strict=True))
    ]
    used = [cut["used"] for cut in record["methods"][lead]["cuts"]["patient"] if cut["used"] is not None]
    low, high = min([*scores, *used]), max([*scores, *used])
    edge = 0.05 * (high - low) or 0.5
    return lines_svg(
        [Line("", [(0.0, cut), (len(scores) + 1.0, cut)], Style("#9ca3af", "4 3", 1.0)) for cut in sorted(set(used))],
        x=Axis("Patients, in the order of their score", 0.0, len(scores) + 1.0),
        y=Axis(f"Score by the {lead}", low - edge, high + edge),
        alt=f"Scores of {len(scores)} patients by the {lead}",
        points=points,
        width=520,
        height=330,
    )


def _answer_legend(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    there = {told["diagnosis"] for told in record["patients"]}
    return [(_ANSWER_COLOURS[key], words) for key, words in _ANSWER_WORDS.items() if key in there]


def _ordinals(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tables of NEG, LOW and HIGH."""
    found = []
    for name, told in _all(record).items():
        levels = told["patient"]["levels"]
        if levels is not None:
            found.append({"name": _method_words(record, name), **levels})
    return found


def _cut_rows(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The cuts of each fold of a method."""
    cuts = _all(record)[name]["cuts"]
    folds = max(len(cuts["patch"]), len(cuts["patient"]))
    rows = []
    for place in range(folds):
        cells = {
            kind: _cut_words(cuts[kind][place] if place < len(cuts[kind]) else None) for kind in ("patch", "patient")
        }
        rows.append({"fold": place + 1, **cells})
    return {"name": _method_words(record, name), "rows": rows}


def _cut_words(cut: Mapping[str, Any] | None) -> str:
    """`1.32, the median of 1.10, 1.29, 1.35, 6.02`."""
    if cut is None or cut["used"] is None:
        return _NONE
    each = [_NONE if value is None else f"{value:.3g}" for value in cut["folds"]]
    how = {"corner": "the median of", "pooled": "over all folds together:", "conformal": "from healthy alone:"}
    return f"{cut['used']:.3g}, {how.get(cut['how'], '')} {', '.join(each)}"


def _patient_row(told: Mapping[str, Any], methods: Sequence[str]) -> dict[str, Any]:
    return {
        **told,
        "diagnosis_words": _ANSWER_WORDS[told["diagnosis"]],
        "colour": _ANSWER_COLOURS[told["diagnosis"]],
        "cells": [_patient_cells(told, name) for name in methods],
    }


def _patient_cells(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What one method says of a patient, in words."""
    found = told["methods"][name]
    if found["score"] is None:
        return {"score": _NONE, "share": _NONE, "p": _NONE, "said": _NONE, "above": False}
    share = found["positive_share"]
    return {
        "score": f"{found['score']:.3g}",
        "share": _NONE if share is None else f"{share:.0%}",
        "p": p_words(found),
        "said": _said(found),
        "above": found["positive"],
    }


def _said(found: Mapping[str, Any]) -> str:
    level = {"LOW": ", answer LOW", "HIGH": ", answer HIGH"}.get(found["answer"] or "", "")
    if found["answer"] is None:
        return "no cut"
    return "above the cut" + level if found["positive"] else "not above the cut"


def _fold_cut(record: Mapping[str, Any], told: Mapping[str, Any], name: str) -> str:
    cuts = record["methods"][name]["cuts"]["patient"]
    place = told["fold"] - 1
    return _NONE if place >= len(cuts) or cuts[place]["used"] is None else f"{cuts[place]['used']:.3g}"


def _picture(picture: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "uri": Markup("data:image/jpeg;base64," + base64.b64encode(picture["bytes"]).decode("ascii")),
        "methods": [{**said, "tail": f"{said['tail']:.2f}"} for said in picture["methods"]],
        "above": bool(picture["methods"]) and picture["methods"][-1]["above"],
    }


def _pictured(record: Mapping[str, Any]) -> str:
    """The method by which patches are ordered and framed: the last one that says anything of patches."""
    return [name for name, found in record["methods"].items() if found["patch"] is not None][-1]


def _tails_chart(tails: Sequence[float], cut: float | None, by: str) -> str:
    """All patches of a patient in order, and the cut."""
    if not tails:
        return ""
    ends = [*tails, *([] if cut is None else [cut]), 0.0]
    low, high = min(ends), max(ends)
    edge = 0.06 * (high - low) or 0.5
    return lines_svg(
        [] if cut is None else [Line("", [(0.0, cut), (len(tails) + 1.0, cut)], Style("#b91c1c", "4 3", 1.2))],
        x=Axis("Patches, the strangest first", 0.0, len(tails) + 1.0),
        y=Axis(f"Healthy tail by the {by}", low - edge, high + edge),
        alt=f"Healthy tails of {len(tails)} patches",
        points=[
            Point("", place + 1.0, tail, style=Style("#b91c1c" if cut is not None and tail > cut else "#0072B2"))
            for place, tail in enumerate(tails)
        ],
        width=520,
        height=240,
    )


@cache
def _pages() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
