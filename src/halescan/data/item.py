"""An item: one scan on disk, and what is known of it before it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from halescan.data.lesions import Lesion
from halescan.io import Source
from halescan.types import Label

SPLITS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
}
"""What the parts of a data set are called, and the word they get here."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What tables, folders and headers say of a scan; None where nobody says. Ids stay out of every `repr`.

    Args:
        split: "train", "valid" or "test" where one of their usual names was used, else the word itself.
        mask: A file, or one image or slice of it, on the scan's own voxels: above 0 is abnormal.
        lesions: Where lesions lie that are known by place and size only.
        extra: Further columns of a table, by lower-case name.
    """

    patient: str | None = field(default=None, repr=False)
    study: str | None = field(default=None, repr=False)
    label: Label | None = None
    split: str | None = None
    mask: Path | Source | None = None
    lesions: tuple[Lesion, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def outlined(self) -> bool:
        """Whether it is known where on the scan the abnormal places lie."""
        return self.mask is not None or bool(self.lesions)


@dataclass(frozen=True)
class Row(Known):
    """One line of a table: a file, the number of the line (the heading is 1) and what is known of it."""

    file: Path
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Item(Known):
    """One scan on disk and what is known of it."""

    source: Source


def split_called(word: str | None) -> str | None:
    """The usual word for a part of a data set, whatever it was called; None for none."""
    return SPLITS.get(word.lower(), word) if word else None
