"""Matching: as many healthy slices as abnormal ones at every height, so that height alone tells nothing."""

import hashlib
from collections.abc import Sequence

import numpy as np

_BINS = 20  # of the height of the volume: 5 % each


def matched(heights: Sequence[float], abnormal: Sequence[bool], names: Sequence[str]) -> np.ndarray:
    """Which slices to keep, `(n,)` bool.

    The height is cut into twenty; in each part as many healthy as abnormal slices stay as there are of the fewer. Which
    ones follows from a hash of their names, so that the same data give the same slices.

    Args:
        heights: Place of each slice in its volume, in [0, 1].
        abnormal: Whether each is abnormal.
        names: A name for each that no other has.
    """
    part = np.minimum((np.asarray(heights, float) * _BINS).astype(int), _BINS - 1)
    sick = np.asarray(abnormal, bool)
    order = np.array([int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) for name in names], np.uint64)
    kept = np.zeros(len(part), bool)
    for one in np.unique(part):
        sides = [np.flatnonzero((part == one) & (sick == side)) for side in (False, True)]
        fewer = min(len(side) for side in sides)
        for side in sides:
            kept[side[np.argsort(order[side], kind="stable")][:fewer]] = True
    return kept


def dealt(names: Sequence[str], share: float) -> set[str]:
    """Which of these patients are tested on: a share of them by a hash, at least one where there are two."""
    ordered = sorted(set(names), key=lambda name: hashlib.sha256(name.encode()).digest())
    return set(ordered[: max(1, round(share * len(ordered)))] if len(ordered) > 1 else [])
