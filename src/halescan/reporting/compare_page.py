"""The page of a comparison: one HTML file with everything inside, fit for the supplement of a paper."""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from halescan.reporting.charts import (
    BASELINE,
    COLOURS,
    DASHES,
    Axis,
    Line,
    Point,
    Style,
    interval_svg,
    lines_svg,
    ranks_svg,
    scatter_svg,
    swatch_svg,
)
from halescan.reporting.json_out import write_atomically

MOST_NAMED = len(COLOURS)  # methods with a colour of their own; beyond, curves are thin and grey
_SHARE = (0.0, 1.0)
_NONE = "–"
_FEW = 20  # healthy cases below which a test of their p-values tells nothing
_UNLIKELY = 0.05
_MOST_BARRED = 4  # methods whose intervals can be told apart on one small chart
_FINDINGS = (("0.125", "1/8"), ("0.25", "1/4"), ("0.5", "1/2"), ("1", "1"), ("2", "2"), ("4", "4"), ("8", "8"))
_MOST_TOLD = 3  # rates of false findings with a column of their own; the curve tells the others


def write_compare_page(
    record: Mapping[str, Any],
    *,
    curves: Mapping[str, Mapping[str, Any]],
    pictures: Mapping[str, Mapping[str, Any]],
    path: Path,
) -> None:
    """Write the page whole or not at all.

    Args:
        record: The content of `comparison.json`.
        curves: By set and method: `roc`, `pr`, `alarms` and, where lesions are outlined, `froc` as lists of `(x, y)`.
        pictures: By set: `{"method", "pictures": [{"kind", "bytes", "rank", "of", "p_value", "decision"}]}`.

    Raises:
        OutputError: if the file cannot be written.
    """
    write_atomically(render_compare_page(record, curves=curves, pictures=pictures), path)


def render_compare_page(
    record: Mapping[str, Any],
    *,
    curves: Mapping[str, Mapping[str, Any]],
    pictures: Mapping[str, Mapping[str, Any]],
) -> str:
    """The whole page as text."""
    styles = _styles(record)
    marked = _marked(record)
    sets = [_set_view(one, curves.get(one["name"], {}), pictures.get(one["name"]), styles) for one in marked]
    return _template().render(
        record=record,
        sets=sets,
        overview=_overview(record, styles) if len(sets) > 1 else None,
        title=_title(record),
        costs=_cost_charts(record, styles),
        sources=_sources(record),
        settings=list(_settings(record)),
        headline=list(_headline(record)),
        seeds=list(_seeds(record)),
        failed=[cell for cell in record["cells"] if cell["state"] == "failed"],
    )


def _title(record: Mapping[str, Any]) -> str:
    """The page's heading; the trivial baseline that stands beside whatever was asked is not counted."""
    count = sum(not method["baseline"] for method in record["methods"])
    names = ", ".join(one["name"] for one in record["sets"])
    return f"Comparison of {counted(count, 'anomaly detection method')} on {names}"


def _marked(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sets, and beside each method whether it learned from abnormal scans too."""
    names = {method["name"] for method in record["methods"] if method["supervised"]}
    return [
        {**one, "ranking": [{**line, "supervised": line["method"] in names} for line in one["ranking"]]}
        for one in record["sets"]
    ]


@dataclass(frozen=True)
class _Chart:
    """A drawing with the words above and below it."""

    title: str
    drawing: Markup
    caption: str = ""


def _styles(record: Mapping[str, Any]) -> dict[str, Style]:
    """A colour and a dash for each method, the same on the whole page; the leading methods get theirs first."""
    summed: dict[str, list[float]] = {}
    for one in record["sets"]:
        for line in one["ranking"]:
            summed.setdefault(line["method"], []).append(line["auroc"]["value"] if line["rank"] else 0.0)
    baselines = {method["name"] for method in record["methods"] if method["baseline"]}
    order = sorted((name for name in summed if name not in baselines), key=lambda name: -sum(summed[name]))
    styles = {name: Style(COLOURS[n], DASHES[n], 2.0) for n, name in enumerate(order[:MOST_NAMED])}
    styles |= {name: Style(width=1.0) for name in order[MOST_NAMED:]}
    return styles | {name: Style(BASELINE, "3 3", 1.4) for name in baselines}


def _set_view(
    one: Mapping[str, Any],
    curves: Mapping[str, Any],
    pictures: Mapping[str, Any] | None,
    styles: Mapping[str, Style],
) -> dict[str, Any]:
    """What the template lays out for one set."""
    ranking = one["ranking"]
    return {
        **one,
        "levels": [f"{float(level):.0%}" for level in _levels(ranking)],
        "by_patient": _by_patient(one),
        "scale": f"{_least(ranking):.1f}",
        "cost_known": [key for key in _COSTS if any((line["cost"] or {}).get(key) for line in ranking)],
        "where": _where(ranking),
        "lesions": _lesions(one, curves, styles),
        "once": any(line["same_in_every_seed"] and line["rank"] for line in ranking),
        "judged": any(line["reliability"] for line in ranking),
        "rows": [_row(line, ranking, styles) for line in ranking],
        "charts": list(_charts(one, curves, styles)),
        "legend": _legend([line["method"] for line in ranking if line["method"] in curves], styles),
        "robustness": list(_robustness(one, styles)),
        "robust_legend": _legend(list(dict.fromkeys(row["method"] for row in one["robustness"])), styles),
        "pictures": None if pictures is None else _pictures(pictures, ranking),
        "trivial": [_trivial(figures) for figures in one["baselines"]],
        "published_rows": [_published(row) for row in one["published"]],
        "subgroup_tables": list(_subgroup_tables(one.get("subgroups"))),
        "asked": next((line["false_alarms"]["asked"] for line in ranking if line["false_alarms"]), None),
    }


_COSTS = ("steps", "fit_s", "ms_an_image", "peak_mb", "peak_gpu_mb")
_WHERE = {
    "pixel_average_precision": "pixel AP",
    "dice": "Dice",
    "best_dice": "best Dice*",
    "aupro": "AUPRO 0.3",
    "froc_score": "FROC score*",
}


def _by_patient(one: Mapping[str, Any]) -> dict[str, Any] | None:
    """How many patients of each class the figures by patient rest on; None where there are none."""
    told = [line["patient_auroc"] for line in one["ranking"] if line["patient_auroc"]]
    n = one["n"] or {}
    if not told or "patients" not in n:
        return None
    ill = n["patients_with_abnormal"]
    return {"healthy": n["patients"] - ill, "abnormal": ill, "few": any(figure["low"] is None for figure in told)}


def _levels(ranking: Sequence[Mapping[str, Any]]) -> list[str]:
    """The specificities at which sensitivities are told."""
    return list(dict.fromkeys(key for line in ranking for key in line["sensitivity_at"]))


def _where(ranking: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The columns about places that hold something."""
    return {key: words for key, words in _WHERE.items() if any(line.get(key) for line in ranking)}


def _row(line: Mapping[str, Any], ranking: Sequence[Mapping[str, Any]], styles: Mapping[str, Style]) -> dict[str, Any]:
    style, cost = styles[line["method"]], line["cost"] or {}
    alarms = line["false_alarms"] or {}
    known = line["rank"] is not None
    return {
        **line,
        "swatch": Markup(swatch_svg(style)),
        "interval": Markup(_interval(line, ranking, style)) if known else "",
        "auroc_text": figure(line["auroc"]),
        "spread": "any" if line["same_in_every_seed"] else seeds_text(line["auroc"]),
        "precision_text": figure(line["average_precision"]),
        "patient_text": figure(line["patient_auroc"]),
        "sensitivities": [figure(line["sensitivity_at"].get(level)) for level in _levels(ranking)],
        "places": [figure(line.get(key)) for key in _where(ranking)],
        "versus": _versus(line["versus_best"], first=line["rank"] == 1),
        "alarms_text": figure(alarms.get("realised")) if alarms.get("realised") else _NONE,
        "sensitivity_text": figure(line["sensitivity"]),
        "promise": _promise(line["reliability"]),
        "fit": seconds(cost.get("fit_s")),
        "ms": _NONE if cost.get("ms_an_image") is None else f"{cost['ms_an_image']:.3g}",
        "memory": _NONE if cost.get("peak_mb") is None else f"{cost['peak_mb']:,.0f}",
        "gpu": _NONE if cost.get("peak_gpu_mb") is None else f"{cost['peak_gpu_mb']:,.0f}",
        "steps": _NONE if cost.get("steps") is None else f"{cost['steps']:,d}",
    }


def _promise(told: Mapping[str, Any] | None) -> str:
    """What the test of the healthy p-values says: that nothing speaks against them, or in which direction they err."""
    if told is None:
        return _NONE
    if told["tested"] < _FEW:
        return f"too few to tell ({told['tested']})"
    p = told["p_value"]
    said = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    if p > _UNLIKELY:
        return said
    return f"{said}, {'too many alarms' if told['excess'] >= told['shortfall'] else 'too few alarms'}"


def _interval(line: Mapping[str, Any], ranking: Sequence[Mapping[str, Any]], style: Style) -> str:
    told = line["auroc"]
    axis = Axis("", _least(ranking), 1.0)
    return interval_svg(told["value"], told["low"], told["high"], axis=axis, style=style)


def _least(ranking: Sequence[Mapping[str, Any]]) -> float:
    """Where the axis of the intervals begins: at chance, or below it where a figure is."""
    ends = [value for line in ranking if line["rank"] for value in (line["auroc"]["low"], line["auroc"]["value"])]
    return math.floor(10 * min([value for value in ends if value is not None] + [0.5])) / 10


def _versus(told: Mapping[str, Any] | None, *, first: bool) -> str:
    """The difference to the best and its p-value; a dash where there is nothing to tell."""
    if first or told is None:
        return "best" if first else _NONE
    if "difference" not in told:
        return _NONE
    p = told["p_holm"]
    said = "" if p is None else " (p < 0.001)" if p < 0.001 else f" (p = {p:.3f})"
    return f"{told['difference']:+.3f}".replace("-", "−") + said


def _charts(one: Mapping[str, Any], curves: Mapping[str, Any], styles: Mapping[str, Style]) -> Iterator[_Chart]:
    """ROC, precision-recall and calibration of a set, the leading methods in colour."""
    names = [line["method"] for line in one["ranking"] if line["method"] in curves]
    if not names:
        return
    n = one["n"]

    def lines(kind: str) -> list[Line]:
        return [Line(name, curves[name][kind], styles[name]) for name in names if curves[name][kind]]

    share_of_abnormal = n["abnormal"] / max(1, n["abnormal"] + n["healthy"])
    yield _Chart(
        "ROC",
        Markup(
            lines_svg(
                lines("roc"),
                x=Axis("False alarms (share of healthy)", *_SHARE),
                y=Axis("Found (share of abnormal)", *_SHARE),
                alt=f"ROC curves on {one['name']}",
                diagonal=True,
            )
        ),
    )
    yield _Chart(
        "Precision and recall",
        Markup(
            lines_svg(
                lines("pr"),
                x=Axis("Found (share of abnormal)", *_SHARE),
                y=Axis("Right (share of alarms)", *_SHARE),
                alt=f"Precision-recall curves on {one['name']}",
                level=share_of_abnormal,
            )
        ),
    )
    if lines("alarms"):
        yield _Chart("Calibration", _calibration(one, lines("alarms")))


def _calibration(one: Mapping[str, Any], lines: Sequence[Line]) -> Markup:
    """Realised against asked false alarms, with the 95 % band within which chance alone would lie."""
    n = one["n"]
    apiece = max(1.0, n["images"] / n["patients"]) if n.get("patients") else 1.0  # cases of a patient are one chance
    healthy = max(1.0, n["healthy"] / apiece)
    rates = [place / 50 for place in range(26)]
    wide = [1.96 * math.sqrt(rate * (1 - rate) / healthy) for rate in rates]
    band = [(rate, max(0.0, rate - w), min(1.0, rate + w)) for rate, w in zip(rates, wide, strict=True)]
    most = max([0.5, *(y for line in lines for _, y in line.points)])
    return Markup(
        lines_svg(
            lines,
            x=Axis("False alarms asked", 0.0, 0.5),
            y=Axis("False alarms realised", 0.0, min(1.0, math.ceil(10 * most) / 10)),
            alt=f"Calibration on {one['name']}",
            diagonal=False,
            band=band,
        )
    )


def _lesions(one: Mapping[str, Any], curves: Mapping[str, Any], styles: Mapping[str, Style]) -> dict[str, Any] | None:
    """Lesions found against false findings a case: a curve and a row a method; None without masks."""
    known = [line for line in one["ranking"] if line["rank"] and line["lesions"]]
    if not known:
        return None
    lines = [_froc_line(line["method"], curves.get(line["method"], {}).get("froc", []), styles) for line in known]
    drawn = [line for line in lines if line.points]
    told = _told_rates(known)
    marks = [(float(rate), words) for rate, words in _FINDINGS]
    x = Axis("False findings a case", marks[0][0], marks[-1][0], log=True, marks=marks)
    y = Axis("Lesions found (share)", *_SHARE)
    alt = f"Lesions found against false findings on {one['name']}"
    return {
        "count": known[0]["lesions"]["lesions"],
        "drawing": Markup(lines_svg(drawn, x=x, y=y, alt=alt, height=270)) if drawn else "",
        "rates": [words for rate, words in _FINDINGS if rate in told],
        "rows": [_lesion_row(line, told, styles) for line in known],
    }


def _told_rates(known: Sequence[Mapping[str, Any]]) -> list[str]:
    """The first, the middle and the last of the rates of false findings that any method reaches."""
    at = [line["lesions"]["sensitivity_at"] for line in known]
    reached = [rate for rate, _ in _FINDINGS if any((one.get(rate) or {}).get("reached") for one in at)]
    if len(reached) <= _MOST_TOLD:
        return reached
    return [reached[0], reached[(len(reached) - 1) // 2], reached[-1]]


def _froc_line(name: str, points: Sequence[tuple[float, float]], styles: Mapping[str, Style]) -> Line:
    """The curve within the axis, level to its right end: fewer false findings than 8 a case are all there are."""
    least, most = float(_FINDINGS[0][0]), float(_FINDINGS[-1][0])
    before = [y for x, y in points if x < least]
    within = [(x, y) for x, y in points if least <= x <= most]
    started = [(least, before[-1])] if before else []
    level = [*started, *within]
    return Line(name, [*level, (most, level[-1][1])] if level else [], styles[name])


def _lesion_row(line: Mapping[str, Any], rates: Sequence[str], styles: Mapping[str, Style]) -> dict[str, Any]:
    told = line["lesions"]
    at = [told["sensitivity_at"].get(rate) or {} for rate in rates]
    return {
        **line,
        "swatch": Markup(swatch_svg(styles[line["method"]])),
        "found": figure(told["sensitivity"]),
        "false": figure(told["false_findings_per_case"], digits=2),
        "peak": figure(told["sensitivity_by_peak"]),
        "at": [figure(one) if one.get("reached") else _NONE for one in at],
    }


def _robustness(one: Mapping[str, Any], styles: Mapping[str, Style]) -> Iterator[_Chart]:
    """AUROC and false alarms against each distortion, a line a method, the undistorted scans at the left."""
    rows = one["robustness"]
    asked = next((line["false_alarms"]["asked"] for line in one["ranking"] if line["false_alarms"]), None)
    for distortion in dict.fromkeys(row["distortion"] for row in rows):
        mine = [row for row in rows if row["distortion"] == distortion]
        for key, words in (("auroc", "AUROC"), ("false_alarm", "false alarms")):
            known = [row for row in mine if (row[key] or {}).get("value") is not None]
            if known:
                level = asked if key == "false_alarm" else 0.5
                drawing = _distorted(known, mine, key, words, level, styles)
                yield _Chart(f"{mine[0]['title']}: {words}", drawing)


def _distorted(
    known: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    key: str,
    words: str,
    level: float | None,
    styles: Mapping[str, Style],
) -> Markup:
    """One distortion: its strengths evenly spaced in the order of the record, from none; a ring where there is none."""
    strengths = list(dict.fromkeys(float(row["strength"]) for row in rows))
    names = list(dict.fromkeys(row["method"] for row in known))
    lines, points = [], []
    for number, name in enumerate(names):
        shift = 0.07 * (number - (len(names) - 1) / 2) if len(names) <= _MOST_BARRED else 0.0
        mine = [(strengths.index(float(row["strength"])), row[key]) for row in known if row["method"] == name]
        mine.sort(key=lambda pair: pair[0])
        lines.append(Line(name, [(place + shift, told["value"]) for place, told in mine], styles[name]))
        barred = mine if len(names) <= _MOST_BARRED else mine[:1]
        points += [
            Point(
                name,
                place + shift,
                told["value"],
                told.get("low") if len(names) <= _MOST_BARRED else None,
                told.get("high"),
                styles[name],
                ring=place == 0,
            )
            for place, told in barred
        ]
    ends = [value for row in known for value in (row[key]["value"], row[key].get("low")) if value is not None]
    low = 0.0 if key == "false_alarm" else math.floor(10 * min(0.5, *ends)) / 10
    marks = [(float(place), f"{strength:g}") for place, strength in enumerate(strengths)]
    x = Axis(rows[0]["unit"], -0.25, len(strengths) - 0.75, marks=marks)
    alt = f"{words} under {rows[0]['title'].lower()}"
    return Markup(
        lines_svg(lines, x=x, y=Axis("", low, 1.0), alt=alt, level=level, points=points, width=250, height=200)
    )


def _legend(names: Sequence[str], styles: Mapping[str, Style]) -> list[tuple[Markup, str]]:
    """The methods drawn in colour, then one entry for the rest."""
    plain = Style(width=1.0)
    shown = [(Markup(swatch_svg(styles[name])), name) for name in names if styles[name] != plain]
    others = sum(styles[name] == plain for name in names)
    return [*shown, *([(Markup(swatch_svg(plain)), f"{others} other methods")] if others else [])]


def _pictures(told: Mapping[str, Any], ranking: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    views = [
        {
            **picture,
            "uri": Markup("data:image/jpeg;base64," + base64.b64encode(picture["bytes"]).decode("ascii")),
            "caption": _picture_words(picture),
        }
        for picture in told["pictures"]
    ]
    first = next(line for line in ranking if line["method"] == told["method"])
    return {
        "method": told["method"],
        "why": ", the best that is no baseline" if (first["rank"] or 1) > 1 and not first["baseline"] else "",
        "alarms": [view for view in views if view["kind"] == "false-alarm"],
        "misses": [view for view in views if view["kind"] == "miss"],
    }


def _picture_words(picture: Mapping[str, Any]) -> str:
    p = picture["p_value"]
    said = f"rank {picture['rank']} of {picture['of']}"
    said += "" if p is None else f", p = {p:.3f}"
    return said + {"above": ", above the threshold", "not-above": ", below the threshold"}.get(picture["decision"], "")


def _trivial(figures: Mapping[str, Any]) -> dict[str, Any]:
    either = figures.get("auroc_either_direction")
    return {"name": figures["name"], "auroc": figure(figures.get("auroc")), "either": figure(either)}


_METRICS = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "pixel_average_precision": "pixel AP",
    "dice": "Dice",
    "aupro": "AUPRO",
}


def _published(row: Mapping[str, Any]) -> dict[str, Any]:
    split = "the same split" if row["same_split"] else "another split: not comparable case by case"
    return {**row, "metric_words": _METRICS.get(row["metric"], row["metric"]), "text": figure(row), "split": split}


def _subgroup_tables(told: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """One table a column; groups in the order of the record."""
    if not told:
        return
    for column, groups in told["columns"].items():
        rows = groups.get("groups", groups) if isinstance(groups, Mapping) else groups
        listed = rows if isinstance(rows, list) else [{"group": name, **found} for name, found in rows.items()]
        listed = [row for row in listed if isinstance(row, Mapping)]
        against = next((row["against"] for row in listed if row.get("against")), None)
        yield {
            "column": column,
            "method": told["method"],
            "rows": [_group(row) for row in listed],
            "against": against,
        }


def _group(row: Mapping[str, Any]) -> dict[str, Any]:
    n = row.get("n") or {}
    alarms = row.get("false_alarms") or row.get("false_alarm") or {}
    return {
        "name": row.get("group", row.get("name", "")),
        "healthy": n.get("healthy", _NONE),
        "abnormal": n.get("abnormal", _NONE),
        "auroc": figure((row.get("image") or row).get("auroc")),
        "alarms": figure(alarms.get("realised", alarms) if isinstance(alarms, Mapping) else None),
    }


def _overview(record: Mapping[str, Any], styles: Mapping[str, Style]) -> dict[str, Any]:
    """Ranks over all sets."""
    summary = record["summary"]
    rows = summary["rows"]
    drawing = ""
    if len(rows) >= 2:
        ranks = [(row["method"], row["mean_rank"], styles[row["method"]]) for row in rows]
        rank_of = {row["method"]: row["mean_rank"] for row in rows}
        joined = [tuple(sorted(rank_of[name] for name in run)) for run in summary["joined"]]
        drawing = ranks_svg(
            ranks,
            critical=summary["critical"],
            joined=[(run[0], run[-1]) for run in joined],
            alt="Mean ranks over the sets",
        )
    best = [max((row["auroc"][place] for row in rows), default=None) for place in range(len(record["sets"]))]
    best = best if len(rows) > 1 else [None] * len(best)
    return {
        **summary,
        "drawing": Markup(drawing),
        "supervised": {method["name"] for method in record["methods"] if method["supervised"]},
        "names": [one["name"] for one in record["sets"]],
        "best": best,
        "swatches": {name: Markup(swatch_svg(style)) for name, style in styles.items()},
    }


def _cost_charts(record: Mapping[str, Any], styles: Mapping[str, Style]) -> list[_Chart]:
    """Accuracy against cost, the mean over the sets each method came through on."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for one in record["sets"]:
        for line in one["ranking"]:
            if line["rank"] is not None and line["cost"]:
                rows.setdefault(line["method"], []).append(line)
    whole = {name: lines for name, lines in rows.items() if len(lines) == len(record["sets"])}
    charts = []
    words = (("fit_s", "Seconds to fit, all included"), ("ms_an_image", "Milliseconds an image, once prepared"))
    for key, label in words:
        points = [_cost_point(name, lines, key, styles[name]) for name, lines in whole.items()]
        known = [point for point in points if point is not None]
        if known:
            charts.append(_Chart("", Markup(_cost_chart(known, label))))
    return charts


def _cost_point(name: str, lines: Sequence[Mapping[str, Any]], key: str, style: Style) -> Point | None:
    costs = [line["cost"].get(key) for line in lines]
    if any(cost is None or cost <= 0 for cost in costs):
        return None
    x = math.exp(sum(math.log(cost) for cost in costs) / len(costs))
    alone = lines[0]["auroc"] if len(lines) == 1 else {}
    y = sum(line["auroc"]["value"] for line in lines) / len(lines)
    return Point(name, x, y, alone.get("low"), alone.get("high"), style)


def _cost_chart(points: Sequence[Point], label: str) -> str:
    xs = [point.x for point in points]
    ys = [value for point in points for value in (point.y, point.low) if value is not None]
    x = Axis(label, min(xs) / 1.8, max(xs) * 1.8, log=True)
    y = Axis("AUROC", min(0.5, math.floor(20 * min(ys)) / 20), 1.0)
    return scatter_svg(points, x=x, y=y, alt=f"AUROC against {label.lower()}", width=500, height=330)


def _headline(record: Mapping[str, Any]) -> Iterator[str]:
    """What a hurried reader should take away, one sentence a set."""
    for one in record["sets"]:
        known = [line for line in one["ranking"] if line["rank"] is not None]
        if not known:
            yield f"{one['name']}: no method came through."
            continue
        best = known[0]
        tied = [line["method"] for line in known[1:] if _not_told_apart(line)]
        reached = f"AUROC {figure(best['auroc'])}"
        if one["above_chance"] is False:
            yield f"{one['name']}: no method is told from chance; the highest is {best['method']}, {reached}."
            continue
        said = f"{one['name']}: {best['method']} {'leads with' if len(known) > 1 else 'alone, with'} {reached}"
        yield said + (f"; not told apart from it: {', '.join(tied)}." if tied else ".")


def _seeds(record: Mapping[str, Any]) -> Iterator[str]:
    """Which seeds each method was run with; one where all give the same."""
    lines = [line for one in record["sets"] for line in one["ranking"]]
    for name, count in record["conditions"]["seeds"].items():
        once = [line["same_in_every_seed"] for line in lines if line["method"] == name]
        several = ", ".join(map(str, range(count)))
        if any(once):
            yield f"{name} 0, which stands for any" + ("" if all(once) else f", or {several} where they differ")
        else:
            yield f"{name} {several}"


def _not_told_apart(line: Mapping[str, Any]) -> bool:
    told = line["versus_best"] or {}
    return told.get("p_holm") is not None and told["p_holm"] >= 0.05


def _sources(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for method in record["methods"]:
        found |= method["sources"]
    return sorted(found.items())


def _settings(record: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Each method's settings; sets that share them share a row."""
    for method in record["methods"]:
        told: dict[str, list[str]] = {}
        for name, settings in method["settings"].items():
            words = "; ".join(f"{key} {setting(value)}" for key, value in settings.items()) or "none"
            detector = method["detectors"][name]
            words = words if detector == method["name"] else f"{detector}: {words}"
            told.setdefault(words, []).append(name)
        for words, names in told.items():
            yield {"method": method["name"], "sets": ", ".join(names), "settings": words}


def figure(told: Mapping[str, Any] | None, *, digits: int = 3) -> str:
    """`0.912 (0.885–0.936)`, or a dash."""
    if not told or told.get("value") is None:
        return _NONE
    text = f"{told['value']:.{digits}f}"
    if told.get("low") is not None and told.get("high") is not None:
        text += f" ({told['low']:.{digits}f}–{told['high']:.{digits}f})"
    return text


def setting(value: Any) -> str:
    """A setting's value in words rather than in Python's."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {setting(one)}" for key, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(setting, value))})"
    return str(value)


def sentence(words: str) -> str:
    """With a capital letter and a full stop; a name that begins it keeps its own letter."""
    first = words[:1].upper() if "-" not in words.split(" ", 1)[0] else words[:1]
    return first + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def counted(count: int, word: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def seeds_text(told: Mapping[str, Any] | None) -> str:
    """`3 (SD 0.004)`; a lone seed has no spread."""
    seeds = (told or {}).get("seeds")
    if not seeds:
        return _NONE
    return str(seeds["count"]) if seeds["sd"] is None else f"{seeds['count']} (SD {seeds['sd']:.3f})"


def seconds(value: float | None) -> str:
    """Seconds with the digits that count."""
    if value is None:
        return _NONE
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


@cache
def _template() -> Template:
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["counted"] = counted
    pages.filters["sentence"] = sentence
    return pages.get_template("compare.html.j2")
