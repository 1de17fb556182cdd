"""Lesion by lesion: what share of the lesions is found, at what number of false findings a case?

Source: the curve and its average of LUNA16 (Setio et al. 2017, doi:10.1016/j.media.2017.06.015) at 1/8, 1/4 ... 8 false
findings a case, with straight lines between thresholds, as there and in CAMELYON16 and monai. The best of several
findings on one lesion counts, the others are no false alarms. We differ in the intervals: whole patients are redrawn.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.resampling import number_groups, resample, with_interval, without_interval

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False findings a case at which sensitivity is told."""

_ONE_PATIENT = "fewer than two patients with lesions: no interval"
_DRAWN_POINTS = 400  # of the curve that is kept for the plot


@dataclass
class LesionTally:
    """Gathers, case by case, how strange the best finding on each lesion was, and how strange the false findings."""

    sizes: array = field(default_factory=lambda: array("d"))
    found: array = field(default_factory=lambda: array("d"))  # -inf: missed
    lesion_case: array = field(default_factory=lambda: array("q"))
    false: array = field(default_factory=lambda: array("d"))
    false_case: array = field(default_factory=lambda: array("q"))
    patients: list[Any] = field(default_factory=list)

    def add(
        self,
        *,
        sizes: Sequence[float],
        found: Sequence[float | None],
        false: Sequence[float],
        patient: Any = None,
    ) -> None:
        """Count one case.

        Args:
            sizes: Of each lesion, in any unit.
            found: Score of the strangest finding on each lesion; None where there is none.
            false: Scores of the findings that lie on no lesion.
            patient: None makes the case a patient of its own.

        Raises:
            ShapeError: if there are not as many sizes as lesions.
            SettingError: on scores that are not finite.
        """
        if len(sizes) != len(found):
            raise ShapeError(f"{len(sizes)} sizes for {len(found)} lesions; expected one each")
        scores = [score for score in (*found, *false) if score is not None]
        if not np.isfinite(scores).all():
            raise SettingError("a finding has no finite score; expected the map's value at its peak")
        case = len(self.patients)
        self.patients.append(patient)
        self.sizes.extend(sizes)
        self.found.extend(-np.inf if score is None else score for score in found)
        self.lesion_case.extend([case] * len(found))
        self.false.extend(false)
        self.false_case.extend([case] * len(false))

    def figures(self, *, bands: Sequence[float] | None = None, seed: int = 0, draws: int = 1000) -> dict[str, Any]:
        """Sensitivity at 1/8 to 8 false findings a case, their mean, by size of the lesion, and the curve.

        Args:
            bands: Inner limits between the bands of size, ascending; None takes terciles.
            draws: Bootstrap draws, at least 100.

        Returns:
            `cases`, `lesions`, `false_findings`; `sensitivity_at` by rate and `froc_score`, their mean, both optimistic
            as thresholds are set on these cases; a rate with `"reached": False` lies beyond all findings there are, and
            has the sensitivity of all of them; `at_threshold`, `sensitivity` and `false_findings_per_case` with all
            findings, chosen by nobody here; `by_size`; `curve`. Without lesions values are None, with `"why"`.
        """
        record: dict[str, Any] = {
            "cases": len(self.patients),
            "lesions": len(self.found),
            "false_findings": len(self.false),
        }
        if not self.found:
            why = "no cases" if not self.patients else "no lesions"
            nothing = without_interval(None, why)
            at_threshold = {"sensitivity": nothing, "false_findings_per_case": nothing}
            rates = {_name(rate): {**nothing, "optimistic": True} for rate in RATES}
            score = {**nothing, "optimistic": True}
            return {
                **record,
                "sensitivity_at": rates,
                "froc_score": score,
                "at_threshold": at_threshold,
                "by_size": [],
                "curve": None,
            }
        sweep, bounds = _Sweep(self), self._bands(bands)
        everything, *parts = sweep.told([np.ones(len(self.found), bool), *(part for _, _, part in bounds)], seed, draws)
        return {
            **record,
            **everything,
            "by_size": [
                {"from": low, "to": high, "lesions": int(part.sum()), "sensitivity_at": told["sensitivity_at"]}
                for (low, high, part), told in zip(bounds, parts, strict=True)
            ],
            "curve": sweep.curve(),
        }

    def _bands(self, bands: Sequence[float] | None) -> list[tuple[float | None, float | None, np.ndarray]]:
        """`(from, to, which lesions)`: from is within, to is not; None is open."""
        sizes = np.array(self.sizes)
        limits = np.unique(np.quantile(sizes, [1 / 3, 2 / 3])) if bands is None else np.unique(bands)
        place = np.searchsorted(limits, sizes, side="right")
        edges = [None, *(float(limit) for limit in limits), None]
        found = [(edges[n], edges[n + 1], place == n) for n in range(len(limits) + 1)]
        return [one for one in found if bands is not None or one[2].any()]  # of equal sizes a tercile may be empty


class _Sweep:
    """Lesions and false findings in one order, strictest first, to be weighed by how often each patient was drawn."""

    def __init__(self, tally: LesionTally) -> None:
        found, false = np.array(tally.found), np.array(tally.false)
        lesions, hit = np.arange(len(found)), np.isfinite(found)
        members = number_groups(tally.patients, len(tally.patients))
        self.patients = int(members.max()) + 1
        self.cases = np.bincount(members, minlength=self.patients).astype(float)
        self.owner = members[np.array(tally.lesion_case, np.intp)]  # of each lesion, found or missed
        scores = np.concatenate([found[hit], false])
        order = np.argsort(-scores, kind="stable")
        self.ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, len(scores) > 0))  # last of each score
        self.lesion = np.concatenate([lesions[hit], np.full(len(false), -1)])[order]
        self.who = np.concatenate([self.owner[hit], members[np.array(tally.false_case, np.intp)]])[order]

    def told(self, parts: Sequence[np.ndarray], seed: int, draws: int) -> list[dict[str, Any]]:
        """The figures of some of the lesions `(lesions,)` bool at a time, among all false findings."""
        values = self._measure(parts, np.ones((1, self.patients)))[0]
        ill = np.bincount(self.owner, minlength=self.patients) > 0
        strata = [np.flatnonzero(~ill), np.flatnonzero(ill), np.zeros(0, int)]
        drawn = None
        if ill.sum() >= 2:
            blocks = resample(strata, cells=max(1, (2 + len(parts)) * len(self.who)), seed=seed, draws=draws)
            drawn = np.concatenate([self._measure(parts, counts) for counts in blocks])
        return [
            self._figures(part, values[place], None if drawn is None else drawn[:, place])
            for place, part in enumerate(parts)
        ]

    def curve(self) -> dict[str, list[float]]:
        """Points of the whole curve, thinned."""
        across, ups = self._points([np.ones(len(self.owner), bool)], np.ones((1, self.patients)))
        across, up = across[0], ups[0, 0]
        kept = np.unique(np.linspace(0, len(across) - 1, min(_DRAWN_POINTS, len(across))).astype(int))
        return {"false_findings_per_case": across[kept].tolist(), "sensitivity": up[kept].tolist()}

    def _figures(self, part: np.ndarray, values: np.ndarray, drawn: np.ndarray | None) -> dict[str, Any]:
        if not part.any():
            return _told([without_interval(None, "no lesion of this size")] * len(values))
        if drawn is None or len(np.unique(self.owner[part])) < 2:
            return _told([without_interval(float(value), _ONE_PATIENT) for value in values])
        return _told([with_interval(float(value), column) for value, column in zip(values, drawn.T, strict=True)])

    def _measure(self, parts: Sequence[np.ndarray], counts: np.ndarray) -> np.ndarray:
        """`(d, parts, rates + 3)`: sensitivity at each rate, their mean, and of all findings sensitivity and number."""
        across, ups = self._points(parts, counts)
        at = np.array([[np.interp(RATES, x, up) for up in one] for x, one in zip(across, ups, strict=True)])
        false = np.broadcast_to(across[:, None, -1:], (*at.shape[:2], 1))
        return np.concatenate([at, at.mean(axis=2, keepdims=True), ups[..., -1:], false], axis=2)

    def _points(self, parts: Sequence[np.ndarray], counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """False findings a case `(d, k)` and sensitivity `(d, parts, k)`, both from 0 upwards, a point a threshold."""
        weights = counts[:, self.who].astype(float)
        across = self._summed(weights * (self.lesion < 0)) / (counts @ self.cases)[:, None]
        ups = np.full((len(counts), len(parts), across.shape[1]), np.nan)
        for place, part in enumerate(parts):
            taken = np.append(part, False)[self.lesion]  # a false finding is number -1, the last
            whole = counts[:, self.owner[part]].sum(axis=1, dtype=float)[:, None]
            np.divide(self._summed(weights * taken), whole, out=ups[:, place], where=whole > 0)
        return across, ups

    def _summed(self, weights: np.ndarray) -> np.ndarray:
        """`(d, thresholds + 1)` weight at or above each threshold, from 0."""
        marked = np.cumsum(weights, axis=1)[:, self.ends]
        return np.concatenate([np.zeros((len(marked), 1)), marked], axis=1)


def _told(figures: list[dict[str, Any]]) -> dict[str, Any]:
    *at, score, sensitivity, false = figures
    return {
        "sensitivity_at": {
            _name(rate): {
                **figure,
                "optimistic": True,
                "reached": false["value"] is not None and rate <= false["value"],
            }
            for rate, figure in zip(RATES, at, strict=True)
        },
        "froc_score": {**score, "optimistic": True},
        "at_threshold": {"sensitivity": sensitivity, "false_findings_per_case": false},
    }


def _name(rate: float) -> str:
    return f"{rate:g}"
