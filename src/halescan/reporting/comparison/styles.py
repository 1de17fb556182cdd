"""Styles: a colour and a dash for each method, and the legend that names them."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from halescan.reporting.charts import BASELINE, COLOURS, DASHES, Style, swatch_svg

MOST_NAMED = len(COLOURS)  # methods with a colour of their own; beyond, curves are thin and grey


def styles_of(record: Mapping[str, Any]) -> dict[str, Style]:
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


def legend_of(names: Sequence[str], styles: Mapping[str, Style]) -> list[tuple[Markup, str]]:
    """The methods drawn in colour, then one entry for the rest."""
    plain = Style(width=1.0)
    shown = [(Markup(swatch_svg(styles[name])), name) for name in names if styles[name] != plain]
    others = sum(styles[name] == plain for name in names)
    return [*shown, *([(Markup(swatch_svg(plain)), f"{others} other methods")] if others else [])]
