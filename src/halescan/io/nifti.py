"""NIfTI: (i, j, k) becomes (z, y, x), and its right-anterior-superior millimetres become left-posterior-superior."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from halescan.io.pixels import DEFLATE_RATIO, array_bytes, check_affordable, check_claim, finish
from halescan.io.source import Format, Found, Source
from halescan.io.volumes import number_of_volume
from halescan.types import Note, Scan

_SPLIT = "import nibabel; nibabel.save(nibabel.load('NAME').slicer[FIRST], 'volume_0.nii.gz')"
_MAGICS = (b"n+1\x00", b"ni1\x00", b"n+2\x00", b"ni2\x00")
_MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}  # xyzt_units: metre, millimetre, micrometre


def read(source: Source) -> Scan:
    """Read one volume (or one slice) of a NIfTI file, on the voxels and with the type it was stored with.

    Scaling by `scl_slope` and `scl_inter` gives float32; unscaled integers stay integers. The file does not say what
    its values mean, so `unit` stays empty.

    Raises:
        AmbiguousScan: if it holds several volumes and the source does not say which.
        ScanError: if its header claims more than the file can hold, or complex values.
    """
    path = source.files[0]
    with _opened(path) as stream:
        image = _image(path, stream)
        shape = _shape(image.shape)
        volume = _volume(shape, source)
        _check_size(image, source.files[-1], packed=isinstance(stream, gzip.GzipFile))
        values = _values(image, shape, volume)
    dims = min(len(shape), 3)
    pixels = values.transpose([*range(dims)[::-1], *range(dims, values.ndim)])
    spacing, affine, notes = _geometry(image, dims)
    pixels, more = finish(pixels, where=path, dims=dims)
    return Scan(pixels, dims, spacing, affine, source=source.path, notes=notes + more)


def _sources(paths: Sequence[Path]) -> Found:
    """One source a file; a .hdr together with its .img."""
    found = []
    for path in paths:
        pair = path.with_suffix(".img") if path.suffix.lower() == ".hdr" else None
        found.append(Source(path, "nifti", (path, pair) if pair and pair.exists() else (path,)))
    return Found(tuple(found))


def _recognises(head: bytes) -> bool:
    """NIfTI-1 and -2 by their magic, also within gzip."""
    if head[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, 512)
        except zlib.error:
            return False
    return head[344:348] in _MAGICS or head[4:8] in _MAGICS


def _opened(path: Path) -> IO[bytes]:
    """The file, unpacked on the way if its first bytes, rather than its name, say gzip."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def _image(path: Path, stream: IO[bytes]) -> Any:
    """nibabel's image, of the class that the magic names."""
    import nibabel

    head = stream.read(352)
    stream.seek(0)
    if b"ni1\x00" in head[344:348] or b"ni2\x00" in head[4:8]:
        return nibabel.load(path)  # a .hdr and .img pair, found by their names
    kind = nibabel.Nifti2Image if head[4:8] == b"n+2\x00" else nibabel.Nifti1Image
    return kind.from_stream(stream)  # type: ignore[arg-type]


def _shape(stored: tuple[int, ...]) -> tuple[int, ...]:
    """Without trailing axes of length 1: `(i, j, 1)` is a slice, `(i, j, k, 1)` a volume."""
    length = len(stored)
    while length > 2 and stored[length - 1] == 1:
        length -= 1
    return tuple(int(size) for size in stored[:length])


def _volume(shape: tuple[int, ...], source: Source) -> tuple[int, ...]:
    """Place of the one volume to read along the axes after the third."""
    index = number_of_volume(source, shape=shape, split=_SPLIT)
    return tuple(int(place) for place in np.unravel_index(index, shape[3:], order="F")) if shape[3:] else ()


def _check_size(image: Any, file: Path, *, packed: bool) -> None:
    """Compare the header's claim with the file before anything is unpacked."""
    proxy = image.dataobj
    stored = file.stat().st_size - (0 if packed else proxy.offset)
    check_claim(
        file, claimed=array_bytes(image.shape, proxy.dtype), stored=stored, ratio=DEFLATE_RATIO if packed else 1
    )
    check_affordable(file, claimed=array_bytes(image.shape[:3], proxy.dtype))


def _values(image: Any, shape: tuple[int, ...], volume: tuple[int, ...]) -> np.ndarray:
    """`(i, j[, k])` values, scaled where the header scales; colour last."""
    whole = (slice(None),) * min(len(shape), 3)
    values = np.asarray(image.dataobj[whole + volume + (0,) * (len(image.shape) - len(shape))])
    if values.dtype.fields:  # RGB24 and RGBA32 are records
        return np.stack([values[name] for name in ("R", "G", "B")], axis=-1)
    return values


def _geometry(image: Any, dims: int) -> tuple[tuple[float, ...] | None, np.ndarray | None, tuple[Note, ...]]:
    """Spacing and affine in LPS millimetres for the index (z, y, x).

    Without sform and qform the file holds a size but no place: `affine_lps` is None, with the note
    `nominal-orientation`.
    """
    header = image.header
    scale = _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        return _spacing(header["pixdim"][1:4] * scale, dims), None, (Note("nominal-orientation"),)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(image.affine, dtype=np.float64)
    affine[:3] *= scale
    spacing = _spacing(np.linalg.norm(affine[:3, :3], axis=0), dims)
    if spacing is None:
        return None, None, (Note("nominal-orientation"),)
    return spacing, affine[:, [2, 1, 0, 3]], ()


def _spacing(ijk_mm: np.ndarray, dims: int) -> tuple[float, ...] | None:
    """(z, y, x) from (i, j, k); None where the header holds no size."""
    if not (np.isfinite(ijk_mm).all() and (ijk_mm[:dims] > 0).all()):
        return None
    return tuple(float(size) for size in ijk_mm[:dims][::-1])


NIFTI = Format(
    endings=(".nii", ".nii.gz", ".hdr"),
    recognises=_recognises,
    sources=_sources,
    read=read,
    belongs=(".img",),
    title="NIfTI",
)
