"""Scores along a stack."""

from xml.etree import ElementTree

import numpy as np

from halescan.reporting.slice_scores import slice_scores_svg


def test_the_key_slice_is_marked_and_skipped_slices_have_no_bar():
    svg = slice_scores_svg(np.array([1.0, np.nan, 3.0, 2.0]), key=2, key_text="slice 3", alt="scores")
    bars = [node for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("rect")]
    assert [bar.get("fill") == "#c2410c" for bar in bars] == [False, True, False]
    assert max(bars, key=lambda bar: float(bar.get("height", 0))) is bars[1]


def test_equal_scores_can_be_drawn():
    ElementTree.fromstring(slice_scores_svg(np.ones(5), key=0, key_text="<1>", alt='"'))


def test_no_known_score_draws_nothing():
    assert slice_scores_svg(np.full(4, np.nan), key=0, key_text="", alt="") == ""
