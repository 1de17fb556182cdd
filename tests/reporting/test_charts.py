"""Charts: places are where the figures say, and nothing leaves the sheet."""

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from halescan.reporting.charts import (
    Axis,
    Line,
    Point,
    Style,
    interval_svg,
    lines_svg,
    ranks_svg,
    scatter_svg,
    swatch_svg,
)

SHARE = Axis("share", 0.0, 1.0)


def numbers(svg: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf'\b{name}="([-\d.]+)"', svg)]


def test_a_perfect_curve_runs_along_the_upper_left_corner() -> None:
    svg = lines_svg([Line("one", [(0, 0), (0, 1), (1, 1)], Style("#0072B2"))], x=SHARE, y=SHARE, alt="ROC")
    points = re.findall(r'polyline points="([^"]+)"', svg)[-1]
    assert points == "50.0,256.0 50.0,10.0 318.0,10.0"


def test_straight_runs_are_thinned_and_keep_their_ends() -> None:
    svg = lines_svg([Line("one", [(n / 1000, n / 1000) for n in range(1001)])], x=SHARE, y=SHARE, alt="")
    assert re.findall(r'polyline points="([^"]+)"', svg)[-1].split() == ["50.0,256.0", "318.0,10.0"]


@given(st.lists(st.tuples(st.floats(0.5, 900), st.floats(0, 1)), min_size=1, max_size=12))
def test_no_mark_leaves_the_sheet(places: list[tuple[float, float]]) -> None:
    points = [Point(f"method-{n}", x, y, y - 0.1, y + 0.1) for n, (x, y) in enumerate(places)]
    svg = scatter_svg(points, x=Axis("seconds", 0.5, 900, log=True), y=SHARE, alt="")
    assert all(0 <= x <= 520 for x in numbers(svg, "cx"))
    assert all(0 <= y <= 360 for y in numbers(svg, "cy"))


def test_a_log_axis_has_ticks_of_round_numbers() -> None:
    assert Axis("s", 0.8, 700, log=True).ticks() == [1, 10, 100]
    assert Axis("s", 8, 70, log=True).ticks() == [10, 20, 50]


def test_an_axis_without_extent_does_not_divide_by_zero() -> None:
    assert Axis("s", 1.0, 1.0).place(1.0) == 0


def test_every_drawing_is_well_formed_and_escapes_names() -> None:
    style, name = Style("#111111", "2 2"), "<a & b>"
    ElementTree.fromstring(ranks_svg([(name, 1.5, style), ("b", 1.5, style)], critical=0.4, alt=name))
    ElementTree.fromstring(interval_svg(0.9, 0.8, 0.95, axis=SHARE, style=style))
    ElementTree.fromstring(swatch_svg(style))
    ElementTree.fromstring(scatter_svg([Point(name, 0.2, 0.2)], x=SHARE, y=SHARE, alt=name))


def test_methods_not_told_apart_are_joined_by_a_bar_from_the_best_to_the_worst_of_them() -> None:
    ranks = [(name, rank, Style("#111111")) for name, rank in (("a", 1.0), ("b", 2.0), ("c", 3.0))]
    svg = ranks_svg(ranks, critical=1.5, joined=[(1.0, 2.0), (2.0, 3.0)], alt="")
    bars = re.findall(
        r'<line x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="[\d.]+" stroke="#1f2937" stroke-width="3.4"', svg
    )
    assert [(float(x1), float(x2)) for x1, _, x2 in bars] == [(186.0, 384.0), (376.0, 574.0)]
    assert bars[0][1] != bars[1][1]
    assert "3.4" not in ranks_svg(ranks, critical=None, alt="")


def test_a_critical_difference_longer_than_the_axis_says_so_and_stays_on_the_sheet() -> None:
    svg = ranks_svg([("a", 1.0, Style()), ("b", 2.0, Style())], critical=3.3, joined=[(1.0, 2.0)], alt="")
    assert "critical difference 3.30, longer than the axis" in svg
    assert max(numbers(svg, "x2")) <= 760


def test_an_axis_with_marks_has_them_for_ticks_and_a_long_label_takes_two_lines() -> None:
    x = Axis("standard deviation, share of the grey range", 0, 2, marks=[(0.0, "100"), (2.0, "10")])
    svg = lines_svg([], x=x, y=SHARE, alt="", width=240)
    assert ">100</text>" in svg
    assert ">standard deviation,</text>" in svg
    assert ">share of the grey range</text>" in svg
