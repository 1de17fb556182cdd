"""What stands beside the ranking of a set: trivial statistics, published figures, subgroups."""

from collections.abc import Iterator, Mapping
from typing import Any

from halescan.reporting.comparison.words import NONE, figure

_METRICS = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "pixel_average_precision": "pixel AP",
    "dice": "Dice",
    "aupro": "AUPRO",
}


def trivial_row(figures: Mapping[str, Any]) -> dict[str, Any]:
    either = figures.get("auroc_either_direction")
    return {"name": figures["name"], "auroc": figure(figures.get("auroc")), "either": figure(either)}


def published_row(row: Mapping[str, Any]) -> dict[str, Any]:
    split = "the same split" if row["same_split"] else "another split: not comparable case by case"
    return {**row, "metric_words": _METRICS.get(row["metric"], row["metric"]), "text": figure(row), "split": split}


def subgroup_tables(told: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
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
        "healthy": n.get("healthy", NONE),
        "abnormal": n.get("abnormal", NONE),
        "auroc": figure((row.get("image") or row).get("auroc")),
        "alarms": figure(alarms.get("realised", alarms) if isinstance(alarms, Mapping) else None),
    }
