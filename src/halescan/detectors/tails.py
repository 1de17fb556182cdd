"""Open tails: how rare is a value among healthy ones, said on one scale for all methods and without an upper end?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from halescan.errors import ModelError, ShapeError

_KNOTS = 512
_TAIL = 0.01  # share of the strangest values that the exponential is fitted to
_LEAST_TAIL = 10  # or so many of them


@dataclass(frozen=True, eq=False)
class OpenTail:
    """-log10 of the share of healthy values at least as large: counted in the bulk, exponential beyond.

    Counting alone cannot tell what is stranger than every healthy value from what is much stranger. The exponential
    continues with the mean excess of the largest healthy values, so that the scale rises for ever and has no step.

    Args:
        values: `(k,)` rising.
        tails: `(k,)` rising, the -log10 at each; straight lines between, 0 below the first.
        slope: Rise of -log10 for one unit of value beyond the last.
    """

    values: np.ndarray
    tails: np.ndarray
    slope: float

    @classmethod
    def fit(cls, healthy: np.ndarray) -> Self:
        """From healthy values of any shape that the method has not learned from.

        Raises:
            ShapeError: if there is none, or one is not finite.
        """
        known = np.sort(np.asarray(healthy, np.float64).ravel())
        if not len(known) or not np.isfinite(known).all():
            raise ShapeError(f"a healthy tail needs finite values, got {len(known)} values, not all of them finite")
        largest = min(len(known), max(_LEAST_TAIL, round(_TAIL * len(known))))
        begin = known[-largest]
        excess = float((known[-largest:] - begin).mean())
        excess = max(excess, 1e-6 * float(known[-1] - known[0]), 1e-9 * (1 + abs(begin)))
        bulk = known[: len(known) - largest + 1]
        values = np.unique(bulk[np.linspace(0, len(bulk) - 1, min(_KNOTS, len(bulk))).round().astype(int)])
        above = len(known) - np.searchsorted(known, values, side="left")
        return cls(values, -np.log10((1 + above) / (1 + len(known))), 1 / (excess * np.log(10)))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The scale at values of any shape, float32: 2 is "1 in 100 healthy ones"."""
        beyond = np.maximum(values - self.values[-1], 0)
        return np.asarray(np.interp(values, self.values, self.tails) + self.slope * beyond, np.float32)

    def state(self) -> dict[str, np.ndarray]:
        """All of it as arrays."""
        return {"values": self.values, "tails": self.tails, "slope": np.asarray(self.slope)}

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Back from `state`.

        Raises:
            ModelError: if it is no scale that rises.
        """
        values, tails = (np.asarray(state[name], np.float64) for name in ("values", "tails"))
        slope = float(state["slope"])
        rising = values.ndim == 1 and values.size and values.shape == tails.shape
        if not rising or np.any(np.diff(values) <= 0) or np.any(np.diff(tails) < 0) or not slope > 0:
            raise ModelError("a stored healthy tail does not rise; train the model again")
        return cls(values, tails, slope)
