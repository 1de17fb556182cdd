"""The healthy tail is a share of healthy places, and nothing else."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.errors import SettingError, ShapeError
from halescan.scoring.tail import HealthyTail

RNG = np.random.default_rng(6)


def test_at_healthy_values_the_tail_is_their_rank():
    values = RNG.permutation(np.arange(100.0)).reshape(10, 10)
    tail = HealthyTail.fit([(values, None)])
    ranks = np.arange(100.0)
    np.testing.assert_allclose(tail.log_tail(ranks), -np.log10((1 + 100 - ranks) / 101), atol=1e-6)


def test_an_exponential_has_a_straight_tail():
    tail = HealthyTail.fit([(RNG.exponential(size=(60, 100)), None) for _ in range(100)])
    at = np.log(10) * np.array([0.5, 1, 2, 3])
    np.testing.assert_allclose(tail.log_tail(at), [0.5, 1, 2, 3], atol=0.05)


def test_tied_values_all_count_as_at_least_as_strange():
    tail = HealthyTail.fit([(np.array([[0.0, 1.0, 1.0, 1.0]]), None)])
    np.testing.assert_allclose(tail.log_tail(np.array([1.0])), -np.log10(4 / 5), rtol=1e-6)


@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=200), st.lists(st.floats(-12, 12), min_size=2))
@settings(max_examples=60, deadline=None)
def test_stranger_is_never_less_rare_and_all_answers_lie_in_range(healthy, asked):
    tail = HealthyTail.fit([(np.array(healthy), None)])
    answers = tail.log_tail(np.sort(asked))
    assert (np.diff(answers) >= 0).all()
    assert answers.min() >= 0
    assert answers.max() <= np.float32(tail.most)


def test_few_places_cannot_say_one_in_ten_thousand():
    tail = HealthyTail.fit([(RNG.normal(size=(9, 11)), None)])
    assert tail.most == 2
    assert tail.log_tail(np.array([1e9]))[0] == 2
    assert HealthyTail.fit([(RNG.normal(size=(200, 200)), None)]).log_tail(np.array([1e9]))[0] == 4


def test_places_outside_the_mask_teach_nothing():
    values, mask = RNG.normal(size=(20, 20)), RNG.random((20, 20)) > 0.5
    loud = np.where(mask, values, 1e6)
    assert HealthyTail.fit([(values, mask)]).to_json() == HealthyTail.fit([(loud, mask)]).to_json()


def test_millions_of_places_stay_within_the_stated_error_and_the_top_is_exact():
    maps = RNG.normal(size=(12, 400, 400)).astype(np.float32)
    tail = HealthyTail.fit((one, None) for one in maps)
    ordered = np.sort(maps, axis=None)
    for log_tail, error in ((0.3, 0.01), (1, 0.01), (1.5, 0.01), (2, 0.002), (3, 0.002), (3.9, 0.01)):
        value = ordered[-round(ordered.size * 10**-log_tail)]
        assert tail.log_tail(np.array([value]))[0] == pytest.approx(log_tail, abs=error)
    assert tail.places == maps.size
    assert tail.images == 12
    assert len(tail.values) < 1100


def test_ties_below_the_exact_top_count_as_at_least_as_strange_too():
    levels = RNG.integers(0, 10, size=(4, 300, 300)).astype(float)
    answers = HealthyTail.fit((one, None) for one in levels).log_tail(np.arange(1.0, 10.0))
    np.testing.assert_allclose(answers, -np.log10(np.arange(9, 0, -1) / 10), atol=0.01)


def test_the_order_of_the_maps_does_not_matter_while_all_values_are_kept():
    maps = [(RNG.normal(size=(30, 30)), None) for _ in range(5)]
    assert HealthyTail.fit(maps).to_json() == HealthyTail.fit(maps[::-1]).to_json()


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.9, 0.995])
def test_the_value_at_a_quantile_has_that_share_of_healthy_places_below(quantile):
    values = RNG.gamma(2, size=(300, 300))
    tail = HealthyTail.fit([(values, None)])
    assert np.mean(values < tail.value_at(quantile)) == pytest.approx(quantile, abs=5e-4)


def test_a_tail_survives_json():
    tail = HealthyTail.fit([(RNG.normal(size=(50, 50)), None)])
    back = HealthyTail.from_json(json.loads(json.dumps(tail.to_json())))
    asked = RNG.normal(size=(7, 7)) * 3
    np.testing.assert_array_equal(back.log_tail(asked), tail.log_tail(asked))
    assert back.value_at(0.99) == tail.value_at(0.99)


def test_damaged_records_are_refused():
    record = HealthyTail.fit([(RNG.normal(size=(5, 5)), None)]).to_json()
    for broken in ({}, {"schema": "halescan.tail/1"}, {**record, "values": "abc"}):
        with pytest.raises(SettingError, match="recalibrate"):
            HealthyTail.from_json(broken)
    with pytest.raises(ShapeError, match="rise"):
        HealthyTail.from_json({**record, "values": record["values"][::-1]})


def test_nothing_nan_and_other_shapes_are_refused():
    with pytest.raises(ShapeError, match="no healthy place"):
        HealthyTail.fit([(np.zeros((3, 3)), np.zeros((3, 3), bool))])
    with pytest.raises(ShapeError, match="finite"):
        HealthyTail.fit([(np.full((3, 3), np.nan), None)])
    with pytest.raises(ShapeError, match="does not fit"):
        HealthyTail.fit([(np.zeros((3, 3)), np.ones((2, 2), bool))])
    with pytest.raises(SettingError, match="quantile"):
        HealthyTail.fit([(np.zeros((3, 3)), None)]).value_at(1.0)
