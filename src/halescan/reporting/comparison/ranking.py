"""The ranking of a set: a row a method."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from halescan.reporting.charts import Axis, Style, interval_svg, swatch_svg
from halescan.reporting.comparison.words import NONE, figure, seconds, seeds_text

COSTS = ("steps", "fit_s", "ms_an_image", "peak_mb", "peak_gpu_mb")
_WHERE = {
    "pixel_average_precision": "pixel AP",
    "dice": "Dice",
    "best_dice": "best Dice*",
    "aupro": "AUPRO 0.3",
    "froc_score": "FROC score*",
}
_FEW = 20  # healthy cases below which a test of their p-values tells nothing
_UNLIKELY = 0.05


def ranking_row(
    line: Mapping[str, Any], ranking: Sequence[Mapping[str, Any]], styles: Mapping[str, Style]
) -> dict[str, Any]:
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
        "sensitivities": [figure(line["sensitivity_at"].get(level)) for level in levels_of(ranking)],
        "places": [figure(line.get(key)) for key in where_known(ranking)],
        "versus": _versus(line["versus_best"], first=line["rank"] == 1),
        "alarms_text": figure(alarms.get("realised")) if alarms.get("realised") else NONE,
        "sensitivity_text": figure(line["sensitivity"]),
        "promise": _promise(line["reliability"]),
        "fit": seconds(cost.get("fit_s")),
        "ms": NONE if cost.get("ms_an_image") is None else f"{cost['ms_an_image']:.3g}",
        "memory": NONE if cost.get("peak_mb") is None else f"{cost['peak_mb']:,.0f}",
        "gpu": NONE if cost.get("peak_gpu_mb") is None else f"{cost['peak_gpu_mb']:,.0f}",
        "steps": NONE if cost.get("steps") is None else f"{cost['steps']:,d}",
    }


def levels_of(ranking: Sequence[Mapping[str, Any]]) -> list[str]:
    """The specificities at which sensitivities are told."""
    return list(dict.fromkeys(key for line in ranking for key in line["sensitivity_at"]))


def where_known(ranking: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The columns about places that hold something."""
    return {key: words for key, words in _WHERE.items() if any(line.get(key) for line in ranking)}


def least_shown(ranking: Sequence[Mapping[str, Any]]) -> float:
    """Where the axis of the intervals begins: at chance, or below it where a figure is."""
    ends = [value for line in ranking if line["rank"] for value in (line["auroc"]["low"], line["auroc"]["value"])]
    return math.floor(10 * min([value for value in ends if value is not None] + [0.5])) / 10


def by_patient(one: Mapping[str, Any]) -> dict[str, Any] | None:
    """How many patients of each class the figures by patient rest on; None where there are none."""
    told = [line["patient_auroc"] for line in one["ranking"] if line["patient_auroc"]]
    n = one["n"] or {}
    if not told or "patients" not in n:
        return None
    ill = n["patients_with_abnormal"]
    return {"healthy": n["patients"] - ill, "abnormal": ill, "few": any(figure["low"] is None for figure in told)}


def _promise(told: Mapping[str, Any] | None) -> str:
    """What the test of the healthy p-values says: that nothing speaks against them, or in which direction they err."""
    if told is None:
        return NONE
    if told["tested"] < _FEW:
        return f"too few to tell ({told['tested']})"
    p = told["p_value"]
    said = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    if p > _UNLIKELY:
        return said
    return f"{said}, {'too many alarms' if told['excess'] >= told['shortfall'] else 'too few alarms'}"


def _interval(line: Mapping[str, Any], ranking: Sequence[Mapping[str, Any]], style: Style) -> str:
    told = line["auroc"]
    axis = Axis("", least_shown(ranking), 1.0)
    return interval_svg(told["value"], told["low"], told["high"], axis=axis, style=style)


def _versus(told: Mapping[str, Any] | None, *, first: bool) -> str:
    """The difference to the best and its p-value; a dash where there is nothing to tell."""
    if first or told is None:
        return "best" if first else NONE
    if "difference" not in told:
        return NONE
    p = told["p_holm"]
    said = "" if p is None else " (p < 0.001)" if p < 0.001 else f" (p = {p:.3f})"
    return f"{told['difference']:+.3f}".replace("-", "−") + said
