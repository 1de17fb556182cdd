"""How well maps find the place: average precision, AUROC, AUPRO and Dice over all pixels of a set, in flat memory.

Pixels of all images are pooled, as MedIAnomaly does (arXiv:2404.04518). We differ in giving intervals over patients and
in marking the best Dice as optimistic, since its threshold is chosen with the masks.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.aupro import aupro, region_weights
from halescan.evaluation.curves import auroc, average_precision, best_dice
from halescan.evaluation.resampling import can_resample, resample, with_interval, without_interval

EXACT_PIXELS = 16_000_000
"""Up to here every pixel is kept (5 bytes each) and sorted; beyond, values go to 2^22 bins."""

_DROPPED_BITS = 10  # of the 32 of a float32: sign, exponent and 13 bits of the fraction stay, 1.2e-4 relative
_BINS = 1 << (32 - _DROPPED_BITS)
_LEVELS = 2048  # thresholds of the per-patient counts behind the intervals
_UNITS = 1000  # patients counted one by one behind the intervals; more share a place, so that memory stays flat
_FLUSH = 4_000_000  # pixels gathered before they are counted into bins
_SAMPLED = 2_000_000  # pixels the thresholds are chosen from

Waiting = tuple[np.ndarray, np.ndarray, np.ndarray, int]  # values, inside, weights of the inside ones, unit


def pixel_metrics(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    threshold: float | None = None,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, Any]:
    """Figures over all pixels of `(map, mask)` pairs, read one at a time: average precision, AUROC, AUPRO, Dice.

    Up to `EXACT_PIXELS` pixels the values are exact. Beyond, values closer than 1.2e-4 of their size count as ties:
    AUROC is then off by at most half the share of (abnormal, healthy) pairs that are so close, usually below 1e-5;
    `"exact"` says which it was. Intervals are a bootstrap over patients on 2048 thresholds; more than 1000 patients are
    drawn in 1000 parcels of several.

    Args:
        pairs: Maps with masks of the same shape, any number of axes; a mask is True or non-zero inside a lesion, and
            empty for a healthy image.
        threshold: Also give the Dice of `map >= threshold`, a threshold found without these masks.
        groups: Patient of each pair; None makes each pair a patient.
        draws: Bootstrap draws, at least 100.

    Returns:
        `average_precision`, `auroc`, `aupro` (see `aupro.py`), `best_dice` (`"optimistic": True`, with its
        `"threshold"`), `dice` if a threshold was given, `pixels`, `abnormal_pixels`, `regions` (lesions), `images`,
        `exact`. Without abnormal (or without healthy) pixels values are None, with `"why"`.

    Raises:
        ShapeError: if a mask has another shape than its map, or there are not as many groups as pairs.
        SettingError: on a map that holds NaN or infinity.
    """
    tally = PixelTally(threshold=threshold)
    for place, (scores, mask) in enumerate(pairs):
        tally.add(scores, mask, patient=None if groups is None or place >= len(groups) else groups[place])
    if groups is not None and len(groups) != tally.images:
        raise ShapeError(f"{len(groups)} groups for {tally.images} cases; expected one a case")
    return tally.figures(seed=seed, draws=draws)


class PixelTally:
    """Counts pixels by their value, image by image, for those who cannot hand over all pairs at once."""

    def __init__(self, *, threshold: float | None = None, exact_pixels: int = EXACT_PIXELS) -> None:
        self.threshold = threshold
        self.exact_pixels = exact_pixels
        self.images = self.pixels = self.abnormal = self.regions = 0
        self._patients: dict[Any, int] = {}
        self._waiting: list[Waiting] = []
        self._waiting_pixels = 0
        self._bins: np.ndarray | None = None  # (3, 2^22) healthy, abnormal, and weights of abnormal pixels by value
        self._level_of: np.ndarray | None = None  # (2^22,) place of each bin among the thresholds of the units' counts
        self._units: list[np.ndarray] = []  # as the bins, (3, thresholds + 1) each
        self._marked: list[np.ndarray] = []  # hits, marked, inside: (3,) each

    def add(self, scores: np.ndarray, mask: np.ndarray, *, patient: Any = None) -> None:
        """Count one map `(*grid)` with its mask; without a patient it is one of its own."""
        if scores.shape != mask.shape:
            raise ShapeError(
                f"a map has shape {scores.shape} and its mask {mask.shape}; bring the mask onto the map's grid"
            )
        values = np.ascontiguousarray(scores, np.float32).ravel() + np.float32(0)  # -0 becomes 0
        if not np.isfinite(values).all():
            raise SettingError("a map holds NaN or infinite pixels; expected a finite map from the detector")
        truth = np.ascontiguousarray(mask) != 0
        weights, regions = region_weights(truth)
        unit, inside = self._unit(patient), truth.ravel()
        if self.threshold is not None:
            marked = values >= np.float32(self.threshold)
            self._marked[unit] += [np.count_nonzero(marked & inside), np.count_nonzero(marked), len(weights)]
        self.images += 1
        self.pixels += values.size
        self.abnormal += len(weights)
        self.regions += regions
        self._waiting.append((values, inside, weights, unit))
        self._waiting_pixels += values.size
        if self.pixels > self.exact_pixels and (self._bins is None or self._waiting_pixels > _FLUSH):
            self._empty_into_bins()

    def figures(self, *, seed: int = 0, draws: int = 1000) -> dict[str, Any]:
        """All figures over what was added; see `pixel_metrics`."""
        exact = self._bins is None
        if not exact:
            self._empty_into_bins()
        record: dict[str, Any] = {
            "images": self.images,
            "pixels": self.pixels,
            "abnormal_pixels": self.abnormal,
            "regions": self.regions,
            "exact": exact,
        }
        names = [*_NAMES] + ["dice"] * (self.threshold is not None)
        if not 0 < self.abnormal < self.pixels:
            why = (
                "no pixels" if self.pixels == 0 else "no abnormal pixels" if self.abnormal == 0 else "no healthy pixels"
            )
            record |= {name: without_interval(None, why) for name in names}
        else:
            values, counts = self._sorted() if exact else self._sorted_bins()
            record |= self._with_intervals(_measure(counts), seed=seed, draws=draws)
            record["best_dice"]["threshold"] = float(values[int(best_dice(counts[1], counts[0])[1])])
        record["best_dice"]["optimistic"] = True
        return record

    def _unit(self, patient: Any) -> int:
        """Place of a patient among the counts behind the intervals."""
        name = ("alone", self.images) if patient is None else ("named", str(patient))
        unit = self._patients.setdefault(name, len(self._patients)) % _UNITS
        if unit == len(self._marked):
            self._marked.append(np.zeros(3))
        return unit

    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct values, ascending, with their healthy and abnormal pixels and weights `(3, k)`, exactly."""
        values = np.concatenate([image[0] for image in self._waiting])
        inside = np.concatenate([image[1] for image in self._waiting])
        weights = np.concatenate([image[2] for image in self._waiting])
        own = _ordered(values[inside])
        # Both arrays in one sort: the label rides on the lowest bit of a 64-bit key.
        keys = (_ordered(values).astype(np.uint64) << np.uint64(1)) | inside
        del values, inside
        keys.sort()
        inside, ranks = (keys & np.uint64(1)).astype(bool), (keys >> np.uint64(1)).astype(np.uint32)
        starts = np.flatnonzero(np.concatenate([[True], ranks[1:] != ranks[:-1]]))
        positives = np.add.reduceat(inside, starts, dtype=np.int64)
        negatives = np.diff(np.append(starts, ranks.size)) - positives
        places = np.searchsorted(ranks[starts], own)
        weighted = np.bincount(places, weights=weights, minlength=len(starts))
        return _unordered(ranks[starts]), np.stack([negatives, positives, weighted])

    def _sorted_bins(self) -> tuple[np.ndarray, np.ndarray]:
        """As `_sorted`, by bins."""
        assert self._bins is not None
        used = np.flatnonzero((self._bins[0] > 0) | (self._bins[1] > 0))
        return _unordered(used.astype(np.uint32) << np.uint32(_DROPPED_BITS)), self._bins[:, used]

    def _empty_into_bins(self) -> None:
        """Count what waits into the bins and forget it."""
        if self._bins is None:
            self._bins = np.zeros((3, _BINS))  # counts in float64 are exact up to 2^53
        for keys, inside, weights in self._count_units():
            self._bins[0] += np.bincount(keys[~inside], minlength=_BINS)
            np.add.at(self._bins[1], keys[inside], 1)
            np.add.at(self._bins[2], keys[inside], weights)
        self._waiting, self._waiting_pixels = [], 0

    def _count_units(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Count what waits for the intervals; and in parts: bins `(n,)`, which are inside, and the weights of those."""
        if self._level_of is None:
            self._level_of = self._choose_levels()
        width = int(self._level_of[-1]) + 1
        for part in _parts(self._waiting):
            keys = np.concatenate([_ordered(image[0]) for image in part]) >> np.uint32(_DROPPED_BITS)
            levels, start = self._level_of[keys], 0
            for values, inside, weights, unit in part:
                while len(self._units) <= unit:
                    self._units.append(np.zeros((3, width)))
                _count(self._units[unit], levels[start : start + values.size], inside, weights)
                start += values.size
            yield keys, np.concatenate([image[1] for image in part]), np.concatenate([image[2] for image in part])

    def _choose_levels(self) -> np.ndarray:
        """Thresholds at equal steps of the abnormal and of all pixels seen so far: fine where the curves bend."""
        every = max(1, self._waiting_pixels // _SAMPLED)
        values = np.concatenate([image[0] for image in self._waiting])[::every]
        inside = np.concatenate([image[1] for image in self._waiting])[::every]
        steps = np.linspace(0, 1, _LEVELS // 2)
        parts = [np.quantile(part, steps) for part in (values[inside], values[~inside]) if part.size]
        # The highest healthy pixels decide the precision: more thresholds up there.
        tail = np.quantile(values, 1 - np.logspace(-6, 0, _LEVELS // 2))
        chosen = np.unique(_ordered(np.concatenate([*parts, tail]).astype(np.float32)) >> np.uint32(_DROPPED_BITS))
        marks = np.zeros(_BINS, np.uint16)
        marks[chosen] = 1
        return np.cumsum(marks, dtype=np.uint16)

    def _with_intervals(self, found: dict[str, float], *, seed: int, draws: int) -> dict[str, Any]:
        """Intervals by resampling patients; their thresholds are coarser, so each interval moves to its exact value."""
        if self._bins is None:
            self._units = []
            for _ in self._count_units():
                pass
        marked = np.stack(self._marked)
        if self.threshold is not None:
            found["dice"] = float(_dice(marked.sum(axis=0)))
        per_unit = np.stack(self._units)
        ill = per_unit[:, 1].sum(axis=1) > 0
        strata = [np.flatnonzero(~ill), np.flatnonzero(ill), np.zeros(0, int)]
        # A patient with a lesion has healthy pixels too, so patients without lesions are not needed.
        if not can_resample([np.zeros(0, int), np.zeros(0, int), strata[1]]):
            return {
                name: without_interval(value, "fewer than two patients with lesions: no interval")
                for name, value in found.items()
            }
        coarse = _measure(per_unit.sum(axis=0))
        drawn: dict[str, list[np.ndarray]] = {name: [] for name in found}
        flat = per_unit.reshape(len(per_unit), -1)
        for counts in resample(strata, cells=flat.shape[1], seed=seed, draws=draws):
            weights = (counts.astype(float) @ flat).reshape(len(counts), 3, -1)
            for name, value in _measure_many(weights.swapaxes(0, 1)).items():
                drawn[name].append(np.clip(value + found[name] - coarse[name], 0, 1))
            if "dice" in found:
                drawn["dice"].append(_dice((counts @ marked).T))
        return {name: with_interval(value, np.concatenate(drawn[name])) for name, value in found.items()}


_NAMES = ("average_precision", "auroc", "aupro", "best_dice")


def _parts(waiting: list[Waiting]) -> Iterator[list[Waiting]]:
    """Images in parts of about a million pixels: what is made of them is let go soon."""
    part: list[Waiting] = []
    size = 0
    for image in waiting:
        part.append(image)
        size += image[0].size
        if size >= _FLUSH // 4:
            yield part
            part, size = [], 0
    if part:
        yield part


def _count(counts: np.ndarray, levels: np.ndarray, inside: np.ndarray, weights: np.ndarray) -> None:
    """Add one image to the counts `(3, k)` of its patient."""
    width = counts.shape[1]
    counts[0] += np.bincount(levels, minlength=width)
    if len(weights):
        own = levels[inside]
        ill = np.bincount(own, minlength=width)
        counts[0] -= ill
        counts[1] += ill
        counts[2] += np.bincount(own, weights=weights, minlength=width)


def _measure_many(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Every figure from `(3, ..., k)` healthy and abnormal pixels and weights."""
    negatives, positives, weights = counts
    return {
        "average_precision": average_precision(positives, negatives),
        "auroc": auroc(positives, negatives),
        "aupro": aupro(weights, negatives),
        "best_dice": best_dice(positives, negatives)[0],
    }


def _measure(counts: np.ndarray) -> dict[str, float]:
    as_floats = counts.astype(float)  # counts squared overflow integers
    return {name: float(value) for name, value in _measure_many(as_floats).items()}


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
