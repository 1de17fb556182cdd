"""Slices make a case and cases a patient, and the strangest is remembered."""

import numpy as np
import pytest

from halescan.errors import ShapeError
from halescan.scoring.patients import case_from_slices, pool_patients


def test_the_key_slice_is_the_strangest_even_where_the_score_is_the_mean():
    case = case_from_slices([1.0, 7.0, 4.0], how="mean")
    assert case.score == 4
    assert case.key_slice == 1


def test_skipped_slices_keep_the_numbering_of_the_volume():
    case = case_from_slices([2.0, 9.0], how="max", indices=[3, 5], depth=8)
    assert case.key_slice == 5
    np.testing.assert_array_equal(case.slice_scores, [np.nan] * 3 + [2, np.nan, 9] + [np.nan] * 2)


@pytest.mark.parametrize(("indices", "depth"), [([0], 4), ([0, 0], 4), ([0, 4], 4), ([-1, 2], 4)])
def test_slices_that_do_not_fit_the_volume_are_refused(indices, depth):
    with pytest.raises(ShapeError, match="slice scores"):
        case_from_slices([1.0, 2.0], how="max", indices=indices, depth=depth)


def test_a_patients_cases_are_pooled_and_the_strangest_named():
    patients = pool_patients([1.0, 5.0, 2.0, 4.0], ["b", "a", "b", "b"], how="max")
    assert [(p.patient, p.score, p.key_case, p.cases) for p in patients] == [("b", 4, 3, (0, 2, 3)), ("a", 5, 1, (1,))]


def test_a_patients_name_stays_out_of_the_repr():
    assert "Doe" not in repr(pool_patients([1.0], ["Doe^Jane"]))


def test_scores_and_patients_must_be_as_many():
    with pytest.raises(ShapeError):
        pool_patients([1.0, 2.0], ["a"])
