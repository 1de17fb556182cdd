"""How well things that know nothing of disease tell the labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from halescan.evaluation.leaks import held_out_odds, shortcut_sentence, shortcut_warnings, statistic_figures, together


def cases(count: int = 200, seed: int = 0) -> tuple[np.ndarray, np.random.Generator]:
    return np.arange(count) % 2 == 1, np.random.default_rng(seed)


def test_statistics_near_the_model_or_above_it_are_named_best_first() -> None:
    reached = {"file-size": 0.81, "contrast": 0.27, "brightness": 0.77, "entropy": 0.5}
    found = shortcut_warnings(0.80, reached)
    assert [(one.name, one.auroc) for one in found] == [("file-size", 0.81), ("brightness", 0.77)]
    assert "0.81" in found[0].sentence
    assert "0.80" in found[0].sentence


def test_either_direction_counts_and_records_of_evaluate_are_understood() -> None:
    baselines = {
        "contrast": {"auroc": {"value": 0.6}, "auroc_either_direction": {"value": 0.79, "optimistic": True}},
        "healthy-mean": {"auroc": {"value": 0.2}},
        "entropy": {"auroc": {"value": None, "why": "only healthy cases"}},
    }
    assert [one.name for one in shortcut_warnings(0.81, baselines)] == ["healthy-mean", "contrast"]


def test_a_model_without_a_figure_is_warned_of_nothing() -> None:
    assert shortcut_warnings(None, {"file-size": 0.9}) == ()


@given(st.floats(0, 1), st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=5))
def test_what_is_named_is_near_and_what_is_not_is_far(model: float, reached: dict[str, float]) -> None:
    named = {one.name for one in shortcut_warnings(model, reached)}
    assert named == {name for name, value in reached.items() if max(value, 1 - value) >= model - 0.03}


def test_the_figure_is_that_of_scikit_learn_in_the_better_direction() -> None:
    truth, random = cases()
    values = random.normal(size=200) - truth
    row = statistic_figures(truth, {"contrast": values})["contrast"]
    expected = 1 - roc_auc_score(truth, values)
    assert row["auroc_either_direction"]["value"] == pytest.approx(expected, abs=1e-9)
    assert row["auroc_either_direction"]["low"] < expected < row["auroc_either_direction"]["high"]
    assert (row["direction"], row["auroc_either_direction"]["optimistic"]) == ("smaller", True)


def test_what_is_unknown_is_left_out_and_counted_and_what_never_varies_is_not_listed() -> None:
    truth, random = cases()
    values = random.normal(size=200)
    values[:50] = np.nan
    found = statistic_figures(truth, {"spacing_mm": values, "width": np.full(200, 5.0), "none": np.full(200, np.nan)})
    assert list(found) == ["spacing_mm"]
    assert found["spacing_mm"]["cases"] == 150
    expected = roc_auc_score(truth[50:], values[50:])
    assert found["spacing_mm"]["auroc_either_direction"]["value"] == pytest.approx(max(expected, 1 - expected))


def test_a_site_that_goes_with_the_label_is_found_and_one_by_chance_is_not() -> None:
    truth, random = cases(400)
    told = [("A" if abnormal else "B") if random.random() < 0.8 else "C" for abnormal in truth]
    chance = random.choice(["A", "B", "C"], 400).tolist()
    found = statistic_figures(truth, {}, {"site": told, "scanner": chance, "id": [str(n) for n in range(400)]})
    assert found["site"]["auroc_either_direction"]["value"] > 0.85
    assert abs(found["scanner"]["auroc_either_direction"]["value"] - 0.5) < 0.1
    assert "id" not in found


def test_a_patient_does_not_vouch_for_himself() -> None:
    # each word belongs to one patient: among other patients it was never seen, so it says nothing
    truth = np.repeat(np.arange(20) % 2 == 1, 5)
    patients = np.repeat(np.arange(20), 5)
    scores = held_out_odds([f"scanner {n}" for n in patients], truth, patients)
    np.testing.assert_allclose(scores, 0, atol=1e-9)


def test_together_weak_statistics_reach_more_than_one_alone() -> None:
    truth, random = cases(400)
    numbers = {str(n): random.normal(size=400) + 0.7 * truth for n in range(4)}
    alone = statistic_figures(truth, numbers)
    both = together(truth, numbers)
    assert both["value"] > max(row["auroc_either_direction"]["value"] for row in alone.values())
    assert both["low"] < both["value"] < both["high"]


def test_together_noise_is_worth_nothing() -> None:
    truth, random = cases(400)
    found = together(truth, {str(n): random.normal(size=400) for n in range(10)})
    assert abs(found["value"] - 0.5) < 0.1


def test_together_both_ends_of_a_range_can_mean_abnormal() -> None:
    truth, random = cases(400)
    values = np.where(truth, random.choice([-3, 3], 400), 0) + random.normal(size=400)
    assert together(truth, {"brightness": values})["value"] > 0.9


def test_with_few_patients_nothing_is_learned_from_labels() -> None:
    truth = np.arange(40) % 2 == 1
    found = together(truth, {"size": np.arange(40.0)}, groups=(np.arange(40) % 6).tolist())
    assert found["value"] is None
    assert "10 patients" in found["why"]


def test_flipping_the_labels_turns_the_direction_and_keeps_the_figure() -> None:
    truth, random = cases()
    values = random.normal(size=200) + truth
    one, other = statistic_figures(truth, {"x": values})["x"], statistic_figures(~truth, {"x": values})["x"]
    assert one["auroc_either_direction"]["value"] == pytest.approx(other["auroc_either_direction"]["value"])
    assert {one["direction"], other["direction"]} == {"larger", "smaller"}


def test_a_statistic_that_may_itself_be_chance_is_not_named() -> None:
    chance, sure = {"value": 0.62, "low": 0.45, "high": 0.78}, {"value": 0.62, "low": 0.53, "high": 0.70}
    found = shortcut_warnings(0.6, {"pixels": {"auroc_either_direction": chance}, "contrast": sure})
    assert [one.name for one in found] == ["contrast"]


def test_many_statistics_near_the_model_are_told_in_one_sentence() -> None:
    one = shortcut_warnings(0.7, {"contrast": 0.75})
    assert shortcut_sentence(one) == one[0].sentence
    several = shortcut_sentence(shortcut_warnings(0.7, {"contrast": 0.75, "file-size": 0.9, "sharpness": 0.1}))
    assert several.count("on these data") == 1
    assert "(file-size 0.90, sharpness 0.90, contrast 0.75)" in several
    assert shortcut_sentence(()) == ""
