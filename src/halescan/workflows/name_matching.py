"""Which of our scans is meant by the name that another program gave it?"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from halescan.data.table import Item
from halescan.errors import TableError
from halescan.workflows.scan_names import shown_scan

Key = tuple[str, ...]
_LISTED = 5


def match_names(
    names: Sequence[str], items: Sequence[Item], *, where: Path, called: Sequence[str] | None = None
) -> list[int | None]:
    """The place among `items` of each name; None where no scan is called so.

    A name fits a scan if all its folders and the file agree with the end of the scan's path; the file's ending may be
    missing or another, so that `abnormal/0101.nii.gz` is the map of `test/abnormal/0101.png`. The more folders a name
    has, the fewer scans it can mean.

    Args:
        where: File or folder that the names come from, for messages.
        called: What each name is called in messages, as "line 7", since it may be a patient's; None numbers them.

    Raises:
        TableError: if a name fits several scans, or two names the same.
    """
    called = called or [f"name {number}" for number in range(1, len(names) + 1)]
    keys = [_key(name) for name in names]
    depths = {len(key) for key in keys}
    meant: dict[Key, list[int]] = {}
    for place, item in enumerate(items):
        whole = _key(scan_key(item))
        for depth in depths:
            if depth <= len(whole):
                meant.setdefault(whole[-depth:], []).append(place)
    found: list[int | None] = []
    for name, key in zip(called, keys, strict=True):
        fitting = meant.get(key, [])
        if len(fitting) > 1:
            files = ", ".join(sorted({shown_scan(items[place].source) for place in fitting})[:_LISTED])
            raise TableError(
                f"{where}: {name} could be any of {len(fitting)} scans ({files}); name them with their folder, "
                "as healthy/0001, or with a column index for images of one file"
            )
        found.append(fitting[0] if fitting else None)
    _refuse_twice(called, found, where)
    return found


def scan_key(item: Item) -> str:
    """Path and, in a file of several images, number: what a name has to end like."""
    source = item.source
    number = source.index if source.index is not None else source.slice_index
    return f"{source.path.as_posix()}#{number}" if number is not None else source.path.as_posix()


def _key(name: str) -> Key:
    """Folders and file of a name, the file without its endings but with the number of an image in it."""
    path = PurePosixPath(name.replace("\\", "/"))
    *folders, file = [part for part in path.parts if part not in ("/", ".")] or [""]
    stem, hash_, number = _stem(file).partition("#")
    return (*folders, _stem(stem) + hash_ + number)


def _stem(file: str) -> str:
    """A file's name without `.png`, `.nii.gz` and the like; dots within it stay."""
    for ending in (".gz", ".nii", ".npy", ".npz", ".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".dcm", ".mha"):
        if file.lower().endswith(ending) and len(file) > len(ending):
            file = file[: -len(ending)]
    return file


def _refuse_twice(called: Sequence[str], found: Sequence[int | None], where: Path) -> None:
    first: dict[int, str] = {}
    for name, place in zip(called, found, strict=True):
        if place is None:
            continue
        if place in first:
            raise TableError(
                f"{where}: {first[place]} and {name} mean the same scan; expected one each. Take one of them away"
            )
        first[place] = name
