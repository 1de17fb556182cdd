"""Numbers of one picture that betray markers, borders and windows rather than anatomy."""

import numpy as np

from halescan.data.grid import resample
from halescan.data.intensity import luminance
from halescan.types import Scan

_LONGEST = 512  # pixels a side looked at
_CORNER = 0.12  # of each side
_RING = 0.1
_BRIGHT = 0.97  # of the range


def plane(scan: Scan) -> np.ndarray:
    """`(c, y, x)` float32 in [0, 1], c = 1 or 3, of a scan's middle slice, its longer side at most 512 pixels.

    Eight bits by 255, Hounsfield units from -1000 to 1000, all else from its 0.5 to its 99.5 % quantile.
    """
    pixels = scan.pixels[scan.shape[0] // 2] if scan.dims == 3 else scan.pixels
    channels = np.moveaxis(pixels, -1, 0) if scan.colour else pixels[None]
    height, width = channels.shape[1:]
    scale = _LONGEST / max(height, width)
    if scale < 1:
        channels = resample(channels, (max(1, round(height * scale)), max(1, round(width * scale))))
    low, high = _range(scan, pixels)
    return np.clip((channels.astype(np.float32) - low) / (high - low), 0, 1)


def giveaways(image: np.ndarray) -> dict[str, float]:
    """What could tell one source from another in an image `(c, y, x)` in [0, 1].

    Returns:
        `black-share` and `white-share` (pixels at the ends of the range), `even-border` (share of the width and height
        that is a frame of one grey), `corners` (their mean brightness), `bright-marks` (share of very bright pixels in
        the outer ring, where letters and rulers stand), `left-right` and `top-bottom` (differences of the halves),
        `colourfulness` (mean distance of the channels from grey).
    """
    grey = luminance(np.moveaxis(image, 0, -1)) if len(image) == 3 else image[0]
    height, width = grey.shape
    down, across = max(1, round(_CORNER * height)), max(1, round(_CORNER * width))
    corners = [grey[:down, :across], grey[:down, -across:], grey[-down:, :across], grey[-down:, -across:]]
    return {
        "black-share": float((grey <= 0.004).mean()),
        "white-share": float((grey >= 0.996).mean()),
        "even-border": _even_border(grey),
        "corners": float(np.mean([corner.mean() for corner in corners])),
        "bright-marks": float((_ring(grey) >= _BRIGHT).mean()),
        "left-right": float(grey[:, : width // 2].mean() - grey[:, (width + 1) // 2 :].mean()) if width > 1 else 0.0,
        "top-bottom": float(grey[: height // 2].mean() - grey[(height + 1) // 2 :].mean()) if height > 1 else 0.0,
        "colourfulness": float(np.abs(image - image.mean(axis=0)).mean()) if len(image) == 3 else 0.0,
    }


def _range(scan: Scan, pixels: np.ndarray) -> tuple[float, float]:
    if scan.unit == "HU":
        return -1000.0, 1000.0
    if pixels.dtype == np.uint8:
        return 0.0, 255.0
    low, high = np.quantile(pixels.reshape(-1)[:: max(1, pixels.size // 65_536) | 1], [0.005, 0.995])
    return float(low), max(float(high), float(low) + 1e-6)


def _even_border(grey: np.ndarray) -> float:
    """Rows and columns from each edge inwards that hold one grey, as a share of all rows and columns."""
    even = 0
    for spreads in (np.ptp(grey, axis=1), np.ptp(grey, axis=0)):
        busy = np.flatnonzero(spreads > 0.02)
        even += len(spreads) if not len(busy) else int(busy[0]) + len(spreads) - 1 - int(busy[-1])
    return even / sum(grey.shape)


def _ring(grey: np.ndarray) -> np.ndarray:
    """The pixels of the outer tenth, as a list."""
    height, width = grey.shape
    down, across = max(1, round(_RING * height)), max(1, round(_RING * width))
    inside = np.zeros(grey.shape, bool)
    inside[down:-down, across:-across] = True
    return grey[~inside]
