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
        curves: By set and method: `roc`, `pr` and `alarms` as lists of `(x, y)`, `distorted` as rows.
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
    sets = [_set_view(one, curves.get(one["name"], {}), pictures.get(one["name"]), styles) for one in record["sets"]]
    return _template().render(
        record=record,
        sets=sets,
        overview=_overview(record, styles) if len(sets) > 1 else None,
        costs=_cost_charts(record, styles),
        sources=_sources(record),
        settings=list(_settings(record)),
        headline=list(_headline(record)),
        failed=[cell for cell in record["cells"] if cell["state"] == "failed"],
    )


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
        "by_patient": any(line["patient_auroc"] for line in ranking),
        "scale": f"{_least(ranking):.1f} to 1",
        "where": _where(ranking),
        "rows": [_row(line, ranking, styles) for line in ranking],
        "charts": list(_charts(one, curves, styles)),
        "legend": _legend([line["method"] for line in ranking if line["method"] in curves], styles),
        "robustness": list(_robustness(ranking, curves, styles)),
        "pictures": None if pictures is None else _pictures(pictures),
        "trivial": [_trivial(figures) for figures in one["baselines"]],
        "published_rows": [_published(row) for row in one["published"]],
        "subgroup_tables": list(_subgroup_tables(one.get("subgroups"))),
        "asked": next((line["false_alarms"]["asked"] for line in ranking if line["false_alarms"]), None),
    }


_WHERE = {
    "pixel_average_precision": "pixel AP",
    "dice": "Dice",
    "best_dice": "best Dice*",
    "aupro": "AUPRO 0.3",
    "froc_score": "FROC score*",
}


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
        "spread": seeds_text(line["auroc"]),
        "precision_text": figure(line["average_precision"]),
        "patient_text": figure(line["patient_auroc"]),
        "sensitivities": [figure(line["sensitivity_at"].get(level)) for level in _levels(ranking)],
        "places": [figure(line.get(key)) for key in _where(ranking)],
        "versus": _versus(line["versus_best"], first=line["rank"] == 1),
        "alarms_text": figure(alarms.get("realised")) if alarms.get("realised") else _NONE,
        "sensitivity_text": figure(line["sensitivity"]),
        "fit": seconds(cost.get("fit_s")),
        "ms": _NONE if cost.get("ms_an_image") is None else f"{cost['ms_an_image']:.3g}",
        "memory": _NONE if cost.get("peak_mb") is None else f"{cost['peak_mb']:,.0f}",
        "steps": _NONE if cost.get("steps") is None else f"{cost['steps']:,d}",
    }


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


def _robustness(
    ranking: Sequence[Mapping[str, Any]], curves: Mapping[str, Any], styles: Mapping[str, Style]
) -> Iterator[_Chart]:
    """AUROC and false alarms against each distortion, a line a method."""
    names = [line["method"] for line in ranking if curves.get(line["method"], {}).get("distorted")]
    rows = [(name, row) for name in names for row in curves[name]["distorted"]]
    for distortion in dict.fromkeys(row["distortion"] for _, row in rows if row["distortion"]):
        for key, words in (("auroc", "AUROC"), ("false_alarm", "False alarms realised")):
            lines = [Line(name, _strengths(curves[name]["distorted"], distortion, key), styles[name]) for name in names]
            lines = [line for line in lines if line.points]
            if lines:
                strengths = [x for line in lines for x, _ in line.points]
                low = 0.0 if key == "false_alarm" else min(0.5, *(y for line in lines for _, y in line.points))
                x, y = Axis(f"{distortion} (strength)", min(strengths), max(strengths)), Axis(words, low, 1.0)
                drawing = lines_svg(lines, x=x, y=y, alt=f"{words} under {distortion}", width=240, height=200)
                yield _Chart(distortion, Markup(drawing))


def _strengths(rows: Sequence[Mapping[str, Any]], distortion: str, key: str) -> list[tuple[float, float]]:
    """The figure of each strength of a distortion; the undistorted scans have strength 0."""
    found = [
        (float(row["strength"]), float(row[key]["value"]))
        for row in rows
        if row["distortion"] == distortion and row.get(key) and row[key].get("value") is not None
    ]
    return sorted(found)


def _legend(names: Sequence[str], styles: Mapping[str, Style]) -> list[tuple[Markup, str]]:
    """The methods drawn in colour, then one entry for the rest."""
    plain = Style(width=1.0)
    shown = [(Markup(swatch_svg(styles[name])), name) for name in names if styles[name] != plain]
    others = sum(styles[name] == plain for name in names)
    return [*shown, *([(Markup(swatch_svg(plain)), f"{others} other methods")] if others else [])]


def _pictures(told: Mapping[str, Any]) -> dict[str, Any]:
    views = [
        {
            **picture,
            "uri": Markup("data:image/jpeg;base64," + base64.b64encode(picture["bytes"]).decode("ascii")),
            "caption": _picture_words(picture),
        }
        for picture in told["pictures"]
    ]
    return {
        "method": told["method"],
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
    return {"name": figures["name"], "auroc": figure(figures.get("auroc")), "either": figure(either) if either else ""}


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
        yield {"column": column, "method": told["method"], "rows": [_group(row) for row in listed]}


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
        drawing = ranks_svg(ranks, critical=summary["critical"], alt="Mean ranks over the sets")
    best = [max((row["auroc"][place] for row in rows), default=None) for place in range(len(record["sets"]))]
    return {
        **summary,
        "drawing": Markup(drawing),
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
        said = f"{one['name']}: {best['method']} leads with AUROC {figure(best['auroc'])}"
        yield said + (f"; not told apart from it: {', '.join(tied)}." if tied else ".")


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
            words = ", ".join(f"{key} {value}" for key, value in settings.items()) or "none"
            detector = method["detectors"][name]
            words = words if detector == method["name"] else f"{detector}: {words}"
            told.setdefault(words, []).append(name)
        for words, names in told.items():
            yield {"method": method["name"], "sets": ", ".join(names), "settings": words}


def figure(told: Mapping[str, Any] | None) -> str:
    """`0.912 (0.885–0.936)`, or a dash."""
    if not told or told.get("value") is None:
        return _NONE
    text = f"{told['value']:.3f}"
    if told.get("low") is not None and told.get("high") is not None:
        text += f" ({told['low']:.3f}–{told['high']:.3f})"
    return text


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
    return pages.get_template("compare.html.j2")
