"""Scores along a stack."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from halescan.reporting.slice_scores import examined_scores, slice_scores_svg
from tests.reporting.cases import volume_scan


def test_the_key_slice_is_marked_and_skipped_slices_have_no_bar():
    svg = slice_scores_svg(np.array([1.0, np.nan, 3.0, 2.0]), key=2, key_text="slice 3", alt="scores")
    bars = [node for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("rect")]
    assert [bar.get("fill") == "#c2410c" for bar in bars] == [False, True, False]
    assert max(bars, key=lambda bar: float(bar.get("height", 0))) is bars[1]


def _bars(svg: str) -> list[tuple[float, float]]:
    """Top and height of each bar."""
    nodes = [node for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("rect")]
    return [(float(node.get("y", 0)), float(node.get("height", 0))) for node in nodes]


def test_bars_start_at_zero_so_that_their_heights_compare_as_the_scores_do():
    svg = slice_scores_svg(np.array([2.0, 4.0, 1.0]), key=1, key_text="", alt="")
    heights = [height for _, height in _bars(svg)]
    assert np.allclose(heights, np.array([2.0, 4.0, 1.0]) * heights[1] / 4, atol=0.1)


def test_a_score_below_zero_hangs_from_the_line():
    (top, tall), (hanging, _), _ = _bars(slice_scores_svg(np.array([2.0, -1.0, 0.5]), key=0, key_text="", alt=""))
    assert hanging == pytest.approx(top + tall, abs=0.11)


def test_a_slice_on_which_nothing_was_examined_is_a_gap():
    scan = volume_scan()
    mask = np.zeros(scan.scan.shape, bool)
    mask[3:8] = True
    scores = examined_scores(replace(scan, mask=mask))
    assert scores is not None
    assert np.isfinite(scores).tolist() == [3 <= number < 8 for number in range(14)]


def test_the_strangest_slice_is_named_where_another_is_shown():
    svg = slice_scores_svg(np.array([1.0, 9.0, 3.0]), key=2, key_text="shown", strangest_text="strangest", alt="")
    assert "shown" in svg
    assert "strangest" in svg


def test_equal_scores_can_be_drawn():
    ElementTree.fromstring(slice_scores_svg(np.ones(5), key=0, key_text="<1>", alt='"'))


def test_no_known_score_draws_nothing():
    assert slice_scores_svg(np.full(4, np.nan), key=0, key_text="", alt="") == ""
