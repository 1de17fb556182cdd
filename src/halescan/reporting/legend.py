"""The legend of the fixed colour scale, with its meaning in words at each step."""

from html import escape

import numpy as np

from halescan.reporting.colours import TAIL_MAX, TAIL_SEEN, scale_rgb

_FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Libertinus Serif', sans-serif"


def legend_svg(*, title: str, tick_texts: tuple[str, ...], alt: str) -> str:
    """A bar from `TAIL_SEEN` to `TAIL_MAX` with one text for each whole step (1 in 10, 1 in 100 ...)."""
    left, width, top = 44, 440, 24
    shades = 64
    tail = np.linspace(TAIL_SEEN, TAIL_MAX, shades)
    cells = "".join(
        f'<rect x="{left + width * place / shades:.2f}" y="{top}" width="{width / shades + 0.6:.2f}" height="13" '
        f'fill="#{red:02x}{green:02x}{blue:02x}"/>'
        for place, (red, green, blue) in enumerate(scale_rgb(tail))
    )
    steps = np.linspace(0, width, len(tick_texts))
    ticks = "".join(
        f'<line x1="{left + step:.1f}" y1="{top + 13}" x2="{left + step:.1f}" y2="{top + 18}" stroke="#475569"/>'
        f'<text x="{left + step:.1f}" y="{top + 31}" text-anchor="middle" fill="#334155">{escape(text)}</text>'
        for step, text in zip(steps, tick_texts, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 2 * left} 62" role="img" '
        f'aria-label="{escape(alt, quote=True)}" font-family="{_FONT}" font-size="12.5">'
        f'<text x="{left}" y="14" fill="#334155" font-weight="600">{escape(title)}</text>{cells}{ticks}</svg>'
    )
