"""The door in: a path becomes a Scan. `FORMATS` is the list of what can be read."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from halescan.errors import AmbiguousScan, HalescanError, ScanError
from halescan.io.contrasts import stack
from halescan.io.search import find_among, first_bytes, format_by_content, format_by_ending
from halescan.io.slices import one_slice
from halescan.io.slide import is_slide, open_slide
from halescan.io.source import Format, Found, Problem, Source
from halescan.types import Identity, Note, Scan

__all__ = [
    "FORMATS",
    "Format",
    "Found",
    "Problem",
    "Source",
    "find",
    "formats",
    "identity_of",
    "is_slide",
    "open_slide",
    "read",
    "source_of",
]

FORMATS: dict[str, str] = {
    "dicom": "halescan.io.dicom:DICOM",
    "nifti": "halescan.io.nifti:NIFTI",
    "raster": "halescan.io.raster:RASTER",
    "metaimage": "halescan.io.metaimage:METAIMAGE",
    "arrays": "halescan.io.arrays:ARRAYS",
    "slide": "halescan.io.slide:SLIDE",
}

_READABLE = "DICOM, NIfTI, MetaImage, NRRD, PNG, JPEG, TIFF, BMP, .npy, .npz and whole slides"
_LISTED = 12
_SHORTEST_UID_END = 5


@lru_cache(maxsize=1)
def formats() -> Mapping[str, Format]:
    """`FORMATS` and what other packages add by the entry point `halescan.formats`, ready to use."""
    table = FORMATS | {entry.name: entry.value for entry in entry_points(group="halescan.formats")}
    return {name: _load(place) for name, place in table.items()}


def find(path: str | Path) -> Found:
    """Everything that can be read at a path: one file, or a folder with all below it.

    Slices of a DICOM series are one source, and so is every picture; a file of several images gives several. A bad
    file is listed under `problems` (or, if that takes reading it, raises when it is read); it never stops the others.

    Raises:
        ScanError: if there is nothing at that path.
    """
    return find_among(formats(), Path(path))


def read(path: str | Path | Source, *, series: str | None = None, index: int | None = None) -> Scan:
    """Read one scan.

    Args:
        path: A file, a folder that holds one scan, or a source of `find`.
        series: Which DICOM series of a folder: its number, or the end of its uid.
        index: Which image of a file that holds several.

    Raises:
        AmbiguousScan: if several scans could be meant; the message lists them and how to choose.
        ScanError: if there is no scan, or it is damaged, cut short, constant, or larger than it can be.
    """
    if isinstance(path, Source):
        return _read(path if index is None else replace(path, index=index))
    place = Path(path)
    if place.is_dir():
        return _read(_choose(place, series))
    if not place.exists():
        raise ScanError(f"{place}: there is no such file or folder.")
    return _read(replace(source_of(place), index=index))


def source_of(path: Path) -> Source:
    """The scan of one file, by its name alone: the file is not opened. Its format is empty where the name says none."""
    key = format_by_ending(formats(), path) or ""
    return Source(path, key, _partners(path, key))


def identity_of(source: Source) -> Identity:
    """Who and which examination a source belongs to, from its header alone; empty where the format has none.

    Raises:
        ScanError: if the header cannot be read.
    """
    return formats()[source.format].identity(source)


def _load(place: str) -> Format:
    """The format behind `module:NAME`."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def _partners(path: Path, key: str) -> tuple[Path, ...]:
    """All files that a file named alone is read with: the .raw of a .mhd, the .img of a .hdr."""
    if not key or not formats()[key].belongs:
        return (path,)
    found = formats()[key].sources([path]).sources
    return found[0].files if found else (path,)


def _read(source: Source) -> Scan:
    """Read a source with the format that its content shows; all that goes wrong there is a ScanError here."""
    if source.slice_index is not None:
        return one_slice(source, _read)
    if source.stacked:
        return stack(source, lambda path: _read(source_of(path)))
    try:
        true, notes = _true_format(source)
        scan = formats()[true].read(replace(source, format=true))
    except HalescanError:
        raise
    except MemoryError:
        raise ScanError(f"{source.path}: too large for the memory of this machine. Reduce its size first.") from None
    except OSError as error:
        if error.strerror is None:
            raise _damaged(source) from None
        raise ScanError(f"{source.path}: cannot be opened ({error.strerror}).") from None
    except Exception:  # a damaged file can make a parser raise anything; its words may quote the file
        raise _damaged(source) from None
    return replace(scan, notes=notes + scan.notes) if notes else scan


def _true_format(source: Source) -> tuple[str, tuple[Note, ...]]:
    """What a source is read as; a slide is told by more than its first bytes."""
    if is_slide(source):
        return "slide", ()
    return _recognise(source) if len(source.files) == 1 else (source.format, ())


def _recognise(source: Source) -> tuple[str, tuple[Note, ...]]:
    """The format by content, with a note where the file's name promises another."""
    path = source.files[0]
    head = first_bytes(path)
    if not head:
        raise ScanError(f"{path}: is empty (0 bytes). Copy it again from where it came.")
    promised = source.format
    if promised and formats()[promised].recognises(head):
        return promised, ()
    true = format_by_content(formats(), head)
    if true is None:
        named = formats()[promised].title or promised if promised else ""
        what = f"is named like {named} but holds something else" if promised else "is not an image that can be read"
        raise ScanError(f"{path}: {what}, or is damaged. What can be read: {_READABLE}.")
    if not promised:
        return true, ()
    return true, (Note("mislabelled", {"ending": path.suffix, "format": true}),)


def _damaged(source: Source) -> ScanError:
    """One sentence for a file that its parser gave up on."""
    return ScanError(f"{source.path}: damaged or cut short. Copy it again from where it came.")


def _choose(folder: Path, series: str | None) -> Source:
    """The one source of a folder, or the series that was asked for."""
    found = find(folder)
    if not found.sources:
        first = f" {found.problems[0].message}" if found.problems else f" What can be read: {_READABLE}."
        raise ScanError(f"{folder}: holds no image.{first}")
    chosen = [one for one in found.sources if series is None or _is_series(one, series)]
    if len(chosen) == 1:
        return chosen[0]
    listed = "; ".join(formats()[one.format].describe(one) for one in found.sources[:_LISTED])
    more = f"; and {len(found.sources) - _LISTED} more" if len(found.sources) > _LISTED else ""
    dicom = any(one.series for one in found.sources)
    way = "Choose one with series=, its number or the end of its uid" if dicom else "Name one of the files"
    what = "several scans" if series is None else f"{len(chosen) or 'no'} series that {series!r} names"
    raise AmbiguousScan(f"{folder}: holds {what}, expected one: {listed}{more}. {way}.")


def _is_series(source: Source, wanted: str) -> bool:
    """Whether a source is of the series meant by its number or the end of its uid."""
    if source.series is None:
        return False
    from halescan.io.dicom import series_number

    by_uid = len(wanted) >= _SHORTEST_UID_END and source.series.endswith(wanted)
    return by_uid or series_number(source) == wanted
