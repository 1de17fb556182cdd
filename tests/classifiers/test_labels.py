"""Labels are weighed, repeated and split so that the rare class counts and no patient is on both sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.classifiers.labels import BalancedImages, balanced_order, balanced_weights, checked_groups, inner_folds
from halescan.errors import TrainingError
from halescan.types import Stack
from tests.classifiers.specks import halves


def test_both_classes_weigh_the_same() -> None:
    labels = np.array([0, 0, 0, 0, 0, 1])
    weights = balanced_weights(labels)
    assert np.isclose(weights[labels == 0].sum(), weights[labels == 1].sum())
    assert np.isclose(weights.sum(), len(labels))


def test_the_rare_class_is_drawn_as_often_as_the_other_and_no_example_is_forgotten() -> None:
    labels = halves(20, 3)
    order = balanced_order(labels)
    assert len(order) == 40
    assert labels[order].sum() == 20
    assert set(order) == set(range(23))


def test_every_drawn_image_brings_its_own_label() -> None:
    labels = halves(9, 3)
    images = np.broadcast_to(labels[:, None, None, None], (12, 1, 4, 4)).astype(np.float32)
    batch = BalancedImages(Stack(images), labels).take(range(18))
    assert batch.mask is not None
    assert np.array_equal(batch.images[:, 0, 0, 0] == 1, batch.mask[:, 0, 0])


def test_groups_of_any_kind_become_numbers_in_the_order_they_come() -> None:
    assert checked_groups(["b", "a", "b", ("c", 1)], count=4).tolist() == [0, 1, 0, 2]
    assert checked_groups(None, count=3).tolist() == [0, 1, 2]


def test_images_of_nobody_are_refused() -> None:
    for missing in (None, float("nan")):
        with pytest.raises(TrainingError, match="1 of 3 groups are missing"):
            checked_groups(["a", missing, "b"], count=3)


@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_inner_folds_keep_groups_together_and_both_classes_in_training(seed: int, patients: int, folds: int) -> None:
    random = np.random.default_rng(seed)
    groups = random.integers(0, patients, 40)
    labels = np.r_[0, 0, 1, 1, (random.random(36) < 0.3).astype(int)]
    for train, held in inner_folds(labels, groups, folds=folds, seed=seed):
        assert not set(groups[train]) & set(groups[held])
        assert set(labels[train]) == {0, 1}
        assert len(train) + len(held) == 40


def test_with_one_ill_patient_there_is_nothing_to_choose_by() -> None:
    groups = np.array([0, 0, 1, 1, 2, 2])
    assert inner_folds(np.array([1, 1, 0, 0, 0, 0]), groups, folds=5, seed=0) == []
