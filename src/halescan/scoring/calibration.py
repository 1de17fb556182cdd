"""Calibration: what share of healthy patients looks at least this strange, and may we decide on it?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, get_args

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.types import Note, Verdict

Level = Literal["image", "volume", "slide"]
Unit = Literal["case", "patient", "image"]
Guarantee = Literal["split", "cross", "none"]

_SCHEMA = "halescan.calibration/1"
_SLACK = 1e-9  # 3 * (1/3) and 0.1 * 30 miss their whole number by less


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of healthy images that nothing was learned from, and the p-values that follow from them.

    `p = (1 + sum over units of the share of that unit's images at least as strange) / (units + 1)`. Each healthy
    patient counts once, however many images there are of it; with one image each this is `(1 + #{>= s}) / (n + 1)`. For
    a new image drawn from a new healthy patient, `P(p <= a) <= a` for every a, whatever the scores' distribution.

    Source: Vovk et al., Algorithmic Learning in a Random World (2005), split conformal; for several images a patient
    Lee, Barber & Willett 2023, arXiv:2306.06342, whose weights these are. Dunn, Wasserman & Ramdas 2022,
    arXiv:1809.07441, draw one image a patient, many times over, and average the p-values, which must then be doubled to
    stay valid; taking the share of each patient's images needs neither chance nor doubling.

    Args:
        scores: `(n,)` finite.
        groups: `(n,)` which unit each score belongs to; None: each its own. Kept as numbers 0, 1, 2 ..., never as ids.
        peaks: `(n,)` the largest value of each map inside its mask, for the p-values of findings; None without maps.
        level: What one score stands for: one "image", a whole "volume" with its slices pooled, or a whole "slide" with
            all its tiles pooled.
        unit: What a group is.
        guarantee: "split", the weaker "cross" (scores from K folds), or "none" (scores of images learned from): then
            the scores are kept for the histogram, and no unit stands behind a p-value.

    Raises:
        ShapeError: if the arrays differ in length or hold values that are not finite.
        SettingError: if level, unit or guarantee is unknown.
    """

    scores: np.ndarray
    groups: np.ndarray = None  # type: ignore[assignment]  # filled in below
    peaks: np.ndarray | None = None
    level: Level = "image"
    unit: Unit = "image"
    guarantee: Guarantee = "split"

    def __post_init__(self) -> None:
        scores = _finite(self.scores, "scores")
        groups = np.arange(scores.size) if self.groups is None else np.asarray(self.groups)
        peaks = None if self.peaks is None else _finite(self.peaks, "peaks")
        for name, array in (("groups", groups), ("peaks", peaks)):
            if array is not None and array.shape != scores.shape:
                raise ShapeError(f"{scores.size} scores but {name} of shape {array.shape}; expected one each")
        for name, allowed in (("level", Level), ("unit", Unit), ("guarantee", Guarantee)):
            if getattr(self, name) not in get_args(allowed):
                raise SettingError(f"{name} must be one of {list(get_args(allowed))}, got {getattr(self, name)!r}")
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "groups", np.unique(groups, return_inverse=True)[1].reshape(-1).astype(np.int64))
        object.__setattr__(self, "peaks", peaks)

    @cached_property
    def units(self) -> int:
        """Healthy units behind the p-values; 0 when nothing is guaranteed."""
        return 0 if self.guarantee == "none" else int(np.unique(self.groups).size)

    @property
    def strictest_rate(self) -> float:
        """The smallest false-alarm rate that so many units can support; 1 means: none."""
        return 1 / (self.units + 1)

    @property
    def strictest_told(self) -> float:
        """`strictest_rate` rounded up to the digits of a printed percentage: asked for as told, it is supported."""
        digits = 1000 if self.strictest_rate >= 0.01 else 10_000
        return math.ceil(self.strictest_rate * digits - 1e-9) / digits

    def supports(self, rate: float) -> bool:
        """Whether a decision at this false-alarm rate is possible.

        Raises:
            SettingError: if the rate does not lie in (0, 1).
        """
        if not 0 < rate < 1:
            raise SettingError(f"the false-alarm rate must lie in (0, 1), got {rate}; 0.05 is usual")
        return units_support(self.units, rate)

    def p_value(self, score: float) -> tuple[float, bool]:
        """The p-value of a score, and whether it is only an upper bound: no healthy unit was as strange.

        Raises:
            SettingError: if the score is not finite.
        """
        return self._against(self._sorted_scores, score)

    def finding_p_value(self, peak: float) -> float | None:
        """Share of healthy units showing anywhere a place this strange; None without peaks or units."""
        if self.peaks is None or not self.units:
            return None
        return self._against(self._sorted_peaks, peak)[0]

    def threshold(self, rate: float) -> float | None:
        """The score *above* which `p <= rate`, one of the healthy scores; None if the rate is not supported."""
        if not self.supports(rate):
            return None
        distinct, above = self._shares_above
        return float(distinct[np.argmax(1 + above <= rate * (self.units + 1) * (1 + _SLACK))])

    def verdict(self, score: float, false_alarms: float, *, level: Level) -> Verdict:
        """What the score of one case says at a chosen false-alarm rate.

        The decision alone is withheld when the rate asks for more healthy units than there are; when the score stands
        for something else than what was calibrated, the p-value is withheld too.

        Args:
            score: Strangeness of the case.
            false_alarms: In (0, 1).
            level: What the score stands for.
        """
        supported = self.supports(false_alarms)
        same = level == self.level
        p_value, bound = self.p_value(score) if same and self.units else (None, False)
        threshold = self.threshold(false_alarms) if same and supported else None
        return Verdict(
            score=float(score),
            p_value=p_value,
            bound=bound,
            decision="withheld" if threshold is None else "above" if score > threshold else "not-above",
            why_withheld=self._why_withheld(false_alarms, level) if threshold is None else None,
            false_alarms=float(false_alarms),
            threshold=threshold,
            units=self.units,
            unit=self.unit,
            guarantee=self.guarantee if same else "none",
        )

    def to_json(self) -> dict[str, Any]:
        """All of it, ready for `json.dumps`."""
        return {
            "schema": _SCHEMA,
            "scores": self.scores.tolist(),
            "groups": self.groups.tolist(),
            "peaks": None if self.peaks is None else self.peaks.tolist(),
            "level": self.level,
            "unit": self.unit,
            "guarantee": self.guarantee,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Take back what `to_json` gave.

        Raises:
            SettingError: if this is not a calibration of this version, or something is missing from it.
            ShapeError: if its lists do not belong together.
        """
        if not isinstance(record, Mapping) or record.get("schema") != _SCHEMA:
            found = record.get("schema") if isinstance(record, Mapping) else type(record).__name__
            raise SettingError(f"expected a calibration of schema {_SCHEMA!r}, found {found!r}; recalibrate the model")
        names = ("scores", "groups", "peaks", "level", "unit", "guarantee")
        missing = [name for name in names if name not in record]
        if missing:
            raise SettingError(f"the calibration lacks {', '.join(missing)}; recalibrate the model")
        return cls(**{name: record[name] for name in names})

    @cached_property
    def _sorted_scores(self) -> tuple[np.ndarray, np.ndarray]:
        return self._sorted(self.scores)

    @cached_property
    def _shares_above(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct healthy scores, and what lies strictly above each; nothing lies above the last."""
        values, shares = self._sorted_scores
        distinct, first = np.unique(values, return_index=True)
        return distinct, np.append(shares[first[1:]], 0.0)

    @cached_property
    def _sorted_peaks(self) -> tuple[np.ndarray, np.ndarray]:
        return self._sorted(np.asarray(self.peaks))

    def _sorted(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values in rising order, and beside each the units at least as strange, each unit worth one in all."""
        weights = 1 / np.bincount(self.groups)[self.groups] if values.size else np.zeros(0)
        order = np.argsort(values, kind="stable")
        shares = np.cumsum(weights[order][::-1])[::-1]
        return values[order], shares

    def _against(self, healthy: tuple[np.ndarray, np.ndarray], value: float) -> tuple[float, bool]:
        if not math.isfinite(value):
            raise SettingError(f"expected a finite score, got {value}; the map it came from is damaged")
        values, shares = healthy
        place = int(np.searchsorted(values, value, side="left"))
        stranger = float(shares[place]) if place < values.size and self.units else 0.0
        return min(1.0, (1 + stranger) / (self.units + 1)), stranger == 0.0

    def _why_withheld(self, rate: float, level: Level) -> Note:
        if level != self.level and self.units:  # without units, calibrating on this level would change nothing
            return Note("uncalibrated-slide" if level == "slide" else "uncalibrated-level")
        told = {"asked": float(rate), "needed": units_for(rate)}
        if not self.units:
            return Note("not-calibrated", told)
        return Note("rate-not-supported", {**told, "strictest": self.strictest_told, "units": self.units})


def units_support(units: int, rate: float) -> bool:
    """Whether so many healthy units are enough to decide at a false-alarm rate in (0, 1)."""
    return units > 0 and 1 / (units + 1) <= rate * (1 + _SLACK)


def units_for(rate: float) -> int:
    """How many healthy units it takes to decide at a false-alarm rate in (0, 1)."""
    return math.ceil(1 / rate - _SLACK) - 1


def false_alarm_range(m: int, n: int, rate: float, *, confidence: float = 0.95) -> tuple[int, int]:
    """How many of m new healthy units may fall above the threshold of n calibration units, chance alone at work.

    The threshold at `rate` is the k-th largest healthy score, k = floor(rate (n + 1)); the share of healthy people
    above it follows Beta(k, n + 1 - k), so the count follows a beta-binomial. Assumes scores without ties and one image
    a unit.

    Returns:
        The central range, both ends included, holding at least `confidence` of the distribution.

    Raises:
        SettingError: if n units cannot support the rate.
    """
    from scipy import stats  # half a second that examining a scan need not pay

    k = math.floor(rate * (n + 1) * (1 + _SLACK))
    if m < 1 or not 0 < confidence < 1 or not 1 <= k <= n:
        raise SettingError(
            f"{n} units cannot support a rate of {rate} (or m = {m}, confidence = {confidence} is wrong)"
        )
    spread = stats.betabinom(m, k, n + 1 - k)
    tail = (1 - confidence) / 2
    return int(spread.ppf(tail)), int(spread.ppf(1 - tail))


def _finite(values: Sequence[float] | np.ndarray, name: str) -> np.ndarray:
    """`(n,)` float64, checked."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"the {name} of a calibration must be a list of numbers") from error
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ShapeError(f"the {name} of a calibration must be a list of finite numbers, got shape {array.shape}")
    return array
