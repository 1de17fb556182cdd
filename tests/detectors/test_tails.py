"""Open tails: rising, continuous, counted in the bulk and exponential beyond."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.detectors.tails import OpenTail
from halescan.errors import ModelError, ShapeError


def test_of_exponential_values_the_tail_is_the_straight_line_it_should_be() -> None:
    tail = OpenTail.fit(np.random.default_rng(0).exponential(2.0, 20_000))
    asked = np.array([1.0, 4.0, 8.0, 30.0])
    np.testing.assert_allclose(tail(asked), asked / 2 / np.log(10), rtol=0.08)


def test_in_the_bulk_it_counts() -> None:
    healthy = np.arange(1000.0)
    tail = OpenTail.fit(healthy)
    asked = np.array([100.0, 500.0, 900.0])
    np.testing.assert_allclose(tail(asked), -np.log10((1 + 1000 - asked) / 1001), atol=2e-3)


def test_stranger_than_all_healthy_is_not_all_the_same() -> None:
    tail = OpenTail.fit(np.random.default_rng(0).normal(size=50))
    found = tail(np.array([3.0, 4.0, 40.0]))
    assert found[0] < found[1] < found[2]
    assert np.isfinite(found).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60))
def test_it_never_falls_and_has_no_step_where_the_exponential_begins(values: list[float]) -> None:
    tail = OpenTail.fit(np.array(values))
    line = np.linspace(min(values) - 1, max(values) + 1, 300)
    assert (np.diff(tail(line)) >= 0).all()
    here = tail.values[-1]
    near = np.float64(1e-6 / tail.slope)
    assert float(tail(here + near) - tail(here)) < 1e-5


def test_it_survives_the_way_through_arrays_and_refuses_what_does_not_rise() -> None:
    tail = OpenTail.fit(np.random.default_rng(0).normal(size=500))
    again = OpenTail.from_state(tail.state())
    asked = np.linspace(-4, 9, 50)
    np.testing.assert_array_equal(again(asked), tail(asked))
    with pytest.raises(ModelError, match="rise"):
        OpenTail.from_state({**tail.state(), "values": tail.values[::-1]})
    with pytest.raises(ModelError, match="rise"):
        OpenTail.from_state({**tail.state(), "slope": np.asarray(-1.0)})


def test_nothing_and_what_is_no_number_are_refused() -> None:
    for healthy in (np.zeros(0), np.array([1.0, np.nan])):
        with pytest.raises(ShapeError, match="finite"):
            OpenTail.fit(healthy)
