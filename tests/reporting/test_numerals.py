"""Numbers for people."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halescan.reporting.numerals import apart, area, fixed, length, number, p_value, percent, tick, volume


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        (1234.5, "1,230", "1\u202f230"),
        (3.21449, "3.21", "3,21"),
        (0.0123456, "0.0123", "0,0123"),
        (1_000_000, "1,000,000", "1\u202f000\u202f000"),
        (0.0, "0", "0"),
        (1e-9, "1.00e-09", "1,00e-09"),
        (9.999, "10.0", "10,0"),
    ],
)
def test_a_number_is_written_as_its_language_writes_it(value, english, french):
    assert number(value, "en") == english
    assert number(value, "fr") == french


def test_two_values_get_as_many_digits_as_tell_them_apart():
    assert apart(146.21, 146.34, "en") == ("146.2", "146.3")
    assert apart(146.21, 146.34, "fr") == ("146,2", "146,3")
    assert apart(3.2, 2.9, "en") == ("3.20", "2.90")
    assert apart(0.1, math.nextafter(0.1, 1), "en") == ("0.10000000000000001", "0.10000000000000002")


def test_the_same_value_needs_no_more_digits():
    assert apart(146.21, 146.21, "en") == ("146", "146")
    assert apart(146.21, None, "en") == ("146", "–")


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_missing_number_is_a_dash(value):
    assert number(value, "en") == percent(value, "en") == p_value(value, "en") == "–"


def test_a_percentage_has_no_needless_zeros():
    assert percent(0.05, "en") == "5\u202f%"
    assert percent(0.123, "fr") == "12,3\u00a0%"
    assert percent(0.0048, "en") == "0.48\u202f%"


@pytest.mark.parametrize(
    ("share", "said"),
    [(1e-9, "0.0000001"), (0.00004, "0.004"), (0.000049, "0.0049"), (0, "0"), (0.0001, "0.01"), (1e-30, "1e-28")],
)
def test_a_small_share_is_not_called_none(share: float, said: str):
    assert percent(share, "en") == f"{said}\u202f%"


def test_a_bound_prints_as_at_most():
    assert p_value(0.005, "en", bound=True) == "p\u00a0≤\u00a00.005"
    assert p_value(0.02, "fr") == "p\u00a0=\u00a00,020"


@given(st.integers(min_value=1, max_value=5000))
def test_a_bound_is_never_rounded_below_what_was_shown(units):
    bound = 1 / (units + 1)
    assert float(p_value(bound, "en", bound=True).removeprefix("p\u00a0≤\u00a0")) >= bound - 1e-12


def test_sizes_come_in_the_unit_a_reader_would_choose():
    assert length(12.5, "en") == "12.5 mm"
    assert length(0.04, "en") == "40.0 µm"
    assert (area(530.0, "en"), area(2.0, "en"), area(0.0007, "en")) == ("5.30 cm²", "2.00 mm²", "700 µm²")
    assert (volume(18200.0, "en"), volume(42.0, "en")) == ("18.2 cm³", "42.0 mm³")


def test_ticks_and_coordinates_have_true_minus_signs():
    assert tick(-0.5, "fr") == "−0,5"
    assert fixed(-41.23, "en", decimals=1) == "−41.2"
