"""A cohort: scans on disk, and what a layout, a table and headers say about each of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from halescan.data.item import Item, split_called
from halescan.data.layouts import Chosen, Listing, choose, parted
from halescan.data.layouts.tables import by_file, read_below, row_of, told
from halescan.data.likeness import alike, duplicates, joined, read_thumbnail
from halescan.data.sheets import check_once, manifests_near, read_table
from halescan.errors import HalescanError, LayoutError, SettingError
from halescan.io import Problem, identity_of
from halescan.types import Label, Note

__all__ = ["Cohort", "Item", "read_cohort"]


@dataclass(frozen=True)
class Cohort:
    """Scans in order of their paths, the files that are none, and what a person should know.

    Args:
        layout: How the place was read, with every choice made: "brats:contrast=flair,...". What to give as `layout=`
            to get the same again.
        remarks: What a person should know of these choices, in English sentences that name no patient.
        spare_masks: Files in folders of masks that are the mask of no scan, whatever its label and part.
    """

    items: tuple[Item, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[Note, ...] = ()
    layout: str = "own"
    remarks: tuple[str, ...] = ()
    spare_masks: tuple[Path, ...] = ()

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
    path: Path | str,
    *,
    table: Path | str | None = None,
    layout: str | None = None,
    label: Label | None = None,
    split: str | None = None,
    prefer: Sequence[str] = (),
    examined: bool = False,
) -> Cohort:
    """Find all scans of a place and join what is known of them.

    A place is read by its layout (`data.layouts.LAYOUTS`): the one that is named, else the one whose structure it has,
    else our own, where folders called healthy/ and abnormal/, train/ and test/ speak and a mask is the file of the same
    stem in masks/ beside them. The nearest `manifest.tsv` or `.csv` (there, or up to two folders above) is believed
    more, and DICOM headers name patient and study where nobody else does. A table named here decides which scans there
    are: those of its rows that lie below the place.

    Args:
        path: A folder, one file, or a table itself; "LAYOUT@PATH" names its layout, as "brats:contrast=t1@BraTS2021".
        table: Table to use.
        layout: The same apart from the path: a name with options, as "brats:contrast=t1".
        label: Keep scans with this label; those that nobody labelled are taken to have it.
        split: Keep scans of this part, and those of none.
        prefer: Parts to keep where no `split` is asked for: the first of them that any scan is of, so that training
            on a whole data set never learns from its test part. Scans of no part are kept beside them.
        examined: Whether the scans are only examined: nothing is left out for want of a label, and volumes stay whole.

    Raises:
        ScanError: if there is nothing at `path`.
        TableError: if the table is wrong, or names files that are not there.
        LayoutError: if the place is not what its layout promises, or several could be meant; or if it has parts, and
            none of those to `prefer`.
        SettingError: for a layout or an option of it that does not exist, or with both a table and a layout.
    """
    named, place = parted(path)
    listing, spelled, notes = _listed(place, table, layout or named, examined)
    items = [_with_header(item) for item in _sorted(listing.items)]
    notes = [*notes, *_remarks(items)]
    part = split_called(split) or _preferred(place, items, prefer)
    kept = [item for item in items if label is None or item.label in (None, label)]
    kept = [item for item in kept if part is None or item.split in (None, part)]
    if label is not None:
        kept = [replace(item, label=label) for item in kept]
    if len(kept) < len(items):
        notes.append(Note("left-out", {"count": len(items) - len(kept), "kept": len(kept)}))
    return Cohort(tuple(kept), listing.problems, tuple(notes), spelled, listing.remarks, _spare_masks(listing))


def _preferred(place: Path, items: Sequence[Item], prefer: Sequence[str]) -> str | None:
    """The first preferred part that any scan is of; None where no scan is of a part, or nothing is preferred.

    Raises:
        LayoutError: if all scans are of other parts: to take those unasked would be to test on what was learned.
    """
    there = {item.split for item in items}
    part = next((one for one in prefer if one in there), None)
    if part is None and prefer and items and None not in there:
        others = sorted(str(one) for one in there)
        wanted = {"train": "training"}.get(prefer[0], prefer[0])
        raise LayoutError(
            f"{place}: holds no {wanted} part, only {' and '.join(others)}, and those are not taken unasked, lest "
            f"anything be tested on what was learned; --split {others[0]} takes it all the same"
        )
    return part or (prefer[0] if prefer and there - {None} else None)


def _listed(
    place: Path, table: Path | str | None, layout: str | None, examined: bool
) -> tuple[Listing, str, list[Note]]:
    """What a place holds, how it was read, and what is to be said of that."""
    if table is not None:
        if layout is not None:
            raise SettingError("a table decides by itself which scans there are: give a table or a layout, not both")
        return read_below(place, Path(table)), "table", []
    chosen = choose(place, layout, examined=examined)
    listing = chosen.layout.read(chosen.root, chosen.options)
    if chosen.layout.name == "table":
        return listing, "table", []
    if chosen.layout.name != "own":
        listing = _below(place, listing, chosen)
    listing, notes = _told_by_manifest(place, listing)
    return listing, chosen.spelled, notes


def _below(place: Path, listing: Listing, chosen: Chosen) -> Listing:
    """The part of a data set that lies below a place, where the place lies within its root."""
    inside = place.resolve()
    items = listing.items
    if chosen.root != place and chosen.root in inside.parents:
        items = tuple(item for item in items if item.source.path.is_relative_to(inside))
    if not items and not listing.problems:
        raise LayoutError(
            f"{place}: read as {chosen.spelled}, it holds no scan. Name another folder, or another layout"
        )
    return replace(listing, items=items)


def _told_by_manifest(place: Path, listing: Listing) -> tuple[Listing, list[Note]]:
    """With what the nearest manifest says that names any of the scans; a file that is another's mask is no scan."""
    for manifest in manifests_near(place):
        lines = read_table(manifest)
        rows = by_file(lines)
        unlisted = [item for item in listing.items if row_of(item.source, rows) is None]
        if len(unlisted) == len(listing.items):
            continue
        check_once(manifest, lines)
        masks = {row.mask.resolve() for row in rows.values() if isinstance(row.mask, Path)}
        items = tuple(item for item in told(listing.items, rows) if item.source.path.resolve() not in masks)
        silent = sum(item.source.path.resolve() not in masks for item in unlisted)
        return replace(listing, items=items), [Note("not-in-table", {"count": silent})] if silent else []
    return listing, []


def _spare_masks(listing: Listing) -> tuple[Path, ...]:
    """The masks that a layout found by their name, and that are of none of its scans."""
    used = {item.mask.resolve() for item in listing.items if isinstance(item.mask, Path)}
    return tuple(mask for mask in listing.masks if mask.resolve() not in used)


def _with_header(item: Item) -> Item:
    """Patient and study from a DICOM header, where no table named them."""
    if item.source.format not in ("dicom", "slide") or (item.patient is not None and item.study is not None):
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
    within = f" {item.source.within}" if item.source.within else ""
    return f"file {item.source.path.parent.name}/{item.source.path.name}{within}"


def _sorted(items: Sequence[Item]) -> list[Item]:
    """In the order of their paths."""
    return sorted(items, key=lambda item: (str(item.source.path), *_number_within(item)))


def _number_within(item: Item) -> tuple[str, int, int, str]:
    """What orders the scans of one file."""
    source = item.source
    return source.part or "", source.index or 0, source.slice_index or 0, source.series or ""
