"""The bootstrap draws whole patients within their class."""

import numpy as np
import pytest

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.resampling import can_resample, number_groups, resample, strata_of

LABELS = np.array([0, 0, 0, 1, 1, 0, 1], bool)
MEMBERS = np.array([0, 0, 1, 2, 2, 3, 3])


def test_patients_fall_into_healthy_abnormal_and_both() -> None:
    assert [part.tolist() for part in strata_of(LABELS, MEMBERS)] == [[0, 1], [2], [3]]


def test_every_draw_keeps_the_number_of_patients_of_each_kind() -> None:
    strata = strata_of(LABELS, MEMBERS)
    for counts in resample(strata, cells=7, seed=0, draws=100):
        assert (counts[:, [0, 1]].sum(axis=1) == 2).all()
        assert (counts[:, [2, 3]] == 1).all()


def test_the_size_of_a_block_does_not_change_the_draws() -> None:
    strata = [np.arange(5), np.arange(5, 9), np.zeros(0, int)]
    small, large = (np.concatenate(list(resample(strata, cells=cells, seed=3, draws=150))) for cells in (5, 1_000_000))
    assert np.array_equal(small, large)


def test_a_case_without_a_patient_is_a_patient_of_its_own() -> None:
    assert number_groups(["a", None, "a", None, 7], 5).tolist() == [0, 1, 0, 2, 3]
    assert number_groups(None, 3).tolist() == [0, 1, 2]


def test_a_class_of_one_patient_cannot_be_resampled() -> None:
    assert not can_resample(strata_of(np.array([0, 0, 1, 1], bool), np.array([0, 1, 2, 2])))
    assert can_resample(strata_of(np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1])))


def test_groups_must_match_the_cases() -> None:
    with pytest.raises(ShapeError, match="2 groups for 3 cases"):
        number_groups(["a", "b"], 3)


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(SettingError, match="at least 100"):
        list(resample([np.arange(2), np.arange(2, 4), np.zeros(0, int)], cells=4, seed=0, draws=10))
