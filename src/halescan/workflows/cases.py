"""Cases: which scans belong to one examination, and reading ahead while the last one is scored."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from halescan.data.ahead import ahead
from halescan.data.prepare import Prepared, prepare
from halescan.data.profiles import Profile
from halescan.data.table import Cohort, Item
from halescan.detectors import Detector
from halescan.errors import HalescanError, ShapeError
from halescan.io import is_slide, read
from halescan.types import Scan

MOST_AHEAD = 32  # cases: as many as are measured together
BYTES_AHEAD = 32 * 2**20  # on disk; a few times as much once decoded
BYTES_KEPT = 16 * 2**20  # of cases looked at before they are scored: half of a hundred pictures


@dataclass(frozen=True)
class Case:
    """One examination: the scans of one study, or one image or volume file.

    `key` says what makes it one and stays in the house; outputs carry its keyed digest (`io.identity.case_name`).
    """

    key: str = field(repr=False)
    items: tuple[Item, ...]


@dataclass(frozen=True, eq=False)
class Opened:
    """A scan read and prepared; `error` says in one sentence why it could not be."""

    item: Item
    scan: Scan | None
    images: tuple[Prepared, ...] = ()
    error: str = ""

    @property
    def nbytes(self) -> int:
        """Of pixels, images and masks."""
        pixels = 0 if self.scan is None else self.scan.pixels.nbytes
        return pixels + sum(image.image.nbytes + image.mask.nbytes for image in self.images)


def cases_of(cohort: Cohort) -> list[Case]:
    """The cases of a cohort, in the order of their first scan."""
    together: dict[str, list[Item]] = {}
    for key, item in zip(case_keys(cohort), cohort.items, strict=True):
        together.setdefault(key, []).append(item)
    return [Case(key, tuple(items)) for key, items in together.items()]


def case_keys(cohort: Cohort) -> list[str]:
    """`(items,)` what makes each scan's case: patient and study where both are known, else the scan itself."""
    return [_case_key(item) for item in cohort.items]


def case_numbers(cohort: Cohort) -> np.ndarray:
    """`(items,)` the case of each scan, as numbers."""
    return np.unique(case_keys(cohort), return_inverse=True)[1]


def _case_key(item: Item) -> str:
    if item.study:
        return f"study:{item.patient or ''}:{item.study}"
    return item_key(item)


def item_key(item: Item) -> str:
    """What tells a scan from every other."""
    source = item.source
    cut = "" if source.slice_index is None else f":z{source.slice_index}"
    return f"file:{Path(source.path).resolve()}:{source.series or ''}:{source.part or ''}:{source.index}{cut}"


class Kept:
    """Cases that were read already, for the next who asks for them; no more than fit into so many bytes.

    Args:
        wanted: Keys of the cases that will be asked for.
    """

    def __init__(self, wanted: Container[str], most_bytes: int = BYTES_KEPT) -> None:
        self.wanted, self.room = wanted, most_bytes
        self.cases: dict[str, list[Opened]] = {}

    def put(self, case: Case, scans: list[Opened]) -> None:
        """Keep a case if it will be asked for and there is room."""
        size = sum(scan.nbytes for scan in scans)
        if case.key in self.wanted and size <= self.room:
            self.cases[case.key] = scans
            self.room -= size

    def take(self, case: Case) -> list[Opened] | None:
        """The scans of a case, once."""
        return self.cases.pop(case.key, None)


def opened(
    cases: Sequence[Case],
    profile: Profile,
    *,
    jobs: int,
    detector: Detector | None = None,
    kept: Kept | None = None,
) -> Iterator[tuple[Case, list[Opened]]]:
    """Each case with its scans read and prepared, in order, a few cases ahead of the one in use.

    A scan that cannot be read, or that the detector cannot judge, comes with its error and stops nothing. What is
    `kept` is not read again.

    Args:
        jobs: Threads at work, the caller's own among them.
    """

    def work(case: Case) -> list[Opened]:
        known = None if kept is None else kept.take(case)
        return [open_item(item, profile, detector) for item in case.items] if known is None else known

    ready = ahead(work, cases, jobs=jobs - 1, most=MOST_AHEAD, bytes_of=_bytes, most_bytes=BYTES_AHEAD)
    yield from zip(cases, ready, strict=True)


def open_item(item: Item, profile: Profile, detector: Detector | None = None) -> Opened:
    """Read and prepare one scan for a detector; an error of ours becomes a sentence."""
    if is_slide(item.source):
        return Opened(item, None, error=f"{item.source.path}: a whole slide; examine reads it tile by tile, only there")
    try:
        scan = read(item.source)
        images = tuple(prepare(scan, profile))
        if detector is not None:
            _check_content(detector, images, item)
        return Opened(item, scan, images)
    except HalescanError as error:
        return Opened(item, None, error=str(error))


def _check_content(detector: Detector, images: Sequence[Prepared], item: Item) -> None:
    """Refuse, by its path, a scan that the detector cannot judge."""
    try:
        detector.check_content(np.stack([image.image for image in images]))
    except ShapeError as error:
        raise ShapeError(f"{item.source.path}: {error}") from error


def _bytes(case: Case) -> int:
    """Size of a case's files on disk."""
    return sum(file.stat().st_size for item in case.items for file in item.source.files if file.exists())
