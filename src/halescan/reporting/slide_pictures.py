"""Pictures of a slide under the microscope: a region close by, and the strangest tiles side by side."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from halescan.reporting.lettering import text_font
from halescan.types import TileView

_GAP = 4
_BARS_UM = (1000.0, 500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0)


def region_picture(view: TileView, um_per_px: tuple[float, float], *, side_px: int = 260) -> Image.Image:
    """A region of the slide with a scale bar."""
    picture = Image.fromarray(view.pixels).resize((side_px, side_px), Image.Resampling.BICUBIC)
    (_, _), (left, right) = view.box_px
    _draw_bar(picture, (right - left) * um_per_px[1])
    return picture


def tile_strip(
    tiles: Sequence[TileView], um_per_px: tuple[float, float], *, tile_px: int = 168, columns: int = 4
) -> Image.Image:
    """Tiles in rows, each with its rank."""
    across = min(columns, len(tiles))
    down = -(-len(tiles) // across)
    sheet = Image.new("RGB", (across * (tile_px + _GAP) - _GAP, down * (tile_px + _GAP) - _GAP), "white")
    for place, tile in enumerate(tiles):
        picture = region_picture(tile, um_per_px, side_px=tile_px)
        ImageDraw.Draw(picture).text(
            (6, 4), str(place + 1), fill="white", font=text_font(16), stroke_width=2, stroke_fill="black"
        )
        sheet.paste(picture, ((place % across) * (tile_px + _GAP), (place // across) * (tile_px + _GAP)))
    return sheet


def _draw_bar(picture: Image.Image, width_um: float) -> None:
    """A scale bar of a round length in the lower left corner, dark on light: tissue lies on white glass."""
    bar = next((bar for bar in _BARS_UM if bar <= 0.35 * width_um), None)
    if bar is None:
        return
    width, height = picture.size
    long = round(width * bar / width_um)
    label = f"{bar / 1000:g} mm" if bar >= 1000 else f"{bar:g} µm"
    pen, font = ImageDraw.Draw(picture), text_font(13)
    panel = max(long, round(font.getlength(label))) + 10
    pen.rectangle((4, height - 30, 4 + panel, height - 4), fill="black")
    pen.rectangle((9, height - 10, 9 + long, height - 8), fill="white")
    pen.text((9, height - 13), label, fill="white", font=font, anchor="ls")
