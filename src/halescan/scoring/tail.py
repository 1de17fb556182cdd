"""The healthy tail: how rare is a place this strange among all places of healthy scans?"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from halescan.errors import SettingError, ShapeError

MOST = 4.0  # 1 in 10,000 healthy places: no cohort we know speaks reliably beyond

_SCHEMA = "halescan.tail/1"
_KNOTS = 1024
_TOP = 131_072  # strangest values kept one and all
_SAMPLE = 262_144  # values kept by chance, for the bulk


@dataclass(frozen=True, eq=False)
class HealthyTail:
    """The distribution of map values over healthy places, as knots that stand close together where values are rare.

    `log_tail` is the conformal -log10((1 + #{places >= v}) / (n + 1)) at each knot and straight lines between.
    The counts are exact for the strangest 131,072 places, and for all of them when there are no more than 262,144;
    below that they come from a random sample of this size, off by a standard error of at most 0.008 in log10 while n is
    under 10 million, and 0.024 at 100 million.

    Args:
        values: `(k,)` rising.
        log_tails: `(k,)` rising, not capped.
        places: n, the healthy places seen.
        images: The healthy maps they come from. Places of one map go together: few maps make a coarse tail whatever n.
    """

    values: np.ndarray
    log_tails: np.ndarray
    places: int
    images: int

    @classmethod
    def fit(cls, maps: Iterable[tuple[np.ndarray, np.ndarray | None]], *, seed: int = 0) -> Self:
        """From healthy maps the detector has not learned from, one `(map, mask)` after the other; memory stays flat.

        Args:
            maps: A map `(*grid)` and the places to look at, `(*grid)` bool or None for all. A batch of both will do.
            seed: For the sample of the bulk.

        Raises:
            ShapeError: if a mask does not fit its map, a value is not finite, or there is no place at all.
        """
        gathered = _Gathered(seed)
        images = 0
        for healthy, mask in maps:
            gathered.add(_inside(healthy, mask))
            images += 1
        if not gathered.seen:
            raise ShapeError("no healthy place to learn from: no maps, or all their masks are empty")
        values, counts = gathered.knots()
        n = gathered.seen
        log_tails = np.maximum.accumulate(np.maximum(np.log10(n + 1) - np.log10(1 + counts), 0))
        return cls(values, log_tails, n, images)

    @property
    def most(self) -> float:
        """The largest answer: 4, or less when there are too few healthy places to say "1 in 10,000"."""
        return min(MOST, math.log10(self.places + 1))

    def log_tail(self, strangeness: np.ndarray) -> np.ndarray:
        """-log10 of the share of healthy places at least as strange, in [0, `most`], float32, of any shape.

        2 is "1 in 100 healthy places". What is stranger than every healthy place gets `most`.
        """
        tails = np.interp(strangeness, self.values, self.log_tails, left=0.0, right=self.most)
        return np.minimum(tails, self.most).astype(np.float32)

    def value_at(self, quantile: float) -> float:
        """The map value that this share of the healthy places stays below, for example 0.995.

        Raises:
            SettingError: if the quantile does not lie in [0, 1).
        """
        if not 0 <= quantile < 1:
            raise SettingError(f"the healthy quantile must lie in [0, 1), got {quantile}; 0.995 is usual")
        return float(np.interp(-math.log10(1 - quantile), self.log_tails, self.values))

    def to_json(self) -> dict[str, Any]:
        """All of it, ready for `json.dumps`."""
        return {
            "schema": _SCHEMA,
            "values": self.values.tolist(),
            "log_tails": self.log_tails.tolist(),
            "places": self.places,
            "images": self.images,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Take back what `to_json` gave.

        Raises:
            SettingError: if this is not a healthy tail of this version.
            ShapeError: if its knots do not rise together.
        """
        if not isinstance(record, Mapping) or record.get("schema") != _SCHEMA:
            raise SettingError(f"expected a healthy tail of schema {_SCHEMA!r}; recalibrate the model")
        try:
            values, log_tails = (np.asarray(record[name], np.float64) for name in ("values", "log_tails"))
            places, images = int(record["places"]), int(record["images"])
        except (KeyError, TypeError, ValueError) as error:
            raise SettingError("the healthy tail lacks a part or holds no numbers; recalibrate the model") from error
        rising = values.ndim == 1 and values.size and values.shape == log_tails.shape
        if not rising or not (np.all(np.diff(values) > 0) and np.all(np.diff(log_tails) >= 0)) or places < 1:
            raise ShapeError("the knots of a healthy tail must rise together; recalibrate the model")
        return cls(values, log_tails, places, images)


class _Gathered:
    """All the strangest values and a fair sample of the rest, whatever flows through."""

    def __init__(self, seed: int) -> None:
        self.seen = 0
        self.top = np.zeros(0)
        self.sample = np.zeros(0)
        self.keys = np.zeros(0)  # a value stays in the sample while its random key is among the smallest
        self.random = np.random.default_rng(seed)

    def add(self, values: np.ndarray) -> None:
        keys = self.random.random(values.size)
        if self.keys.size >= _SAMPLE:
            lucky = keys < self.keys.max()
            self._keep(values[lucky], keys[lucky])
        else:
            self._keep(values, keys)
        stranger = values[values > self.top.min()] if self.top.size >= _TOP else values
        self.top = np.concatenate([self.top, stranger])
        if self.top.size > _TOP:
            self.top = np.partition(self.top, self.top.size - _TOP)[self.top.size - _TOP :]
        self.seen += values.size

    def _keep(self, values: np.ndarray, keys: np.ndarray) -> None:
        self.sample, self.keys = np.concatenate([self.sample, values]), np.concatenate([self.keys, keys])
        if self.keys.size > _SAMPLE:
            kept = np.argpartition(self.keys, _SAMPLE)[:_SAMPLE]
            self.sample, self.keys = self.sample[kept], self.keys[kept]

    def knots(self) -> tuple[np.ndarray, np.ndarray]:
        """Rising values, and how many healthy places are at least as strange as each."""
        top, sample = np.sort(self.top), np.sort(self.sample)
        scale = self.seen / sample.size
        # Ranks from the strangest: even in log rank for the tail, even in rank for the bulk.
        ranks = np.concatenate([np.geomspace(1, self.seen, 3 * _KNOTS // 4), np.linspace(1, self.seen, _KNOTS // 4)])
        ranks = np.unique(ranks.round().astype(np.int64))
        high = ranks[ranks <= top.size]
        low = np.ceil(ranks[ranks > top.size] / scale).astype(np.int64)
        values = np.unique(np.concatenate([top[top.size - high], sample[sample.size - low], sample[:1]]))
        counts = scale * (sample.size - np.searchsorted(sample, values, side="left"))
        # Ties with the least of the top may have been left out of it, so only what is stranger is counted there.
        exact = values > top[0] if top.size < self.seen else np.ones(values.size, bool)
        counts[exact] = top.size - np.searchsorted(top, values[exact], side="left")
        return values, counts


def _inside(healthy: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The values to look at, `(k,)` float64."""
    if mask is not None and mask.shape != healthy.shape:
        raise ShapeError(f"a mask of shape {mask.shape} does not fit a map of shape {healthy.shape}")
    values = (healthy.ravel() if mask is None else healthy[np.asarray(mask, bool)]).astype(np.float64)
    if not np.isfinite(values).all():
        raise ShapeError("a healthy map holds values that are not finite; expected finite numbers inside the mask")
    return values
