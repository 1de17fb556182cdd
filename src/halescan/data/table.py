"""A cohort: scans on disk, and what a table, folders and headers say about each of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from halescan.data.likeness import alike, duplicates, joined, read_thumbnail
from halescan.data.sheets import Row, check_present, manifests_near, read_table
from halescan.errors import HalescanError, TableError
from halescan.io import Found, Problem, Source, find, identity_of
from halescan.types import Label, Note

_TABLES = {".tsv", ".csv", ".xlsx"}
_LABEL_FOLDERS: dict[str, Label] = {"healthy": "healthy", "abnormal": "abnormal"}
_SPLIT_FOLDERS = {"train", "test"}
_MASK_FOLDER = "masks"


@dataclass(frozen=True)
class Item:
    """One scan on disk and what is known of it; None where nobody says. Ids stay out of its `repr`."""

    source: Source
    patient: str | None = field(default=None, repr=False)
    study: str | None = field(default=None, repr=False)
    label: Label | None = None
    split: str | None = None
    mask: Path | None = None
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Cohort:
    """Scans in order of their paths, the files that are none, and what a person should know."""

    items: tuple[Item, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def patients(self) -> int | None:
        """Number of patients; None unless every scan names its own."""
        named = {item.patient for item in self.items}
        return None if None in named or not named else len(named)

    def summary(self) -> str:
        """How much there is, in words: "1000 images of 913 patients"."""
        count = len(self.items)
        images = f"{count} image{'' if count == 1 else 's'}"
        known = {item.patient for item in self.items if item.patient is not None}
        if not known:
            return f"{images}, patients unknown"
        of = f"{images} of {len(known)} patient{'' if len(known) == 1 else 's'}"
        unknown = sum(item.patient is None for item in self.items)
        return of if not unknown else f"{of}, {unknown} without a patient"

    def groups(self) -> np.ndarray:
        """`(n,)` names of the units that must stay together when the cohort is split.

        Scans of one patient are a unit; where patients are unknown, near-duplicates stand in for them. Files with the
        same bytes join their units. The name is that of the unit's patient or of its first file, so that it stays when
        scans are added elsewhere. This reads the pictures of unknown patients once.
        """
        return self._groups

    @cached_property
    def _groups(self) -> np.ndarray:
        first_of: dict[str, int] = {}
        pairs = list(duplicates([item.source for item in self.items]))
        for number, item in enumerate(self.items):
            if item.patient is not None:
                pairs.append((first_of.setdefault(item.patient, number), number))
        pictures = [None if item.patient is not None else read_thumbnail(item.source) for item in self.items]
        units = joined(len(self.items), pairs + alike(pictures))
        names: dict[int, str] = {}
        for unit, item in zip(units, self.items, strict=True):
            names.setdefault(int(unit), _unit_name(item))
        return np.array([names[int(unit)] for unit in units], dtype=str)

    def subset(self, indices: Sequence[int] | np.ndarray) -> "Cohort":
        """The scans at these places, in this order."""
        return replace(self, items=tuple(self.items[int(index)] for index in indices))


def read_cohort(
    path: Path | str, *, table: Path | str | None = None, label: Label | None = None, split: str | None = None
) -> Cohort:
    """Find all scans below a path and join what is known of them.

    A table named here decides which scans there are: those of its rows that lie below `path`. Without one, the scans
    are what is found below `path`, and the nearest `manifest.tsv` or `.csv` (there, or up to two folders above) tells
    of those it names. Where it is silent, folders called healthy/ and abnormal/, train/ and test/ speak, a mask is the
    file of the same stem in masks/ beside them, and DICOM headers name patient and study.

    Args:
        path: A folder, one scan, or a table itself.
        table: Table to use.
        label: Keep scans with this label; those that nobody labelled are taken to have it.
        split: Keep scans of this part, and those of none.

    Raises:
        ScanError: if there is nothing at `path`.
        TableError: if the table is wrong, or names files that are not there.
    """
    place = Path(path)
    if table is None and place.suffix.lower() in _TABLES and place.is_file():
        table, place = place, place.parent
    if table is not None:
        items, problems, notes = _from_table(place, Path(table))
    else:
        items, problems, notes = _from_folder(place)
    items = [_with_header(item) for item in items]
    notes = [*notes, *_remarks(items)]
    kept = [item for item in items if label is None or item.label in (None, label)]
    kept = [item for item in kept if split is None or item.split in (None, split)]
    if label is not None:
        kept = [replace(item, label=label) for item in kept]
    if len(kept) < len(items):
        notes.append(Note("left-out", {"count": len(items) - len(kept), "kept": len(kept)}))
    return Cohort(tuple(kept), tuple(problems), tuple(notes))


def _from_table(place: Path, table: Path) -> tuple[list[Item], list[Problem], list[Note]]:
    """Every row of a table that lies below the place."""
    root = place.resolve()
    rows = [row for row in read_table(table) if row.file.resolve().is_relative_to(root)]
    if not rows:
        raise TableError(f"{table}: names no file below {place}; its paths are taken from the folder of the table")
    check_present(table, rows)
    by_file = _by_file(rows)
    found = _found_once([row.file for row in rows])
    items = [_described(source, by_file, place) for source in found.sources]
    return _sorted(items), list(found.problems), []


def _found_once(files: Sequence[Path]) -> Found:
    """What can be read at each of these paths. Many files of one folder are searched together."""
    wanted = {file.resolve() for file in files}
    folders = Counter(file.parent for file in wanted)
    sources: dict[Source, None] = {}
    problems: list[Problem] = []
    together = {folder for folder, count in folders.items() if count > 8}
    for where in sorted(together | {file for file in wanted if file.parent not in together}):
        found = find(where)
        sources.update(dict.fromkeys(one for one in found.sources if _named(one, wanted)))
        problems += [one for one in found.problems if one.path.resolve() in wanted or one.path.resolve() == where]
    return Found(tuple(sources), tuple(problems))


def _named(source: Source, wanted: set[Path]) -> bool:
    """Whether a table names this source: its own path, one of its files, or a folder that holds it."""
    places = {source.path.resolve(), *(file.resolve() for file in source.files)}
    return any(place in wanted or not wanted.isdisjoint(place.parents) for place in places)


def _from_folder(place: Path) -> tuple[list[Item], list[Problem], list[Note]]:
    """What is found below the place, told of by the nearest manifest."""
    found = find(place)
    by_file = _nearest_rows(place, found.sources)
    masks = {row.mask.resolve() for row in by_file.values() if row.mask is not None}
    items = [
        _described(source, by_file, place)
        for source in found.sources
        if source.path.resolve() not in masks and not _is_mask(source.path, place)
    ]
    unlisted = sum(_row_of(item.source, by_file) is None for item in items)
    notes = [Note("not-in-table", {"count": unlisted})] if 0 < unlisted < len(items) else []
    return _sorted(items), list(found.problems), notes


def _nearest_rows(place: Path, sources: Sequence[Source]) -> dict[Path, Row]:
    """The rows of the nearest manifest that names any of the sources."""
    for manifest in manifests_near(place):
        by_file = _by_file(read_table(manifest))
        if any(_row_of(source, by_file) for source in sources):
            return by_file
    return {}


def _by_file(rows: Sequence[Row]) -> dict[Path, Row]:
    """Rows by the true place of their files."""
    return {row.file.resolve(): row for row in rows}


def _row_of(source: Source, by_file: Mapping[Path, Row]) -> Row | None:
    """The row that names a source's path, one of its files, or a folder that holds it."""
    if not by_file:
        return None
    own = source.path.resolve()
    for place in (own, *(file.resolve() for file in source.files[:1]), *own.parents):
        if place in by_file:
            return by_file[place]
    return None


def _described(source: Source, by_file: Mapping[Path, Row], place: Path) -> Item:
    """A source with what its row says, and its folders where the row is silent."""
    row = _row_of(source, by_file) or Row(source.path)
    parts = _folders(source.path, place)
    return Item(
        source=source,
        patient=row.patient,
        study=row.study,
        label=row.label or next((_LABEL_FOLDERS[part] for part in reversed(parts) if part in _LABEL_FOLDERS), None),
        split=row.split or next((part for part in reversed(parts) if part in _SPLIT_FOLDERS), None),
        mask=row.mask or _mask_beside(source.path, place),
        extra=row.extra,
    )


def _folders(path: Path, place: Path) -> list[str]:
    """Lower-case names of the folders from the place itself and the one above it down to a file."""
    root = place.resolve()
    root = root if root.is_dir() else root.parent
    own = path.resolve()
    below = own.relative_to(root).parts[:-1] if own.is_relative_to(root) else ()
    return [part.lower() for part in (root.parent.name, root.name, *below)]


def _is_mask(path: Path, place: Path) -> bool:
    """Whether a file below the place lies in a folder of masks beside healthy/ or abnormal/."""
    for folder in path.resolve().parents:
        if folder == place.resolve():
            return False
        if folder.name.lower() == _MASK_FOLDER and any((folder.parent / name).is_dir() for name in _LABEL_FOLDERS):
            return True
    return False


def _mask_beside(path: Path, place: Path) -> Path | None:
    """The file of the same stem in masks/ beside the label's folder."""
    for folder in path.parents:
        if folder.name.lower() in _LABEL_FOLDERS:
            stem = path.name.partition(".")[0]
            masks = folder.parent / _MASK_FOLDER
            fitting = sorted(masks.glob(f"{_literal(stem)}.*")) if masks.is_dir() else []
            return fitting[0] if fitting else None
    return None


def _literal(stem: str) -> str:
    """A stem in which `glob` sees no wildcard."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in stem)


def _with_header(item: Item) -> Item:
    """Patient and study from a DICOM header, where no table named them."""
    if item.source.format != "dicom" or (item.patient is not None and item.study is not None):
        return item
    try:
        identity = identity_of(item.source)
    except HalescanError:  # told about where it is read
        return item
    # a table that names the patient knows better than a header, which may be de-identified
    return replace(item, patient=item.patient or identity.patient, study=item.study or identity.study)


def _remarks(items: Sequence[Item]) -> list[Note]:
    """What is wrong with a cohort as a whole: copies, and patients on both sides."""
    notes = []
    copies = duplicates([item.source for item in items])
    if copies:
        notes.append(Note("duplicates", {"count": len(copies)}))
    contradicting = sum(items[first].label != items[second].label for first, second in copies)
    if contradicting:
        notes.append(Note("duplicates-with-other-labels", {"count": contradicting}))
    splits: dict[str, set[str]] = {}
    for item in items:
        if item.patient is not None and item.split is not None:
            splits.setdefault(item.patient, set()).add(item.split)
    both = sum(len(parts) > 1 for parts in splits.values())
    if both:
        notes.append(Note("patient-in-both-splits", {"count": both}))
    return notes


def _unit_name(item: Item) -> str:
    """The name of a unit after its first scan; never shown, as it may be a patient's."""
    if item.patient is not None:
        return f"patient {item.patient}"
    number = "" if item.source.index is None else f" {item.source.index}"
    return f"file {item.source.path.parent.name}/{item.source.path.name}{number}"


def _sorted(items: Sequence[Item]) -> list[Item]:
    """In the order of their paths."""
    return sorted(items, key=lambda item: (str(item.source.path), item.source.index or 0, item.source.series or ""))
