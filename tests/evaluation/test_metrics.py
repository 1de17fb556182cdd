"""Image figures against scikit-learn, against closed forms, and under changes that must not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.metrics import (
    aggregate_patients,
    count_cases,
    image_metrics,
    of_so_many_patients,
    sensitivity_at,
    wilson,
)

FEW = {"draws": 100}


def _cases(n: int = 120, seed: int = 0, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 3 == 0
    scores = random.normal(size=n) + labels
    return labels, np.round(scores, 1) if ties else scores


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(0, 1000), st.booleans())
def test_values_equal_scikit_learn(n: int, seed: int, ties: bool) -> None:
    labels, scores = _cases(n, seed, ties=ties)
    found = image_metrics(labels, scores, **FEW)
    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert found["average_precision"]["value"] == pytest.approx(average_precision_score(labels, scores), abs=1e-9)


def test_a_monotone_change_of_scores_changes_nothing() -> None:
    labels, scores = _cases(ties=True)
    assert image_metrics(labels, scores, **FEW) == image_metrics(labels, np.exp(3 * scores) - 7, **FEW)


def test_the_order_of_the_cases_does_not_matter() -> None:
    labels, scores = _cases()
    order = np.random.default_rng(1).permutation(len(labels))
    first, second = image_metrics(labels, scores, **FEW), image_metrics(labels[order], scores[order], **FEW)
    assert first["auroc"]["value"] == pytest.approx(second["auroc"]["value"], abs=1e-12)
    assert first["auroc"]["low"] == pytest.approx(second["auroc"]["low"], abs=0.05)


def test_flipped_labels_mirror_the_auroc() -> None:
    labels, scores = _cases(ties=True)
    straight, flipped = (image_metrics(truth, scores, **FEW)["auroc"]["value"] for truth in (labels, ~labels))
    assert straight + flipped == pytest.approx(1)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    labels, scores = _cases()
    first, again, other = (image_metrics(labels, scores, seed=seed, **FEW)["auroc"] for seed in (0, 0, 1))
    assert first == again
    assert first["low"] != other["low"]


def test_separated_classes_reach_one_and_equal_scores_a_half() -> None:
    labels = np.arange(10) >= 5
    assert image_metrics(labels, np.arange(10), **FEW)["auroc"] == {"value": 1, "low": 1, "high": 1}
    equal = image_metrics(labels, np.zeros(10), **FEW)
    assert equal["auroc"]["value"] == 0.5
    assert equal["average_precision"]["value"] == 0.5


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    truth = 0.7602  # Phi(1 / sqrt 2): two normals one spread apart
    hits = 0
    for seed in range(60):
        labels, scores = _cases(150, seed)
        figure = image_metrics(labels, scores, draws=200)["auroc"]
        hits += figure["low"] <= truth <= figure["high"]
    assert hits >= 51


def test_repeating_every_patients_image_does_not_narrow_the_interval() -> None:
    labels, scores = _cases(60)
    patients = np.arange(60)
    once = image_metrics(labels, scores, groups=patients)["auroc"]
    tenfold = image_metrics(*(np.tile(part, 10) for part in (labels, scores)), groups=np.tile(patients, 10))["auroc"]
    alone = image_metrics(*(np.tile(part, 10) for part in (labels, scores)))["auroc"]
    assert tenfold["high"] - tenfold["low"] == pytest.approx(once["high"] - once["low"], rel=1e-6)
    assert alone["high"] - alone["low"] < 0.5 * (tenfold["high"] - tenfold["low"])


def test_infinite_scores_keep_their_rank() -> None:
    found = image_metrics([0, 0, 1, 1], [-np.inf, 0, 1, np.inf], **FEW)
    assert found["auroc"]["value"] == 1


@pytest.mark.parametrize(
    ("labels", "why"), [([], "no cases"), ([1, 1], "only abnormal cases"), ([0, 0], "only healthy cases")]
)
def test_one_class_alone_has_no_figure_and_says_why(labels: list, why: str) -> None:
    found = image_metrics(labels, np.zeros(len(labels)))
    assert found["auroc"] == {"value": None, "low": None, "high": None, "why": why}
    assert found["average_precision"]["why"] == why


def test_one_patient_of_a_class_has_a_value_but_no_interval() -> None:
    found = image_metrics([0, 0, 1, 1], [0, 1, 2, 3], groups=["a", "b", "c", "c"])["auroc"]
    assert (found["value"], found["low"]) == (1, None)
    assert "fewer than two patients" in found["why"]


@pytest.mark.parametrize(
    ("labels", "scores", "error"),
    [
        ([0, 1], [0.0], ShapeError),
        ([0, 1], [0.0, np.nan], SettingError),
        ([0, 2], [0.0, 1.0], SettingError),
        (["healthy", "odd"], [0.0, 1.0], SettingError),
        ([[0, 1]], [[0.0, 1.0]], ShapeError),
    ],
)
def test_wrong_input_is_refused(labels, scores, error: type) -> None:
    with pytest.raises(error):
        image_metrics(labels, scores)


def test_the_words_of_the_house_serve_as_labels() -> None:
    words = image_metrics(["healthy", "abnormal", "healthy", "abnormal"], [0, 1, 2, 3], **FEW)
    assert words == image_metrics([0, 1, 0, 1], [0, 1, 2, 3], **FEW)


def test_the_wilson_interval_has_its_textbook_value() -> None:
    found = wilson(10, 10)
    assert found["value"] == 1
    assert found["low"] == pytest.approx(10 / (10 + 1.959964**2), abs=1e-6)
    assert found["high"] == pytest.approx(1)
    assert wilson(0, 0)["value"] is None


def test_fewer_patients_than_images_widen_the_wilson_interval() -> None:
    assert wilson(50, 100, patients=10)["low"] < wilson(50, 100)["low"]


@pytest.mark.parametrize(("how", "first"), [("max", 4), ("mean", 2.5), ("median", 2.5), ("top", 3.5)])
def test_images_become_patients(how, first: float) -> None:
    found = aggregate_patients([1, 2, 9, 3, 4], [0, 0, 0, 1, 0], ["p", "p", "q", "p", "p"], how, top_share=0.5)
    assert found.patients == ("p", "q")
    assert found.scores.tolist() == [first, 9]
    assert found.labels.tolist() == [True, False]
    assert found.images.tolist() == [4, 1]


def test_images_without_a_patient_stay_alone() -> None:
    assert len(aggregate_patients([1, 2, 3], [0, 0, 1], [None, None, "a"]).scores) == 3


def test_no_images_make_no_patients() -> None:
    assert aggregate_patients([], [], []).patients == ()


def test_an_unknown_way_to_aggregate_is_refused() -> None:
    with pytest.raises(SettingError, match="max, mean, median, top"):
        aggregate_patients([1], [0], ["a"], "sum")  # type: ignore[arg-type]


def test_counts_say_how_many_images_of_how_many_patients() -> None:
    assert count_cases([0, 1, 1]) == {"images": 3, "healthy": 1, "abnormal": 2}
    assert count_cases([0, 1, 1], groups=["a", "b", "b"])["patients"] == 2


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 60), st.integers(0, 1000), st.booleans(), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_the_sensitivity_at_a_specificity_is_the_best_point_of_scikit_learns_curve(
    n: int, seed: int, ties: bool, share: float
) -> None:
    labels, scores = _cases(n, seed, ties=ties)
    alarms, hits, _ = roc_curve(labels, scores, drop_intermediate=False)
    found = sensitivity_at(labels, scores, specificities=(share,), **FEW)[f"{share:.2f}"]
    assert found["value"] == pytest.approx(hits[alarms <= 1 - share + 1e-9].max(), abs=1e-9)
    assert found["optimistic"] is True


def test_a_sensitivity_needs_both_classes_and_a_share() -> None:
    assert sensitivity_at([1, 1], [0, 1])["0.95"]["why"] == "only abnormal cases"
    with pytest.raises(SettingError, match="between 0 and 1"):
        sensitivity_at([0, 1], [0, 1], specificities=(95,))


def test_a_sensitivity_keeps_under_monotone_changes_and_another_order() -> None:
    labels, scores = _cases(ties=True)
    first = sensitivity_at(labels, scores, **FEW)
    assert sensitivity_at(labels, np.exp(scores), **FEW) == first
    turned = sensitivity_at(labels[::-1], scores[::-1], **FEW)
    assert turned["0.90"]["value"] == first["0.90"]["value"]
    assert first["0.95"]["low"] <= first["0.95"]["value"] <= first["0.90"]["value"]


@pytest.mark.parametrize(("healthy", "abnormal"), [(9, 40), (40, 2)])
def test_a_figure_of_fewer_than_ten_patients_of_a_class_has_no_interval_and_counts_them(
    healthy: int, abnormal: int
) -> None:
    labels, scores = _cases()
    known = image_metrics(labels, scores, **FEW)
    found = of_so_many_patients(known, healthy=healthy, abnormal=abnormal)["auroc"]
    assert (found["value"], found["low"], found["high"]) == (known["auroc"]["value"], None, None)
    assert found["why"].startswith(f"{healthy} healthy and {abnormal} abnormal patients")
    assert of_so_many_patients(known, healthy=10, abnormal=10) == known
