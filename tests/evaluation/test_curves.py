"""Weighted ranking figures: a weight of two is the same as the case twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from halescan.evaluation.curves import area_up_to, auroc, average_precision, best_dice

WEIGHTS = arrays(np.int64, (2, 9), elements=st.integers(0, 4))


@given(WEIGHTS)
def test_whole_number_weights_are_repeated_cases(weights: np.ndarray) -> None:
    positives, negatives = weights
    scores = np.concatenate([np.repeat(np.arange(9), positives), np.repeat(np.arange(9), negatives)])
    labels = np.repeat([1, 0], [positives.sum(), negatives.sum()])
    if 0 < labels.sum() < len(labels):
        assert auroc(positives, negatives) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        assert average_precision(positives, negatives) == pytest.approx(
            average_precision_score(labels, scores), abs=1e-12
        )


@given(WEIGHTS)
def test_the_best_dice_is_the_largest_of_all_thresholds(weights: np.ndarray) -> None:
    positives, negatives = weights
    if positives.sum():
        total = positives.sum()
        each = [2 * positives[k:].sum() / (positives[k:].sum() + negatives[k:].sum() + total) for k in range(9)]
        value, place = best_dice(positives, negatives)
        assert value == pytest.approx(max(each))
        assert each[int(place)] == pytest.approx(max(each))


def test_many_draws_at_once_equal_one_by_one() -> None:
    random = np.random.default_rng(0)
    positives, negatives = random.integers(0, 5, (2, 6, 20))
    for measure in (auroc, average_precision, lambda p, n: best_dice(p, n)[0]):
        together = measure(positives, negatives)
        np.testing.assert_allclose(together, [measure(p, n) for p, n in zip(positives, negatives, strict=True)])


def test_with_one_class_there_is_no_figure() -> None:
    some, none = np.ones(3), np.zeros(3)
    assert np.isnan(auroc(some, none))
    assert np.isnan(auroc(none, some))
    assert np.isnan(average_precision(none, some))
    assert np.isnan(best_dice(none, some)[0])


@given(WEIGHTS)
def test_the_whole_area_is_the_auroc(weights: np.ndarray) -> None:
    positives, negatives = weights
    if positives.sum() and negatives.sum():
        assert area_up_to(positives, negatives, 1.0) == pytest.approx(auroc(positives, negatives), abs=1e-12)


def test_part_of_the_area_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    labels, scores = random.random(200) < 0.4, np.round(random.normal(size=200), 1)
    counts = [np.array([(scores[labels == kind] == value).sum() for value in np.unique(scores)]) for kind in (1, 0)]
    standardised = roc_auc_score(labels, scores, max_fpr=0.3)  # McClish: scaled so that guessing is 0.5
    part = 0.3**2 / 2 + (standardised - 0.5) * 2 * (0.3 - 0.3**2 / 2)
    assert area_up_to(*counts, 0.3) == pytest.approx(part / 0.3, abs=1e-9)


def test_one_class_alone_has_no_area() -> None:
    assert np.isnan(area_up_to(np.array([1, 2]), np.array([0, 0]), 0.3))
