"""MetaImage (.mha, .mhd with its .raw) and NRRD, read by ITK, which already counts in LPS millimetres."""

import re
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from halescan.errors import ScanError
from halescan.io.pixels import DEFLATE_RATIO, check_affordable, check_claim, finish
from halescan.io.source import Format, Found, Source
from halescan.io.volumes import number_of_volume
from halescan.types import Note, Scan

_SPLIT = "import SimpleITK as s; s.WriteImage(s.ReadImage('NAME')[FIRST], 'volume_0.mha')"
_HEADER_BYTES = 65536
_NEEDED = {
    "NDims": rb"[1-9]",
    "DimSize": rb"\d+(\s+\d+)*",
    "ElementType": rb"MET_(U?(CHAR|SHORT|INT|LONG|LONG_LONG)|FLOAT|DOUBLE)(_ARRAY)?",
    "ElementDataFile": rb".+",
}
_DETACHED = (b"ElementDataFile", b"data file", b"datafile")
_PLACED = (b"TransformMatrix", b"Rotation", b"Orientation", b"space: ")
_MODALITIES = {"MET_MOD_CT": "CT", "MET_MOD_MR": "MR", "MET_MOD_NM": "NM", "MET_MOD_US": "US"}


def read(source: Source) -> Scan:
    """Read a MetaImage or NRRD; of a 4-D one, the volume that the source names.

    Raises:
        AmbiguousScan: if it holds several volumes and the source does not say which.
        ScanError: if its data file is missing, or shorter than the header claims.
    """
    path = source.files[0]
    with path.open("rb") as file:
        head = _header(file.read(_HEADER_BYTES))
    data = _data_file(path, head)
    reader = _reader(path, head)
    size = tuple(int(length) for length in reader.GetSize())
    _check_size(reader, size, data, head)
    volume = number_of_volume(source, shape=size, split=_SPLIT)
    image = reader.Execute()
    values, dims = _values(image, size, volume, path)
    spacing, affine, notes = _geometry(image, head, dims)
    modality = _MODALITIES.get(reader.GetMetaData("Modality"), "") if reader.HasMetaDataKey("Modality") else ""
    pixels, more = finish(values, where=path, dims=dims)
    return Scan(pixels, dims, spacing, affine, modality, source=source.path, notes=notes + more)


def _sources(paths: Sequence[Path]) -> Found:
    """One source a header, with its data file if that is another one."""
    found = []
    for path in paths:
        name = _detached(path)
        data = path.parent / name if name else None
        found.append(Source(path, "metaimage", (path, data) if data and data.is_file() else (path,)))
    return Found(tuple(found))


def _recognises(head: bytes) -> bool:
    """NRRD by its magic, MetaImage by the words its header must open with."""
    return head.startswith(b"NRRD000") or re.match(rb"\s*(ObjectType|NDims|Comment)\s*=", head) is not None


def _detached(path: Path) -> str | None:
    """Name of the data file that a header names, None if the data follows it."""
    try:
        with path.open("rb") as file:
            return _named(_header(file.read(_HEADER_BYTES)))
    except OSError:
        return None


def _header(head: bytes) -> bytes:
    """The lines of text before the pixels."""
    if head.startswith(b"NRRD"):
        return re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    last = re.search(rb"ElementDataFile\s*=[^\n]*", head)
    return head[: last.end()] if last else head


def _named(head: bytes) -> str | None:
    """The data file's name in a header."""
    for line in head.splitlines():
        for word in _DETACHED:
            if line.startswith(word):
                name = re.split(rb"[=:]", line, maxsplit=1)[-1].strip().decode("utf-8", "replace")
                return None if name.upper() == "LOCAL" else name
    return None


def _data_file(path: Path, head: bytes) -> Path:
    """The file that holds the pixels."""
    name = _named(head)
    if name is None:
        return path
    if Path(name).name != name or "%" in name or name.upper().startswith("LIST"):
        # a header from outside must not name any file of this machine
        raise ScanError(f"{path}: its pixels should be one file in the same folder, the header names {name!r}.")
    if not (path.parent / name).is_file():
        raise ScanError(f"{path}: its data file {name} is missing. Put it into the same folder.")
    return path.parent / name


def _reader(path: Path, head: bytes) -> Any:
    """ITK's reader with the header read, bound to the one parser that the magic names."""
    import SimpleITK as sitk

    _check_words(path, head)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # ITK would print; what matters is raised
    reader = sitk.ImageFileReader()
    reader.SetImageIO("NrrdImageIO" if head.startswith(b"NRRD") else "MetaImageIO")
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


def _check_words(path: Path, head: bytes) -> None:
    """Refuse a MetaImage header that does not say what it must: ITK's parser would print about it, whoever listens."""
    if head.startswith(b"NRRD"):
        return
    pairs = (line.partition(b"=") for line in head.splitlines())
    said = {word.strip().decode("latin-1"): value.strip() for word, equals, value in pairs if equals}
    wrong = [word for word, shape in _NEEDED.items() if not re.fullmatch(shape, said.get(word, b""))]
    if not wrong and len(said["DimSize"].split()) != int(said["NDims"]):
        wrong = ["DimSize"]
    if wrong:
        raise ScanError(
            f"{path}: its header says no usable {', '.join(wrong)}: it is damaged or cut short. "
            "Copy it again from where it came."
        )


def _check_size(reader: Any, size: tuple[int, ...], data: Path, head: bytes) -> None:
    """Compare the header's claim with the file: where pixels are missing ITK prints, and not always stops."""
    import SimpleITK as sitk

    kind = sitk.GetPixelIDValueAsString(reader.GetPixelIDValue())  # such as "vector of 8-bit unsigned integer"
    if "complex" in kind:
        raise ScanError(
            f"{data}: holds complex numbers, expected grey or colour values. Save its magnitude as float32."
        )
    values = prod(size) * max(1, reader.GetNumberOfComponents())
    bits = re.search(r"(\d+)-bit", kind)
    claimed = values * int(bits.group(1)) // 8 if bits else values
    check_affordable(data, claimed=claimed)
    if re.search(rb"encoding:\s*(bz2|bzip2)", head):
        return  # bzip2 packs without a bound
    packed = re.search(rb"CompressedData\s*=\s*True|encoding:\s*(gz|gzip)", head) is not None
    text = re.search(rb"BinaryData\s*=\s*False|encoding:\s*(ascii|text|txt|hex)", head) is not None
    check_claim(
        data,
        claimed=values if text else claimed,  # in text a value takes at least one byte
        stored=data.stat().st_size - (len(head) if data.suffix in (".mha", ".nrrd") else 0),
        ratio=DEFLATE_RATIO if packed else 1,
    )


def _values(image: Any, size: tuple[int, ...], volume: int, path: Path) -> tuple[np.ndarray, int]:
    """`(y, x)` or `(z, y, x)` with colour last, and the number of spatial axes."""
    import SimpleITK as sitk

    components = int(image.GetNumberOfComponentsPerPixel())
    if components not in (1, 3, 4):
        raise ScanError(f"{path}: {components} values a voxel, expected grey or RGB. Save the channels apart.")
    values = sitk.GetArrayFromImage(image)
    dims = 2 if prod(size[2:]) == 1 else 3
    colour = () if components == 1 else (components,)
    if len(size) > 3:
        values = values.reshape(-1, *size[2::-1], *colour)[volume]
    values = values.reshape(*size[:dims][::-1], *colour)
    return (values[..., :3] if colour else values), dims


def _geometry(
    image: Any, head: bytes, dims: int
) -> tuple[tuple[float, ...] | None, np.ndarray | None, tuple[Note, ...]]:
    """Spacing and affine for the index (z, y, x); no affine where the header gives no orientation."""
    length = image.GetDimension()
    ijk_mm = np.asarray(image.GetSpacing())
    if not (np.isfinite(ijk_mm[:dims]).all() and (ijk_mm[:dims] > 0).all()):
        return None, None, (Note("nominal-orientation"),)
    spacing = tuple(float(size) for size in ijk_mm[:dims][::-1])
    if length < 3 or not any(word in head for word in _PLACED):
        return spacing, None, () if length < 3 else (Note("nominal-orientation"),)
    affine = np.eye(4)
    directions = np.asarray(image.GetDirection()).reshape(length, length)[:3, :3] * ijk_mm[:3]
    affine[:3, :3] = directions[:, ::-1]
    affine[:3, 3] = image.GetOrigin()[:3]
    return spacing, affine, ()


METAIMAGE = Format(
    endings=(".mha", ".mhd", ".nrrd", ".nhdr"),
    recognises=_recognises,
    sources=_sources,
    read=read,
    belongs=(".raw", ".zraw"),
    title="MetaImage or NRRD",
)
