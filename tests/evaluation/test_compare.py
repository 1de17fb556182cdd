"""Paired comparisons: DeLong against its definition, the bootstrap against DeLong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.errors import SettingError
from halescan.evaluation.compare import bootstrap_test, delong_interval, delong_test
from halescan.evaluation.metrics import image_metrics


def _two(n: int = 160, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 2 == 0
    shared = random.normal(size=n)
    return labels, shared + 1.5 * labels + 0.3 * random.normal(size=n), shared + 0.5 * labels


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 500), st.integers(5, 20))
def test_delong_equals_its_definition_over_all_pairs(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    labels, scores = np.arange(n) % 2 == 0, random.integers(0, 6, n)
    wins = np.sign(scores[labels][:, None] - scores[~labels][None]) / 2 + 0.5
    variance = wins.mean(axis=1).var(ddof=1) / labels.sum() + wins.mean(axis=0).var(ddof=1) / (~labels).sum()
    found = delong_interval(labels, scores)
    assert found["value"] == pytest.approx(wins.mean())
    assert found["high"] == pytest.approx(min(1, wins.mean() + 1.959964 * np.sqrt(variance)), abs=1e-6)


def test_both_tests_see_a_real_difference_and_agree_on_its_interval() -> None:
    labels, first, second = _two()
    sharp, drawn = delong_test(labels, first, second), bootstrap_test(labels, first, second)
    assert sharp.p_value < 0.001
    assert drawn.p_value < 0.01
    assert drawn.difference == pytest.approx(sharp.difference)
    assert (drawn.low, drawn.high) == pytest.approx((sharp.low, sharp.high), abs=0.02)


def test_delong_and_the_bootstrap_give_the_same_interval_for_one_method() -> None:
    labels, first, _ = _two()
    formula, drawn = delong_interval(labels, first), image_metrics(labels, first)["auroc"]
    assert (drawn["low"], drawn["high"]) == pytest.approx((formula["low"], formula["high"]), abs=0.015)


@pytest.mark.parametrize("test", [delong_test, bootstrap_test])
def test_a_method_does_not_differ_from_itself(test) -> None:
    labels, first, _ = _two()
    found = test(labels, first, first)
    assert (found.difference, found.p_value) == (0, 1)


@pytest.mark.parametrize("test", [delong_test, bootstrap_test])
def test_swapping_the_methods_turns_the_sign_alone(test) -> None:
    labels, first, second = _two()
    there, back = test(labels, first, second), test(labels, second, first)
    assert there.difference == pytest.approx(-back.difference)
    assert there.low == pytest.approx(-back.high)
    assert there.p_value == pytest.approx(back.p_value)


def test_p_values_are_uniform_when_nothing_differs() -> None:
    small = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        labels, shared = np.arange(60) % 2 == 0, random.normal(size=60)
        noisy = [shared + labels + random.normal(size=60) for _ in range(2)]
        small += delong_test(labels, *noisy).p_value < 0.1
    assert 8 <= small <= 34


def test_a_difference_without_any_spread_has_no_p_value() -> None:
    labels = np.arange(10) >= 5
    assert delong_test(labels, np.arange(10), -np.arange(10)).p_value is None


def test_average_precision_can_be_compared_over_patients() -> None:
    labels, first, second = _two()
    found = bootstrap_test(labels, first, second, metric="average_precision", groups=np.arange(160) // 2, draws=200)
    assert found.metric == "average_precision"
    assert found.low < found.difference < found.high


def test_too_few_cases_and_unknown_metrics_are_refused() -> None:
    with pytest.raises(SettingError, match="at least 2"):
        delong_test([1, 0, 0], [3, 1, 2], [1, 2, 3])
    with pytest.raises(SettingError, match="patients"):
        bootstrap_test([1, 1, 0, 0], [3, 1, 2, 4], [1, 2, 3, 4], groups=["a", "a", "b", "c"])
    with pytest.raises(SettingError, match="auroc"):
        bootstrap_test([1, 0], [1, 0], [1, 0], metric="f1")  # type: ignore[arg-type]


def test_one_class_has_no_delong_interval() -> None:
    assert delong_interval([1, 1], [0, 1])["value"] is None
    assert delong_interval([1, 0, 0], [2, 0, 1])["low"] is None
