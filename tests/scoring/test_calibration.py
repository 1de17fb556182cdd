"""The promise: among healthy patients, p falls at or below a no more often than a."""

import json
from itertools import permutations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from halescan.errors import SettingError, ShapeError
from halescan.reporting.numerals import percent
from halescan.scoring.calibration import Calibration, false_alarm_range

RNG = np.random.default_rng(2)
scores_st = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=12)


@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_the_false_alarm_rate_is_exact_over_all_orders_of_exchangeable_scores(n):
    values = np.sort(RNG.normal(size=n + 1))
    p_values = [Calibration(np.delete(values, i)).p_value(values[i])[0] for i in range(n + 1)]
    for k in range(1, n + 2):
        assert sum(p <= k / (n + 1) + 1e-12 for p in p_values) == k


def test_ties_only_make_the_p_value_larger():
    for order in set(permutations([1.0, 1.0, 2.0, 2.0])):
        calibration = Calibration(np.array(order[:3]))
        p_value, _ = calibration.p_value(order[3])
        assert p_value == (1 + sum(s >= order[3] for s in order[:3])) / 4


@given(scores_st, st.floats(-6, 6), st.floats(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_stranger_score_never_has_a_larger_p_value(scores, score, more):
    calibration = Calibration(np.array(scores))
    assert calibration.p_value(score + more)[0] <= calibration.p_value(score)[0]


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 3)), min_size=1, max_size=10), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_healthy_scores_does_not_matter(pairs, seed):
    scores, groups = (np.array(column) for column in zip(*pairs, strict=True))
    order = np.random.default_rng(seed).permutation(len(pairs))
    for score in (-1.0, 0.0, 2.5):
        first = Calibration(scores, groups).p_value(score)[0]
        assert first == pytest.approx(Calibration(scores[order], groups[order]).p_value(score)[0], abs=1e-12)


@given(scores_st, st.integers(-6, 6))
@settings(max_examples=40, deadline=None)
def test_the_p_value_sees_ranks_alone(scores, score):
    plain = Calibration(np.array(scores)).p_value(score)
    assert Calibration(7 * np.array(scores) + 3).p_value(7 * score + 3) == plain


@given(
    st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 4)), min_size=1, max_size=14),
    st.floats(0.01, 0.99),
    st.integers(-5, 5),
)
@settings(max_examples=150, deadline=None)
def test_above_the_threshold_is_the_same_as_p_at_or_below_the_rate(pairs, rate, score):
    scores, groups = (np.array(column) for column in zip(*pairs, strict=True))
    calibration = Calibration(scores, groups)
    threshold = calibration.threshold(rate)
    if threshold is None:
        assert rate < calibration.strictest_rate
    else:
        assert (score > threshold) == (calibration.p_value(score)[0] <= rate + 1e-9)


@pytest.mark.parametrize("units", [1, 20, 31, 46, 99, 100, 165, 999, 12_345])
def test_the_strictest_rate_is_supported_when_asked_for_as_it_is_printed(units):
    calibration = Calibration(np.arange(units, dtype=float))
    printed = percent(calibration.strictest_told, "en").removesuffix("%")
    assert calibration.supports(float(printed) / 100)
    assert calibration.strictest_told < calibration.strictest_rate + 0.001


@pytest.mark.parametrize(("n", "rate"), [(19, 0.05), (99, 0.01), (29, 0.1), (9, 0.1), (199, 0.07)])
def test_the_threshold_is_the_kth_largest_score_in_spite_of_rounding(n, rate):
    scores = RNG.permutation(np.arange(1.0, n + 1))
    k = round(rate * (n + 1))
    assert Calibration(scores).threshold(rate) == n + 1 - k


def test_a_patient_with_many_images_counts_once():
    one_each = Calibration(np.array([1.0, 2.0, 3.0]))
    copied = Calibration(np.array([1.0, 2.0, 3.0, 3.0, 3.0, 3.0]), np.array(["a", "b", "c", "c", "c", "c"]))
    assert copied.units == 3
    for score in (0.5, 1.5, 2.5, 3.5):
        assert copied.p_value(score) == one_each.p_value(score)


def test_half_a_patients_images_count_as_half_a_patient():
    calibration = Calibration(np.array([1.0, 5.0, 0.0]), np.array([0, 0, 1]))
    assert calibration.p_value(3.0) == ((1 + 0.5) / 3, False)
    assert calibration.p_value(6.0) == (1 / 3, True)


def test_false_alarms_are_held_where_images_of_one_patient_resemble_each_other():
    rng, alarms, rounds, rate = np.random.default_rng(3), 0, 1500, 0.1
    for _ in range(rounds):
        sizes = rng.integers(1, 15, size=20)  # the twentieth patient is the new one
        groups = np.repeat(np.arange(20), sizes)
        scores = rng.normal(size=20)[groups] * (1 + (sizes[groups] > 7)) + 0.3 * rng.normal(size=groups.size)
        old = groups < 19
        new = scores[~old][rng.integers(sizes[19])]
        alarms += Calibration(scores[old], groups[old]).p_value(new)[0] <= rate
    assert alarms <= stats.binom(rounds, rate).ppf(0.999)


def test_counting_images_as_patients_would_break_that_promise():
    """The planted fault: without their groups, the calm patients with many images drown the others."""
    rng, alarms, rounds, rate = np.random.default_rng(4), 0, 800, 0.1
    for _ in range(rounds):
        levels = rng.normal(size=20)
        levels[:10] -= 4  # half of the patients are calm and have many images
        sizes = np.where(np.arange(20) < 10, 30, 1)
        new = rng.integers(20)
        groups = np.repeat(np.arange(20), sizes)
        scores = levels[groups] + 0.1 * rng.normal(size=groups.size)
        old = groups != new
        alarms += Calibration(scores[old]).p_value(scores[~old][0])[0] <= rate
    assert alarms / rounds > 2 * rate


def test_finding_p_values_come_from_the_peaks():
    calibration = Calibration(np.array([1.0, 2.0, 3.0]), peaks=np.array([10.0, 20.0, 30.0]))
    assert calibration.finding_p_value(25.0) == 2 / 4
    assert Calibration(np.array([1.0])).finding_p_value(5.0) is None


def test_a_verdict_above_and_not_above():
    calibration = Calibration(np.arange(19.0), level="volume", unit="case")
    above = calibration.verdict(18.5, 0.05, level="volume")
    assert (above.decision, above.p_value, above.bound, above.threshold) == ("above", 0.05, True, 18.0)
    below = calibration.verdict(18.0, 0.05, level="volume")
    assert (below.decision, below.p_value, below.bound) == ("not-above", 0.1, False)
    assert (below.units, below.unit, below.guarantee) == (19, "case", "split")


def test_too_few_healthy_cases_withhold_the_decision_alone():
    verdict = Calibration(np.array([1.0, 2.0, 3.0])).verdict(9.0, 0.05, level="image")
    assert (verdict.decision, verdict.p_value, verdict.bound, verdict.threshold) == ("withheld", 0.25, True, None)
    assert verdict.why_withheld.key == "rate-not-supported"
    assert verdict.why_withheld.values == {"asked": 0.05, "strictest": 0.25, "units": 3, "needed": 19}


@pytest.mark.parametrize(("rate", "needed"), [(0.05, 19), (0.1, 9), (0.01, 99), (0.3, 3), (0.07, 14)])
def test_the_number_that_is_asked_for_is_the_least_that_will_do(rate, needed):
    asked = Calibration(np.zeros(1)).verdict(1.0, rate, level="image").why_withheld.values["needed"]
    assert asked == needed
    assert Calibration(np.zeros(needed)).supports(rate)
    assert not Calibration(np.zeros(needed - 1)).supports(rate)


def test_another_level_withholds_the_p_value_too():
    verdict = Calibration(np.arange(50.0)).verdict(99.0, 0.05, level="volume")
    assert (verdict.decision, verdict.p_value, verdict.guarantee) == ("withheld", None, "none")
    assert verdict.why_withheld.key == "uncalibrated-level"


@pytest.mark.parametrize("empty", [Calibration(np.zeros(0)), Calibration(np.arange(40.0), guarantee="none")])
def test_scores_that_guarantee_nothing_stand_behind_no_p_value(empty):
    verdict = empty.verdict(1.0, 0.05, level="image")
    assert (verdict.p_value, verdict.decision, verdict.units) == (None, "withheld", 0)
    assert verdict.why_withheld.values["needed"] == 19
    assert empty.finding_p_value(3.0) is None


def test_names_of_patients_are_not_kept():
    calibration = Calibration(np.array([1.0, 2.0]), np.array(["Doe^Jane", "Roe^Rob"]))
    assert "Doe" not in repr(calibration) + json.dumps(calibration.to_json())


def test_a_calibration_survives_json():
    calibration = Calibration(
        RNG.normal(size=9), np.arange(9) // 2, RNG.normal(size=9), level="volume", unit="patient", guarantee="cross"
    )
    back = Calibration.from_json(json.loads(json.dumps(calibration.to_json())))
    assert back.to_json() == calibration.to_json()
    assert back.verdict(0.3, 0.2, level="volume") == calibration.verdict(0.3, 0.2, level="volume")


@pytest.mark.parametrize("record", [{}, {"schema": "halescan.calibration/2"}, {"schema": "halescan.calibration/1"}, []])
def test_a_strange_record_is_refused(record):
    with pytest.raises(SettingError, match="recalibrate"):
        Calibration.from_json(record)


def test_a_record_with_words_or_nan_for_scores_is_refused():
    record = Calibration(np.array([1.0, 2.0])).to_json()
    for scores in (["a", "b"], [1.0, float("nan")], [1.0]):
        with pytest.raises(ShapeError):
            Calibration.from_json({**record, "scores": scores})
    with pytest.raises(SettingError, match="level"):
        Calibration.from_json({**record, "level": "galaxy"})


def test_nan_scores_and_rates_out_of_range_are_refused():
    calibration = Calibration(np.array([1.0]))
    with pytest.raises(SettingError, match="finite"):
        calibration.p_value(float("nan"))
    for rate in (0.0, 1.0, -0.1, 5.0):
        with pytest.raises(SettingError, match="false-alarm"):
            calibration.verdict(1.0, rate, level="image")


def test_the_count_of_false_alarms_follows_the_closed_form_for_small_numbers():
    """Of n + m shuffled people, j of the m new ones stand above the k-th of the n old ones: counted directly."""
    m, n, k = 3, 4, 2
    chances = [comb(j + k - 1, j) * comb(n - k + m - j, m - j) / comb(n + m, m) for j in range(m + 1)]
    assert sum(chances) == pytest.approx(1)
    low, high = false_alarm_range(m, n, k / (n + 1), confidence=0.5)
    cumulative = np.cumsum(chances)
    assert (low, high) == (int(np.argmax(cumulative >= 0.25)), int(np.argmax(cumulative >= 0.75)))


def test_realised_false_alarms_fall_inside_their_range_as_often_as_promised():
    rng, m, n, rate = np.random.default_rng(5), 60, 39, 0.1
    low, high = false_alarm_range(m, n, rate)
    inside = 0
    for _ in range(600):
        healthy, new = rng.gamma(2, size=n), rng.gamma(2, size=m)
        inside += low <= (new > Calibration(healthy).threshold(rate)).sum() <= high
    assert inside >= stats.binom(600, 0.95).ppf(0.001)


def test_a_range_for_a_rate_that_is_not_supported_is_refused():
    with pytest.raises(SettingError, match="cannot support"):
        false_alarm_range(50, 10, 0.05)


def test_without_healthy_units_the_reason_is_never_another_level():
    verdict = Calibration(np.arange(3.0), guarantee="none", level="volume").verdict(1.0, 0.05, level="image")
    assert verdict.why_withheld.key == "not-calibrated"
    assert verdict.why_withheld.values["needed"] == 19
