"""DICOM: one file, one multi-frame file, or a series of slices put in order by where they lie."""

import logging
import warnings
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os.path import commonpath
from pathlib import Path
from typing import Any

import numpy as np

from halescan.errors import ScanError
from halescan.io.dicom_geometry import frame_planes, pixel_spacing, plane, slice_affine, stack
from halescan.io.dicom_pixels import check_size, check_syntax, frames_of, grey_values, has_image, stored_bytes
from halescan.io.dicom_series import check_copies, each_file, one_each
from halescan.io.identity import MAY_STAY
from halescan.io.pixels import LARGEST_BYTES, check_affordable, check_claim, finish
from halescan.io.slide_dicom import WHOLE_SLIDE
from halescan.io.source import Format, Found, Problem, Source
from halescan.types import Identity, Note, Scan

_SORTING = [
    "SOPClassUID", "Modality", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Rows", "Columns",
    "NumberOfFrames", "ImagePositionPatient", "ImageOrientationPatient",
]  # fmt: skip
_SORTED_AS = {"healthy", "abnormal", "train", "test"}
_DEFER_BYTES = 65536
_UNDEFINED_LENGTH = 0xFFFFFFFF
_DEFLATED_UID = b"1.2.840.10008.1.2.1.99"
_SPECTRUM = "1.2.840.10008.5.1.4.1.1.4.2"  # MR spectroscopy counts rows and columns of voxels, and has no pixels


class _NotAnImage(ScanError):
    """A whole DICOM object that never had pixels, such as a report: nothing is missing."""


@dataclass(frozen=True)
class _Header:
    """What it takes to sort a file into its series, without its pixels."""

    path: Path
    study: str
    series: str
    stackable: bool
    slide: bool = False


def sources(paths: Sequence[Path]) -> Found:
    """Sort files into series by SeriesInstanceUID within their study.

    A series may lie in several folders. Only slices that somebody sorted into healthy/ and abnormal/, or train/ and
    test/, are told apart: they are two scans.
    Slices that say where they lie are stacked; a file without a position (an X-ray, an ultrasound still) or with many
    frames is a source of its own, also within a series. The levels of a whole slide are one source, of format "slide".
    """
    stacks: dict[tuple[tuple[str, ...], str, str], list[Path]] = defaultdict(list)
    slides: dict[tuple[tuple[str, ...], str, str], list[Path]] = defaultdict(list)
    alone: list[Source] = []
    problems: list[Problem] = []
    unread: list[Path] = []
    for path in paths:
        try:
            header = _sort_header(path)
        except ScanError as error:
            problems.append(Problem(path, str(error)))
            unread += [] if isinstance(error, _NotAnImage) else [path]
            continue
        if header.slide:
            slides[_sorted_as(path), header.study, header.series].append(path)
        elif header.stackable:
            stacks[_sorted_as(path), header.study, header.series].append(path)
        else:
            alone.append(Source(path, "dicom", (path,), series=header.series or None))
    whole = [replace(_stacked(series, files), format="slide") for (_, _, series), files in slides.items()]
    volumes = [_with_unread(_stacked(series, files), unread) for (_, _, series), files in stacks.items()]
    return Found((*volumes, *alone, *whole), tuple(problems))


def _sorted_as(path: Path) -> tuple[str, ...]:
    """The folders above a file that say what a person sorted it as."""
    return tuple(part for part in map(str.lower, path.parts[:-1]) if part in _SORTED_AS)


def read(source: Source) -> Scan:
    """Read a file or a series.

    CT comes in Hounsfield units. Frames without positions (an ultrasound cine) count as slices of unknown spacing.

    Raises:
        ScanError: if it holds no image, is damaged or cut short, claims more than it holds, or if the slices of a
            series differ in size or direction, are missing, unevenly spaced, or share a place with other content.
    """
    scan = _read_datasets(source, each_file(source.files, _open))
    if not source.unread:
        return scan
    return replace(scan, notes=(*scan.notes, Note("unread-files", {"count": source.unread})))


def _read_datasets(source: Source, datasets: list[Any]) -> Scan:
    """A series, many frames, or one picture."""
    if len(datasets) > 1:
        return _read_series(source, datasets)
    if frames_of(datasets[0]) > 1:
        return _read_frames(source, datasets[0])
    return _read_slice(source, datasets[0])


def describe(source: Source) -> str:
    """Number, modality, size and the end of the uid: enough to choose, nothing that names a person."""
    dataset = _header(source.files[0], _SORTING)
    count = len(source.files) if len(source.files) > 1 else frames_of(dataset)
    size = f"{count} slice{'s' if count > 1 else ''} of {dataset.get('Rows')} x {dataset.get('Columns')}"
    number = dataset.get("SeriesNumber")
    name = f"series {'?' if number is None else int(number)}"
    return f"{name}: {dataset.get('Modality', '?')}, {size}, uid ...{(source.series or '')[-12:]}"


def series_number(source: Source) -> str:
    """The short number under which the scanner filed a series, as text; empty if it has none."""
    number = _header(source.files[0], ["SeriesNumber"]).get("SeriesNumber")
    return "" if number is None else str(int(number))


def identity(source: Source) -> Identity:
    """Who and which examination, from the first file's header."""
    return _identity(_header(source.files[0], ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"]))


def _recognises(head: bytes) -> bool:
    """The letters DICM after the preamble; or, in old files without one, a first element of group 2 or 8."""
    if head[128:132] == b"DICM":
        return True
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    implicit = 0 < int.from_bytes(head[4:8], "little") <= 64
    return head[:2] in (b"\x02\x00", b"\x08\x00") and head[3:4] == b"\x00" and (explicit or implicit)


def _sort_header(path: Path) -> _Header:
    """The header of one file.

    Raises:
        ScanError: if it is no DICOM file or holds no image.
    """
    dataset = _header(path, _SORTING)
    try:
        if "Rows" not in dataset or "Columns" not in dataset:
            raise _no_image(path, dataset)
        placed = plane(dataset) is not None and frames_of(dataset) == 1
        study, series = (str(dataset.get(word) or "") for word in ("StudyInstanceUID", "SeriesInstanceUID"))
    except (ValueError, TypeError):
        raise _damaged(path) from None
    slide = str(dataset.get("SOPClassUID")).encode() == WHOLE_SLIDE
    return _Header(path, study, series, stackable=placed and series != "", slide=slide)


def _stacked(series: str, files: list[Path]) -> Source:
    """The source of one series; a lone slice goes by its own name."""
    where = files[0] if len(files) == 1 else Path(commonpath([file.parent for file in files]))
    return Source(where, "dicom", tuple(files), series=series)


def _with_unread(source: Source, unread: Sequence[Path]) -> Source:
    """The source of a series that counts the files beside its own which cannot be read: they may be slices of it.

    A single slice is taken for a picture: it is not a series from which slices could be missing.
    """
    folders = {file.parent for file in source.files}
    count = sum(path.parent in folders for path in unread)
    return replace(source, unread=count) if count and len(source.files) > 1 else source


def _header(path: Path, words: list[str]) -> Any:
    """Some elements of a file, without its pixels."""
    from pydicom import dcmread

    _hush_pydicom()
    try:
        _check_inflated(path)
        return dcmread(path, stop_before_pixels=True, specific_tags=words, force=True)  # type: ignore[arg-type]
    except ScanError:
        raise
    except Exception:  # pydicom raises many kinds, and quotes header values in them
        raise _damaged(path) from None


def _open(path: Path) -> Any:
    """A file with its pixels left on disk until asked for, its claims checked.

    Raises:
        ScanError: if it is damaged, holds no image, or claims more than it holds.
    """
    from pydicom import dcmread

    _hush_pydicom()
    try:
        deflated = _check_inflated(path)
        dataset = dcmread(path, force=True, defer_size=None if deflated else _DEFER_BYTES)
        _name_syntax(dataset)
        if _promises_pixels(dataset):
            check_syntax(dataset, where=path)
        if not has_image(dataset):  # where packed pixels are cut off, pydicom drops the header with them
            raise _no_image(path, dataset or _header(path, _SORTING))
        check_size(dataset, where=path, file_bytes=_held_bytes(dataset, path))
        _check_reach(dataset, path)
        if stored_bytes(dataset) == 0:
            raise ScanError(
                f"{path}: holds an image without pixels ({dataset.get('Rows')} x {dataset.get('Columns')})."
            )
    except ScanError:
        raise
    except Exception:
        raise _damaged(path) from None
    return dataset


def _held_bytes(dataset: Any, path: Path) -> int:
    """Bytes of pixels that were read, else of the whole file: it cannot hold more."""
    value = getattr(dataset.get_item("PixelData", keep_deferred=True), "value", None)
    return path.stat().st_size if value is None else len(value)


def _check_reach(dataset: Any, path: Path) -> None:
    """Pixels left on disk must end where the file ends, or before: reading them would take what they claim."""
    raw = dataset.get_item("PixelData", keep_deferred=True)
    length, value = getattr(raw, "length", None), getattr(raw, "value", b"")
    if value is None and length is not None and length != _UNDEFINED_LENGTH:
        check_claim(path, claimed=length, stored=path.stat().st_size - raw.value_tell)


def _hush_pydicom() -> None:
    """Warnings and log lines of pydicom and its decoders quote header values, and so could carry a name into a log."""
    for name in ("pydicom", "openjpeg", "pylibjpeg"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")


def _check_inflated(path: Path) -> bool:
    """Whether the file is deflated; if so, count what it inflates to before anyone holds it in memory."""
    with path.open("rb") as file:
        head = file.read(1024)
        if head[128:132] != b"DICM" or _DEFLATED_UID not in head:
            return False
        file.seek(144 + int.from_bytes(head[140:144], "little"))  # past the group that says how long it is
        inflate, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
        data = file.read(1 << 16)
        while data:
            total += len(inflate.decompress(data, 1 << 24))
            check_affordable(path, claimed=total)
            data = inflate.unconsumed_tail or file.read(1 << 16)
    return True


def _name_syntax(dataset: Any) -> None:
    """Old files do not say how they are encoded; what pydicom found out by reading is as good."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if dataset.file_meta.get("TransferSyntaxUID"):
        return
    implicit, little = dataset.original_encoding
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = syntax


def _read_slice(source: Source, dataset: Any) -> Scan:
    """One picture or one slice."""
    values, rescaled = grey_values(dataset, where=source.files[0])
    planes = frame_planes(dataset, 1)
    one = planes[0] if planes else plane(dataset)
    spacing, notes = pixel_spacing(dataset)
    if spacing is None and one is not None and one.spacing_mm is not None:
        spacing, notes = one.spacing_mm, ()
    affine = slice_affine(one) if one is not None else None
    return _scan(source, dataset, values[0], 2, spacing, affine, rescaled=rescaled, notes=notes)


def _read_frames(source: Source, dataset: Any) -> Scan:
    """Many frames in one file."""
    values, rescaled = grey_values(dataset, where=source.files[0])
    planes = frame_planes(dataset, len(values))
    if planes is None:
        spacing, notes = _loose_frames(dataset, len(values))
        return _scan(source, dataset, values, 3, spacing, None, rescaled=rescaled, notes=notes)
    stacked = stack(planes, where=source.path)
    if len(stacked.order) == 1:
        notes = (Note("frames-without-positions", {"frames": len(values)}),)
        return _scan(source, dataset, values, 3, None, None, rescaled=rescaled, notes=notes)
    pixels, notes = one_each(stacked.order, list(values), source.path)
    notes += pixel_spacing(dataset)[1] if stacked.spacing_mm is None else ()
    return _scan(
        source,
        dataset,
        pixels,
        3,
        stacked.spacing_mm,
        stacked.affine_lps,
        rescaled=rescaled,
        notes=stacked.notes + notes,
    )


def _loose_frames(dataset: Any, frames: int) -> tuple[tuple[float, float, float] | None, tuple[Note, ...]]:
    """Spacing of frames that do not say where they lie: known only if the file says how far apart slices are."""
    spacing, notes = pixel_spacing(dataset)
    gap = dataset.get("SpacingBetweenSlices")
    if spacing is not None and gap is not None and abs(float(gap)) > 0:
        return (abs(float(gap)), *spacing), notes
    return None, (*notes, Note("frames-without-positions", {"frames": frames}))


def _read_series(source: Source, datasets: list[Any]) -> Scan:
    """Slices of one series, in order along their normal."""
    _check_alike(source, datasets)
    planes = [one for one in map(plane, datasets) if one is not None]
    if len(planes) < len(datasets):
        raise ScanError(f"{source.path}: {len(datasets) - len(planes)} slices do not say where they lie.")
    stacked = stack(planes, where=source.path)
    first = datasets[stacked.order[0][0]]
    _, notes = pixel_spacing(first)
    headers = iter(datasets)
    decoded = each_file(source.files, lambda path: _decoded(path, next(headers)))
    values, rescaled = [grey for grey, _ in decoded], all(known for _, known in decoded)
    uids = [str(dataset.get("SOPInstanceUID") or "") for dataset in datasets]
    check_copies(stacked.order, values, uids, files=source.files, where=source.path)
    pixels, more = one_each(stacked.order, values, source.path, files=source.files)
    notes = notes + stacked.notes + more
    if len(stacked.order) == 1:
        return _scan(
            source, first, pixels[0], 2, planes[0].spacing_mm, slice_affine(planes[0]), rescaled=rescaled, notes=notes
        )
    return _scan(source, first, pixels, 3, stacked.spacing_mm, stacked.affine_lps, rescaled=rescaled, notes=notes)


def _decoded(path: Path, dataset: Any) -> tuple[np.ndarray, bool]:
    """Grey values of one slice, and whether they were rescaled."""
    values, rescaled = grey_values(dataset, where=path)
    dataset.pop("PixelData", None)  # decoded: the stored bytes need not wait for the rest
    return values[0], rescaled


def _check_alike(source: Source, datasets: list[Any]) -> None:
    """One size, one frame each, and affordable together."""
    sizes = {
        (int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel") or 1)) for dataset in datasets
    }
    if len(sizes) > 1:
        named = ", ".join(f"{rows} x {columns}" for rows, columns, _ in sorted(sizes))
        raise ScanError(
            f"{source.path}: slices of one series differ in size ({named}). Move the odd ones to a folder of their own."
        )
    if any(frames_of(dataset) > 1 for dataset in datasets):
        raise ScanError(
            f"{source.path}: one series mixes single slices and files of many frames. Read them one by one."
        )
    claimed = sum(stored_bytes(dataset) for dataset in datasets)
    if claimed > LARGEST_BYTES:
        check_affordable(source.path, claimed=claimed)


def _scan(
    source: Source,
    dataset: Any,
    pixels: np.ndarray,
    dims: int,
    spacing: tuple[float, ...] | None,
    affine: np.ndarray | None,
    *,
    rescaled: bool,
    notes: tuple[Note, ...],
) -> Scan:
    """The scan, with the header's technical facts and no others."""
    pixels, more = finish(pixels, where=source.path, dims=dims)
    modality = str(dataset.get("Modality") or "")
    return Scan(
        pixels,
        dims,
        spacing,
        affine,
        modality=modality,
        unit=_unit(dataset, modality, rescaled=rescaled),
        source=source.path,
        identity=_identity(dataset),
        header=_facts(dataset),
        notes=notes + more,
    )


def _unit(dataset: Any, modality: str, *, rescaled: bool) -> str:
    """Hounsfield units for rescaled CT, unless it says that it counts something else."""
    counts_hu = modality == "CT" and rescaled and dataset.get("RescaleType") in (None, "", "HU")
    return "HU" if counts_hu else ""


def _identity(dataset: Any) -> Identity:
    """From the three ids alone."""
    patient, study, series = (
        str(dataset.get(word) or "") or None for word in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
    )
    return Identity(patient, study, series)


def _facts(dataset: Any) -> dict[str, str | float]:
    """The header fields that may stay, as plain numbers and short text."""
    facts: dict[str, str | float] = {}
    for word in MAY_STAY:
        value = dataset.get(word)
        if value in (None, "") or (not isinstance(value, str) and hasattr(value, "__len__") and len(value) == 0):
            continue
        facts[word] = _plain(value)
    return facts


def _plain(value: Any) -> str | float:
    """A number, or text of at most 64 characters with several values parted by a backslash."""
    if isinstance(value, (int, float)):
        return float(value)
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        return "\\".join(str(one) for one in value)[:64]
    return str(value)[:64]


def _promises_pixels(dataset: Any) -> bool:
    """Whether the header is an image's: a file of it without pixels has lost them."""
    from pydicom.uid import UID

    kind = UID(str(dataset.get("SOPClassUID") or ""))
    return kind != _SPECTRUM and ("Image Storage" in kind.name or ("Rows" in dataset and "Columns" in dataset))


def _no_image(path: Path, dataset: Any) -> ScanError:
    """An image that lost its pixels; a report, a plan, a waveform; or no DICOM file at all."""
    if _promises_pixels(dataset):
        return _incomplete(path, dataset)
    if "SOPClassUID" not in dataset and "Modality" not in dataset:
        return _damaged(path)
    return _NotAnImage(f"{path}: holds no image (modality {dataset.get('Modality') or 'not given'}).")


def _incomplete(path: Path, dataset: Any) -> ScanError:
    """An image whose file ends before its pixels do."""
    rows, columns = dataset.get("Rows"), dataset.get("Columns")
    what = f"{rows} x {columns} pixels" if rows and columns else "an image"
    return ScanError(
        f"{path}: is incomplete: its header promises {what}, and the file ends before that. It was cut short or "
        "damaged: copy it again from where it came."
    )


def _damaged(path: Path) -> ScanError:
    """One sentence for all ways in which a header can be broken; it quotes nothing."""
    return ScanError(f"{path}: not a DICOM file, or damaged or cut short. Fetch it again from where it came.")


DICOM = Format(
    endings=(".dcm", ".dicom", ".dic", ".ima"),
    recognises=_recognises,
    sources=sources,
    read=read,
    describe=describe,
    identity=identity,
    title="DICOM",
)
