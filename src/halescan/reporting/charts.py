"""Charts as small inline SVG: lines, points with intervals, mean ranks; they print, and need no colour to be read.

Colours are Okabe and Ito's; what has none of its own is drawn thin and grey.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from halescan.reporting.histogram import ticks_between

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#8A6D00", "#111111")
DASHES = ("", "7 3", "2 2.5", "9 3 2 3", "5 2", "12 3", "1 2")
GREY = "#b4bcc6"
BASELINE = "#6b7280"
_INK, _SOFT, _GRID = "#1f2937", "#4b5563", "#e5e7eb"
_FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Style:
    """How one method is drawn, the same in every chart of a page."""

    colour: str = GREY
    dash: str = ""
    width: float = 1.8


@dataclass(frozen=True)
class Line:
    """One curve."""

    name: str
    points: Sequence[tuple[float, float]]
    style: Style = Style()


@dataclass(frozen=True)
class Point:
    """One marked place, perhaps with an interval of y."""

    name: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    style: Style = Style()
    ring: bool = False


@dataclass(frozen=True)
class Axis:
    """One axis: its words, its ends, whether it is logarithmic, and `marks`, where round values will not do."""

    label: str
    low: float
    high: float
    log: bool = False
    marks: Sequence[tuple[float, str]] = ()

    def place(self, value: float) -> float:
        """Where a value lies, 0 to 1; what lies outside is held at the edge."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(at)
        return (at - low) / ((high - low) or 1.0)

    def ticks(self) -> list[float]:
        """Round values within, or the marks."""
        if self.marks:
            return [value for value, _ in self.marks]
        if not self.log:
            return ticks_between(self.low, self.high, about=5)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = (1, 2, 5) if last - first <= 2 else (1,)
        every = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [value for value in every if self.low * 0.999 <= value <= self.high * 1.001]

    def words(self, value: float) -> str:
        """What stands at a tick."""
        return dict(self.marks).get(value) or _tick(value)


@dataclass(frozen=True)
class _Frame:
    """Where the drawing lies on its sheet."""

    x: Axis
    y: Axis
    width: float
    height: float
    left: float = 50
    right: float = 12
    top: float = 10
    bottom: float = 44

    def at(self, x: float, y: float) -> tuple[float, float]:
        wide, tall = self.width - self.left - self.right, self.height - self.top - self.bottom
        return self.left + wide * self.x.place(x), self.top + tall * (1 - self.y.place(y))


def lines_svg(
    lines: Sequence[Line],
    *,
    x: Axis,
    y: Axis,
    alt: str,
    diagonal: bool = False,
    level: float | None = None,
    band: Sequence[tuple[float, float, float]] = (),
    points: Sequence[Point] = (),
    width: float = 330,
    height: float = 300,
) -> str:
    """Curves in a frame.

    Args:
        diagonal: Draw y = x, what guessing (or a perfect calibration) would give.
        level: Draw a dotted level.
        band: `(x, low, high)`: a grey band behind the curves.
    """
    lines_below = len(_wrapped(x.label, width - _Frame.left))
    frame = _Frame(x, y, width, height, bottom=_Frame.bottom + 13 * (lines_below - 1))
    parts = [_band(frame, band)] if band else []
    parts += _axes(frame)
    if diagonal:
        parts.append(_path(frame, [(x.low, x.low), (x.high, x.high)], Style(_SOFT, "2 3", 1.0)))
    if level is not None:
        parts.append(_path(frame, [(x.low, level), (x.high, level)], Style(_SOFT, "2 3", 1.0)))
    parts += [_path(frame, line.points, line.style) for line in reversed(lines)]  # the first one lies on top
    for point in points:
        parts += _mark(frame, point)
    return _sheet(parts, width, height, alt)


def scatter_svg(points: Sequence[Point], *, x: Axis, y: Axis, alt: str, width: float = 520, height: float = 360) -> str:
    """Named points with their intervals; names stand beside them and do not cover one another."""
    frame = _Frame(x, y, width, height, right=18)
    parts = _axes(frame)
    for point in points:
        parts += _mark(frame, point)
    parts += _names(frame, points)
    return _sheet(parts, width, height, alt)


def ranks_svg(
    ranks: Sequence[tuple[str, float, Style]],
    *,
    critical: float | None,
    joined: Sequence[tuple[float, float]] = (),
    alt: str,
    width: float = 760,
) -> str:
    """Mean ranks on a line, the best at the left, and the distance below which methods are not told apart.

    Args:
        joined: From the best to the worst rank of each run of methods not told apart: a bar below the line.
    """
    last = max(2.0, math.ceil(max(rank for _, rank, _ in ranks)))
    left, right, base = 190.0, width - 190.0, 56.0 if critical is not None else 24.0
    half = (len(ranks) + 1) // 2
    below = 22 + 7 * len(joined)
    height = base + 8 + below + 19 * half

    def at(rank: float) -> float:
        return left + (right - left) * (rank - 1) / (last - 1)

    parts = [_segment(left, base, right, base, _INK, 1.2)]
    step = 1 if last <= 12 else math.ceil(last / 12)
    for tick in range(1, int(last) + 1, step):
        parts += [
            _segment(at(tick), base - 4, at(tick), base, _INK, 1.0),
            _text(at(tick), base - 8, str(tick), "middle"),
        ]
    if critical is not None:
        fits = critical <= last - 1
        end = at(1 + critical) if fits else right
        said = f"critical difference {critical:.2f}" + ("" if fits else ", longer than the axis")
        parts += [_text(left, 12, said, "start"), _segment(left, 22, end, 22, _SOFT, 2.4)]
        parts += [_segment(x, 18, x, 26, _SOFT, 1.2) for x in ((left, end) if fits else (left,))]
    for number, (first, worst) in enumerate(joined):
        level = base + 8 + 7 * number
        parts.append(_segment(at(first) - 4, level, at(worst) + 4, level, _INK, 3.4))
    for place, (name, rank, style) in enumerate(ranks):
        on_left = place < half
        row = place if on_left else len(ranks) - 1 - place
        level, edge = base + below + 19 * row, left - 10 if on_left else right + 10
        colour = style.colour if style.colour != GREY else _SOFT
        parts.append(
            f'<polyline points="{at(rank):.1f},{base:.1f} {at(rank):.1f},{level:.1f} {edge:.1f},{level:.1f}" '
            f'fill="none" stroke="{colour}" stroke-width="1.3"/>'
        )
        said = f"{name}  {rank:.2f}" if on_left else f"{rank:.2f}  {name}"
        parts.append(_text(edge + (-4 if on_left else 4), level + 4, said, "end" if on_left else "start"))
    return _sheet(parts, width, height, alt)


def interval_svg(
    value: float, low: float | None, high: float | None, *, axis: Axis, style: Style, width: float = 150
) -> str:
    """One figure with its interval on an axis shared by a column; the dotted line is chance."""
    height = 18.0

    def at(figure: float) -> float:
        return 4 + (width - 8) * axis.place(figure)

    parts = [
        f'<line x1="{at(0.5):.1f}" x2="{at(0.5):.1f}" y1="0" y2="{height}" stroke="{GREY}" stroke-dasharray="2 2"/>'
    ]
    if low is not None and high is not None:
        parts.append(_segment(at(low), height / 2, at(high), height / 2, style.colour, 2.2))
        for end in (low, high):
            parts.append(_segment(at(end), height / 2 - 3.5, at(end), height / 2 + 3.5, style.colour, 1.4))
    parts.append(f'<circle cx="{at(value):.1f}" cy="{height / 2}" r="3.6" fill="{style.colour}"/>')
    return _sheet(parts, width, height, f"{value:.3f}")


def swatch_svg(style: Style) -> str:
    """The line of a method, for a legend."""
    line = (
        f'<line x1="1" x2="27" y1="6" y2="6" stroke="{style.colour}" stroke-width="{max(style.width, 1.8)}"'
        + (f' stroke-dasharray="{style.dash}"' if style.dash else "")
        + "/>"
    )
    return _sheet([line], 28, 12, "")


def _axes(frame: _Frame) -> list[str]:
    x, y = frame.x, frame.y
    parts = []
    for tick in x.ticks():
        place, bottom = frame.at(tick, y.low)
        parts.append(_segment(place, frame.top, place, bottom, _GRID, 1.0))
        parts.append(_text(place, bottom + 15, x.words(tick), "middle"))
    for tick in y.ticks():
        left, place = frame.at(x.low, tick)
        parts.append(_segment(left, place, frame.width - frame.right, place, _GRID, 1.0))
        parts.append(_text(left - 6, place + 4, y.words(tick), "end"))
    left, bottom = frame.at(x.low, y.low)
    parts.append(_segment(left, bottom, frame.width - frame.right, bottom, _SOFT, 1.0))
    parts.append(_segment(left, frame.top, left, bottom, _SOFT, 1.0))
    middle = (frame.left + frame.width - frame.right) / 2
    said = _wrapped(x.label, frame.width - frame.left)
    parts += [
        _text(middle, frame.height - 8 - 13 * (len(said) - 1 - line), words, "middle", size=12)
        for line, words in enumerate(said)
    ]
    up = (frame.top + frame.height - frame.bottom) / 2
    parts.append(
        f'<text transform="translate(13 {up:.0f}) rotate(-90)" text-anchor="middle" font-size="12" fill="{_INK}">'
        f"{escape(y.label)}</text>"
    )
    return parts


def _wrapped(label: str, width: float) -> list[str]:
    """A label on one line, or broken behind a comma where it would be too long for so many pixels."""
    head, comma, rest = label.partition(", ")
    return [label] if not comma or 6.2 * len(label) <= width else [head + ",", rest]


def _path(frame: _Frame, points: Sequence[tuple[float, float]], style: Style) -> str:
    if not points:
        return ""
    told = " ".join(f"{px:.1f},{py:.1f}" for px, py in _thinned([frame.at(*point) for point in points]))
    dash = f' stroke-dasharray="{style.dash}"' if style.dash else ""
    return (
        f'<polyline points="{told}" fill="none" stroke="{style.colour}" stroke-width="{style.width}" '
        f'stroke-linejoin="round"{dash}/>'
    )


def _thinned(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without the places in the middle of a straight run, and those nobody could see apart."""
    kept: list[tuple[float, float]] = []
    for place in places:
        if kept and abs(place[0] - kept[-1][0]) + abs(place[1] - kept[-1][1]) < 0.25:
            continue
        if len(kept) >= 2:
            (ax, ay), (bx, by) = kept[-2], kept[-1]
            if abs((bx - ax) * (place[1] - ay) - (by - ay) * (place[0] - ax)) < 0.05:
                kept[-1] = place
                continue
        kept.append(place)
    return [*kept, places[-1]] if places and kept[-1] != places[-1] else kept


def _band(frame: _Frame, band: Sequence[tuple[float, float, float]]) -> str:
    upper = [frame.at(x, high) for x, _, high in band]
    lower = [frame.at(x, low) for x, low, _ in reversed(band)]
    told = " ".join(f"{px:.1f},{py:.1f}" for px, py in [*upper, *lower])
    return f'<polygon points="{told}" fill="#eef1f5"/>'


def _mark(frame: _Frame, point: Point) -> list[str]:
    px, py = frame.at(point.x, point.y)
    parts = []
    if point.low is not None and point.high is not None:
        top, bottom = frame.at(point.x, point.high)[1], frame.at(point.x, point.low)[1]
        parts.append(_segment(px, top, px, bottom, point.style.colour, 1.4))
    fill, rim = ("#ffffff", point.style.colour) if point.ring else (point.style.colour, "#ffffff")
    stroke = 1.8 if point.ring else 1
    parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4.2" fill="{fill}" stroke="{rim}" stroke-width="{stroke}"/>')
    return parts


def _names(frame: _Frame, points: Sequence[Point]) -> list[str]:
    """Names beside their points, where they cover neither a point nor another name; grey points have none."""
    taken = [(px - 5, py - 5, px + 5, py + 5) for px, py in (frame.at(point.x, point.y) for point in points)]
    parts = []
    for point in points:
        px, py = frame.at(point.x, point.y)
        wide = 6.1 * len(point.name)
        places = [] if point.style.colour == GREY else [*_around(px, py, wide)]
        free = (box for box in places if _inside(box, frame) and not any(_meet(box, other) for other in taken))
        box = next(free, None)
        if box is None:
            continue
        taken.append(box)
        left, top, right, bottom = box
        if abs((top + bottom) / 2 - py) > 14:
            parts.append(_segment(px, py, left if left > px else right, (top + bottom) / 2, GREY, 0.8))
        turned = right < px
        parts.append(_text(right if turned else left, bottom - 2, point.name, "end" if turned else "start"))
    return parts


def _around(px: float, py: float, wide: float) -> Iterator[tuple[float, float, float, float]]:
    """Boxes for a name, the nearest first: right and left of its point, then further up and down."""
    for shift in (0, *(way * 13 * step for step in range(1, 9) for way in (-1, 1))):
        for left in (px + 8, px - 8 - wide):
            yield left, py - 6 + shift, left + wide, py + 6 + shift


def _inside(box: tuple[float, float, float, float], frame: _Frame) -> bool:
    return box[0] > frame.left and box[1] > 0 and box[2] < frame.width and box[3] < frame.height - frame.bottom


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _segment(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, words: str, anchor: str, *, size: float = 11) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{_INK}">{escape(words)}</text>'
    )


def _tick(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.10g}".replace("-", "−")


def _sheet(parts: Sequence[str], width: float, height: float, alt: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(alt, quote=True)}" font-family="{_FONT}">'
        f"{''.join(parts)}</svg>"
    )
