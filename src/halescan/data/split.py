"""Healthy units dealt into learn, choose and calibrate by a hash, so that a newcomer does not move the others."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from halescan.errors import SettingError

CALIBRATE_SHARE = 0.2
CALIBRATE_LEAST = 20  # units: with 20 the strictest rate is 1 in 21, which supports the usual 5 %
CHOOSE_SHARE = 0.1
CHOOSE_LEAST = 5
MOST_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Parts:
    """Positions in the cohort, sorted; no unit is in two parts.

    Args:
        learn: What the detector learns from.
        choose: For the epoch, standardisation and the like; empty in small cohorts.
        calibrate: Touched once, for the false-alarm rate; empty when `folds` stand in.
        folds: Held-out positions of each fold of cross-conformal calibration; together they are the whole cohort.
    """

    learn: np.ndarray
    choose: np.ndarray
    calibrate: np.ndarray
    folds: tuple[np.ndarray, ...] = field(default=())


def split_parts(groups: Sequence[str] | np.ndarray, *, seed: int, choosing: bool = True) -> Parts:
    """Deal a cohort's units (patients, or groups of near-duplicates) into parts.

    Each unit has a number in [0, 1) from a hash of the seed and its name. Below 0.2 it calibrates, from 0.9 on it
    chooses, else it is learned from: adding a unit moves no other, once the shares hold enough units (from about 150).
    Smaller cohorts fill up to 20 calibrating and 5 choosing units with those whose numbers come next. Choosing is left
    out where learning would keep less than half of the units; so is calibrating (below 40 units): then all are learned
    from and `folds` holds up to 5 folds of units, dealt in turn by their numbers.

    Tiny cohorts: of 3 or 2 units each is a fold of its own; of 1 there is nothing to hold out, and no fold.

    Args:
        groups: `(n,)` the name of each image's unit.
        seed: Another seed is another draw.
        choosing: Whether there is anything to choose; without, that part is learned from.

    Raises:
        SettingError: if there are no units.
    """
    names = np.asarray(groups).astype(str)
    if names.size == 0:
        raise SettingError("there are no healthy scans to split; give at least one")
    units, unit_of = np.unique(names, return_inverse=True)
    numbers = np.array([_number(seed, unit) for unit in units])
    order = np.argsort(numbers, kind="stable")
    count = len(units)
    calibrate = max(int((numbers < CALIBRATE_SHARE).sum()), CALIBRATE_LEAST)
    if count - calibrate < math.ceil(count / 2):
        return _folds(order, unit_of)
    choose = max(int((numbers >= 1 - CHOOSE_SHARE).sum()), CHOOSE_LEAST)
    if not choosing or count - calibrate - choose < math.ceil(count / 2):
        choose = 0
    part = np.full(count, 0)
    part[order[count - choose :]] = 1
    part[order[:calibrate]] = 2
    learn, chosen, calibrating = (np.flatnonzero(part[unit_of] == which) for which in range(3))
    return Parts(learn, chosen, calibrating)


def deals_folds(units: int) -> bool:
    """Whether so few units are all learned from, whatever the seed."""
    return units - CALIBRATE_LEAST < math.ceil(units / 2)


def _folds(order: np.ndarray, unit_of: np.ndarray) -> Parts:
    """All for learning, and folds of units dealt in turn."""
    nothing = np.empty(0, dtype=np.intp)
    everything = np.arange(len(unit_of))
    if len(order) < 2:
        return Parts(everything, nothing, nothing)
    number = min(MOST_FOLDS, len(order))
    fold = np.empty(len(order), dtype=np.intp)
    fold[order] = np.arange(len(order)) % number
    held_out = tuple(np.flatnonzero(fold[unit_of] == which) for which in range(number))
    return Parts(everything, nothing, nothing, held_out)


def _number(seed: int, unit: str) -> float:
    """A number in [0, 1) that belongs to a unit's name under this seed."""
    digest = hashlib.sha256(f"{seed}\n{unit}".encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56
