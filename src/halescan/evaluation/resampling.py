"""Bootstrap over patients: whole patients are drawn again and again, within their class, so that both classes stay."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from halescan.errors import SettingError, ShapeError

_CELLS = 2_000_000  # weights held at once: 16 MB of float64


class Ranking:
    """Labelled scores sorted once, ready to be weighed by how often each patient was drawn.

    Args:
        labels: `(n,)` bool, True is abnormal.
        scores: `(n,)` larger is stranger.
        members: `(n,)` number of each case's patient.
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray, members: np.ndarray) -> None:
        order = np.argsort(scores, kind="stable")
        ranked = scores[order]
        self.starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        self.labels = labels[order]
        self.members = members[order]
        self.distinct = ranked[self.starts]

    def weigh(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights `(d, k)` of abnormal and healthy cases at each distinct score, for draws `counts (d, patients)`."""
        weights = counts[:, self.members].astype(np.float64)
        abnormal = weights * self.labels
        return self._merge_ties(abnormal), self._merge_ties(weights - abnormal)

    def _merge_ties(self, weights: np.ndarray) -> np.ndarray:
        if len(self.starts) == weights.shape[1]:
            return weights
        return np.add.reduceat(weights, self.starts, axis=1)


def number_groups(groups: Sequence[Any] | np.ndarray | None, count: int) -> np.ndarray:
    """Patients as numbers `(count,)` from 0; without groups, and where one is None, a case is a patient of its own.

    Raises:
        ShapeError: if there are not as many groups as cases.
    """
    if groups is None:
        return np.arange(count)
    if len(groups) != count:
        raise ShapeError(f"{len(groups)} groups for {count} cases; expected one a case")
    names = [("alone", str(place)) if name is None else ("named", str(name)) for place, name in enumerate(groups)]
    numbers: dict[tuple[str, str], int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)


def strata_of(labels: np.ndarray, members: np.ndarray) -> list[np.ndarray]:
    """Patients with only healthy cases, with only abnormal ones, and with both: three lists of patient numbers."""
    patients = int(members.max()) + 1 if len(members) else 0
    abnormal = np.bincount(members[labels], minlength=patients) > 0
    healthy = np.bincount(members[~labels], minlength=patients) > 0
    return [
        np.flatnonzero(healthy & ~abnormal),
        np.flatnonzero(abnormal & ~healthy),
        np.flatnonzero(healthy & abnormal),
    ]


def can_resample(strata: list[np.ndarray]) -> bool:
    """Whether each class rests on at least two patients: of one alone nothing can be said about others."""
    healthy, abnormal, both = (len(part) for part in strata)
    return healthy + both >= 2 and abnormal + both >= 2


def resample(strata: list[np.ndarray], *, cells: int, seed: int, draws: int) -> Iterator[np.ndarray]:
    """How often each patient is drawn, in blocks `(d, patients)`, d chosen so that d x `cells` stays small.

    Raises:
        SettingError: on fewer than 100 draws, too few for a 95 % interval.
    """
    if draws < 100:
        raise SettingError(f"draws is {draws}, expected at least 100; 1000 is usual")
    random = np.random.default_rng(seed)
    patients = sum(len(part) for part in strata)
    block = max(1, _CELLS // max(cells, patients, 1))
    for start in range(0, draws, block):
        counts = np.zeros((min(block, draws - start), patients), np.int32)
        for row in counts:
            for part in strata:
                if len(part):
                    row[part] = np.bincount(random.integers(0, len(part), len(part)), minlength=len(part))
        yield counts


def with_interval(value: float, drawn: np.ndarray) -> dict[str, Any]:
    """A figure with its 95 % percentile interval; draws that gave no figure are left out."""
    usable = drawn[np.isfinite(drawn)]
    if len(usable) == 0:
        return without_interval(value, "no draw gave a figure")
    low, high = np.percentile(usable, [2.5, 97.5])
    return {"value": float(value), "low": float(low), "high": float(high)}


def without_interval(value: float | None, why: str) -> dict[str, Any]:
    """A figure without interval, or no figure at all, and the reason."""
    return {"value": None if value is None else float(value), "low": None, "high": None, "why": why}
