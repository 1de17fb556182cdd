"""Linear head: logistic regression on standardised rows, its penalty chosen by folds that keep patients together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from halescan.classifiers.labels import Fold, balanced_weights
from halescan.errors import TrainingError


@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and spread of each column of the rows `(n, d)` it was learned on."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Self:
        """Learn; a column that does not vary is only centred."""
        mean, spread = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
        return cls(mean, np.where(spread > 1e-8 * (1 + np.abs(mean)), spread, 1.0))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Rows `(n, d)` float64, standardised."""
        return (np.asarray(rows, np.float64) - self.mean) / self.spread


@dataclass(frozen=True, eq=False)
class LinearHead:
    """`logits = standard(rows) @ weights + bias`."""

    standard: Standard
    weights: np.ndarray
    bias: float

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Rows `(n, d)` to `(n,)`."""
        return (self.standard(rows) * self.weights).sum(1) + self.bias

    def state(self) -> dict[str, np.ndarray]:
        """All of it, as named arrays."""
        return {
            "mean": self.standard.mean,
            "spread": self.standard.spread,
            "weights": self.weights,
            "bias": np.asarray([self.bias], np.float64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Back from `state`.

        Raises:
            ValueError: if the arrays do not belong together.
        """
        mean, spread, weights = (np.asarray(state[name], np.float64) for name in ("mean", "spread", "weights"))
        if not (mean.ndim == 1 and mean.shape == spread.shape == weights.shape):
            raise ValueError(f"a head of {mean.shape}, {spread.shape} and {weights.shape} numbers")
        return cls(Standard(mean, spread), weights, float(state["bias"][0]))


def balance(levels: np.ndarray) -> np.ndarray:
    """A factor for each column `(d,)`, by the level it is of: all levels bring the same variance, d in all."""
    _, level_of, columns = np.unique(levels, return_inverse=True, return_counts=True)
    return np.sqrt(len(levels) / (len(columns) * columns[level_of]))


def fit_head(rows: np.ndarray, labels: np.ndarray, *, strength: float, factors: np.ndarray | float = 1.0) -> LinearHead:
    """Class-balanced logistic regression.

    Args:
        strength: Larger trusts the labels more and the penalty less.
        factors: `(d,)` what the standardised columns are multiplied by: a larger one costs less penalty.
    """
    from sklearn.linear_model import LogisticRegression

    if not np.isfinite(rows).all():
        raise TrainingError("the features of an image are not finite; look for images far outside [0, 1]")
    standard = Standard.of(rows)
    level = standard(rows) * factors
    turned = None
    if len(level) < level.shape[1]:  # the penalty knows no direction: in the rows' own span the answer is the same
        turned = np.linalg.svd(level, full_matrices=False)[2]
        level = level @ turned.T
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=10_000).fit(level, labels)
    weights = model.coef_[0] if turned is None else model.coef_[0] @ turned
    return LinearHead(standard, np.asarray(weights * factors, np.float64), float(model.intercept_[0]))


def choose_strength(
    rows: np.ndarray,
    labels: np.ndarray,
    folds: Sequence[Fold],
    *,
    strengths: Sequence[float],
    factors: np.ndarray | float = 1.0,
) -> tuple[float, np.ndarray]:
    """The strength with the least balanced log loss on what each fold held out; of equals the weaker.

    Returns:
        The strength, and the held-out logits `(n,)` under it; NaN where no fold held an image out.
    """
    best, kept, least = strengths[0], np.full(len(labels), np.nan), np.inf
    for strength in sorted(strengths):
        held_out = np.full(len(labels), np.nan)
        for train, held in folds:
            head = fit_head(rows[train], labels[train], strength=strength, factors=factors)
            held_out[held] = head.logits(rows[held])
        loss = balanced_log_loss(held_out, labels)
        if loss < least:
            best, kept, least = strength, held_out, loss
    return best, kept


def balanced_log_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean log loss with both classes weighing the same, over logits that are not NaN."""
    known = np.isfinite(logits)
    losses = np.logaddexp(0.0, np.where(labels[known] == 1, -logits[known], logits[known]))
    return float(np.average(losses, weights=balanced_weights(labels)[known]))
