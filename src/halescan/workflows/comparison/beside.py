"""What stands beside the ranking of a set: trivial statistics, subgroups, distortions, shifts."""

from collections.abc import Mapping, Sequence
from typing import Any

from halescan.evaluation.leaks import shortcut_sentence, shortcut_warnings
from halescan.synthesis.distortions import DISTORTIONS
from halescan.workflows.comparison.done import Done
from halescan.workflows.comparison.ranking import leading


def trivial(rows: Mapping[str, Sequence[Done]]) -> list[dict[str, Any]]:
    """The trivial statistics of a set, the best first: they are the same whatever method was beside them."""
    cell = next((cell for cells in rows.values() for cell in cells if cell.outcome.result is not None), None)
    if cell is None:
        return []
    told = [{"name": name, **figures} for name, figures in cell.file("metrics.json").get("baselines", {}).items()]
    return sorted(told, key=_either, reverse=True)


def _either(figures: Mapping[str, Any]) -> float:
    """AUROC in whichever direction is better; 0 where it is not known."""
    found = figures.get("auroc_either_direction") or figures.get("auroc") or {}
    return float(found.get("value") or 0)


def shortcuts(ranking: Sequence[Mapping[str, Any]], rows: Mapping[str, Sequence[Done]]) -> list[str]:
    """Trivial statistics that come near the best method, or beat it."""
    best = next(iter(leading(ranking)), None)
    if best is None:
        return []
    cell = next(cell for cell in rows[best["method"]] if cell.outcome.result is not None)
    found = shortcut_warnings(best["auroc"]["value"], cell.file("metrics.json").get("baselines", {}))
    return [f"{best['method']}, on the scans as the profile prepares them: {shortcut_sentence(found)}"] if found else []


def above_chance(ranking: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether the interval of any method's AUROC lies above 0.5; None where none came through."""
    known = [line["auroc"] for line in ranking if line["rank"] is not None]
    lows = [told["value"] if told["low"] is None else told["low"] for told in known]
    return any(low > 0.5 for low in lows) if lows else None


def subgroups(ranking: Sequence[Mapping[str, Any]], rows: Mapping[str, Sequence[Done]]) -> dict[str, Any] | None:
    """The subgroups of the best method's first seed, where the record has them."""
    best = next(iter(leading(ranking)), None)
    if best is None:
        return None
    cell = next(cell for cell in rows[best["method"]] if cell.outcome.result is not None)
    found = cell.file("metrics.json").get("subgroups")
    return {"method": best["method"], "columns": found} if found else None


def robustness(rows: Mapping[str, Sequence[Done]]) -> list[dict[str, Any]]:
    """Figures of each method's first seed under each distortion, from none to strong; empty where not asked for."""
    return [
        {"method": name, "title": DISTORTIONS[row["distortion"]].title, "unit": DISTORTIONS[row["distortion"]].unit}
        | {key: row.get(key) for key in ("distortion", "strength", "auroc", "false_alarm")}
        for name, cells in rows.items()
        for row in cells[0].file("robustness.json").get("rows", [])
        if row.get("distortion") in DISTORTIONS
    ]


def differences(rows: Mapping[str, Sequence[Done]]) -> list[str]:
    """In what the healthy test scans differ from the calibration scans, by any method's record."""
    found: dict[str, None] = {}
    for cells in rows.values():
        for cell in cells:
            about = cell.file("metrics.json").get("about", {}) if cell.outcome.result else {}
            found |= {one["feature"]: None for one in about.get("differs_from_reference") or []}
    return list(found)
