"""Learned: which test scans a model has seen before, so that figures on its own training scans are not believed."""

from collections import Counter
from typing import Any

from halescan.data.copies import pixel_digest
from halescan.data.table import Item
from halescan.types import Label, Scan
from halescan.workflows.healthy import content_digest
from halescan.workflows.model import Model


class Learned:
    """Counts the scans of a test set that a model was made from, by the bytes of their files or their grey values.

    Models made before the digests were kept know none of their scans: nothing is said of those.
    """

    def __init__(self, model: Model) -> None:
        training, again = model.record["training_set"], model.record.get("recalibrated_digests") or {}
        self.known = {*training.get("contents", ()), *again.get("contents", ())}
        self.pixels = {*training.get("pixels", ()), *again.get("pixels", ())}
        self.seen: Counter[Label] = Counter()
        self.all: Counter[Label] = Counter()

    def look(self, item: Item, scan: Scan, label: Label) -> None:
        """Count one scan of a case with this label."""
        self.all[label] += 1
        self.seen[label] += self._knows(item, scan)

    def record(self) -> dict[str, Any] | None:
        """For `metrics.json`; None where the model keeps no digests."""
        if not self.known and not self.pixels:
            return None
        counts = {label: {"seen": self.seen[label], "of": self.all[label]} for label in ("healthy", "abnormal")}
        return {**counts, "sentence": self.sentence()}

    def sentence(self) -> str:
        """What must not be overlooked; "" where every test scan is new to the model."""
        told = [
            f"{self.seen[label]} of {self.all[label]} {label} test scan{'' if self.all[label] == 1 else 's'}"
            for label in ("healthy", "abnormal")
            if self.seen[label]
        ]
        if not told:
            return ""
        were = "was" if self.seen.total() == 1 else "were"
        return (
            f"{' and '.join(told)} {were} learned from or calibrated with: the figures say little about new scans. "
            "Evaluate on scans that the model has not seen"
        )

    def _knows(self, item: Item, scan: Scan) -> bool:
        """Whether the model was made from this scan, or from the same picture in another file."""
        if self.pixels and pixel_digest(scan.pixels).hex() in self.pixels:
            return True
        return bool(self.known) and content_digest(item) in self.known
