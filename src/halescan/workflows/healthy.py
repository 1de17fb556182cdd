"""Healthy: what a model knows about healthy scans it did not learn from."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from halescan.data.dataset import CohortImages
from halescan.data.grid import resample
from halescan.data.profiles import Profile
from halescan.data.table import Cohort, Item, read_cohort
from halescan.errors import TrainingError
from halescan.io import Source
from halescan.reporting.words import note_sentence
from halescan.scoring.calibration import Calibration
from halescan.scoring.rules import QuantileThreshold
from halescan.scoring.shift import Reference
from halescan.scoring.tail import HealthyTail
from halescan.training.run import Progress
from halescan.workflows.scan_names import told_of_file

SCHEMA = "halescan.healthy/1"
FEW = 5  # scans: nobody learns from fewer what varies in health
ENLARGED = 2.0  # times: more is no matter of a slightly smaller scanner


@dataclass(frozen=True, eq=False)
class Healthy:
    """All that calibration gives.

    Args:
        calibration: Healthy scores and the p-values they give.
        tail: Healthy distribution of the map's values; None without maps.
        reference: What healthy scans look like (intensity, size, header, embedding), to notice a shift.
        rule: The source system's plain rule, a quantile of healthy errors, beside the p-value.
        trivial: Trivial statistics (brightness, contrast, file size ...) of the same images, one row an image.
    """

    calibration: Calibration
    tail: HealthyTail | None
    reference: Reference
    rule: QuantileThreshold
    trivial: tuple[dict[str, float], ...]

    def to_json(self) -> dict[str, Any]:
        """For `calibration.json`."""
        return {
            "schema": SCHEMA,
            "calibration": self.calibration.to_json(),
            "tail": None if self.tail is None else self.tail.to_json(),
            "reference": self.reference.to_json(),
            "rule": self.rule.to_json(),
            "trivial": list(self.trivial),
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Healthy":
        """Back from `calibration.json`."""
        return cls(
            Calibration.from_json(record["calibration"]),
            None if record["tail"] is None else HealthyTail.from_json(record["tail"]),
            Reference.from_json(record["reference"]),
            QuantileThreshold.from_json(record["rule"]),
            tuple(record["trivial"]),
        )


def remarks(cohort: Cohort, images: CohortImages, profile: Profile, learned: np.ndarray) -> list[str]:
    """What a person should know of a cohort, in sentences that name nobody and no file.

    Args:
        learned: Places of the images that are learned from.
    """
    count = len(problems_of(cohort, images))
    return [
        *cohort.remarks,
        *(note_sentence(note, "en") for note in cohort.notes),
        *([f"{count} file{'s' * (count != 1)} could not be used"] if count else []),
        *_few(images, learned),
        *_enlarged(images, profile),
    ]


def problems_of(cohort: Cohort, images: CohortImages) -> tuple[str, ...]:
    """The files that could not be used, by name: for the person at the terminal, never for a model that travels."""
    return tuple(str(problem) for problem in (*cohort.problems, *images.problems))


def _few(images: CohortImages, learned: np.ndarray) -> Iterator[str]:
    """That there is next to nothing to learn from."""
    scans = len(np.unique(images.item_of[learned]))
    if scans < FEW:
        yield f"learned from {scans} scan{'s' * (scans != 1)} only: too few to show how healthy scans vary"


def _enlarged(images: CohortImages, profile: Profile) -> Iterator[str]:
    """That most scans have far fewer pixels than the images made of them, where their size is not set in mm."""
    if profile.spacing_mm is not None:
        return
    known = [row.facts for row in images.rows if {"height", "width"} <= set(row.facts)]
    sides = np.array([(float(facts["height"]), float(facts["width"])) for facts in known]).reshape(-1, 2)
    shown = np.array(profile.size[-2:], float)
    small = (shown / np.maximum(sides, 1)).min(axis=1) > ENLARGED
    if len(sides) and small.mean() > 0.5:
        height, width = np.median(sides[small], axis=0)
        yield (
            f"scans of {height:.0f} × {width:.0f} pixels were enlarged to images of {shown[0]:.0f} × {shown[1]:.0f}: "
            "there is no more to be seen on them. A smaller profile.size takes less time"
        )


def content_digests(cohort: Cohort) -> list[str]:
    """For each scan the first 16 hex digits of the SHA-256 of its (first) file, and its number there; sorted."""
    return sorted(content_digest(item) for item in cohort.items)


def cohort_fingerprint(cohort: Cohort) -> str:
    """SHA-256 over what the scans hold and what is said of them: patient, study, label, mask and lesions."""
    digest = hashlib.sha256()
    for item in cohort.items:
        said = f"{item.patient}:{item.study}:{item.label}:{_mask_digest(item.mask)}"
        places = f":{item.lesions}" if item.lesions else ""
        digest.update(f"{content_digest(item)}:{said}{places}\n".encode())
    return digest.hexdigest()


def content_digest(item: Item) -> str:
    """What tells a scan from another, whatever it is called."""
    source = item.source
    of_many = "" if source.index is None and len(source.files) == 1 else f":{source.index}:{len(source.files)}"
    part = "" if source.part is None or source.index is None else f":{source.part}"
    cut = "" if source.slice_index is None else f":z{source.slice_index}"
    others = "".join(f":{_file_digest(file)[:16]}" for file in source.files[1:]) if source.stacked else ""
    return _file_digest(source.files[0])[:16] + of_many + part + cut + others


def _mask_digest(mask: Path | Source | None) -> str:
    """SHA-256 of a mask's file, and which part of it is meant."""
    if mask is None:
        return ""
    return _file_digest(mask) if isinstance(mask, Path) else f"{_file_digest(mask.files[0])}:{mask.within}"


def _file_digest(path: Path) -> str:
    """SHA-256 of a file; of one that cannot be read, of nothing: it is told about where it is read."""
    try:
        facts = path.stat()
        return _digest_of(path, facts.st_mtime_ns, facts.st_size)
    except OSError:
        return hashlib.sha256().hexdigest()


@lru_cache(maxsize=1024)
def _digest_of(path: Path, changed_ns: int, size: int) -> str:
    """The same, kept for the many scans of one file; a changed file is another one."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unit_numbers(cohort: Cohort, items: np.ndarray) -> tuple[np.ndarray, Literal["case", "patient", "image"]]:
    """The healthy unit `(n,)` that scans, given by their numbers `(n,)`, belong to, and what a unit is.

    A unit is a patient where the scans name one. Where they do not, near-duplicates stand together as one: they are
    most likely the same patient.
    """
    groups = np.unique(np.asarray(cohort.groups())[items], return_inverse=True)[1]
    used = [cohort.items[int(number)] for number in np.unique(items)]
    if all(item.patient for item in used):
        return groups, "patient"
    return groups, "case" if any(item.study for item in used) else "image"


def embedding(pictures: np.ndarray) -> np.ndarray:
    """What images `(n, c, *grid)` look like from afar, as one vector: means over six cells an axis.

    Coarse on purpose: it is to notice another site or protocol (framing, contrast, text burnt in), not a lesion.
    """
    dims = pictures.ndim - 2
    return resample(pictures.mean(axis=0), (6,) * dims).reshape(-1)


def healthy_cohort(path: Path, table: Path | None, split: str | None) -> Cohort:
    """The scans of a folder or table that nobody called abnormal; of a whole data set, those of its training part.

    Raises:
        LayoutError: if the data set has parts, and none is for training.
        TrainingError: if none is left.
    """
    cohort = read_cohort(path, table=table, label="healthy", split=split, prefer=("train",))
    if not cohort.items:
        raise TrainingError(
            f"{path}: no healthy scan found{unreadable(cohort)}. Give a folder of images, volumes or DICOM series"
        )
    return cohort


def unreadable(cohort: Cohort) -> str:
    """How many files could not be read, and why the first: to stand in a sentence about what is missing."""
    if not cohort.problems:
        return ""
    many = f"{len(cohort.problems)} files" if len(cohort.problems) > 1 else "1 file"
    return f"; {many} could not be read, the first: {told_of_file(cohort.problems[0]).rstrip('.')}"


def prepared(
    cohort: Cohort, profile: Profile, folder: Path, *, jobs: int | None, listen: Callable[[Progress], None]
) -> CohortImages:
    """The prepared images of a cohort, in a folder of their own."""

    def tell(done: int, total: int) -> None:
        if done == total or done % 10 == 0:
            listen(Progress("preparing scans", done, total))

    return CohortImages(cohort.items, profile, folder=folder, jobs=jobs or os.cpu_count() or 1, listen=tell)
