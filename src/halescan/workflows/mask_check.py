"""Do masks fit the labels? What is drawn on healthy scans, missing from abnormal ones, or of no scan at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from halescan.data.table import Cohort, Item
from halescan.workflows.scan_names import listed_names, shown_name, shown_scan

Fault = Literal["healthy_drawn", "abnormal_empty", "abnormal_without"]


@dataclass
class MaskFaults:
    """Names of the scans whose mask does not fit their label, by fault, and the number of abnormal scans looked at."""

    names: dict[str, list[str]] = field(default_factory=dict)
    abnormal: int = 0

    def note(self, item: Item, fault: Fault | None) -> None:
        """Count one scan that has a map."""
        self.abnormal += item.label == "abnormal"
        if fault is not None:
            self.names.setdefault(fault, []).append(shown_scan(item.source))

    def record(self, spare: int) -> dict[str, int]:
        """The numbers, for `metrics.json`; `spare` is the number of masks that are of no scan."""
        faults = {name: len(self.names.get(name, ())) for name in _SENTENCES if name != "spare"}
        return {"abnormal": self.abnormal, **faults, "spare": spare}


def fault_of(item: Item, drawn: np.ndarray | None) -> Fault | None:
    """What is wrong between a scan's label and where its mask says it is abnormal; None for nothing.

    Args:
        drawn: `(*grid)` bool; None where nobody has drawn it.
    """
    if item.label == "healthy":
        return "healthy_drawn" if drawn is not None and drawn.any() else None
    if item.label != "abnormal":
        return None
    if drawn is None:
        return "abnormal_without"
    return None if drawn.any() else "abnormal_empty"


def spare_masks(cohort: Cohort) -> list[str]:
    """Masks that are of no scan, from folders of masks beside the scans of a cohort, by their names."""
    beside = {folder for item in cohort.items for folder in item.source.path.resolve().parents}
    return [shown_name(mask) for mask in cohort.spare_masks if _set_of(mask) in beside]


def mask_sentences(counts: Mapping[str, int] | None, names: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """A sentence a fault.

    Args:
        counts: From `MaskFaults.record`.
        names: The scans and masks meant, by fault, where they are known.
    """
    found = []
    for fault, (one, many) in _SENTENCES.items():
        count = (counts or {}).get(fault, 0)
        if count:
            shown = (names or {}).get(fault, ())
            meant = f" ({listed_names(shown)})" if shown else ""
            words = (one if count == 1 else many).format(count=count, of=(counts or {}).get("abnormal", 0))
            found.append(words.replace("#", meant))
    return found


def _set_of(mask: Path) -> Path:
    """The folder that holds the scans' folders beside that of the masks."""
    return next((folder.parent for folder in mask.resolve().parents if folder.name.lower() == "masks"), mask.parent)


_SENTENCES = {
    "healthy_drawn": (
        "{count} healthy scan has a mask with something drawn#: its label or the mask is wrong; it counts as healthy, "
        "without a lesion",
        "{count} healthy scans have masks with something drawn#: their labels or the masks are wrong; they count as "
        "healthy, without a lesion",
    ),
    "spare": (
        "{count} mask belongs to no scan#; a mask is called like its scan, whatever the ending",
        "{count} masks belong to no scan#; a mask is called like its scan, whatever the ending",
    ),
    "abnormal_without": (
        "{count} of {of} abnormal scans has no mask and is left out of the figures of pixels and lesions#",
        "{count} of {of} abnormal scans have no mask and are left out of the figures of pixels and lesions#",
    ),
    "abnormal_empty": (
        "{count} of {of} abnormal scans has an empty mask#: all its pixels count as healthy; draw it, or take the mask "
        "away",
        "{count} of {of} abnormal scans have empty masks#: all their pixels count as healthy; draw them, or take the "
        "masks away",
    ),
}
