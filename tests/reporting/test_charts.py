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
