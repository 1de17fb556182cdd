"""The CT autoencoder system's own rule, with its unit kept."""

import json

import numpy as np
import pytest

from halescan.errors import SettingError, ShapeError
from halescan.scoring.rules import QuantileRule, QuantileThreshold

RNG = np.random.default_rng(7)


def test_ninety_two_percent_of_the_healthy_stay_below_by_default():
    errors = RNG.gamma(2, size=1000)
    rule = QuantileRule().fit(errors, unit="HU")
    assert rule.share == 0.92
    assert sum(rule.above(error) for error in errors) == 80


def test_the_threshold_keeps_its_unit_through_json():
    rule = QuantileRule(share=0.5).fit(np.array([100.0, 200.0, 300.0]), unit="HU")
    assert QuantileThreshold.from_json(json.loads(json.dumps(rule.to_json()))) == rule
    assert (rule.threshold, rule.unit, rule.healthy_images) == (200, "HU", 3)
    assert not rule.above(200.0)


def test_shares_out_of_range_no_errors_and_strange_records_are_refused():
    with pytest.raises(SettingError):
        QuantileRule(share=1.0)
    with pytest.raises(ShapeError):
        QuantileRule().fit(np.zeros(0))
    with pytest.raises(SettingError, match="unit"):
        QuantileThreshold.from_json({"cut": 3})
