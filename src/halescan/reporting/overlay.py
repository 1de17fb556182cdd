"""The one picture that travels alone: scan, map, numbers, legend and the words "research use only" in a single PNG."""

import numpy as np
from PIL import Image, ImageDraw

from halescan.reporting.colours import TAIL_MAX, TAIL_SEEN, scale_rgb
from halescan.reporting.extent import as_told
from halescan.reporting.figures import grey_window, key_slice, merged, plane_picture, png
from halescan.reporting.lettering import text_font
from halescan.reporting.numerals import Lang
from halescan.reporting.words import sentence
from halescan.types import ModelFacts, ScanResult

_GAP = 8  # pixels between the two pictures


def overlay_png(result: ScanResult, model: ModelFacts, *, lang: Lang = "en", longest_px: int = 720) -> bytes | None:
    """The scan (the key slice of a volume) as acquired and, beside it, under its map; None without a location."""
    if result.map is None:
        return None
    result = as_told(result, model.map_threshold)
    plane = key_slice(result) if result.scan.dims == 3 else None
    layered = plane_picture(
        result,
        number=plane,
        window=grey_window(result.scan, model.window),
        threshold=model.map_threshold,
        longest_px=longest_px,
    )
    picture = merged(layered)
    width, height = 2 * picture.width + _GAP, picture.height
    below = 84 if result.tail is not None else 34
    page = Image.new("RGB", (max(width, 480), height + below), "white")
    left = (page.width - width) // 2
    page.paste(layered.base.convert("RGB"), (left, 0))
    page.paste(picture, (left + picture.width + _GAP, 0))
    if result.tail is not None:
        _draw_legend(page, height + 8, lang)
    words = sentence("research-use", lang)
    if plane is not None:
        depth = result.scan.shape[0]
        words += "  ·  " + sentence("overlay-slice", lang, slice=plane + 1, count=depth)
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
