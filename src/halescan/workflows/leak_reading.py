"""One pass over all scans of a data set: a small picture, a fingerprint and trivial numbers of each."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from halescan.data.ahead import ahead
from halescan.data.copies import SIDE, picture, pixel_digest
from halescan.data.giveaways import giveaways, plane
from halescan.data.provenance import file_facts
from halescan.data.table import Item
from halescan.errors import HalescanError
from halescan.evaluation.baselines import trivial_statistics
from halescan.io import read
from halescan.training.run import Progress, say_nothing

_SLICE = re.compile(r"\bslice\s+(\d+)\s+of\s+(\d+)\b", re.IGNORECASE)
_NO_PROPERTY = {"sha256", "md5", "source", "origin", "url", "filename", "image", "mask_pixels", "id"}
_BYTES_AHEAD = 64 * 2**20  # on disk


@dataclass(frozen=True, eq=False)
class Look:
    """What is kept of one scan; `error` says why there is nothing."""

    picture: np.ndarray | None = None
    digest: bytes | None = None
    facts: Mapping[str, float | str] = field(default_factory=dict)
    error: str = ""


class Looks:
    """What is kept of n scans: one column a fact, and the pictures `(n, 64, 64)` float16 in a file of their own.

    Args:
        count: Scans there will be.
        folder: Where the file of pictures goes.
    """

    def __init__(self, count: int, folder: Path) -> None:
        self.numbers: dict[str, np.ndarray] = {}
        self.words: dict[str, list[str]] = {}
        self.digests: list[bytes | None] = []
        self.problems: list[str] = []
        self.pictures: np.ndarray = np.zeros((0, SIDE, SIDE), np.float16)
        if count:
            self.pictures = np.memmap(folder / "pictures.f16", np.float16, mode="w+", shape=(count, SIDE, SIDE))

    def add(self, look: Look) -> None:
        """Keep one more."""
        place = len(self.digests)
        self.digests.append(look.digest)
        if look.picture is not None:
            self.pictures[place] = look.picture
        for name, value in look.facts.items():
            if isinstance(value, str):
                self.words.setdefault(name, [""] * len(self.pictures))[place] = sys.intern(value)
            else:
                self.numbers.setdefault(name, np.full(len(self.pictures), np.nan))[place] = value

    def let_go(self) -> None:
        """Forget the pictures, so that their file can go."""
        self.pictures = np.zeros((0, SIDE, SIDE), np.float16)


def look_at_all(
    items: Sequence[Item], folder: Path, *, jobs: int, listen: Callable[[Progress], None] = say_nothing
) -> Looks:
    """Read every scan once. One that cannot be read is listed among the problems and counts for nothing."""
    looks = Looks(len(items), folder)
    seen = ahead(look_at, items, jobs=jobs, most=4 * jobs, bytes_of=_stored_bytes, most_bytes=_BYTES_AHEAD)
    for number, (item, look) in enumerate(zip(items, seen, strict=True), start=1):
        looks.add(look)
        if look.error:
            looks.problems.append(f"{item.source.path.name}: {look.error}")
        listen(Progress("looking", number, len(items)))
    return looks


def look_at(item: Item) -> Look:
    """One scan. What the table says of it comes as `column:NAME`."""
    try:
        scan = read(item.source)
        image = plane(scan)
        facts: dict[str, float | str] = dict(trivial_statistics(image))
        facts |= giveaways(image)
        facts |= file_facts(item.source, scan)
    except HalescanError as error:
        return Look(error=str(error))
    except OSError as error:
        return Look(error=f"cannot be read ({error.strerror})")
    facts |= _position(item)
    facts |= _columns(item)
    return Look(picture(scan).astype(np.float16), pixel_digest(scan.pixels), facts)


def _stored_bytes(item: Item) -> int:
    try:
        return sum(file.stat().st_size for file in item.source.files)
    except OSError:
        return 0


def _position(item: Item) -> dict[str, float]:
    """Where a slice lies in its volume, as far as anybody says."""
    for text in item.extra.values():
        if found := _SLICE.search(text):
            return {"slice-position": int(found[1]) / max(1, int(found[2]))}
    index = item.source.slice_index
    return {} if index is None else {"slice-position": float(index)}


def _columns(item: Item) -> dict[str, float | str]:
    """The table's further columns: numbers where they are numbers. What says where a file came from is no property."""
    found: dict[str, float | str] = {}
    for name, text in item.extra.items():
        if name.lower() in _NO_PROPERTY or not text:
            continue
        try:
            found[f"column:{name}"] = float(text)
        except ValueError:
            found[f"column:{name}"] = text
    return {name: value for name, value in found.items() if isinstance(value, str) or np.isfinite(value)}
