"""p-values of healthy cases: what honest ones look like, and that dishonest ones are found out."""

import numpy as np
import pytest
from scipy.stats import binomtest

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.reliability import false_alarm_rate, reliability, uniformity

FEW = {"draws": 300}


def conformal(units: int, cases: int, seed: int, *, shift: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    calibration, scores = random.normal(size=units), random.normal(size=cases) + shift
    return (1 + (calibration[None] >= scores[:, None]).sum(axis=1)) / (units + 1)


def test_the_test_refuses_honest_p_values_no_more_often_than_it_says() -> None:
    refused = [
        uniformity(conformal(20, 60, seed), units=20, seed=seed, draws=200)["p_value"] <= 0.1 for seed in range(300)
    ]
    assert binomtest(sum(refused), 300, 0.1).pvalue > 0.001


def test_the_textbook_test_would_refuse_honest_p_values_far_too_often() -> None:
    """Why ours is simulated: few calibration units make the p-values of a set lean together."""
    naive = [uniformity(conformal(20, 400, seed), draws=100)["p_value"] <= 0.05 for seed in range(60)]
    ours = [uniformity(conformal(20, 400, seed), units=20, draws=100)["p_value"] <= 0.05 for seed in range(60)]
    assert sum(naive) > 20
    assert sum(ours) < 10


def test_stranger_healthy_cases_are_found_out_and_the_direction_is_told() -> None:
    found = uniformity(conformal(200, 200, 0, shift=0.8), units=200, **FEW)
    assert found["p_value"] < 0.01
    assert found["excess"] > 0.2 > found["shortfall"]
    timid = uniformity(conformal(200, 200, 0, shift=-0.8), units=200, **FEW)
    assert timid["shortfall"] > 0.2 > timid["excess"]


def test_the_statistic_is_the_largest_distance_by_hand() -> None:
    p_values = np.array([0.25, 0.25, 0.5, 1.0])
    found = uniformity(p_values, units=3, **FEW)
    assert found["statistic"] == pytest.approx(0.25, abs=1e-9)  # at 1/4: a half of them, not a quarter
    assert found["excess"] == pytest.approx(0.25, abs=1e-9)
    assert found["shortfall"] == 0


def test_the_realised_rate_has_its_exact_interval_and_wilsons_where_patients_repeat() -> None:
    above = np.arange(40) < 3
    found = false_alarm_rate(above)
    exact = binomtest(3, 40).proportion_ci()
    assert (found["value"], found["low"], found["high"]) == (0.075, exact.low, exact.high)
    repeated = false_alarm_rate(above, groups=[number // 4 for number in range(40)])
    assert repeated["high"] - repeated["low"] > found["high"] - found["low"]
    assert false_alarm_rate([])["why"] == "no healthy case"


def test_clopper_and_pearsons_published_example_is_met() -> None:
    found = false_alarm_rate(np.arange(10) < 3)  # tables of binomial limits: 3 of 10 gives 0.0667 to 0.6525
    assert (round(found["low"], 4), round(found["high"], 4)) == (0.0667, 0.6525)


def test_the_table_counts_and_says_which_rates_so_many_units_support() -> None:
    p_values = conformal(30, 50, 1)
    rows = {row["asked"]: row for row in reliability(p_values, units=30, **FEW)["rates"]}
    assert [rate for rate, row in rows.items() if row["supported"]] == [0.05, 0.1, 0.2, 0.5]
    for rate, row in rows.items():
        assert row["realised"]["value"] == pytest.approx((p_values <= rate).mean(), abs=1e-9)


def test_the_curve_ends_at_one_and_the_band_holds_honest_p_values() -> None:
    curve = reliability(conformal(40, 40, 3), units=40, **FEW)["curve"]
    assert curve["asked"][-1] == curve["realised"][-1] == 1
    assert len(curve["asked"]) == 41
    within = [
        low <= share <= high for low, share, high in zip(curve["low"], curve["realised"], curve["high"], strict=True)
    ]
    assert np.mean(within) > 0.8


def test_many_units_keep_the_curve_short() -> None:
    curve = reliability(conformal(5000, 60, 3), units=5000, draws=100)["curve"]
    assert len(curve["asked"]) == 200
    assert curve["asked"][-1] == 1


def test_one_case_a_patient_is_tested() -> None:
    p_values = conformal(50, 30, 5)
    alone = reliability(p_values, units=50, **FEW)
    copied = reliability(np.repeat(p_values, 8), units=50, groups=np.repeat(np.arange(30), 8), **FEW)
    assert copied["uniform"] == alone["uniform"]
    assert (copied["healthy"], copied["patients"]) == (240, 30)


def test_no_healthy_case_has_no_answer_and_says_why() -> None:
    found = reliability([], units=20, **FEW)
    assert found["curve"] is None
    assert found["uniform"]["why"] == "no healthy case with a p-value"
    assert found["rates"][0]["realised"]["value"] is None


def test_what_is_no_p_value_is_refused() -> None:
    for wrong in ([0.0], [1.1], [np.nan]):
        with pytest.raises(SettingError, match="outside"):
            reliability(wrong)
    with pytest.raises(ShapeError):
        reliability([0.5, 0.5], groups=["a"])
