"""The linear head answers as logistic regression should, and its penalty is not fooled by who the patient is."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from halescan.classifiers.labels import inner_folds
from halescan.classifiers.linear_head import LinearHead, Standard, balance, balanced_log_loss, choose_strength, fit_head


def test_more_columns_than_rows_give_the_answer_of_the_plain_regression() -> None:
    random = np.random.default_rng(0)
    rows, labels = random.normal(size=(30, 80)), np.repeat([0, 1], [22, 8])
    head = fit_head(rows, labels, strength=0.01)
    level = Standard.of(rows)(rows)
    plain = LogisticRegression(C=0.01, class_weight="balanced", max_iter=10_000, tol=1e-8).fit(level, labels)
    np.testing.assert_allclose(head.logits(rows), plain.decision_function(level), atol=2e-3)


def test_a_column_that_never_varies_does_no_harm() -> None:
    rows = np.random.default_rng(0).normal(size=(20, 3))
    rows[:, 1] = 7
    assert np.isfinite(fit_head(rows, np.arange(20) % 2, strength=1.0).logits(rows)).all()


def test_a_head_survives_the_way_through_arrays() -> None:
    rows, labels = np.random.default_rng(0).normal(size=(20, 5)), np.arange(20) % 2
    head = fit_head(rows, labels, strength=0.1)
    assert np.array_equal(LinearHead.from_state(head.state()).logits(rows), head.logits(rows))


def test_knowing_nothing_costs_a_bit_whatever_the_imbalance() -> None:
    assert np.isclose(balanced_log_loss(np.zeros(21), np.repeat([0, 1], [20, 1])), np.log(2))


def test_what_tells_patients_apart_but_not_illness_is_worth_nothing_on_held_out_patients() -> None:
    random = np.random.default_rng(3)
    groups = np.repeat(np.arange(16), 8)
    labels = (groups % 2).astype(int)
    rows = random.normal(size=(16, 40))[groups] + 0.01 * random.normal(size=(128, 40))  # each patient apart
    folds = inner_folds(labels, groups, folds=4, seed=0)
    strength, held_out = choose_strength(rows, labels, folds, strengths=(1e-4, 1e-2, 1.0))
    assert strength == 1e-4  # the most cautious: nothing carries over to others
    assert balanced_log_loss(held_out, labels) > 0.6
    assert balanced_log_loss(fit_head(rows, labels, strength=1.0).logits(rows), labels) < 0.1  # though it is learnable


def test_every_level_brings_the_same_variance_however_many_channels_it_has() -> None:
    levels = np.repeat([3, 17], [4, 36])
    squared = balance(levels) ** 2
    assert np.isclose(squared[levels == 3].sum(), squared[levels == 17].sum())
    assert np.isclose(squared.sum(), 40)


def test_a_column_with_a_larger_factor_is_used_more() -> None:
    signal = np.repeat([-1.0, 1.0], 10)[:, None] + np.random.default_rng(0).normal(size=(20, 1))
    head = fit_head(np.hstack([signal, signal]), np.arange(20) // 10, strength=0.1, factors=np.array([2.0, 1.0]))
    assert head.weights[0] > 3 * head.weights[1] > 0
