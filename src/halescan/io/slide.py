"""Slides: a whole slide as a pyramid of levels, of which only the region asked for is ever read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from halescan.errors import BlankScan, HalescanError, MissingExtra, ScanError
from halescan.io.slide_dicom import WHOLE_SLIDE, DicomPyramid, identity_of_files
from halescan.io.slide_tiff import TiffPyramid, is_pyramid
from halescan.io.source import Format, Source, one_each
from halescan.types import Identity, Scan

ENDINGS = (".svs", ".ndpi", ".scn", ".mrxs", ".vms", ".bif", ".svslide")
"""File endings that only slides have; a TIFF or a DICOM file is a slide by what it holds."""

OVERVIEW_PX = 1024  # longer side of the picture that `halescan.read` gives of a slide
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_TIFF_ENDINGS = (".tif", ".tiff")
_OURS = (*_TIFF_ENDINGS, ".svs", ".svslide")  # plain tiles in a plain directory; others bend the format
_BAND_BYTES = 3 * 2**20  # of stored pixels read at once for an overview
_PLAUSIBLE_UM = (0.02, 50.0)  # a µm per pixel: outside, the tags speak of a printer or a screen
_WHITE = 255


class Pyramid(Protocol):
    """What a file format must tell of a slide: sizes, scale, and any rectangle of a level."""

    shapes: tuple[tuple[int, int], ...]
    um_per_px: tuple[float, float] | None
    vendor: str

    def read(self, level: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """`(height, width, 3)` uint8 of a rectangle that lies within the level."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


@dataclass
class Slide:
    """A whole slide, opened: pixels stay on disk until a region is asked for.

    Args:
        path: The file, or the folder of a DICOM slide.
        pyramid: Who reads it.
        um_per_px: µm between pixel centres of level 0, `(y, x)`; None if nobody says.
        resolution_given: Whether a person named the scale, because the file does not.
    """

    path: Path
    pyramid: Pyramid = field(repr=False)
    um_per_px: tuple[float, float] | None
    resolution_given: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.pyramid.close()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of level 0, the finest."""
        return self.pyramid.shapes[0]

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of every level, the finest first."""
        return self.pyramid.shapes

    @property
    def downsamples(self) -> tuple[tuple[float, float], ...]:
        """Pixels of level 0 along a pixel of each level, `(y, x)`."""
        height, width = self.shape
        return tuple((height / rows, width / columns) for rows, columns in self.levels)

    def level_for(self, factor: float) -> int:
        """The coarsest level that is still as fine as one pixel in `factor` of level 0."""
        fine = [number for number, (down, across) in enumerate(self.downsamples) if max(down, across) <= factor * 1.02]
        return fine[-1] if fine else 0

    def region(self, box: tuple[tuple[float, float], tuple[float, float]], shape: tuple[int, int]) -> np.ndarray:
        """A rectangle of the slide as a picture of a chosen size, from the level that suits it best.

        Args:
            box: Half-open bounds `((top, bottom), (left, right))` in pixels of level 0; may reach beyond the slide,
                where it is white.
            shape: Rows and columns of the picture.

        Returns:
            `(*shape, 3)` uint8.

        Raises:
            ScanError: if the file is damaged there, or cut short.
        """
        from PIL import Image

        return self._drawn(box, shape, Image.Resampling.BILINEAR)

    def overview(self, factor: tuple[float, float]) -> np.ndarray:
        """The whole slide with `factor` `(y, x)` pixels of level 0 to a pixel, `(h, w, 3)` uint8, read in bands."""
        from PIL import Image

        height, width = (int(np.ceil(side / step - 1e-9)) for side, step in zip(self.shape, factor, strict=True))
        down, across = self.downsamples[self.level_for(min(factor))]
        band_bytes = 3 * (self.shape[1] / across) * (factor[0] / down)  # of stored pixels behind one row
        rows = max(1, int(_BAND_BYTES / band_bytes))
        whole = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, rows):
            bottom = min(height, top + rows)
            box = ((top * factor[0], bottom * factor[0]), (0.0, width * factor[1]))
            # plain means, which end at a band's edge: the bands leave no seam
            whole[top:bottom] = self._drawn(box, (bottom - top, width), Image.Resampling.BOX)
        return whole

    def _drawn(
        self, box: tuple[tuple[float, float], tuple[float, float]], shape: tuple[int, int], filtered: Any
    ) -> np.ndarray:
        """A rectangle resampled by one of Pillow's filters."""
        from PIL import Image

        level = self.level_for(min((stop - start) / pixels for (start, stop), pixels in zip(box, shape, strict=True)))
        steps = self.downsamples[level]
        edges = [(start / step, stop / step) for (start, stop), step in zip(box, steps, strict=True)]
        bounds = [(int(np.floor(start + 1e-6)), int(np.ceil(stop - 1e-6))) for start, stop in edges]
        block = self._block(level, bounds)
        even = all(abs(edge[0] - low[0]) < 1e-3 for edge, low in zip(edges, bounds, strict=True))
        if block.shape[:2] == shape and even:
            return block
        (top, bottom), (left, right) = (
            (max(0.0, start - low), min(float(high - low), stop - low))
            for (start, stop), (low, high) in zip(edges, bounds, strict=True)
        )
        picture = Image.fromarray(block).resize(shape[::-1], filtered, box=(left, top, right, bottom))
        return np.asarray(picture)

    def _block(self, level: int, bounds: Sequence[tuple[int, int]]) -> np.ndarray:
        """Pixels of a level within half-open bounds; white beyond its edges."""
        inside = [(max(0, low), min(side, high)) for (low, high), side in zip(bounds, self.levels[level], strict=True)]
        (top, bottom), (left, right) = inside
        whole = inside == list(bounds)
        if bottom <= top or right <= left:
            return np.full((*(high - low for low, high in bounds), 3), _WHITE, np.uint8)
        pixels = self._stored(level, top, left, bottom - top, right - left)
        if whole:
            return pixels
        block = np.full((*(high - low for low, high in bounds), 3), _WHITE, np.uint8)
        first = (top - bounds[0][0], left - bounds[1][0])
        block[first[0] : first[0] + pixels.shape[0], first[1] : first[1] + pixels.shape[1]] = pixels
        return block

    def _stored(self, level: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """From the file; whatever its parser says of damage becomes one sentence."""
        try:
            return self.pyramid.read(level, top, left, height, width)
        except (HalescanError, MemoryError):
            raise
        except Exception as error:  # a damaged tile can make a decoder raise anything; its words may quote the file
            raise ScanError(
                f"{self.path}: damaged or cut short near row {top}, column {left} of level {level} "
                f"({type(error).__name__}). Copy it again from where it came."
            ) from None


def is_slide(source: Source) -> bool:
    """Whether a source is a whole slide, to be read region by region: by its name, else by its first bytes."""
    if source.format == "slide":
        return True
    if len(source.files) != 1 or source.format not in ("raster", "dicom"):
        return False
    path = source.files[0]
    if source.format == "raster" and path.suffix.lower() not in _TIFF_ENDINGS:
        return False
    try:
        facts = path.stat()
    except OSError:
        return False  # told about where it is read
    return _holds_slide(path, facts.st_mtime_ns, facts.st_size)


def open_slide(source: Source | Path | str, *, um_per_px: float | None = None) -> Slide:
    """Open a slide; nothing but its directory is read.

    DICOM slides and tiled TIFF pyramids need nothing else; the formats of other vendors go through OpenSlide.

    Args:
        um_per_px: µm between pixels of level 0, for a file that does not say; one that says is believed.

    Raises:
        ScanError: if it is no slide, holds no colour, is damaged or cut short.
        MissingExtra: if it takes OpenSlide, which is not installed.
    """
    files, path = (source.files, source.path) if isinstance(source, Source) else ((Path(source),), Path(source))
    try:
        pyramid = _pyramid(files)
    except HalescanError:
        raise
    except OSError as error:
        if error.strerror is None:
            raise _no_slide(path, error) from None
        raise ScanError(f"{path}: cannot be opened ({error.strerror}).") from None
    except Exception as error:  # a damaged file can make a parser raise anything; its words may quote the file
        raise _no_slide(path, error) from None
    told = pyramid.um_per_px
    if told is not None and not all(_PLAUSIBLE_UM[0] <= step <= _PLAUSIBLE_UM[1] for step in told):
        told = None
    given = told is None and um_per_px is not None
    return Slide(path, pyramid, (um_per_px, um_per_px) if given and um_per_px else told, given)


def read(source: Source) -> Scan:
    """The overview of a slide as a scan of its own, at most 1024 pixels long."""
    with open_slide(source) as slide:
        factor = max(1.0, max(slide.shape) / OVERVIEW_PX)
        pixels = slide.overview((factor, factor))
        if (pixels == pixels[0, 0]).all():
            raise BlankScan(f"{source.path}: the slide is blank: every pixel has one colour.")
        spacing = None if slide.um_per_px is None else tuple(step * factor / 1000 for step in slide.um_per_px)
        header = {"Manufacturer": slide.pyramid.vendor} if slide.pyramid.vendor else {}
        return Scan(pixels, 2, spacing, modality="SM", source=source.path, identity=identity(source), header=header)


def identity(source: Source) -> Identity:
    """Who and which examination: known of DICOM slides only."""
    return identity_of_files(source.files) if _head(source.files[0])[128:132] == b"DICM" else Identity()


def _pyramid(files: Sequence[Path]) -> Pyramid:
    """The reader of a slide, by its content: ours for DICOM and plain TIFF, OpenSlide for what vendors invented."""
    path = files[0]
    head = _head(path)
    if not head:
        raise ScanError(f"{path}: is empty (0 bytes). Copy it again from where it came.")
    if head[128:132] == b"DICM":
        return DicomPyramid(files)
    openslide = _openslide_works()
    if openslide and path.suffix.lower() in (*ENDINGS, *_TIFF_ENDINGS):
        from halescan.io.slide_vendor import VendorPyramid, vendor_of

        if vendor_of(path) not in (None, "generic-tiff"):
            return VendorPyramid(path)
    if head.startswith(_TIFF) and path.suffix.lower() in _OURS:
        return TiffPyramid(path)
    if not openslide and path.suffix.lower() in ENDINGS:
        raise MissingExtra(
            f"{path}: slides that end in {path.suffix.lower()} are read by OpenSlide, which is not installed: "
            "pip install 'halescan[slides]'"
        )
    raise ScanError(
        f"{path}: is not a slide that can be read, or is damaged. Expected a DICOM slide, a tiled TIFF in colour, or "
        f"one of {', '.join(ENDINGS)}."
    )


def _openslide_works() -> bool:
    """Whether OpenSlide is there with its library."""
    try:
        import openslide  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def _no_slide(path: Path, error: Exception) -> ScanError:
    return ScanError(
        f"{path}: damaged, cut short, or no slide ({type(error).__name__}). Copy it again from where it came."
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1024)


@lru_cache(maxsize=4096)
def _holds_slide(path: Path, changed_ns: int, size: int) -> bool:
    """Whether a TIFF or DICOM file is a slide, told once for a file that does not change."""
    try:
        head = _head(path)
        if head[128:132] == b"DICM":
            return WHOLE_SLIDE in head
        return head.startswith(_TIFF) and is_pyramid(path)
    except Exception:  # whatever is wrong with it is told about where it is read
        return False


SLIDE = Format(
    endings=ENDINGS,
    recognises=lambda head: False,  # slides are TIFF, DICOM or packed folders: the name or the directory tells them
    sources=one_each("slide"),
    read=read,
    identity=identity,
    title="a whole slide",
)
