"""Cuts: the corner of the ROC, the median of folds, and NEG, LOW or HIGH."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halescan.errors import SettingError, ShapeError
from halescan.scoring.cuts import FoldCuts, closest_to_corner, is_above, ordinal

SCORES = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=30)


def distance(labels: np.ndarray, scores: np.ndarray, cut: float) -> float:
    above = scores > cut
    return float(above[~labels].mean() ** 2 + (1 - above[labels].mean()) ** 2)


def test_sanity_vi_on_a_perfect_roc_the_corner_rule_returns_a_cut_that_separates() -> None:
    """A perfect curve has its corner between the two kinds."""
    cut = closest_to_corner([0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.9])
    assert cut == pytest.approx(0.5)


def test_a_cut_separates_even_neighbouring_numbers() -> None:
    low = 1.0
    high = float(np.nextafter(low, 2))
    cut = closest_to_corner([0, 1], [low, high])
    assert is_above([low, high], cut).tolist() == [False, True]


@given(SCORES, st.data())
def test_no_other_cut_is_closer_to_the_corner(values: list[float], data: st.DataObject) -> None:
    labels = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))), bool)
    labels[0], labels[-1] = True, False
    scores = np.array(values)
    best = distance(labels, scores, closest_to_corner(labels, scores))
    others = [distance(labels, scores, cut) for cut in [scores.min() - 1, *scores]]
    assert best <= min(others) + 1e-9


@given(SCORES, st.data())
def test_the_cut_moves_with_the_scores(values: list[float], data: st.DataObject) -> None:
    labels = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))), bool)
    labels[0], labels[-1] = True, False
    scores = np.array(values)
    cut, moved = closest_to_corner(labels, scores), closest_to_corner(labels, 4 * scores + 8)
    assert is_above(4 * scores + 8, moved).tolist() == is_above(scores, cut).tolist()


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_one_class_alone_has_no_corner(labels: list[int]) -> None:
    with pytest.raises(SettingError, match="one class only"):
        closest_to_corner(labels, [0.1, 0.2])


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ShapeError):
        closest_to_corner([0, 1], [0.1, np.nan])


def test_bug_4_the_median_of_folds_is_what_is_used_and_not_the_last_fold() -> None:
    """The median of folds, with the folds of a published system: one is ten times the others, and it comes last."""
    cuts = FoldCuts((0.04, 0.05, 0.06, 0.07, 0.79))
    assert cuts.value == 0.06
    assert is_above([0.1, 0.5], cuts.value).all()


def test_a_fold_without_a_cut_does_not_move_the_median() -> None:
    assert FoldCuts((None, 1.0, 3.0)).value == 2.0
    assert FoldCuts((None, 1.0, 3.0)).missing == 1
    assert FoldCuts((None,)).value is None


def test_without_a_cut_nothing_is_above() -> None:
    assert not is_above([1.0, 9.0], None).any()


def test_patients_are_negative_low_or_high_by_two_cuts() -> None:
    assert ordinal([0.1, 0.2, 0.5, 0.9], low=0.2, high=0.6) == ("NEG", "NEG", "LOW", "HIGH")
    assert ordinal([0.1, 0.5], low=0.2, high=None) == ("NEG", "LOW")
    assert ordinal([0.1, 0.5], low=0.2, high=0.0) == ("NEG", "HIGH")
