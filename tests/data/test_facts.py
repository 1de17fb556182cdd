"""A scan in a dozen numbers."""

import numpy as np
import pytest

from halescan.data.facts import scan_facts
from halescan.types import Scan


def test_facts_are_those_of_the_raw_scan() -> None:
    pixels = np.random.default_rng(0).normal(100, 10, (60, 120)).astype(np.float32)
    mask = np.zeros((60, 120), dtype=bool)
    mask[:15] = True
    facts = scan_facts(Scan(pixels, 2, spacing_mm=(0.5, 2.0)), pixels, mask)
    assert facts["mean"] == pytest.approx(100, abs=1)
    assert facts["std"] == pytest.approx(10, abs=0.5)
    assert facts["p05"] < facts["p50"] < facts["p95"]
    assert (facts["height"], facts["width"], facts["depth"], facts["aspect"]) == (60, 120, 1, 2)
    assert (facts["spacing_mm"], facts["mask_share"]) == (1.0, 0.25)


def test_what_a_scan_does_not_know_is_left_out_and_nothing_is_nan() -> None:
    pixels = np.zeros((5, 8, 8), np.float32)
    pixels[0, 0, 0] = 1
    facts = scan_facts(Scan(pixels, 3), pixels, pixels == 0)
    assert "spacing_mm" not in facts
    assert facts["spacing"] == "unknown"
    assert np.isfinite([value for value in facts.values() if not isinstance(value, str)]).all()


def test_entropy_of_equally_many_greys_is_the_number_of_bits() -> None:
    four = np.repeat(np.arange(4.0), 256).reshape(32, 32)
    assert scan_facts(Scan(four, 2), four, four >= 0)["entropy"] == pytest.approx(2)
