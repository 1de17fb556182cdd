"""DICOM slides: the levels of a whole-slide series, one file a level, decoded frame by frame as they are asked for."""

import struct
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from halescan.errors import ScanError
from halescan.types import Identity

WHOLE_SLIDE = b"1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class of VL Whole Slide Microscopy Image Storage, as it stands in a file's first bytes."""

_NOT_TISSUE = {"LABEL", "OVERVIEW", "THUMBNAIL", "LOCALIZER"}  # a label may show a name: it is never decoded
_NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"}
_JPEG = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"}
_JPEG_2000 = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
_JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
_ITEM, _DELIMITER = 0xE000FFFE, 0xE0DDFFFE


class DicomPyramid:
    """The levels of one slide. A file named alone is read with those of its series that lie beside it.

    Raises:
        ScanError: if no file holds a level in 8-bit colour, or one is damaged, cut short or stored in a way not read.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        members = _series_beside(files[0]) if len(files) == 1 else list(files)
        levels: list[_Level] = []
        try:
            for path in members:
                levels += _Level.of(path)
        except BaseException:
            for level in levels:
                level.file.close()
            raise
        if not levels:
            raise ScanError(f"{files[0]}: holds a slide's label or overview only; the slide itself is missing.")
        largest: dict[int, _Level] = {}
        for level in levels:
            largest.setdefault(level.shape[1], level)
        for level in levels:
            if largest[level.shape[1]] is not level:
                level.file.close()
        self._levels = sorted(largest.values(), key=lambda level: -level.shape[1])
        self.shapes = tuple(level.shape for level in self._levels)
        self.um_per_px = self._levels[0].um_per_px
        self.vendor = self._levels[0].vendor

    def read(self, level: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """`(height, width, 3)` uint8 of a rectangle of a level; what was never scanned is white."""
        return self._levels[level].read(top, left, height, width)

    def close(self) -> None:
        """Let go of the files."""
        for level in self._levels:
            level.file.close()


class _Level:
    """One file: a matrix of frames, and where each of them lies in the file."""

    def __init__(self, path: Path, dataset: Any, file: Any) -> None:
        self.path, self.file = path, file
        self.shape = (int(dataset.TotalPixelMatrixRows), int(dataset.TotalPixelMatrixColumns))
        self.tile = (int(dataset.Rows), int(dataset.Columns))
        self.syntax = str(dataset.file_meta.TransferSyntaxUID)
        self.photometric = str(dataset.PhotometricInterpretation)
        self.um_per_px = _scale(dataset, self.shape)
        self.vendor = str(dataset.get("Manufacturer") or "")[:64]
        self.planar = int(dataset.get("PlanarConfiguration") or 0)
        self._lock = Lock()
        self._recent: dict[int, np.ndarray] = {}
        frames = int(dataset.get("NumberOfFrames") or 1)
        self.offsets = _offsets(path, file, self._frame_bytes, frames, native=self.syntax in _NATIVE)
        self.frame_at = _places(path, dataset, self.shape, self.tile, frames)

    @classmethod
    def of(cls, path: Path) -> "list[_Level]":
        """The level a file holds; none for a label, an overview or what is no slide."""
        from pydicom import dcmread

        file = path.open("rb")
        try:
            dataset = dcmread(file, stop_before_pixels=True)
            kinds = {str(word).upper() for word in dataset.get("ImageType") or ()}
            if str(dataset.get("SOPClassUID")) == WHOLE_SLIDE.decode() and not kinds & _NOT_TISSUE:
                _check(path, dataset)
                return [cls(path, dataset, file)]
        except BaseException:
            file.close()
            raise
        file.close()
        return []

    @property
    def _frame_bytes(self) -> int:
        return self.tile[0] * self.tile[1] * 3

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """A rectangle, frame by frame."""
        rows, columns = self.tile
        block = np.full((height, width, 3), 255, np.uint8)
        for row in range(top // rows, -(-(top + height) // rows)):
            for column in range(left // columns, -(-(left + width) // columns)):
                number = self.frame_at.get((row, column))
                if number is None:
                    continue
                frame = self._frame(number)
                first, start = max(top, row * rows), max(left, column * columns)
                last, stop = min(top + height, (row + 1) * rows), min(left + width, (column + 1) * columns)
                block[first - top : last - top, start - left : stop - left] = frame[
                    first - row * rows : last - row * rows, start - column * columns : stop - column * columns
                ]
        return block

    def _frame(self, number: int) -> np.ndarray:
        """One decoded frame `(h, w, 3)`; the last few are kept, as neighbours of a region share them."""
        with self._lock:
            if number in self._recent:
                return self._recent[number]
            offset, count = self.offsets[number]
            self.file.seek(offset)
            stored = self.file.read(count)
        if len(stored) < count:
            raise ScanError(f"{self.path}: cut short: a frame ends beyond the file. Copy it again from where it came.")
        frame = self._decoded(stored)
        with self._lock:
            self._recent[number] = frame
            while len(self._recent) > max(8, (8 * 2**20) // self._frame_bytes):
                del self._recent[next(iter(self._recent))]
        return frame

    def _decoded(self, stored: bytes) -> np.ndarray:
        """Red, green and blue from the bytes of a frame."""
        import imagecodecs

        if self.syntax in _NATIVE:
            values = np.frombuffer(stored, np.uint8)
            return values.reshape(3, *self.tile).transpose(1, 2, 0) if self.planar else values.reshape(*self.tile, 3)
        if self.syntax in _JPEG:
            space = "rgb" if self.photometric == "RGB" else "ycbcr"
            return imagecodecs.jpeg8_decode(stored, colorspace=space, outcolorspace="rgb")
        if self.syntax in _JPEG_2000:
            return imagecodecs.jpeg2k_decode(stored)
        return imagecodecs.jpegls_decode(stored)


def identity_of_files(files: Sequence[Path]) -> Identity:
    """Patient, study and series from a slide's header."""
    from pydicom import dcmread

    try:
        words = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"]
        dataset = dcmread(files[0], stop_before_pixels=True, specific_tags=words)  # type: ignore[arg-type]
    except Exception:  # pydicom raises many kinds, and quotes header values in them
        raise ScanError(f"{files[0]}: not a DICOM file, or damaged or cut short.") from None
    return Identity(*(str(dataset.get(word) or "") or None for word in words))


def _series_beside(path: Path) -> list[Path]:
    """The files of one series that lie in one folder, found by its uid among their slides."""
    wanted = identity_of_files([path]).series
    members = [path]
    for other in sorted(path.parent.iterdir()):
        if other == path or not other.is_file():
            continue
        with other.open("rb") as file:
            head = file.read(1024)
        if head[128:132] == b"DICM" and WHOLE_SLIDE in head and identity_of_files([other]).series == wanted:
            members.append(other)
    return members


def _check(path: Path, dataset: Any) -> None:
    """Refuse what would be read wrongly: other colours, focal planes, parts of a level in several files."""
    known = _NATIVE | _JPEG | _JPEG_2000 | _JPEG_LS
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if int(dataset.get("SamplesPerPixel") or 1) != 3 or int(dataset.get("BitsAllocated") or 0) != 8:
        raise ScanError(f"{path}: holds no 8-bit colour, expected a slide seen by transmitted light.")
    if syntax not in known:
        raise ScanError(f"{path}: stored with the transfer syntax {syntax}, expected none, JPEG, JPEG-LS or JPEG 2000.")
    if "ConcatenationUID" in dataset or int(dataset.get("TotalPixelMatrixFocalPlanes") or 1) > 1:
        raise ScanError(f"{path}: holds several focal planes or a part of a level, expected whole levels of one plane.")


def _scale(dataset: Any, shape: tuple[int, int]) -> tuple[float, float] | None:
    """µm per pixel `(y, x)`."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or [{}]
    measures = shared[0].get("PixelMeasuresSequence") or [{}]
    spacing = measures[0].get("PixelSpacing")
    if spacing:
        return 1000 * float(spacing[0]), 1000 * float(spacing[1])
    size = dataset.get("ImagedVolumeHeight"), dataset.get("ImagedVolumeWidth")
    if size[0] and size[1]:
        return 1000 * float(size[0]) / shape[0], 1000 * float(size[1]) / shape[1]
    return None


def _places(
    path: Path, dataset: Any, shape: tuple[int, int], tile: tuple[int, int], frames: int
) -> dict[tuple[int, int], int]:
    """The number of the frame at each row and column of the matrix of frames."""
    down, across = (-(-side // edge) for side, edge in zip(shape, tile, strict=True))
    if str(dataset.get("DimensionOrganizationType") or "TILED_FULL") == "TILED_FULL":
        if frames < down * across:
            raise ScanError(f"{path}: holds {frames} frames, its matrix takes {down * across}. It is cut short.")
        return {divmod(number, across): number for number in range(down * across)}
    places = {}
    for number, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        where = group.PlanePositionSlideSequence[0]
        row, column = (
            int(where.RowPositionInTotalImagePixelMatrix) - 1,
            int(where.ColumnPositionInTotalImagePixelMatrix) - 1,
        )
        if row % tile[0] or column % tile[1]:
            raise ScanError(f"{path}: its frames overlap, expected frames side by side.")
        places[row // tile[0], column // tile[1]] = number
    return places


def _offsets(path: Path, file: Any, frame_bytes: int, frames: int, *, native: bool) -> list[tuple[int, int]]:
    """Where each frame lies in the file, and its bytes; the file stands at the element of its pixels."""
    begun = file.tell()
    size = path.stat().st_size
    group, element, vr = struct.unpack("<HH2s", file.read(6))
    if (group, element) != (0x7FE0, 0x0010):
        raise ScanError(f"{path}: holds a slide without pixels. Copy it again from where it came.")
    start = begun + (12 if vr in (b"OB", b"OW") else 8)  # without a VR (implicit) the length follows at once
    if native:
        found = [(start + number * frame_bytes, frame_bytes) for number in range(frames)]
    else:
        found = _fragments(path, file, start, size)
    if len(found) < frames or (found and found[-1][0] + found[-1][1] > size):
        raise ScanError(
            f"{path}: cut short: {frames} frames are promised, {len(found)} or fewer are there whole. "
            "Copy it again from where it came."
        )
    return found


def _fragments(path: Path, file: Any, start: int, size: int) -> list[tuple[int, int]]:
    """The pieces of packed pixels, one a frame; those that the offset table joins become one."""
    file.seek(start)
    tag, length = struct.unpack("<II", file.read(8))
    if tag != _ITEM:
        raise ScanError(f"{path}: damaged: its packed frames do not begin where they should.")
    table = struct.unpack(f"<{length // 4}I", file.read(length // 4 * 4)) if length else ()
    first = place = start + 8 + length
    pieces: list[tuple[int, int]] = []
    while place + 8 <= size:
        file.seek(place)
        tag, length = struct.unpack("<II", file.read(8))
        if tag == _DELIMITER:
            break
        if tag != _ITEM:
            raise ScanError(f"{path}: damaged: a packed frame is followed by something else.")
        pieces.append((place + 8, length))
        place += 8 + length
    if table and len(pieces) > len(table) > 0 and {first + one for one in table} != {at - 8 for at, _ in pieces}:
        raise ScanError(f"{path}: its frames are stored in several pieces each, which is not read.")
    return pieces
