"""The one picture that travels alone: scan, map, numbers, legend and the words "research use only" in a single PNG."""

import numpy as np
from PIL import Image, ImageDraw

from halescan.reporting.colours import TAIL_MAX, TAIL_SEEN, scale_rgb
from halescan.reporting.figures import grey_window, key_slice, merged, plane_picture, png
from halescan.reporting.lettering import text_font
from halescan.reporting.numerals import Lang
from halescan.reporting.words import sentence
from halescan.types import ModelFacts, ScanResult


def overlay_png(result: ScanResult, model: ModelFacts, *, lang: Lang = "en", longest_px: int = 720) -> bytes | None:
    """The scan (the key slice of a volume) under its map, with a legend; None where the method gives no location."""
    if result.map is None:
        return None
    plane = key_slice(result) if result.scan.dims == 3 else None
    picture = merged(
        plane_picture(
            result,
            number=plane,
            window=grey_window(result.scan, model.window),
            threshold=model.map_threshold,
            longest_px=longest_px,
        )
    )
    page = Image.new(
        "RGB", (max(picture.width, 480), picture.height + (84 if result.tail is not None else 34)), "white"
    )
    page.paste(picture, ((page.width - picture.width) // 2, 0))
    if result.tail is not None:
        _draw_legend(page, picture.height + 8, lang)
    words = sentence("research-use", lang)
    if plane is not None:
        depth = result.scan.shape[0]
        words += "  ·  " + sentence("picture-scan-slice", lang, slice=plane + 1, count=depth)
    ImageDraw.Draw(page).text((page.width / 2, page.height - 8), words, fill="#9a3412", font=text_font(15), anchor="md")
    return png(page)


def _draw_legend(page: Image.Image, top: int, lang: Lang) -> None:
    """The colour bar with the words of its steps, centred below the picture."""
    width = min(440, page.width - 120)
    left = (page.width - width) // 2
    colours = scale_rgb(np.linspace(TAIL_SEEN, TAIL_MAX, width))
    page.paste(Image.fromarray(np.repeat(colours[None], 14, axis=0)), (left, top))
    pen = ImageDraw.Draw(page)
    for step, text in zip(np.linspace(0, width, 4), _rarity_ticks(lang), strict=True):
        pen.line((left + step, top + 14, left + step, top + 18), fill="#475569")
        pen.text((left + step, top + 21), text, fill="#334155", font=text_font(14), anchor="ma")


def _rarity_ticks(lang: Lang) -> tuple[str, ...]:
    """The words at the steps of the scale: "1 in 10" to "1 in 10,000"."""
    return tuple(sentence("legend-tick", lang, count=10**step) for step in (1, 2, 3, 4))
