"""Our own layout: healthy/, abnormal/ and masks/, perhaps below train/ and test/; or any folder of scans."""

from collections.abc import Mapping
from pathlib import Path

from halescan.data.item import SPLITS, Item, split_called
from halescan.data.layouts.base import Layout, Listing
from halescan.io import Source, find
from halescan.types import Label

_LABEL_FOLDERS: dict[str, Label] = {"healthy": "healthy", "abnormal": "abnormal"}
_MASK_FOLDER = "masks"


def read(place: Path, options: Mapping[str, str]) -> Listing:
    """Everything below a place that can be read, with what its folders say.

    A mask is the file of the same stem in masks/ beside the label's folder.

    Raises:
        ScanError: if there is nothing at the place.
    """
    found = find(place)
    masks = {source.path for source in found.sources if _is_mask(source.path, place)}
    items = [described(source, place) for source in found.sources if source.path not in masks]
    return Listing(tuple(items), found.problems, masks=tuple(sorted(masks)))


def described(source: Source, place: Path) -> Item:
    """A source with what the folders between it and a place, that folder and the one above it say."""
    parts = _folders(source.path, place)
    return Item(
        source,
        label=next((_LABEL_FOLDERS[part] for part in reversed(parts) if part in _LABEL_FOLDERS), None),
        split=split_called(next((part for part in reversed(parts) if part in SPLITS), None)),
        mask=_mask_beside(source.path),
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


def _mask_beside(path: Path) -> Path | None:
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


OWN = Layout(
    name="own",
    title="healthy/, abnormal/, masks/, or any folder of scans",
    recognises=lambda place: False,  # what is left when no other layout is recognised
    read=read,
)
