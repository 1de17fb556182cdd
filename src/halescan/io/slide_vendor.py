"""Vendors' slides through OpenSlide: Aperio, Hamamatsu, Leica, 3DHISTECH, Ventana and others."""

from pathlib import Path
from typing import Any

import numpy as np

from halescan.errors import ScanError


class VendorPyramid:
    """A slide that OpenSlide reads. Its label and macro pictures, which may show a name, are never opened.

    Raises:
        ScanError: if OpenSlide gives it up.
    """

    def __init__(self, path: Path) -> None:
        import openslide

        try:
            self._slide: Any = openslide.OpenSlide(path)
        except openslide.OpenSlideError:
            raise ScanError(f"{path}: damaged or cut short. Copy it again from where it came.") from None
        _check_tiles(path)
        facts = self._slide.properties
        steps = [_number(facts.get(name)) for name in (openslide.PROPERTY_NAME_MPP_Y, openslide.PROPERTY_NAME_MPP_X)]
        self.um_per_px = None if None in steps else (steps[0], steps[1])
        self.vendor = str(facts.get(openslide.PROPERTY_NAME_VENDOR, ""))[:64]
        self.shapes = tuple((height, width) for width, height in self._slide.level_dimensions)

    def read(self, level: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """`(height, width, 3)` uint8 of a rectangle of a level; what was never scanned is white."""
        step = self._slide.level_downsamples[level]
        picture = self._slide.read_region((round(left * step), round(top * step)), level, (width, height))
        values = np.asarray(picture)
        colours, alpha = values[..., :3], values[..., 3:]
        if (alpha == 255).all():
            return np.ascontiguousarray(colours)
        share = alpha / 255.0
        return np.rint(colours * share + 255 * (1 - share)).astype(np.uint8)

    def close(self) -> None:
        """Let go of the file."""
        self._slide.close()


def vendor_of(path: Path) -> str | None:
    """The vendor whose format a file has, as OpenSlide names it; None if it knows none."""
    import openslide

    return openslide.OpenSlide.detect_format(path)


def _check_tiles(path: Path) -> None:
    """A TIFF's tiles must lie within the file: OpenSlide would notice at the first one that does not."""
    with path.open("rb") as file:
        if file.read(2) not in (b"II", b"MM") or path.suffix.lower() == ".ndpi":
            return
    import tifffile

    size = path.stat().st_size
    with tifffile.TiffFile(path) as tiff:
        for page in tiff.pages:
            page = page.aspage()
            ends = np.asarray(page.dataoffsets, np.int64) + np.asarray(page.databytecounts, np.int64)
            if ends.max(initial=0) > size:
                raise ScanError(
                    f"{path}: cut short: its pixels end at byte {ends.max()}, the file at {size}. "
                    "Copy it again from where it came."
                )


def _number(text: str | None) -> Any:
    """A property as a number; None where it is none."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
