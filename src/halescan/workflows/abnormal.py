"""Abnormal: labelled examples for the methods that learn from them, none of a patient who chooses or calibrates."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from halescan.data.dataset import CohortImages
from halescan.data.table import Cohort, read_cohort
from halescan.detectors import Detector
from halescan.errors import SettingError, TrainingError
from halescan.training.run import Run
from halescan.types import Images, JoinedImages
from halescan.workflows.healthy import content_digests


@dataclass(frozen=True, eq=False)
class Abnormal:
    """Abnormal training scans, prepared.

    Args:
        cohort: The scans.
        images: Their images.
        healthy: The healthy scans beside them.
    """

    cohort: Cohort
    images: CohortImages
    healthy: Cohort

    def apart_from(self, held: np.ndarray) -> np.ndarray:
        """Places of the images of which none shows a patient, or near-duplicates that stand in for one, held apart.

        Args:
            held: Names of units of the healthy scans.
        """
        first = len(self.healthy)
        units = self._units
        theirs = units[:first][np.isin(self.healthy.groups(), held)]
        return np.flatnonzero(~np.isin(units[first:], theirs)[self.images.item_of])

    @cached_property
    def _units(self) -> np.ndarray:
        """`(n,)` unit of every scan, the healthy ones first: told apart over both at once, as one patient has both."""
        both = replace(self.healthy, items=self.healthy.items + self.cohort.items)
        return np.asarray(both.groups())

    def record(self) -> dict[str, Any]:
        """What a model says of them."""
        return {"summary": self.cohort.summary(), "images": len(self.images), "scans": len(self.cohort)}


def abnormal_cohort(
    learner: Detector, healthy: Path, abnormal: Path | None, table: Path | None, split: str | None
) -> Cohort | None:
    """The abnormal scans a method learns from; None for the methods that learn from healthy ones alone.

    Args:
        abnormal: Where they lie; what nobody labelled there is taken to be abnormal. None: those that the table or
            layout of the healthy place calls abnormal, and of a whole data set only those of its training part.

    Raises:
        SettingError: if they are given to a method that uses none.
        TrainingError: if there are none, though the method needs them.
    """
    if not learner.needs_abnormal:
        if abnormal is not None:
            raise SettingError(f"{learner.name} learns from healthy scans alone; leave --abnormal out")
        return None
    if abnormal is not None:
        cohort = read_cohort(abnormal, label="abnormal", split=split, prefer=("train",))
    else:
        whole = read_cohort(healthy, table=table, split=split, prefer=("train",))
        cohort = whole.subset([n for n, item in enumerate(whole.items) if item.label == "abnormal"])
    if not cohort.items:
        where = f"{abnormal} holds none" if abnormal is not None else f"nothing at {healthy} is called abnormal"
        raise TrainingError(
            f"{learner.name} learns from abnormal scans too, and {where}. Give training scans that readers called "
            "abnormal with --abnormal FOLDER, or a table whose label column names them"
        )
    return cohort


def check_apart(healthy: Cohort, abnormal: Cohort) -> None:
    """Refuse scans that are called both.

    Raises:
        TrainingError: if there are any.
    """
    both = set(content_digests(healthy)) & set(content_digests(abnormal))
    if both:
        raise TrainingError(f"{len(both)} scans are called healthy and abnormal alike; let each have one label")


def fit(
    detector: Detector, learned: Images, *, check: Images | None, held: np.ndarray, abnormal: Abnormal | None, run: Run
) -> Detector:
    """Learn from healthy images and, where there are some, from abnormal ones.

    Args:
        held: Names of the patients that are kept apart: their abnormal images are left out as well.

    Raises:
        TrainingError: if all abnormal images are theirs.
    """
    if abnormal is None:
        return detector.fit(learned, check=check, run=run)
    kept = abnormal.apart_from(held)
    if not len(kept):
        raise TrainingError(
            f"every abnormal scan is of a patient whose healthy scans calibrate {detector.name}; "
            "give abnormal scans of other patients with --abnormal"
        )
    both = JoinedImages(learned, abnormal.images.subset(kept))
    return detector.fit(both, check=check, labels=np.arange(len(both)) >= len(learned), run=run)
