"""The score of every slice of a volume as a small drawing: where along the stack a reader should look."""

from html import escape

import numpy as np

_FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Libertinus Serif', sans-serif"
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 112, 18, 622, 26, 88


def slice_scores_svg(scores: np.ndarray, *, key: int, key_text: str, alt: str) -> str:
    """One bar a slice `(z,)`, the key slice marked; a slice that was skipped (NaN) has no bar."""
    known = np.asarray(scores, np.float64)
    finite = known[np.isfinite(known)]
    if not len(finite):
        return ""
    low, high = float(finite.min()), float(finite.max())
    step = (_RIGHT - _LEFT) / len(known)
    bars = []
    for place, score in enumerate(known):
        if not np.isfinite(score):
            continue
        tall = 4 + (_BOTTOM - _TOP - 4) * ((score - low) / (high - low) if high > low else 0.5)
        colour = "#c2410c" if place == key else "#9db4cc"
        bars.append(
            f'<rect x="{_LEFT + place * step:.1f}" y="{_BOTTOM - tall:.1f}" width="{max(0.8, step - 1):.1f}" '
            f'height="{tall:.1f}" fill="{colour}"/>'
        )
    middle = _LEFT + (key + 0.5) * step
    anchor = "start" if key < len(known) * 0.15 else "end" if key > len(known) * 0.85 else "middle"
    texts = (
        f'<text x="{middle:.1f}" y="16" text-anchor="{anchor}" fill="#c2410c" font-weight="600">'
        f"{escape(key_text)}</text>",
        f'<text x="{_LEFT}" y="{_BOTTOM + 17}" fill="#475569" font-size="12">1</text>',
        f'<text x="{_RIGHT}" y="{_BOTTOM + 17}" text-anchor="end" fill="#475569" font-size="12">{len(known)}</text>',
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(alt, quote=True)}" font-family="{_FONT}" font-size="13">{"".join(bars)}'
        f'<line x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_BOTTOM}" stroke="#475569"/>{"".join(texts)}</svg>'
    )
