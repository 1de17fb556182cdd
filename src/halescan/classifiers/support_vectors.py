"""Support vectors: a trained support vector machine as plain arrays, and its decision worked out from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.spatial.distance import cdist


@dataclass(frozen=True, eq=False)
class SupportVectors:
    """`decision = sum over k of weights[k] exp(-gamma |row - vectors[k]|^2) + bias`.

    Args:
        vectors: `(m, d)` float64, standardised.
        weights: `(m,)` signed dual coefficients.
    """

    vectors: np.ndarray
    weights: np.ndarray
    bias: float
    gamma: float

    @classmethod
    def of(cls, machine: Any) -> Self:
        """From a fitted two-class `sklearn.svm.SVC` with an RBF kernel whose gamma is a number."""
        weights = np.asarray(machine.dual_coef_, np.float64)[0]
        vectors = np.asarray(machine.support_vectors_, np.float64)
        return cls(vectors, weights, float(machine.intercept_[0]), float(machine.gamma))

    def decision(self, rows: np.ndarray) -> np.ndarray:
        """Standardised rows `(n, d)` to `(n,)`; above 0 is the class labelled 1."""
        near = np.exp(-self.gamma * cdist(np.asarray(rows, np.float64), self.vectors, "sqeuclidean"))
        return (near * self.weights).sum(1) + self.bias

    def state(self) -> dict[str, np.ndarray]:
        """All of it, as named arrays."""
        return {
            "vectors": self.vectors,
            "weights": self.weights,
            "bias_and_gamma": np.asarray([self.bias, self.gamma], np.float64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Back from `state`.

        Raises:
            ValueError: if the arrays do not belong together.
        """
        vectors, weights = (np.asarray(state[name], np.float64) for name in ("vectors", "weights"))
        if vectors.ndim != 2 or weights.shape != (len(vectors),):
            raise ValueError(f"support vectors of shape {vectors.shape} with weights of shape {weights.shape}")
        bias, gamma = (float(value) for value in state["bias_and_gamma"])
        return cls(vectors, weights, bias, gamma)
