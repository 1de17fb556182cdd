"""Confusion figures agree with scikit-learn, with counts by hand, and say what cannot be told."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    precision_score,
    recall_score,
)

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.confusion import confusion_figures, operating_point, ordinal_table
from halescan.evaluation.metrics import wilson


@pytest.fixture
def drawn() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.random(80) < 0.3
    return truth, truth ^ (random.random(80) < 0.2)


def test_the_figures_are_those_of_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    truth, said = drawn
    found = confusion_figures(truth, said)
    wanted = {
        "precision": precision_score(truth, said),
        "recall": recall_score(truth, said),
        "f1": f1_score(truth, said),
        "specificity": recall_score(~truth, ~said),
        "negative_precision": precision_score(~truth, ~said),
        "negative_f1": f1_score(~truth, ~said),
        "accuracy": accuracy_score(truth, said),
    }
    assert {name: found[name]["value"] for name in wanted} == pytest.approx(wanted)
    assert all(found[name]["low"] <= value <= found[name]["high"] for name, value in wanted.items())
    assert sum(found["counts"].values()) == 80


def test_intervals_over_patients_are_wider_than_over_their_copied_images(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    truth, said = (np.repeat(part, 4) for part in drawn)
    widths = [
        found["recall"]["high"] - found["recall"]["low"]
        for found in (confusion_figures(truth, said), confusion_figures(truth, said, groups=np.arange(320) // 4))
    ]
    assert widths[1] > 1.5 * widths[0]


def test_the_precision_of_no_alarm_cannot_be_told() -> None:
    found = confusion_figures([0, 0, 1, 1], [0, 0, 0, 0])
    assert found["precision"]["value"] is None
    assert found["precision"]["why"]
    assert found["recall"]["value"] == 0
    assert found["counts"] == {"hits": 0, "misses": 2, "false_alarms": 0, "passes": 2}


def test_where_nothing_is_wrong_the_interval_still_says_how_few_patients_that_was() -> None:
    """A bootstrap of all-right decisions never differs: 1.000 to 1.000 of eight patients would be a false promise."""
    truth, patients = np.repeat([0, 0, 1, 1], 8), np.arange(32) // 4  # two patients a number, four images each
    found = confusion_figures(truth, truth, groups=patients)
    assert {found[name]["value"] for name in ("precision", "recall", "f1", "specificity", "accuracy")} == {1.0}
    four, eight = wilson(4, 4), wilson(8, 8)
    for name in ("precision", "recall", "f1", "specificity", "negative_precision", "negative_f1"):
        assert found[name] == four
    assert found["accuracy"] == found["balanced_accuracy"] == eight
    assert four["low"] == pytest.approx(4 / (4 + 1.959964**2))
    assert confusion_figures(truth, 1 - truth, groups=patients)["recall"] == wilson(0, 4)


def test_one_patient_of_a_class_gives_no_interval() -> None:
    found = confusion_figures([0, 0, 1], [0, 1, 1])
    assert found["recall"] == {"value": 1.0, "low": None, "high": None, "why": found["recall"]["why"]}


def test_an_operating_point_equals_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    labels, above = drawn
    found = operating_point(labels, above, draws=100)
    assert found["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(labels, above))
    assert found["f1"]["value"] == pytest.approx(f1_score(labels, above))
    assert sum(found["counts"].values()) == len(labels)
    assert found["sensitivity"]["value"] == pytest.approx(above[labels].mean())
    for name in ("sensitivity", "specificity", "balanced_accuracy", "f1"):
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]


def test_decisions_on_one_class_leave_the_other_untold() -> None:
    found = operating_point([0, 0, 0, 0], [0, 0, 0, 1])
    assert found["specificity"]["value"] == 0.75
    assert found["sensitivity"]["value"] is None
    assert found["f1"]["why"] == "only healthy cases"


@pytest.mark.parametrize("count", [operating_point, confusion_figures])
def test_decisions_must_be_as_many_as_labels(count: Callable[..., object]) -> None:
    with pytest.raises(ShapeError, match="1 decisions for 2 labels"):
        count([0, 1], [1])


def test_the_ordinal_table_and_its_kappa_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(2)
    order = ["NEG", "LOW", "HIGH"]
    truth = [order[one] for one in random.integers(0, 3, 50)]
    said = [word if random.random() < 0.7 else order[random.integers(3)] for word in truth]
    found = ordinal_table(truth, said, order=order)
    assert found["quadratic_kappa"] == pytest.approx(cohen_kappa_score(truth, said, labels=order, weights="quadratic"))
    assert np.sum(found["table"]) == 50
    assert found["table"][0][0] == sum(a == b == "NEG" for a, b in zip(truth, said, strict=True))


def test_a_word_outside_the_order_is_refused() -> None:
    with pytest.raises(SettingError, match="MAYBE"):
        ordinal_table(["NEG"], ["MAYBE"], order=["NEG", "LOW"])
