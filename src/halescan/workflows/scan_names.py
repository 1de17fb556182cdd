"""What a scan is called where anybody may read it: a file by its name, without folders, which may be after patients."""

from collections.abc import Sequence
from pathlib import Path, PurePath

from halescan.data.table import Item
from halescan.io import Problem, Source

_SAYS_NO_NAME = {"healthy", "abnormal", "images", "train", "test", "masks"}


def shown_name(place: PurePath | str) -> str:
    """The name of a file; with its folder only where that is known to be nobody's."""
    place = PurePath(place)
    return f"{place.parent.name}/{place.name}" if place.parent.name.lower() in _SAYS_NO_NAME else place.name


def shown_scan(source: Source) -> str:
    """The same of a scan; a series, whose folder has any name, is called after its first file."""
    inside = source.files and source.files[0] != source.path
    return f"series of {source.files[0].name}" if inside else shown_name(source.path)


def told_of_scan(source: Source, error: object) -> str:
    """What an error says of a scan, once each by such a name: "abnormal/0101.png: damaged or cut short"."""
    shown, said = shown_scan(source), str(error)
    for file in source.files:
        said = said if file == source.path else said.replace(str(file), file.name)
    said = _without_folders(said, source.path, shown)
    return said if said.startswith(shown) else f"{shown}: {said}"


def told_of_mask(item: Item, error: object) -> str:
    """What an error says of a scan's mask."""
    mask = item.mask if isinstance(item.mask, Path) or item.mask is None else item.mask.path
    return str(error) if mask is None else _without_folders(str(error), mask, shown_name(mask))


def told_of_file(problem: Problem) -> str:
    """What is wrong with a file that is no scan, its path shortened in the same way."""
    return _without_folders(problem.message, problem.path, shown_name(problem.path))


def listed_names(names: Sequence[str], *, most: int = 3) -> str:
    """The first few of them, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def listed_lines(numbers: Sequence[int], *, most: int = 5) -> str:
    """Lines of a table: "line 7", or "lines 2, 3, 4, 5, 6 and 12 more"."""
    return f"line{'s' * (len(numbers) > 1)} {listed_names([str(number) for number in numbers], most=most)}"


def _without_folders(said: str, path: Path, shown: str) -> str:
    """A sentence in which a path, and its folder where it names a file beside it, is shortened."""
    folder = str(path.parent)
    said = said.replace(str(path), shown)
    return said if folder in (".", "/") else said.replace(f"{folder}/", "")
