"""The score among the healthy."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from halescan.reporting.histogram import axis_bounds, histogram_svg, ticks_between

HEALTHY = tuple(1 + 0.01 * step for step in range(100))


def _draw(healthy=HEALTHY, *, score=1.7, threshold=1.9, score_text="this case"):
    return histogram_svg(
        healthy,
        score=score,
        threshold=threshold,
        score_text=score_text,
        threshold_text="threshold",
        healthy_text="healthy",
        axis_text="score",
        alt="drawing",
    )


def _place(svg: str, text: str) -> ElementTree.Element:
    return next(node for node in ElementTree.fromstring(svg).iter() if node.text == text)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
    st.floats(-1e6, 1e6),
    st.one_of(st.none(), st.floats(-1e6, 1e6)),
)
@example([5e-324], 5e-324, None)  # the smallest number there is: no share of it can be taken
@settings(deadline=None)
def test_whatever_the_scores_the_drawing_stays_inside_its_frame(healthy, score, threshold):
    svg = _draw(healthy, score=score, threshold=threshold)
    ElementTree.fromstring(svg)
    numbers = [float(found) for found in re.findall(r' (?:x|x1|x2|cx)="([^"]+)"', svg)]
    assert all(math.isfinite(place) and 0 <= place <= 640 for place in numbers)


def test_score_and_threshold_labels_stand_on_lines_of_their_own():
    svg = _draw(score=1.9, threshold=1.9)
    assert abs(float(_place(svg, "this case").get("y", 0)) - float(_place(svg, "threshold").get("y", 0))) >= 18


def test_without_a_threshold_the_score_stands_where_it_does_beside_a_far_one():
    heights = [_place(_draw(score=2.2, threshold=cut), "this case").get("y") for cut in (None, 1.0)]
    assert heights[0] == heights[1]


def test_a_label_near_the_right_edge_turns_inwards():
    assert _place(_draw(score=2.2), "this case").get("text-anchor") == "end"
    assert _place(_draw(score=0.8), "this case").get("text-anchor") == "start"


def test_a_score_far_away_is_an_arrow_at_the_edge():
    assert "<path" in _draw(score=400.0)
    assert "<path" not in _draw(score=2.2)
    low, high = axis_bounds(HEALTHY, 400.0, 1.9)
    assert high - low < 4


def test_few_healthy_scores_are_dots():
    assert _draw((1.0, 1.2, 1.3)).count("<circle") == 3


def test_without_healthy_scores_nothing_is_drawn():
    assert _draw(()) == _draw((math.nan,)) == ""


def test_texts_are_escaped():
    assert "&lt;b&gt;" in _draw(score_text="<b>")


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.2, 8.9), (1e-5, 3e-5), (100.0, 1e6)])
def test_ticks_are_few_round_and_inside(low, high):
    ticks = ticks_between(low, high)
    assert 2 <= len(ticks) <= 8
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)


def test_the_label_of_the_threshold_is_readable_where_the_line_of_the_score_runs_through_it():
    svg = _draw(score=1.7, threshold=1.75)
    assert svg.index(">this case<") < svg.index(">threshold<")  # drawn later, above that line
    assert _place(svg, "threshold").get("stroke") == "#ffffff"


@given(st.floats(0.5, 2.5), st.floats(0.5, 2.5))
@example(1.88, 1.9)
@example(1.92, 1.9)
@settings(deadline=None)
def test_no_label_is_crossed_by_the_other_line(score, threshold):
    svg = _draw(score=score, threshold=threshold)
    upright = [node for node in ElementTree.fromstring(svg).iter() if node.get("x1", "") == node.get("x2")]
    labels = [_place(svg, text) for text in ("this case", "threshold")]
    for label, line in zip(labels, reversed(upright), strict=True):  # each with the other's line
        start = float(label.get("x", 0))
        ends = sorted((start, start + (-75 if label.get("text-anchor") == "end" else 75)))
        across = ends[0] < float(line.get("x1", 0)) < ends[1]
        assert not across or float(line.get("y1", 0)) > float(label.get("y", 0))
