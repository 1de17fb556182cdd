"""Slices make a case and cases a patient, and the strangest is remembered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halescan.errors import SettingError, ShapeError
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


def test_the_share_of_positive_patches_is_what_lies_above_the_cut():
    pooled = pool_patients([0.1, 0.6, 0.9, 0.5, 0.2], ["a", "a", "a", "a", "b"], how="share", threshold=0.5)
    assert [(p.patient, p.score, p.key_case) for p in pooled] == [("a", 0.5, 2), ("b", 0.0, 4)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=20), st.randoms())
@pytest.mark.parametrize("how", ["share", "mean", "max"])
def test_sanity_iv_neither_order_nor_a_copy_of_all_patches_changes_a_patients_ratio(how, pairs, random):
    """A share has no order, and twice everything is the same share."""

    def by_patient(rows):
        patients, scores = [who for who, _ in rows], [score / 10 for _, score in rows]
        return {p.patient: p.score for p in pool_patients(scores, patients, how=how, threshold=0.45)}

    shuffled = [*pairs, *pairs]
    random.shuffle(shuffled)
    assert by_patient(shuffled) == pytest.approx(by_patient(pairs))


def test_noisy_or_is_the_chance_that_any_patch_is_positive():
    pooled = pool_patients([0.5, 0.5, 0.0, 1.0, 0.2], ["a", "a", "b", "c", "c"], how="noisy-or")
    assert [p.score for p in pooled] == pytest.approx([0.75, 0.0, 1.0])


def test_noisy_or_tells_many_small_chances_apart():
    few, many = (pool_patients([1e-12] * n, ["a"] * n, how="noisy-or")[0].score for n in (10, 20))
    assert many == pytest.approx(2 * few)


def test_ways_that_need_more_say_so():
    with pytest.raises(SettingError, match="threshold"):
        pool_patients([0.2], ["a"], how="share")
    with pytest.raises(SettingError, match="probabilities"):
        pool_patients([1.2], ["a"], how="noisy-or")
    with pytest.raises(SettingError, match="share"):
        pool_patients([1.2], ["a"], how="median")
    with pytest.raises(ShapeError, match="finite"):
        pool_patients([np.nan], ["a"], how="share", threshold=0.5)


def test_slices_of_a_volume_and_patches_of_a_patient_are_pooled_alike():
    scores = [0.2, 0.9, 0.4]
    assert pool_patients(scores, ["a"] * 3, how="top", share=0.5)[0].score == pytest.approx(
        case_from_slices(scores, how="top", share=0.5).score
    )
