"""Curves of a comparison: what the page draws of each method on each set."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from halescan.evaluation.roc import Points, as_points, precision_recall_points, roc_points
from halescan.workflows.comparison.done import Done, Scored, by_row, scored_by

_GRID = np.linspace(0, 1, 201)


def curves_of(done: Sequence[Done]) -> dict[str, dict[str, Any]]:
    """For each set and method what its curves are drawn from: ROC, precision-recall, realised false alarms."""
    found: dict[str, dict[str, Any]] = {}
    for (dataset, method), cells in by_row(done).items():
        scored = scored_by(cells)
        if scored is not None and scored.labels.any() and not scored.labels.all():
            found.setdefault(dataset, {})[method] = {
                "roc": _mean_curve(roc_points, scored),
                "pr": _mean_curve(precision_recall_points, scored),
                "alarms": _realised(scored),
                "froc": _froc(cells),
            }
    return found


def _mean_curve(curve: Callable[..., Points], scored: Scored) -> Points:
    """The curve of one seed with all its corners, or the mean over seeds of its heights on a grid."""
    curves = [curve(scored.labels, row) for row in scored.scores]
    if len(curves) == 1:
        return curves[0]
    heights = [np.interp(_GRID, *np.transpose(one)) for one in curves]
    return as_points(_GRID, np.mean(heights, axis=0))


def _realised(scored: Scored) -> list[tuple[float, float]]:
    """Asked false-alarm rates, and the share of healthy cases whose p-value lies at or below them."""
    p_values = scored.p_values[:, ~scored.labels]
    if p_values.size == 0 or not np.isfinite(p_values).all():
        return []
    asked = np.linspace(0, 0.5, 101)
    return [(float(rate), float((p_values <= rate + 1e-12).mean())) for rate in asked]


def _froc(cells: Sequence[Done]) -> list[tuple[float, float]]:
    """Lesions found against false findings a case, of the first seed that came through."""
    first = next(cell for cell in cells if cell.outcome.result is not None)
    curve = (first.file("metrics.json").get("lesions") or {}).get("curve") or {}
    return list(zip(curve.get("false_findings_per_case", []), curve.get("sensitivity", []), strict=True))
