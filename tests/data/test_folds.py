"""Folds of patients: each kind spread evenly, nobody on two sides, the same on every run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halescan.data.folds import deal_patients
from halescan.errors import SettingError


@given(st.lists(st.sampled_from(["NEG", "LOW", "HIGH"]), min_size=4, max_size=60), st.integers(2, 4), st.integers(0, 9))
def test_every_kind_is_spread_evenly_and_the_folds_are_of_one_size(kinds: list[str], folds: int, seed: int) -> None:
    names = [f"p{number}" for number in range(len(kinds))]
    fold = deal_patients(names, kinds, folds=folds, seed=seed)
    for kind in set(kinds):
        sizes = np.bincount(fold[np.array(kinds) == kind], minlength=folds)
        assert sizes.max() - sizes.min() <= 1
    sizes = np.bincount(fold, minlength=folds)
    assert sizes.max() - sizes.min() <= 1


def test_the_order_in_which_patients_come_does_not_matter_and_the_seed_does() -> None:
    names = [f"p{number}" for number in range(20)]
    forth = dict(zip(names, deal_patients(names, ["NEG"] * 20, folds=5, seed=0), strict=True))
    back = dict(zip(names[::-1], deal_patients(names[::-1], ["NEG"] * 20, folds=5, seed=0), strict=True))
    other = dict(zip(names, deal_patients(names, ["NEG"] * 20, folds=5, seed=1), strict=True))
    assert forth == back != other


@pytest.mark.parametrize(("names", "folds"), [(["a", "b"], 3), (["a", "b"], 1), (["a", "a"], 2)])
def test_what_cannot_be_dealt_is_refused(names: list[str], folds: int) -> None:
    with pytest.raises(SettingError):
        deal_patients(names, ["NEG"] * len(names), folds=folds, seed=0)
