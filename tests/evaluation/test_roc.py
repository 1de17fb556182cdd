"""The points of a ROC curve."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from halescan.errors import ShapeError
from halescan.evaluation.roc import roc_points


def test_the_area_below_the_points_is_the_auroc_with_ties() -> None:
    random = np.random.default_rng(0)
    labels, scores = random.random(60) < 0.4, random.integers(0, 8, 60).astype(float)
    points = np.array(roc_points(labels, scores))
    assert np.trapezoid(points[:, 1], points[:, 0]) == pytest.approx(roc_auc_score(labels, scores))
    assert points[0].tolist() == [0, 0]
    assert points[-1].tolist() == [1, 1]


def test_one_class_has_no_curve() -> None:
    with pytest.raises(ShapeError):
        roc_points([0, 0], [1.0, 2.0])
