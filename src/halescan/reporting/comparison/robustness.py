"""Robustness: AUROC and false alarms under each distortion."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from halescan.reporting.charts import Axis, Line, Point, Style, lines_svg
from halescan.reporting.comparison.curves import Chart

_MOST_BARRED = 4  # methods whose intervals can be told apart on one small chart


def robustness_charts(one: Mapping[str, Any], styles: Mapping[str, Style]) -> Iterator[Chart]:
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
                yield Chart(f"{mine[0]['title']}: {words}", drawing)


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
