"""The ROC curve as points, for drawing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from halescan.errors import ShapeError
from halescan.evaluation.metrics import check_labels, check_scores


def roc_points(labels: Sequence[Any] | np.ndarray, scores: Sequence[float] | np.ndarray) -> list[tuple[float, float]]:
    """`(share of healthy, share of abnormal)` at or above each distinct score, strictest first, from (0, 0) to (1, 1).

    Raises:
        ShapeError: with one class only; there is no curve.
    """
    truth, values = check_labels(labels), check_scores(scores, len(labels))
    if not len(truth) or truth.all() or not truth.any():
        raise ShapeError("a ROC curve needs cases of both classes")
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    last = np.append(np.flatnonzero(np.diff(ranked) != 0), len(ranked) - 1)
    hits, alarms = np.cumsum(truth[order])[last], np.cumsum(~truth[order])[last]
    points = zip(alarms / (~truth).sum(), hits / truth.sum(), strict=True)
    return [(0.0, 0.0), *((float(x), float(y)) for x, y in points)]
