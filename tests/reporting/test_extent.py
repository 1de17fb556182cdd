"""When a map points nowhere."""

from dataclasses import replace

import numpy as np
import pytest

from halescan.reporting.extent import as_told, share_above, useless_share
from halescan.types import ScanResult
from tests.reporting.cases import THRESHOLD, flat_scan


def strange(rows: int, *, tested: bool = True) -> ScanResult:
    """A scan of 96 rows of which so many lie above the threshold, with two regions."""
    scan = flat_scan()
    strangeness = np.zeros((96, 80), np.float32)
    strangeness[:rows] = 3.0
    findings = scan.findings if tested else tuple(replace(found, p_value=None) for found in scan.findings)
    return replace(scan, map=strangeness, findings=findings)


def test_the_share_counts_only_what_was_examined():
    mask = np.zeros((96, 80), bool)
    mask[:48] = True
    assert share_above(strange(24), THRESHOLD) == pytest.approx(0.25)
    assert share_above(replace(strange(24), mask=mask), THRESHOLD) == pytest.approx(0.5)


def test_without_map_threshold_or_examined_place_there_is_no_share():
    assert share_above(replace(strange(24), map=None), THRESHOLD) is None
    assert share_above(strange(24), None) is None
    assert share_above(replace(strange(24), mask=np.zeros((96, 80), bool)), THRESHOLD) is None


@pytest.mark.parametrize(("rows", "tested", "told"), [(63, True, 2), (65, True, 0), (31, False, 2), (33, False, 0)])
def test_regions_are_told_up_to_two_thirds_of_it_and_up_to_a_third_without_p_values(rows, tested, told):
    assert len(as_told(strange(rows, tested=tested), THRESHOLD).findings) == told


def test_the_share_is_named_only_where_the_map_points_nowhere():
    assert useless_share(strange(40), THRESHOLD) is None
    assert useless_share(strange(72), THRESHOLD) == pytest.approx(0.75)
