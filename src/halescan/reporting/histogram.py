"""Where a score stands among the healthy: the calibration scores as a small drawing, for page and print alike."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

_WIDTH, _HEIGHT = 640, 216
_LEFT, _RIGHT, _TOP, _BOTTOM = 18, 622, 64, 178
_FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Libertinus Serif', sans-serif"
_UPPER, _LOWER = 22, 46  # where the two labels stand
_NEARBY = 280  # two labels side by side
_SCORE, _THRESHOLD, _HEALTHY, _INK = "#c2410c", "#334155", "#9db4cc", "#475569"


def histogram_svg(
    healthy: Sequence[float],
    *,
    score: float,
    threshold: float | None,
    score_text: str,
    threshold_text: str,
    healthy_text: str,
    axis_text: str,
    tick_texts: dict[float, str] | None = None,
    alt: str,
) -> str:
    """Healthy scores as bars (as dots below 12), the score and the threshold as labelled lines.

    A score far beyond the healthy ones is drawn at the edge with an arrow, so that the healthy stay readable.
    Labels stand on lines of their own and turn inwards at the edges: they meet neither each other nor the other's line.
    """
    known = np.array([value for value in healthy if math.isfinite(value)], dtype=np.float64)
    if not len(known):
        return ""
    low, high = _bounds(known, score, threshold)
    parts = _bars(known, low, high) if len(known) >= 12 else _dots(known, low, high)
    parts.append(f'<line x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_BOTTOM}" stroke="{_INK}" stroke-width="1"/>')
    parts += _ticks(low, high, tick_texts or {})
    parts.append(_text(_RIGHT, _HEIGHT - 4, axis_text, anchor="end", colour=_INK))
    parts.append(f'<rect x="{_LEFT}" y="{_HEIGHT - 14}" width="11" height="11" rx="2" fill="{_HEALTHY}"/>')
    parts.append(_text(_LEFT + 17, _HEIGHT - 4, healthy_text, anchor="start", colour=_INK))
    cut = threshold if threshold is not None and math.isfinite(threshold) else None
    here, there = _x(score, low, high), _x(score if cut is None else cut, low, high)
    turned, cut_turned = _turned(here, there), _turned(there, here)
    # of labels to the left of their lines the right one stands higher, and the other's line begins below it
    heights = (_UPPER, _LOWER) if cut is None or (here > there) == turned else (_LOWER, _UPPER)
    parts += _mark(score, low, high, line=heights[0], text=score_text, turned=turned, colour=_SCORE, width=2.6)
    if cut is not None:
        parts += _mark(
            cut,
            low,
            high,
            line=heights[1],
            text=threshold_text,
            turned=cut_turned,
            colour=_THRESHOLD,
            width=1.6,
            dash="5 4",
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(alt, quote=True)}" font-family="{_FONT}" font-size="13">{"".join(parts)}</svg>'
    )


def ticks_between(low: float, high: float, *, about: int = 6) -> list[float]:
    """Round values 1, 2 or 5 times a power of ten apart."""
    raw = (high - low) / about
    if not raw > 0 or not math.isfinite(raw):
        return [low]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def axis_bounds(healthy: Sequence[float], score: float, threshold: float | None) -> tuple[float, float]:
    """The first and last value the drawing shows."""
    return _bounds(np.array([value for value in healthy if math.isfinite(value)]), score, threshold)


def _bounds(known: np.ndarray, score: float, threshold: float | None) -> tuple[float, float]:
    values = [*known, *([] if threshold is None or not math.isfinite(threshold) else [threshold])]
    low, high = float(min(values)), float(max(values))
    spread = (high - low) or abs(high)
    if spread < 1e-300:  # all zero, or so small that a share of it is nothing
        spread = 1.0
    # one healthy width on either side: beyond that an arrow says more than an empty axis
    if math.isfinite(score):
        low, high = min(low, max(score, low - spread)), max(high, min(score, high + spread))
    pad = 0.04 * (high - low if high - low > 1e-300 else spread)
    return low - pad, high + pad


def _x(value: float, low: float, high: float) -> float:
    return _LEFT + (min(max(value, low), high) - low) / (high - low) * (_RIGHT - _LEFT)


def _bars(known: np.ndarray, low: float, high: float) -> list[str]:
    """Freedman-Diaconis bars, between 8 and 40 over the healthy range."""
    quartiles = np.percentile(known, (25, 75))
    wide = 2 * (quartiles[1] - quartiles[0]) / len(known) ** (1 / 3)
    span = float(known.max() - known.min())
    count = int(np.clip(math.ceil(span / wide) if wide > 0 else 8, 8, 40))
    first, last = (known.min(), known.max()) if span > 0 else (known.min() - 0.01, known.min() + 0.01)
    heights, edges = np.histogram(known, bins=count, range=(float(first), float(last)))
    drawn = []
    for height, start, stop in zip(heights, edges[:-1], edges[1:], strict=True):
        left, right = _x(start, low, high), _x(stop, low, high)
        tall = (_BOTTOM - _TOP) * height / heights.max()
        drawn.append(
            f'<rect x="{left:.1f}" y="{_BOTTOM - tall:.1f}" width="{max(1.0, right - left - 1):.1f}" '
            f'height="{tall:.1f}" fill="{_HEALTHY}"/>'
        )
    return drawn


def _dots(known: np.ndarray, low: float, high: float) -> list[str]:
    return [
        f'<circle cx="{_x(value, low, high):.1f}" cy="{_BOTTOM - 14}" r="6" fill="{_HEALTHY}" stroke="#ffffff"/>'
        for value in known
    ]


def _ticks(low: float, high: float, texts: dict[float, str]) -> list[str]:
    drawn = []
    for value, text in texts.items():
        place = _x(value, low, high)
        drawn.append(f'<line x1="{place:.1f}" y1="{_BOTTOM}" x2="{place:.1f}" y2="{_BOTTOM + 4}" stroke="{_INK}"/>')
        drawn.append(_text(place, _BOTTOM + 17, text, anchor="middle", colour=_INK, size=12))
    return drawn


def _turned(place: float, other: float) -> bool:
    """Whether a line's label stands to its left: in the right half; of two lines nearby, both labels or neither."""
    middle = (place + other) / 2 if abs(place - other) < _NEARBY else place
    return middle > (_LEFT + _RIGHT) / 2


def _mark(
    value: float,
    low: float,
    high: float,
    *,
    line: int,
    text: str,
    turned: bool,
    colour: str,
    width: float,
    dash: str = "",
) -> list[str]:
    """A vertical line at a value with its label at height `line`, to its left where it is turned."""
    place = _x(value, low, high)
    drawn = [
        f'<line x1="{place:.1f}" y1="{line - 12}" x2="{place:.1f}" y2="{_BOTTOM}" stroke="{colour}" '
        f'stroke-width="{width}"' + (f' stroke-dasharray="{dash}"' if dash else "") + "/>"
    ]
    if not low <= value <= high:
        point = 9 if value > high else -9
        drawn.append(f'<path d="M {place + point:.1f} {_BOTTOM - 40} l {-point * 1.4:.1f} -7 v 14 z" fill="{colour}"/>')
    label = place + (-7 if turned else 7)
    drawn.append(_text(label, line, text, anchor="end" if turned else "start", colour=colour, weight=600))
    return drawn


def _text(
    x: float, y: float, text: str, *, anchor: str, colour: str, weight: int = 400, size: int | None = None
) -> str:
    bigger = f' font-size="{size}"' if size else ""
    # a white rim keeps a label readable where a line runs through it
    bigger += ' stroke="#ffffff" stroke-width="4" paint-order="stroke"' if weight > 400 else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}"{bigger}>'
        f"{escape(text)}</text>"
    )
