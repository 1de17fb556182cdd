"""The healthy scale: 1 in 10 is 1, it never steps, and a fusion on it fits nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halescan.errors import ShapeError
from halescan.scoring.calibration import Calibration
from halescan.scoring.healthy_scale import HealthyScale, fused

HEALTHY = st.lists(st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3)), min_size=1, max_size=40)


def test_nine_healthy_scores_make_their_largest_one_in_five_and_what_lies_beyond_rarer() -> None:
    scale = HealthyScale.fit(np.arange(9.0))
    assert scale([8.0])[0] == pytest.approx(-np.log10(2 / 10))
    assert scale([9.0])[0] > scale([8.0])[0]


@given(HEALTHY)
def test_on_healthy_scores_it_is_the_conformal_p_value(healthy: list[float]) -> None:
    scale, calibration = HealthyScale.fit(healthy), Calibration(np.array(healthy))
    for score in healthy:
        assert scale([score])[0] == pytest.approx(-np.log10(calibration.p_value(score)[0]), abs=1e-9)


@given(HEALTHY, st.lists(st.integers(-3000, 3000), min_size=2, max_size=20, unique=True))
def test_it_keeps_every_ranking(healthy: list[float], scores: list[int]) -> None:
    found = HealthyScale.fit(healthy)(np.sort(np.array(scores) / 10))
    assert (np.diff(found) > 0).all()


def test_a_patient_with_many_images_counts_once() -> None:
    many = HealthyScale.fit([1.0, 2.0] + [3.0] * 50, groups=["a", "b"] + ["c"] * 50)
    np.testing.assert_allclose(many([1.0, 2.0, 3.0]), HealthyScale.fit([1.0, 2.0, 3.0])([1.0, 2.0, 3.0]))


def test_the_unit_of_the_score_does_not_matter() -> None:
    random = np.random.default_rng(0)
    healthy, new = random.normal(size=50), random.normal(2, 2, 30)
    moved = HealthyScale.fit(7 * healthy + 3)(7 * new + 3)
    np.testing.assert_allclose(moved, HealthyScale.fit(healthy)(new), rtol=1e-9)


def test_two_methods_that_err_on_different_images_are_better_together() -> None:
    random = np.random.default_rng(1)
    healthy, ill = random.normal(size=(2, 400)), random.normal(1.5, 1, (2, 400))
    tails = [HealthyScale.fit(random.normal(size=300)) for _ in range(2)]
    apart = [_auroc(tails[m](healthy[m]), tails[m](ill[m])) for m in range(2)]
    both = [fused([tails[m](part[m]) for m in range(2)]) for part in (healthy, ill)]
    assert _auroc(*both) > max(apart) + 0.03


@pytest.mark.parametrize("healthy", [[], [np.nan], [[1.0]]])
def test_without_finite_healthy_scores_there_is_no_scale(healthy: list[float]) -> None:
    with pytest.raises(ShapeError, match="healthy scores"):
        HealthyScale.fit(healthy)


def test_groups_must_be_as_many_as_scores() -> None:
    with pytest.raises(ShapeError, match="groups"):
        HealthyScale.fit([1.0, 2.0], groups=["a"])


def test_equal_healthy_scores_still_give_a_rising_scale() -> None:
    scale = HealthyScale.fit([5.0] * 9)
    assert scale([4.0])[0] < scale([5.0])[0] < scale([6.0])[0]


def _auroc(healthy: np.ndarray, ill: np.ndarray) -> float:
    return float((ill[:, None] > healthy).mean())
