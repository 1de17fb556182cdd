"""The machine worked out from its support vectors is scikit-learn's, and the texture row means what it says."""

from functools import cache

import numpy as np
import pytest
from sklearn.svm import SVC

from halescan.classifiers.firefly_svm import FireflySVM, _machine
from halescan.classifiers.support_vectors import SupportVectors
from halescan.classifiers.texture import texture_names, texture_row
from halescan.training.run import Run
from tests.classifiers.specks import halves, patches


@cache
def taught() -> FireflySVM:
    labels = halves(24, 12)
    images, groups = patches(labels)
    return FireflySVM(fireflies=4, rounds=3, folds=3).fit(images, labels, groups=groups, run=Run(seed=0))


def test_decisions_from_the_arrays_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    rows, labels = random.normal(size=(60, 7)), np.repeat([0, 1], [50, 10])
    machine = SVC(C=3.0, gamma=0.2, class_weight="balanced").fit(rows, labels)
    kept = SupportVectors.from_state(SupportVectors.of(machine).state())
    fresh = random.normal(size=(40, 7))
    np.testing.assert_allclose(kept.decision(fresh), machine.decision_function(fresh), rtol=0, atol=1e-9)


def test_a_fitted_classifier_decides_as_scikit_learn_taught_the_same() -> None:
    classifier = taught()
    labels = halves(24, 12)
    images, _ = patches(labels)
    rows = np.stack([texture_row(image) for image in images])[:, classifier.chosen]
    assert classifier.standard is not None
    assert classifier.machine is not None
    level = classifier.standard(rows)
    count, gamma = classifier.chosen.sum(), classifier.machine.gamma
    tightness = np.abs(classifier.machine.weights).max()
    again = SVC(C=1e6, gamma=gamma, class_weight="balanced").fit(level, labels)
    assert 0.1 / count <= gamma <= 10 / count
    assert tightness <= 100 * 36 / 24  # C times the weight of the rare class
    both = np.sign(again.decision_function(level)) == np.sign(classifier.machine.decision(level))
    assert both.mean() > 0.9


def test_the_chosen_features_have_names_and_are_fewer_than_all() -> None:
    chosen = taught().chosen_features
    assert 0 < len(chosen) < len(texture_names(3))
    assert set(chosen) <= set(texture_names(3))


def test_a_place_says_how_strict_and_how_wide() -> None:
    strictest = _machine(np.array([1.0, 1.0, 0.0, 1.0, 1.0]))
    assert pytest.approx(100) == strictest.C
    assert strictest.gamma == pytest.approx(10 / 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_row_has_a_number_for_each_name(channels: int) -> None:
    image = np.random.default_rng(0).random((channels, 20, 24))
    row = texture_row(image)
    assert row.shape == (len(texture_names(channels)),)
    assert np.isfinite(row).all()


def test_an_even_image_has_no_texture() -> None:
    row = dict(zip(texture_names(1), texture_row(np.full((1, 16, 16), 0.5)), strict=True))
    assert row["contrast 1 px, mean"] == 0
    assert row["energy 1 px, mean"] == pytest.approx(1)
    assert row["grey entropy"] == 0
    assert row["grey skewness"] == 0
    assert row["grey mean"] == 0.5


def test_turning_an_image_leaves_its_mean_co_occurrence() -> None:
    image = np.random.default_rng(0).random((1, 24, 24))
    one, two = (
        dict(zip(texture_names(1), texture_row(part), strict=True)) for part in (image, np.rot90(image, 1, (1, 2)))
    )
    assert one["contrast 1 px, mean"] == pytest.approx(two["contrast 1 px, mean"])


def test_a_red_speck_raises_what_red_has_over_green() -> None:
    plain = np.full((3, 20, 20), 0.6)
    stained = plain.copy()
    stained[:, 5:10, 5:10] = np.array([0.7, 0.2, 0.2])[:, None, None]
    one, two = (dict(zip(texture_names(3), texture_row(part), strict=True)) for part in (plain, stained))
    assert two["red-green quantile 0.99"] > one["red-green quantile 0.99"] + 0.2
