"""NumPy's own files: a .npy holds one scan, an .npz one scan an array, or many images in an array named `images`."""

import threading
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, BinaryIO, Literal

import numpy as np
from numpy.lib import format as npy

from halescan.errors import AmbiguousScan, ScanError
from halescan.io.pixels import DEFLATE_RATIO, array_bytes, check_affordable, check_claim, finish
from halescan.io.source import Format, Found, Problem, Source
from halescan.types import Note, Scan


def sources(paths: Sequence[Path]) -> Found:
    """One source a .npy file; one an array of an .npz file; one an image of an array named `images` or `*_images`.

    The last is how MedMNIST keeps its sets: `train_images (n, y, x)`, `train_labels`, `val_images` ... Labels are no
    scans and are passed over.
    """
    found: list[Source] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            found += _parts(path)
        except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
            ours = isinstance(error, ScanError)
            message = str(error) if ours else f"{path}: damaged, cut short or no NumPy file. Copy it again."
            problems.append(Problem(path, message))
    return Found(tuple(found), tuple(problems))


def read(source: Source) -> Scan:
    """Read one array as a scan: `(y, x)`, `(z, y, x)`, and the same with a last axis of 3 or 4 for colour.

    An array of three axes is a volume, unless its last axis is 3 or 4 long: then it is a colour image. A fourth channel
    is dropped as transparency, with the note `alpha-dropped`, where its values can be that.

    Raises:
        ScanError: if the array is no image, or is larger than its file.
        AmbiguousScan: if the file holds several and the source does not say which.
    """
    path = source.files[0]
    values = _read_member(source) if zipfile.is_zipfile(path) else _read_npy(path)
    dims, values, dropped = _spatial(values, source)
    pixels, notes = finish(values, where=source.path, dims=dims)
    return Scan(pixels, dims, source=source.path, notes=(*dropped, *notes))


def _recognises(head: bytes) -> bool:
    """NumPy's magic, or a zip whose first member is an array, or that has none."""
    if head[:4] == b"PK\x03\x04":
        return head[30 : 30 + int.from_bytes(head[26:28], "little")].endswith(b".npy")
    return head[:6] == b"\x93NUMPY" or head[:4] == b"PK\x05\x06"  # the latter where there was nothing to save


def _parts(path: Path) -> list[Source]:
    """Every scan of one file, in its own order."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            npy.read_magic(file)  # raises where it is no array either
        return [Source(path, "arrays", (path,))]
    parts = []
    with zipfile.ZipFile(path) as archive:
        for name in _scan_members(archive):
            if not _is_stack(name):
                parts.append(Source(path, "arrays", (path,), part=name))
                continue
            with archive.open(f"{name}.npy") as stream:
                shape, _, _ = _header(stream, path)
            parts += [Source(path, "arrays", (path,), index=index, part=name) for index in range(shape[0])]
    if not parts:
        raise ScanError(f"{path}: holds no array that is an image.")
    return parts


def _scan_members(archive: zipfile.ZipFile) -> list[str]:
    """Names of the arrays that hold pictures."""
    names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    return [name for name in names if name != "labels" and not name.endswith("_labels")]


def _is_stack(name: str) -> bool:
    """Whether an array of that name holds many images along its first axis."""
    return name == "images" or name.endswith("_images")


def _header(stream: BinaryIO | IO[bytes], path: Path) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether column by column (Fortran order), and type of the array whose values follow.

    Raises:
        ScanError: for objects and text: they would have to be unpickled, which can run a stranger's program.
    """
    newer = npy.read_magic(stream) != (1, 0)
    shape, fortran, dtype = npy.read_array_header_2_0(stream) if newer else npy.read_array_header_1_0(stream)
    if dtype.hasobject or dtype.kind in "OUSV":
        raise ScanError(f"{path}: holds Python objects or text, expected numbers. Save the pixels alone, as numbers.")
    return shape, fortran, dtype


def _read_npy(path: Path) -> np.ndarray:
    """The array of a .npy file, its size checked first."""
    with path.open("rb") as stream:
        shape, _, dtype = _header(stream, path)
        claimed = array_bytes(shape, dtype)
        check_claim(path, claimed=claimed, stored=path.stat().st_size - stream.tell())
        check_affordable(path, claimed=claimed)
    return np.load(path, allow_pickle=False)


def _read_member(source: Source) -> np.ndarray:
    """One array of an .npz file, or one image of it."""
    path = source.files[0]
    part, index = source.part, source.index
    if part is None:
        part, index = _choose(path, _parts(path), index)
    stat = path.stat()
    return _member(str(path), part, stat.st_mtime_ns, stat.st_size).take(index)


def _choose(path: Path, known: list[Source], index: int | None) -> tuple[str, int | None]:
    """Array and number of the one image that can be meant."""
    names = sorted({str(one.part) for one in known})
    if not known:
        raise ScanError(f"{path}: holds no array that is an image.")
    if len(known) == 1:
        return names[0], known[0].index
    if len(names) == 1 and index is not None:
        return names[0], index
    way = "Say which: index=0, or name" if len(names) == 1 else "Name"
    raise AmbiguousScan(f"{path}: holds {len(known)} images in {', '.join(names)}. {way} one of find(path).sources.")


class _Member:
    """One array inside a zip, from which images are taken one by one, so that memory stays flat.

    Taken in order, each costs its own unpacking only; going back starts the stream anew.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.lock = threading.Lock()
        archive = zipfile.ZipFile(path)
        if f"{name}.npy" not in archive.namelist():
            raise ScanError(f"{path}: holds no array {name!r}; there are {', '.join(_scan_members(archive))}.")
        info = archive.getinfo(f"{name}.npy")
        self.stream = archive.open(info)
        self.shape, self.fortran, self.dtype = _header(self.stream, path)
        self.start = self.stream.tell()
        check_claim(path, claimed=info.file_size, stored=info.compress_size, ratio=DEFLATE_RATIO)

    def take(self, index: int | None) -> np.ndarray:
        """The whole array, or its image of that number."""
        if index is not None and not 0 <= index < self.shape[0]:
            raise ScanError(f"{self.path}: holds images 0 to {self.shape[0] - 1}, number {index} was asked for.")
        if index is not None and self.fortran:
            return self._values(0, self.shape, order="F")[index]
        if index is None:
            return self._values(0, self.shape, order="F" if self.fortran else "C")
        return self._values(index * array_bytes(self.shape[1:], self.dtype), self.shape[1:], order="C")

    def _values(self, offset: int, shape: tuple[int, ...], *, order: Literal["C", "F"]) -> np.ndarray:
        """The values from that byte on."""
        size = array_bytes(shape, self.dtype)
        check_affordable(self.path, claimed=size)
        with self.lock:
            self.stream.seek(self.start + offset)
            data = self.stream.read(size)
        if len(data) != size:
            raise ScanError(f"{self.path}: cut short: {len(data)} of {size} bytes of an image. Copy it again.")
        return np.frombuffer(data, self.dtype).reshape(shape, order=order)


@lru_cache(maxsize=4)
def _member(path: str, name: str, changed_ns: int, size: int) -> _Member:
    """The open array; a changed file is another one."""
    return _Member(Path(path), name)


def _spatial(values: np.ndarray, source: Source) -> tuple[int, np.ndarray, tuple[Note, ...]]:
    """Number of spatial axes, and the values with an alpha channel dropped, which is noted where it hid something."""
    colour = values.ndim >= 3 and values.shape[-1] in (3, 4)
    dims = values.ndim - colour
    if dims not in (2, 3):
        raise ScanError(
            f"{source.path}: an array of shape {values.shape} is no scan; expected (y, x) or (z, y, x), colour last."
        )
    if not colour or values.shape[-1] == 3:
        return dims, values, ()
    alpha = values[..., 3]
    if not _may_be_alpha(alpha):
        raise ScanError(
            f"{source.path}: array {values.shape}: 4 channels found that are no colours with transparency; keep 1 or 3 "
            "along the last axis."
        )
    return dims, values[..., :3], (Note("alpha-dropped"),) if alpha.size and np.ptp(alpha) else ()


def _may_be_alpha(values: np.ndarray) -> bool:
    """Transparency runs from 0 to 1, or to 255 or 65535; the fourth of several contrasts rarely does."""
    if values.dtype.kind in "bu" and values.dtype.itemsize <= 2:
        return True
    most = 1 if values.dtype.kind == "f" else 255
    return values.dtype.kind in "iuf" and bool(((values >= 0) & (values <= most)).all())


ARRAYS = Format(endings=(".npy", ".npz"), recognises=_recognises, sources=sources, read=read, title="NumPy arrays")
