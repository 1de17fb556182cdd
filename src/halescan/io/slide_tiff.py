"""TIFF slides: a pyramid of tiled pages, decoded tile by tile as they are asked for."""

import re
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from halescan.errors import ScanError

_MOST_PAGES = 64  # looked at: a slide has a dozen levels, labels and thumbnails at most
_LARGE_PX = 4096  # a tiled colour picture longer than this is a slide even without coarser levels
_ASPECT = 0.03  # levels are rounded to whole pixels; a label or a thumbnail has another shape altogether
_KEPT_BYTES = 12 * 2**20  # of decoded tiles: neighbours of a region share them
_UNITS = {2: 25_400.0, 3: 10_000.0}  # µm in an inch and a centimetre, by the tag ResolutionUnit
_OME_UNITS = {"µm": 1.0, "um": 1.0, "mm": 1000.0, "nm": 0.001}


class TiffPyramid:
    """A tiled TIFF in colour, with its coarser levels as further pages or as sub-images of the first.

    Raises:
        ScanError: if it is not tiled, not in 8-bit colour, or shorter than its own directory says.
    """

    def __init__(self, path: Path) -> None:
        import tifffile

        self.path = path
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._kept_bytes = 0
        with tifffile.TiffFile(path) as tiff:
            self._pages = _levels(tiff)
            if not self._pages:
                raise ScanError(f"{path}: its pixels are not stored in tiles of 8-bit colour, as a slide's are.")
            for page in self._pages:
                _check_reach(path, page)
                _ = page.jpegtables, page.decode  # read now: the directory's file is closed below
            self.vendor = "aperio" if tiff.is_svs else ""
            self.um_per_px = _scale(tiff, self._pages[0])
        self.shapes = tuple((int(page.imagelength), int(page.imagewidth)) for page in self._pages)
        self._file = path.open("rb")

    def read(self, level: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """`(height, width, 3)` uint8 of a rectangle of a level."""
        page = self._pages[level]
        rows, columns = page.tilelength, page.tilewidth
        across = -(-page.imagewidth // columns)
        block = np.empty((height, width, 3), np.uint8)
        for row in range(top // rows, -(-(top + height) // rows)):
            for column in range(left // columns, -(-(left + width) // columns)):
                tile = self._tile(level, row * across + column)
                first, start = max(top, row * rows), max(left, column * columns)
                last, stop = min(top + height, (row + 1) * rows), min(left + width, (column + 1) * columns)
                block[first - top : last - top, start - left : stop - left] = tile[
                    first - row * rows : last - row * rows, start - column * columns : stop - column * columns
                ]
        return block

    def close(self) -> None:
        """Let go of the file and of what was decoded."""
        self._file.close()
        self._kept.clear()

    def _tile(self, level: int, number: int) -> np.ndarray:
        """One decoded tile `(h, w, 3)`, from memory where it was used just before."""
        key = (level, number)
        page = self._pages[level]
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            count = page.databytecounts[number]
            self._file.seek(page.dataoffsets[number])
            stored = self._file.read(count)
        if len(stored) < count:
            raise ScanError(f"{self.path}: cut short: a tile ends beyond the file. Copy it again from where it came.")
        tile = self._decoded(page, stored, number)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = tile
                self._kept_bytes += tile.nbytes
            while self._kept_bytes > _KEPT_BYTES:
                self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return tile

    def _decoded(self, page: Any, stored: bytes, number: int) -> np.ndarray:
        """A tile from its bytes; one that was never scanned holds none, and is white."""
        if not stored:
            return np.full((page.tilelength, page.tilewidth, 3), 255, np.uint8)
        found = page.decode(stored, number, jpegtables=page.jpegtables, jpegheader=page.jpegheader, _fullsize=True)[0]
        return np.asarray(found[0][..., :3])


def is_pyramid(path: Path) -> bool:
    """Whether a TIFF is a slide: tiled, in colour, and with coarser levels or too large to be a picture."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        if not _is_level(tiff.pages.first):
            return False
        pages = _levels(tiff)
        return len(pages) > 1 or max(pages[0].imagelength, pages[0].imagewidth) > _LARGE_PX


def _levels(tiff: Any) -> list[Any]:
    """The tiled colour pages of one shape, the finest first; labels, thumbnails and macro pictures are left alone."""
    pages = [tiff.pages[number].aspage() for number in range(min(len(tiff.pages), _MOST_PAGES))]
    below = [page.aspage() for page in (pages[0].pages or ())] if pages else []
    found: list[Any] = []
    for page in sorted((one for one in (*pages, *below) if _is_level(one)), key=lambda one: -one.imagewidth):
        if not found or (page.imagewidth < found[-1].imagewidth and _same_aspect(page, found[0])):
            found.append(page)
    return found


def _is_level(page: Any) -> bool:
    """Whether a page is stored in tiles of 8-bit colour."""
    contiguous = int(page.planarconfig) == 1
    colour = page.photometric.name in ("RGB", "YCBCR") and page.samplesperpixel in (3, 4)
    return bool(page.is_tiled and contiguous and colour and page.dtype == np.uint8 and page.imagedepth == 1)


def _same_aspect(page: Any, first: Any) -> bool:
    down, across = first.imagelength / page.imagelength, first.imagewidth / page.imagewidth
    return abs(down / across - 1) < _ASPECT + 1 / min(page.imagelength, page.imagewidth)


def _check_reach(path: Path, page: Any) -> None:
    """Every tile must lie within the file: one cut short is known before an hour of reading."""
    ends = np.asarray(page.dataoffsets, np.int64) + np.asarray(page.databytecounts, np.int64)
    tiles = -(-page.imagelength // page.tilelength) * -(-page.imagewidth // page.tilewidth)
    if len(ends) < tiles or ends.max(initial=0) > path.stat().st_size:
        raise ScanError(
            f"{path}: cut short: its tiles end at byte {ends.max(initial=0)}, the file at {path.stat().st_size}. "
            "Copy it again from where it came."
        )


def _scale(tiff: Any, page: Any) -> tuple[float, float] | None:
    """µm per pixel `(y, x)`: from OME's or Aperio's description, else from the resolution tags."""
    text = tiff.ome_metadata or page.description or ""
    ome = [_ome_length(text, axis) for axis in "YX"] if tiff.ome_metadata else [None]
    if None not in ome:
        return ome[0], ome[1]  # type: ignore[return-value]
    told = re.search(r"\bMPP\s*=\s*([0-9.]+)", text)
    if told:
        return float(told[1]), float(told[1])
    unit = _UNITS.get(int(page.tags.valueof("ResolutionUnit", 2) or 2))
    lines = [page.tags.valueof(name) for name in ("YResolution", "XResolution")]
    if unit is None or None in lines or any(not one[0] or not one[1] for one in lines):
        return None
    return unit * lines[0][1] / lines[0][0], unit * lines[1][1] / lines[1][0]


def _ome_length(text: str, axis: str) -> float | None:
    """µm along an axis of an OME description; None where it is not said."""
    size = re.search(rf'PhysicalSize{axis}="([0-9.eE+-]+)"', text)
    unit = re.search(rf'PhysicalSize{axis}Unit="([^"]+)"', text)
    factor = _OME_UNITS.get(unit[1].replace("μ", "µ") if unit else "µm")
    return float(size[1]) * factor if size and factor else None
