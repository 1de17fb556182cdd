"""ROC and precision-recall curves as points, for drawing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from halescan.errors import ShapeError
from halescan.evaluation.metrics import check_labels, check_scores

Points = list[tuple[float, float]]


def roc_points(labels: Sequence[Any] | np.ndarray, scores: Sequence[float] | np.ndarray) -> Points:
    """`(share of healthy, share of abnormal)` at or above each distinct score, strictest first, from (0, 0) to (1, 1).

    Raises:
        ShapeError: with one class only; there is no curve.
    """
    hits, alarms = _running(labels, scores)
    return [(0.0, 0.0), *as_points(alarms / alarms[-1], hits / hits[-1])]


def precision_recall_points(labels: Sequence[Any] | np.ndarray, scores: Sequence[float] | np.ndarray) -> Points:
    """`(share of abnormal, precision)` at or above each distinct score, strictest first, level from a share of 0.

    Raises:
        ShapeError: with one class only; there is no curve.
    """
    hits, alarms = _running(labels, scores)
    precision = hits / (hits + alarms)
    return [(0.0, float(precision[0])), *as_points(hits / hits[-1], precision)]


def as_points(x: np.ndarray, y: np.ndarray) -> Points:
    """Two arrays `(k,)` as k pairs of plain numbers."""
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _running(labels: Sequence[Any] | np.ndarray, scores: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Abnormal and healthy cases at or above each distinct score, strictest first."""
    truth, values = check_labels(labels), check_scores(scores, len(labels))
    if not len(truth) or truth.all() or not truth.any():
        raise ShapeError("a curve needs cases of both classes")
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    return np.cumsum(truth[order])[last], np.cumsum(~truth[order])[last]
