"""Ranks and corrections against worked examples."""

import numpy as np
import pytest

from halescan.errors import SettingError
from halescan.evaluation.ranks import critical_difference, holm, joined, mean_ranks


def test_mean_ranks_and_friedman_are_those_worked_by_hand() -> None:
    found = mean_ranks(np.array([[0.9, 0.8, 0.7], [0.9, 0.7, 0.8], [0.6, 0.6, 0.5], [0.9, 0.8, 0.7]]))
    assert found.mean == (1.125, 2.125, 2.75)  # ranks 1 2 3, 1 3 2, 1.5 1.5 3, 1 2 3
    # sums 4.5, 8.5, 11: 12 / 48 * (4.5^2 + 8.5^2 + 11^2) - 48 = 5.375; corrected for one tie of two by 1 - 6 / 96
    assert found.p_value == pytest.approx(np.exp(-5.375 / (1 - 6 / 96) / 2))  # chi-square with 2 degrees of freedom


def test_the_critical_difference_is_that_of_demsar_2006() -> None:
    assert critical_difference(14, 4) == pytest.approx(1.25, abs=0.01)  # his section 3.2.2, q = 2.569


def test_holm_is_the_step_down_rule() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_out_what_is_not_known() -> None:
    assert holm([None, 0.02, None]) == [None, 0.02, None]
    assert holm([]) == []


def test_one_set_has_ranks_and_no_test() -> None:
    found = mean_ranks(np.array([[0.9, 0.8, 0.9]]))
    assert found.mean == (1.5, 3.0, 1.5)
    assert (found.p_value, found.critical) == (None, None)


def test_methods_that_are_equal_everywhere_are_not_told_apart() -> None:
    assert mean_ranks(np.full((4, 3), 0.7)).p_value is None


def test_a_missing_figure_is_refused() -> None:
    with pytest.raises(SettingError, match="every method on every set"):
        mean_ranks(np.array([[0.9, np.nan]]))


def test_methods_within_the_critical_difference_are_joined_by_bars_and_a_bar_within_another_is_left_out() -> None:
    assert joined((1.2, 4.0, 2.0, 2.9), 1.0) == ((0, 2), (2, 3))
    assert joined((1.0, 2.0, 3.0), 5.0) == ((0, 1, 2),)
    assert joined((1.0, 3.0, 5.0), 1.0) == ()


def test_without_a_critical_difference_nothing_is_joined() -> None:
    assert joined((1.0, 1.0), None) == ()
