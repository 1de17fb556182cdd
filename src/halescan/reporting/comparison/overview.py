"""Over all sets: mean ranks, and accuracy against cost."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from halescan.reporting.charts import Axis, Point, Style, ranks_svg, scatter_svg, swatch_svg
from halescan.reporting.comparison.curves import Chart


def overview_view(record: Mapping[str, Any], styles: Mapping[str, Style]) -> dict[str, Any]:
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


def cost_charts(record: Mapping[str, Any], styles: Mapping[str, Style]) -> list[Chart]:
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
            charts.append(Chart("", Markup(_cost_chart(known, label))))
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
