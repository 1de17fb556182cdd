"""Ranking: a row for each method on a set, the best first, and how surely it differs from others."""

from collections.abc import Mapping, Sequence
from typing import Any

from halescan.errors import HalescanError
from halescan.evaluation.ranks import holm
from halescan.evaluation.seeds import Drawn, draw, over_seeds, paired
from halescan.workflows.comparison.done import Done, Scored, scored_by
from halescan.workflows.comparison.over_seeds import (
    false_alarms_of,
    lesions_found,
    mean_figure,
    mean_figures,
    mean_of,
    patient_auroc,
    reliability_of,
)
from halescan.workflows.comparison.plan import BASELINE
from halescan.workflows.comparison.words import without_files

COSTS = ("fit_s", "ms_an_image", "peak_mb", "peak_gpu_mb")


def ranking_of(rows: Mapping[str, Sequence[Done]]) -> list[dict[str, Any]]:
    """The table of a set, the best first; `rows` are the cells of each method."""
    scored = {name: scored_by(cells) for name, cells in rows.items()}
    drawn = {name: _drawn(one, "auroc") for name, one in scored.items()}
    ranking = [_line(name, cells, scored[name], drawn[name]) for name, cells in rows.items()]
    ranking.sort(key=lambda line: (line["auroc"] is None, -((line["auroc"] or {}).get("value") or 0)))
    _number(ranking)
    _against_best(ranking, drawn)
    _against_baseline(ranking, drawn)
    return ranking


def leading(ranking: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The methods that came through, the best first; the trivial baseline last, wherever it stands."""
    return sorted((line for line in ranking if line["rank"] is not None), key=lambda line: line["baseline"])


def _line(name: str, cells: Sequence[Done], scored: Scored | None, drawn: Drawn | None) -> dict[str, Any]:
    """One row of a set's table: the mean over the seeds that came through, and what became of the others."""
    through = [cell for cell in cells if cell.outcome.result is not None]
    metrics = [cell.file("metrics.json") for cell in through]
    results = [cell.outcome.result or {} for cell in through]
    failures = sorted({without_files(cell.outcome.why_not) for cell in cells if cell.outcome.result is None})
    return {
        "method": name,
        "detector": cells[0].cell.detector,
        "baseline": name == BASELINE,
        "state": "done" if len(through) == len(cells) else "partly" if through else "failed",
        "why": "; ".join(failures),
        "seeds": len(through),
        "same_in_every_seed": cells[0].cell.once,
        "rank": None,
        "auroc": None if drawn is None else over_seeds(drawn),
        "average_precision": None if scored is None else _over_seeds(scored, "average_precision"),
        "sensitivity_at": mean_figures(metrics, "sensitivity_at"),
        "patient_auroc": patient_auroc(metrics),
        "pixel_average_precision": mean_figure(metrics, "pixel", "average_precision"),
        "dice": mean_figure(metrics, "pixel", "dice"),
        "best_dice": mean_figure(metrics, "pixel", "best_dice"),
        "aupro": mean_figure(metrics, "pixel", "aupro"),
        "froc_score": mean_figure(metrics, "lesions", "froc_score"),
        "lesions": lesions_found(metrics),
        "reliability": reliability_of(metrics),
        "false_alarms": false_alarms_of(metrics),
        "sensitivity": mean_figure(metrics, "operating_point", "sensitivity"),
        "versus_best": None,
        "versus_baseline": None,
        "cost": _cost(results, through),
    }


def _cost(results: Sequence[Mapping[str, Any]], through: Sequence[Done]) -> dict[str, Any] | None:
    if not results:
        return None
    found = {key: mean_of([one.get(key) for one in results]) for key in COSTS}
    return {**found, "steps": through[0].cell.request.get("settings", {}).get("steps")}


def _drawn(scored: Scored | None, metric: Any) -> Drawn | None:
    return None if scored is None else draw(scored.labels, scored.scores, groups=scored.patients, metric=metric)


def _over_seeds(scored: Scored, metric: str) -> dict[str, Any]:
    found = _drawn(scored, metric)
    assert found is not None
    return over_seeds(found)


def _number(ranking: list[dict[str, Any]]) -> None:
    """Ranks from 1; failed methods have none."""
    known = [line for line in ranking if line["auroc"] is not None and line["auroc"]["value"] is not None]
    for line in known:
        line["rank"] = 1 + sum(other["auroc"]["value"] > line["auroc"]["value"] + 1e-12 for other in known)


def _against_best(ranking: list[dict[str, Any]], drawn: Mapping[str, Drawn | None]) -> None:
    """The paired difference of every method to the best one, Holm-corrected over the set."""
    known = [line for line in ranking if line["rank"] is not None]
    best = drawn[known[0]["method"]] if known else None
    if best is None:
        return
    tests = []
    for line in known[1:]:
        mine = drawn[line["method"]]
        try:
            tests.append((line, None if mine is None else paired(mine, best)))
        except HalescanError as error:
            line["versus_best"] = {"why": str(error)}
    told = [(line, found) for line, found in tests if found is not None]
    corrected = holm([found.p_value for _, found in told])
    for (line, found), p_holm in zip(told, corrected, strict=True):
        line["versus_best"] = {
            "difference": found.difference,
            "low": found.low,
            "high": found.high,
            "p_value": found.p_value,
            "p_holm": p_holm,
            "test": found.method,
        }


def _against_baseline(ranking: list[dict[str, Any]], drawn: Mapping[str, Drawn | None]) -> None:
    """The paired difference of every method to the trivial baseline: what it has learned beyond a mean image."""
    baseline = drawn.get(BASELINE)
    for line in ranking:
        mine = drawn[line["method"]]
        if mine is None or baseline is None or mine is baseline:
            continue
        try:
            found = paired(mine, baseline)
        except HalescanError:  # one patient of a class: nothing can be told
            continue
        line["versus_baseline"] = {key: getattr(found, key) for key in ("difference", "low", "high", "p_value")}
