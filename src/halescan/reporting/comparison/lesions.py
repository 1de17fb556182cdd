"""Lesions found against false findings a case: a curve and a row a method."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from halescan.reporting.charts import Axis, Line, Style, lines_svg, swatch_svg
from halescan.reporting.comparison.curves import SHARE
from halescan.reporting.comparison.words import NONE, figure

_FINDINGS = (("0.125", "1/8"), ("0.25", "1/4"), ("0.5", "1/2"), ("1", "1"), ("2", "2"), ("4", "4"), ("8", "8"))
_MOST_TOLD = 3  # rates of false findings with a column of their own; the curve tells the others


def lesions_view(
    one: Mapping[str, Any], curves: Mapping[str, Any], styles: Mapping[str, Style]
) -> dict[str, Any] | None:
    """Lesions found against false findings a case: a curve and a row a method; None without masks."""
    known = [line for line in one["ranking"] if line["rank"] and line["lesions"]]
    if not known:
        return None
    lines = [_froc_line(line["method"], curves.get(line["method"], {}).get("froc", []), styles) for line in known]
    drawn = [line for line in lines if line.points]
    told = _told_rates(known)
    marks = [(float(rate), words) for rate, words in _FINDINGS]
    x = Axis("False findings a case", marks[0][0], marks[-1][0], log=True, marks=marks)
    y = Axis("Lesions found (share)", *SHARE)
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
        "at": [figure(one) if one.get("reached") else NONE for one in at],
    }
