"""The points of ROC and precision-recall curves."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from halescan.errors import ShapeError
from halescan.evaluation.roc import Points, precision_recall_points, roc_points


def test_the_area_below_the_points_is_the_auroc_with_ties() -> None:
    random = np.random.default_rng(0)
    labels, scores = random.random(60) < 0.4, random.integers(0, 8, 60).astype(float)
    points = np.array(roc_points(labels, scores))
    assert np.trapezoid(points[:, 1], points[:, 0]) == pytest.approx(roc_auc_score(labels, scores))
    assert points[0].tolist() == [0, 0]
    assert points[-1].tolist() == [1, 1]


def test_the_steps_below_precision_and_recall_are_the_average_precision() -> None:
    random = np.random.default_rng(1)
    labels, scores = random.random(60) < 0.4, random.integers(0, 8, 60).astype(float)
    points = np.array(precision_recall_points(labels, scores))
    steps = (np.diff(points[:, 0]) * points[1:, 1]).sum()
    assert steps == pytest.approx(average_precision_score(labels, scores))
    assert points[0].tolist() == [0, points[1, 1]]
    assert points[-1].tolist() == [1, labels.mean()]


@pytest.mark.parametrize("curve", [roc_points, precision_recall_points])
def test_one_class_has_no_curve(curve: Callable[..., Points]) -> None:
    with pytest.raises(ShapeError, match="both classes"):
        curve([0, 0], [1.0, 2.0])
