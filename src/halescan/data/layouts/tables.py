"""A table: a line a scan, with its patient, study, label, split and mask; it decides which scans there are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from halescan.data.item import Item, Row
from halescan.data.layouts.base import Layout, Listing
from halescan.data.layouts.own import described
from halescan.data.sheets import check_once, check_present, manifests_near, read_table
from halescan.errors import LayoutError, TableError
from halescan.io import Found, Problem, Source, find

ENDINGS = {".tsv", ".csv", ".xlsx"}
_MANY = 8  # files named in one folder, from which the folder is searched once


def read(place: Path, options: Mapping[str, str]) -> Listing:
    """The scans of a table, wherever they lie, or those of the manifest in a folder.

    Raises:
        LayoutError: if the folder has no manifest.
        TableError: if the table is wrong, or names files that are not there.
    """
    if not place.is_dir():
        return _read(place.parent, place, read_table(place))
    near = next((table for table in manifests_near(place) if table.parent == place.resolve()), None)
    if near is None:
        raise LayoutError(f"{place}: holds no manifest.csv or manifest.tsv with a column 'file'. Name the table itself")
    return read_below(place, near)


def read_below(place: Path, table: Path) -> Listing:
    """Every row of a table that lies below a place.

    Raises:
        TableError: if the table is wrong, names no file there, or files that are not there.
    """
    root = place.resolve()
    rows = [row for row in read_table(table) if row.file.resolve().is_relative_to(root)]
    if not rows:
        raise TableError(f"{table}: names no file below {place}; its paths are taken from the folder of the table")
    return _read(place, table, rows)


def _read(place: Path, table: Path, rows: Sequence[Row]) -> Listing:
    """The scans of these rows; folders between the place and a scan speak for it, or else those it lies in."""
    check_once(table, rows)
    check_present(table, [file for row in rows for file in (row.file, row.mask) if isinstance(file, Path)])
    found = _found_once([row.file for row in rows])
    root = place.resolve()
    near = [place if one.path.resolve().is_relative_to(root) else one.path.parent for one in found.sources]
    items = [described(source, folder) for source, folder in zip(found.sources, near, strict=True)]
    return Listing(told(items, by_file(rows)), found.problems)


def by_file(rows: Sequence[Row]) -> dict[Path, Row]:
    """Rows by the true place of their files."""
    return {row.file.resolve(): row for row in rows}


def row_of(source: Source, rows: Mapping[Path, Row]) -> Row | None:
    """The row that names a source's path, one of its files, or a folder that holds it."""
    if not rows:
        return None
    own = source.path.resolve()
    for place in (own, *(file.resolve() for file in source.files[:1]), *own.parents):
        if place in rows:
            return rows[place]
    return None


def told(items: Sequence[Item], rows: Mapping[Path, Row]) -> tuple[Item, ...]:
    """Items with what their rows say; where a row is silent, they stay as they are."""
    return tuple(_told(item, row_of(item.source, rows)) for item in items)


def _told(item: Item, row: Row | None) -> Item:
    """One item with what its row says."""
    if row is None:
        return item
    return Item(
        item.source,
        patient=row.patient or item.patient,
        study=row.study or item.study,
        label=row.label or item.label,
        split=row.split or item.split,
        mask=row.mask or item.mask,
        lesions=item.lesions,
        extra={**item.extra, **row.extra},
    )


def _found_once(files: Sequence[Path]) -> Found:
    """What can be read at each of these paths. Many files of one folder are searched together."""
    wanted = {file.resolve() for file in files}
    folders = Counter(file.parent for file in wanted)
    sources: dict[Source, None] = {}
    problems: list[Problem] = []
    together = {folder for folder, count in folders.items() if count > _MANY}
    for where in sorted(together | {file for file in wanted if file.parent not in together}):
        found = find(where)
        sources.update(dict.fromkeys(one for one in found.sources if _named(one, wanted)))
        problems += [one for one in found.problems if one.path.resolve() in wanted or one.path.resolve() == where]
    return Found(tuple(sources), tuple(problems))


def _named(source: Source, wanted: set[Path]) -> bool:
    """Whether a table names this source: its own path, one of its files, or a folder that holds it."""
    places = {source.path.resolve(), *(file.resolve() for file in source.files)}
    return any(place in wanted or not wanted.isdisjoint(place.parents) for place in places)


TABLE = Layout(
    name="table",
    title="a table of scans: .tsv, .csv or .xlsx",
    recognises=lambda place: place.suffix.lower() in ENDINGS and place.is_file(),
    read=read,
)
