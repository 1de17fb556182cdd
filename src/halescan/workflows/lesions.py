"""Lesions and findings of a scan, matched: which lesion did which finding hit, and which findings hit none?"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import ndimage

from halescan.evaluation.froc import LesionTally
from halescan.scoring.findings import Region, longest_diameter, regions

OVERLAP = "a finding hits a lesion if they share a voxel"
PEAK = "a finding hits a lesion if its peak lies in it"


@dataclass
class _Matched:
    """By one rule: the best finding on each lesion of a case (None: missed), and the findings that hit none."""

    found: list[float | None] = field(default_factory=list)
    false: list[float] = field(default_factory=list)

    def add(self, lesions: int, hits: Sequence[tuple[Region, set[int]]]) -> None:
        """The findings of one scan, each with the lesions (1, 2, ...) that it hits."""
        best: list[float | None] = [None] * lesions
        for region, numbers in hits:
            if not numbers:
                self.false.append(region.peak)
            for number in numbers:
                before = best[number - 1]
                best[number - 1] = region.peak if before is None else max(before, region.peak)
        self.found += best


@dataclass
class CaseLesions:
    """The lesions of one case and what was found of them."""

    sizes_mm: list[float | None] = field(default_factory=list)
    sizes_px: list[float] = field(default_factory=list)
    overlap: _Matched = field(default_factory=_Matched)
    peak: _Matched = field(default_factory=_Matched)
    covered: list[float] = field(default_factory=list)

    def add(
        self,
        strangeness: np.ndarray,
        truth: np.ndarray,
        *,
        threshold: float,
        mask: np.ndarray | None = None,
        spacing_mm: tuple[float, ...] | None = None,
        min_diameter_mm: float = 0.0,
        min_diameter_px: float = 0.0,
    ) -> None:
        """Match the regions where a map `(*grid)` reaches the threshold with the regions of a mask of its shape.

        Findings are those that `examine` would look at: inside the mask of the profile and not too small.
        """
        found, _ = regions(
            strangeness,
            threshold=threshold,
            mask=mask,
            spacing_mm=spacing_mm,
            min_diameter_mm=min_diameter_mm,
            min_diameter_px=min_diameter_px,
        )
        labels, count = _labelled(truth)
        for number, box in enumerate(ndimage.find_objects(labels, max_label=count), start=1):
            inside = labels[box] == number
            size_px = longest_diameter(inside, (1.0,) * truth.ndim)
            self.sizes_px.append(size_px)
            self.sizes_mm.append(None if spacing_mm is None else _in_mm(inside, size_px, spacing_mm))
        self.overlap.add(count, [(region, _touched(labels, region)) for region in found])
        self.peak.add(count, [(region, {int(labels[region.peak_index])} - {0}) for region in found])
        self.covered.append(sum(region.voxels for region in found) / max(strangeness.size, 1))


class LesionCounts:
    """The lesions of all cases, in little memory; sizes are in mm where every scan knows its spacing."""

    def __init__(self) -> None:
        self.overlap, self.peak = LesionTally(), LesionTally()
        self._sizes_mm = array("d")
        self._covered = array("d")

    @property
    def cases(self) -> int:
        """Number of cases counted."""
        return len(self.overlap.patients)

    def add(self, case: CaseLesions, *, patient: Any) -> None:
        """Count one case."""
        sizes = case.sizes_px
        self.overlap.add(sizes=sizes, found=case.overlap.found, false=case.overlap.false, patient=patient)
        self.peak.add(sizes=sizes, found=case.peak.found, false=case.peak.false, patient=patient)
        self._sizes_mm.extend(math.nan if size is None else size for size in case.sizes_mm)
        self._covered.extend(case.covered)

    def record(self, *, bands: Sequence[float] | None = None, seed: int = 0, draws: int = 1000) -> dict[str, Any]:
        """Figures as `froc.LesionTally.figures` by overlap, and `by_peak`.

        `covered` is the mean share of a scan that findings cover: findings as large as the scan hit every lesion by
        overlap, and say nothing.
        """
        in_mm = bool(np.isfinite(self._sizes_mm).all()) if len(self._sizes_mm) else False
        overlap, peak = (
            replace(tally, sizes=self._sizes_mm) if in_mm else tally for tally in (self.overlap, self.peak)
        )
        return {
            "hit": OVERLAP,
            "size_unit": "mm" if in_mm else "pixels",
            "size": "longest diameter",
            "covered": float(np.mean(self._covered)) if len(self._covered) else None,
            **overlap.figures(bands=bands, seed=seed, draws=draws),
            "by_peak": {"hit": PEAK, **peak.figures(bands=bands, seed=seed, draws=draws)},
        }


def _labelled(truth: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers of the lesions `(*grid)` from 1, and how many; voxels that touch by a corner belong together."""
    if not truth.any():
        return np.zeros(truth.shape, np.int32), 0
    return ndimage.label(truth, structure=np.ones((3,) * truth.ndim, bool))


def _in_mm(inside: np.ndarray, size_px: float, spacing_mm: tuple[float, ...]) -> float:
    """Longest diameter; the same on a grid of equal steps, only in another unit."""
    equal = min(spacing_mm) == max(spacing_mm)
    return size_px * spacing_mm[0] if equal else longest_diameter(inside, spacing_mm)


def _touched(labels: np.ndarray, region: Region) -> set[int]:
    """Numbers of the lesions that share a voxel with a region."""
    numbers = labels[tuple(slice(start, stop) for start, stop in region.box)][region.inside]
    return set(numbers[numbers > 0].tolist())
