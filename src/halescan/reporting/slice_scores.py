"""The score of every slice of a volume as a small drawing: where along the stack a reader should look."""

from html import escape

import numpy as np

from halescan.types import ScanResult

_FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Libertinus Serif', sans-serif"
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 146, 52, 622, 44, 120
_KEY, _STRANGEST, _BAR, _INK = "#c2410c", "#334155", "#9db4cc", "#475569"


def examined_scores(result: ScanResult) -> np.ndarray | None:
    """`(z,)` the score of each slice, NaN where nothing was examined; None where there are none."""
    if result.slice_scores is None:
        return None
    scores = np.asarray(result.slice_scores, np.float64)
    if result.mask is None or len(result.mask) != len(scores):
        return scores
    return np.where(np.asarray(result.mask, bool).any(axis=(1, 2)), scores, np.nan)


def slice_scores_svg(
    scores: np.ndarray,
    *,
    key: int,
    key_text: str,
    alt: str,
    strangest_text: str = "",
    tick_texts: tuple[str, str] = ("", ""),
) -> str:
    """One bar a slice `(z,)` from zero up (or down, where a standardised score is negative).

    Zero is the method's own: no distance, no error, or the average of healthy places where these are standardised. A
    slice that was not examined (NaN) is a gap. The key slice is marked, and the strangest where that is another.

    Args:
        scores: `(z,)`.
        key: The slice shown above, 0-based, with its label.
        alt: The drawing in words.
        strangest_text: Label of the highest bar where that is another slice.
        tick_texts: The lowest and the highest score in words; the lowest is shown where it lies below zero.
    """
    known = np.asarray(scores, np.float64)
    finite = known[np.isfinite(known)]
    if not len(finite):
        return ""
    low, high = min(0.0, float(finite.min())), max(0.0, float(finite.max()))
    span = (high - low) or 1.0
    zero = _TOP + (_BOTTOM - _TOP) * (high / span if high > low else 1.0)
    step = (_RIGHT - _LEFT) / len(known)
    strangest = int(np.nanargmax(known))
    bars = []
    for place, score in enumerate(known):
        if not np.isfinite(score):
            continue
        tall = max(0.8, (_BOTTOM - _TOP) * abs(score) / span)
        colour = _KEY if place == key else _STRANGEST if place == strangest and strangest_text else _BAR
        bars.append(
            f'<rect x="{_LEFT + place * step:.1f}" y="{zero - tall if score >= 0 else zero:.1f}" '
            f'width="{max(0.8, step - 1):.1f}" height="{tall:.1f}" fill="{colour}"/>'
        )
    labels = [_label(key, len(known), key_text, height=14, colour=_KEY)]
    if strangest_text and strangest != key:
        labels.append(_label(strangest, len(known), strangest_text, height=32, colour=_STRANGEST))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(alt, quote=True)}" font-family="{_FONT}" font-size="13">{"".join(bars)}'
        f'<line x1="{_LEFT}" y1="{zero:.1f}" x2="{_RIGHT}" y2="{zero:.1f}" stroke="{_INK}"/>'
        f"{''.join(labels)}{''.join(_scale(low, high, zero, tick_texts, len(known)))}</svg>"
    )


def _label(place: int, count: int, text: str, *, height: int, colour: str) -> str:
    """A slice's label above its bar, turned inwards near the edges."""
    middle = _LEFT + (place + 0.5) * (_RIGHT - _LEFT) / count
    anchor = "start" if place < count * 0.25 else "end" if place > count * 0.75 else "middle"
    return (
        f'<text x="{middle:.1f}" y="{height}" text-anchor="{anchor}" fill="{colour}" font-weight="600">'
        f"{escape(text)}</text>"
    )


def _scale(low: float, high: float, zero: float, texts: tuple[str, str], count: int) -> list[str]:
    """Zero and the ends of the scores at the left, the first and last slice below."""
    marks = [(zero, "0")]
    marks += [(_BOTTOM, texts[0])] if low < 0 and _BOTTOM - zero > 14 else []
    marks += [(_TOP, texts[1])] if high > 0 and zero - _TOP > 14 else []
    left = [
        f'<text x="{_LEFT - 7}" y="{height + 4:.1f}" text-anchor="end" fill="{_INK}" font-size="12">'
        f"{escape(text)}</text>"
        for height, text in marks
    ]
    return [
        *left,
        f'<text x="{_LEFT}" y="{_BOTTOM + 18}" fill="{_INK}" font-size="12">1</text>',
        f'<text x="{_RIGHT}" y="{_BOTTOM + 18}" text-anchor="end" fill="{_INK}" font-size="12">{count}</text>',
    ]
