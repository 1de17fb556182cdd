"""ROC, precision and recall, and calibration of a set."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from halescan.reporting.charts import Axis, Line, Style, lines_svg

SHARE = (0.0, 1.0)


@dataclass(frozen=True)
class Chart:
    """A drawing with the words above and below it."""

    title: str
    drawing: Markup
    caption: str = ""


def curve_charts(one: Mapping[str, Any], curves: Mapping[str, Any], styles: Mapping[str, Style]) -> Iterator[Chart]:
    """ROC, precision-recall and calibration of a set, the leading methods in colour."""
    names = [line["method"] for line in one["ranking"] if line["method"] in curves]
    if not names:
        return
    n = one["n"]

    def lines(kind: str) -> list[Line]:
        return [Line(name, curves[name][kind], styles[name]) for name in names if curves[name][kind]]

    share_of_abnormal = n["abnormal"] / max(1, n["abnormal"] + n["healthy"])
    yield Chart(
        "ROC",
        Markup(
            lines_svg(
                lines("roc"),
                x=Axis("False alarms (share of healthy)", *SHARE),
                y=Axis("Found (share of abnormal)", *SHARE),
                alt=f"ROC curves on {one['name']}",
                diagonal=True,
            )
        ),
    )
    yield Chart(
        "Precision and recall",
        Markup(
            lines_svg(
                lines("pr"),
                x=Axis("Found (share of abnormal)", *SHARE),
                y=Axis("Right (share of alarms)", *SHARE),
                alt=f"Precision-recall curves on {one['name']}",
                level=share_of_abnormal,
            )
        ),
    )
    if lines("alarms"):
        yield Chart("Calibration", _calibration(one, lines("alarms")))


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
