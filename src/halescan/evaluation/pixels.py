"""How well maps find the place: average precision, AUROC and Dice over all pixels of a set, in flat memory.

Pixels of all images are pooled, as MedIAnomaly does (arXiv:2404.04518). We differ in giving intervals over patients and
in marking the best Dice as optimistic, since its threshold is chosen with the masks.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.curves import auroc, average_precision, best_dice
from halescan.evaluation.resampling import (
    can_resample,
    number_groups,
    resample,
    with_interval,
    without_interval,
)

EXACT_PIXELS = 16_000_000
"""Up to here every pixel is kept (5 bytes each) and sorted; beyond, values go to 2^22 bins."""

_DROPPED_BITS = 10  # of the 32 of a float32: sign, exponent and 13 bits of the fraction stay, 1.2e-4 relative
_LEVELS = 2048  # thresholds of the per-patient counts behind the intervals
_FLUSH = 4_000_000  # pixels gathered before they are counted into bins


def pixel_metrics(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    threshold: float | None = None,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, Any]:
    """Figures over all pixels of `(map, mask)` pairs, read one at a time: average precision, AUROC, Dice.

    Up to `EXACT_PIXELS` pixels the values are exact. Beyond, values closer than 1.2e-4 of their size count as ties:
    AUROC is then off by at most half the share of (abnormal, healthy) pairs that are so close, usually below 1e-5;
    `"exact"` says which it was. Intervals are a bootstrap over patients on 2048 thresholds.

    Args:
        pairs: Maps with masks of the same shape, any number of axes; a mask is True or non-zero inside a lesion, and
            empty for a healthy image.
        threshold: Also give the Dice of `map >= threshold`, a threshold found without these masks.
        groups: Patient of each pair; None makes each pair a patient.
        draws: Bootstrap draws, at least 100.

    Returns:
        `average_precision`, `auroc`, `best_dice` (`"optimistic": True`, with its `"threshold"`), `dice` if a threshold
        was given, `pixels`, `abnormal_pixels`, `images`, `exact`. Without abnormal (or without healthy) pixels values
        are None, with `"why"`.

    Raises:
        ShapeError: if a mask has another shape than its map, or there are not as many groups as pairs.
        SettingError: on a map that holds NaN or infinity.
    """
    tally = PixelTally(threshold=threshold)
    for scores, mask in pairs:
        tally.add(scores, mask)
    return tally.figures(groups=groups, seed=seed, draws=draws)


class PixelTally:
    """Counts pixels by their value, image by image, for those who cannot hand over all pairs at once."""

    def __init__(self, *, threshold: float | None = None, exact_pixels: int = EXACT_PIXELS) -> None:
        self.threshold = threshold
        self.exact_pixels = exact_pixels
        self.pixels = 0
        self.abnormal = 0
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting_pixels = 0
        self._bins: np.ndarray | None = None  # (2, 2^22) healthy and abnormal pixels by value
        self._levels: np.ndarray | None = None  # thresholds of the per-image counts, fixed once bins are in use
        self._per_image: list[np.ndarray] = []  # (2, _LEVELS + 1) each
        self._at_threshold: list[tuple[int, int, int]] = []  # hits, marked, inside

    def add(self, scores: np.ndarray, mask: np.ndarray) -> None:
        """Count one map `(*grid)` with its mask."""
        if scores.shape != mask.shape:
            raise ShapeError(
                f"a map has shape {scores.shape} and its mask {mask.shape}; bring the mask onto the map's grid"
            )
        values = np.ascontiguousarray(scores, np.float32).ravel() + np.float32(0)  # -0 becomes 0
        inside = np.ascontiguousarray(mask).ravel() != 0
        if not np.isfinite(values).all():
            raise SettingError("a map holds NaN or infinite pixels; expected a finite map from the detector")
        if self.threshold is not None:
            marked = values >= np.float32(self.threshold)
            self._at_threshold.append((int((marked & inside).sum()), int(marked.sum()), int(inside.sum())))
        self.pixels += values.size
        self.abnormal += int(inside.sum())
        self._waiting.append((values, inside))
        self._waiting_pixels += values.size
        if self.pixels > self.exact_pixels and (self._bins is None or self._waiting_pixels > _FLUSH):
            self._empty_into_bins()

    def figures(self, *, groups: Sequence[Any] | None = None, seed: int = 0, draws: int = 1000) -> dict[str, Any]:
        """All figures over what was added; see `pixel_metrics`."""
        exact = self._bins is None
        if not exact:
            self._empty_into_bins()
        images = len(self._waiting) if exact else len(self._per_image)
        members = number_groups(groups, images)
        record: dict[str, Any] = {
            "images": images,
            "pixels": self.pixels,
            "abnormal_pixels": self.abnormal,
            "exact": exact,
        }
        names = ["average_precision", "auroc", "best_dice"] + ["dice"] * (self.threshold is not None)
        if not 0 < self.abnormal < self.pixels:
            why = (
                "no pixels" if self.pixels == 0 else "no abnormal pixels" if self.abnormal == 0 else "no healthy pixels"
            )
            record |= {name: without_interval(None, why) for name in names}
        else:
            values, positives, negatives = self._sorted() if exact else self._sorted_bins()
            found = _measure(positives, negatives)
            record |= self._with_intervals(found, values, members, seed=seed, draws=draws)
            _, place = best_dice(positives, negatives)
            record["best_dice"]["threshold"] = float(values[int(place)])
        record["best_dice"]["optimistic"] = True
        return record

    def _sorted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distinct values with their abnormal and healthy pixels, exactly."""
        values = np.concatenate([pair[0] for pair in self._waiting])
        inside = np.concatenate([pair[1] for pair in self._waiting])
        # Both arrays in one sort: the label rides on the lowest bit of a 64-bit key.
        keys = (_ordered(values).astype(np.uint64) << np.uint64(1)) | inside
        del values, inside
        keys.sort()
        inside, ranks = (keys & np.uint64(1)).astype(bool), (keys >> np.uint64(1)).astype(np.uint32)
        starts = np.flatnonzero(np.concatenate([[True], ranks[1:] != ranks[:-1]]))
        positives = np.add.reduceat(inside, starts, dtype=np.int64)
        return _unordered(ranks[starts]), positives, np.diff(np.append(starts, ranks.size)) - positives

    def _sorted_bins(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `_sorted`, by bins."""
        assert self._bins is not None
        used = np.flatnonzero(self._bins.any(axis=0))
        values = _unordered(used.astype(np.uint32) << np.uint32(_DROPPED_BITS))
        return values, self._bins[1, used], self._bins[0, used]

    def _empty_into_bins(self) -> None:
        """Count what waits into the bins and forget it."""
        if self._bins is None:
            self._bins = np.zeros((2, 1 << (32 - _DROPPED_BITS)), np.int64)
            self._levels = self._choose_levels()
        for values, inside in self._waiting:
            self._per_image.append(self._count(values, inside))
        if self._waiting:
            keys = np.concatenate([_ordered(pair[0]) for pair in self._waiting]) >> np.uint32(_DROPPED_BITS)
            inside = np.concatenate([pair[1] for pair in self._waiting])
            for label in (0, 1):
                self._bins[label] += np.bincount(keys[inside == label], minlength=self._bins.shape[1])
        self._waiting, self._waiting_pixels = [], 0

    def _choose_levels(self) -> np.ndarray:
        """Thresholds at equal steps of the abnormal and of all pixels seen so far: fine where the curves bend."""
        values = np.concatenate([pair[0] for pair in self._waiting])
        inside = np.concatenate([pair[1] for pair in self._waiting])
        steps = np.linspace(0, 1, _LEVELS // 2)
        parts = [np.quantile(part, steps) for part in (values[inside], values[~inside]) if part.size]
        # The highest healthy pixels decide the precision: more thresholds up there.
        tail = np.quantile(values, 1 - np.logspace(-6, 0, _LEVELS // 2))
        return np.unique(np.concatenate([*parts, tail]).astype(np.float32))

    def _count(self, values: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Healthy and abnormal pixels `(2, levels + 1)` of one image between the thresholds."""
        assert self._levels is not None
        place = np.searchsorted(self._levels, values, side="right")
        both = np.bincount(place + inside * (len(self._levels) + 1), minlength=2 * (len(self._levels) + 1))
        return both.reshape(2, -1).astype(np.int32)

    def _with_intervals(
        self, found: dict[str, float], values: np.ndarray, members: np.ndarray, *, seed: int, draws: int
    ) -> dict[str, Any]:
        """Intervals by resampling patients; their thresholds are coarser, so each interval moves to its exact value."""
        if self._levels is None:
            self._levels = self._choose_levels()
        images = self._per_image or [self._count(*pair) for pair in self._waiting]
        per_patient = np.zeros((int(members.max()) + 1, 2, len(self._levels) + 1))
        np.add.at(per_patient, members, np.stack(images))
        marked = np.zeros((len(per_patient), 3))
        if self._at_threshold:
            np.add.at(marked, members, np.asarray(self._at_threshold, float))
            found["dice"] = float(_dice(marked.sum(axis=0)))
        ill = per_patient[:, 1].sum(axis=1) > 0
        strata = [np.flatnonzero(~ill), np.flatnonzero(ill), np.zeros(0, int)]
        # A patient with a lesion has healthy pixels too, so patients without lesions are not needed.
        if not can_resample([np.zeros(0, int), np.zeros(0, int), strata[1]]):
            return {
                name: without_interval(value, "fewer than two patients with lesions: no interval")
                for name, value in found.items()
            }
        coarse = _measure(per_patient[:, 1].sum(axis=0), per_patient[:, 0].sum(axis=0))
        drawn: dict[str, list[np.ndarray]] = {name: [] for name in found}
        flat = per_patient.reshape(len(per_patient), -1)
        for counts in resample(strata, cells=flat.shape[1], seed=seed, draws=draws):
            weights = (counts.astype(float) @ flat).reshape(len(counts), 2, -1)
            for name, value in _measure_many(weights[:, 1], weights[:, 0]).items():
                drawn[name].append(np.clip(value + found[name] - coarse[name], 0, 1))
            if "dice" in found:
                drawn["dice"].append(_dice((counts @ marked).T))
        return {name: with_interval(value, np.concatenate(drawn[name])) for name, value in found.items()}


def _measure_many(positives: np.ndarray, negatives: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "average_precision": average_precision(positives, negatives),
        "auroc": auroc(positives, negatives),
        "best_dice": best_dice(positives, negatives)[0],
    }


def _measure(positives: np.ndarray, negatives: np.ndarray) -> dict[str, float]:
    as_floats = (positives.astype(float), negatives.astype(float))  # counts squared overflow integers
    return {name: float(value) for name, value in _measure_many(*as_floats).items()}


def _dice(counts: np.ndarray) -> np.ndarray:
    """Dice from hits, marked and inside (first axis)."""
    hits, marked, inside = counts
    return 2 * hits / np.maximum(marked + inside, 1)


def _ordered(values: np.ndarray) -> np.ndarray:
    """float32 as uint32 that sort alike: flip all bits of negatives, the sign bit of the others."""
    bits = values.view(np.uint32)
    return np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(1 << 31))


def _unordered(keys: np.ndarray) -> np.ndarray:
    """The way back of `_ordered`."""
    keys = keys.astype(np.uint32)
    bits = np.where(keys >> np.uint32(31), keys & np.uint32(0x7FFFFFFF), ~keys)
    return bits.view(np.float32)
