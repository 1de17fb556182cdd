"""What the method expected and what it remembers: reconstruction, difference and the nearest healthy examples."""

import numpy as np
from PIL import Image

from halescan.reporting.colours import difference_rgb
from halescan.types import ScanResult

DIFFERENCE_FULL = 0.5  # half of the grey range, on the detector's scale of [0, 1]: fixed, so that reports compare


def reconstruction_panels(result: ScanResult, *, longest_px: int = 300) -> tuple[Image.Image, ...]:
    """Image as the detector saw it, its reconstruction, and their difference; empty where nothing was reconstructed."""
    if result.shown is None or result.reconstruction is None or result.shown.shape != result.reconstruction.shape:
        return ()
    shown, expected = (_middle(image) for image in (result.shown, result.reconstruction))
    size = _grown(shown.shape[1:], longest_px)
    difference = difference_rgb((shown - expected).mean(axis=0), full=DIFFERENCE_FULL)
    return (
        _detector_image(shown).resize(size, Image.Resampling.BICUBIC),
        _detector_image(expected).resize(size, Image.Resampling.BICUBIC),
        Image.fromarray(difference).resize(size, Image.Resampling.BILINEAR),
    )


def neighbour_strip(result: ScanResult, *, most: int = 5, height_px: int = 132) -> Image.Image | None:
    """The nearest healthy examples side by side, nearest first; None where the method remembers none."""
    tiles = [_tile(thumbnail, height_px) for thumbnail in result.neighbours[:most]]
    if not tiles:
        return None
    gap = 6
    width = sum(tile.width for tile in tiles) + gap * (len(tiles) - 1)
    strip = Image.new("RGB" if any(tile.mode == "RGB" for tile in tiles) else "L", (width, height_px), "white")
    left = 0
    for tile in tiles:
        strip.paste(tile, (left, 0))
        left += tile.width + gap
    return strip


def _middle(image: np.ndarray) -> np.ndarray:
    """`(c, h, w)` of an image that may have depth: its middle plane."""
    flat = image[:, image.shape[1] // 2] if image.ndim == 4 else image
    return np.nan_to_num(np.asarray(flat, np.float32))


def _detector_image(image: np.ndarray) -> Image.Image:
    """`(c, h, w)` in [0, 1] as a picture, grey or colour."""
    levels = (np.clip(image, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(np.moveaxis(levels, 0, -1)) if len(levels) == 3 else levels[0])


def _tile(thumbnail: np.ndarray, height_px: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(thumbnail))
    return image.resize((max(1, round(image.width * height_px / image.height)), height_px), Image.Resampling.BICUBIC)


def _grown(shape: tuple[int, ...], longest_px: int) -> tuple[int, int]:
    """Width and height with this longest side."""
    scale = longest_px / max(shape)
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))
