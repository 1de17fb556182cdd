"""Trivial baselines: what brightness, contrast, blur, asymmetry, file size and the healthy mean image tell already.

A method that does not beat these has learned how the pictures were made, not what is wrong with the patient.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from halescan.errors import NotFitted, SettingError, ShapeError
from halescan.evaluation.curves import auroc
from halescan.evaluation.metrics import image_metrics, ranking_figures

Row = Mapping[str, float]


def trivial_statistics(image: np.ndarray, *, file_bytes: int | None = None) -> dict[str, float]:
    """Numbers anybody could read off one image `(c, *grid)` in [0, 1] without looking at it.

    Returns:
        `brightness` (mean), `contrast` (standard deviation), `entropy` (bits, 256 grey levels), `sharpness` (mean
        absolute step to the next pixel), `asymmetry` (mean absolute difference from the mirror image, last axis) and,
        if given, `file-size` (bytes).

    Raises:
        ShapeError: if the image has no channel axis.
    """
    if image.ndim < 3:
        raise ShapeError(f"an image has shape {image.shape}, expected (channels, *grid)")
    values = np.asarray(image, np.float32)
    grey = values.mean(axis=0)
    steps = [np.abs(np.diff(grey, axis=axis)).mean() for axis in range(grey.ndim) if grey.shape[axis] > 1]
    statistics = {
        "brightness": float(grey.mean()),
        "contrast": float(grey.std()),
        "entropy": _entropy(grey),
        "sharpness": float(np.mean(steps)) if steps else 0.0,
        "asymmetry": float(np.abs(values - values[..., ::-1]).mean()),
    }
    if file_bytes is not None:
        statistics["file-size"] = float(file_bytes)
    return statistics


class Trivial:
    """Each statistic as a detector: how many spreads it lies from the median of the healthy training images.

    Two-sided, because which direction means disease cannot be known from healthy images alone.
    """

    def __init__(self) -> None:
        self.centre: dict[str, float] = {}
        self.spread: dict[str, float] = {}

    def fit(self, rows: Sequence[Row]) -> "Trivial":
        """Learn median and spread (1.4826 x median absolute deviation) of what all healthy rows have.

        Raises:
            SettingError: without rows.
        """
        if not rows:
            raise SettingError(
                "no healthy images to take the usual brightness, contrast ... from; expected at least one"
            )
        for name in _shared_names(rows):
            values = _column(rows, name)
            self.centre[name] = float(np.median(values))
            self.spread[name] = _spread(values)
        return self

    def score(self, rows: Sequence[Row]) -> dict[str, np.ndarray]:
        """Strangeness `(n,)` of each row by each statistic that was learned and that all rows have.

        Raises:
            NotFitted: before `fit`.
        """
        if not self.centre:
            raise NotFitted("Trivial has seen no healthy images yet; call fit(rows) first")
        names = [name for name in self.centre if name in _shared_names(rows)]
        return {name: np.abs(_column(rows, name) - self.centre[name]) / self.spread[name] for name in names}


class HealthyMean:
    """The mean healthy image: strangeness is the mean distance from it, in spreads, place by place."""

    def __init__(self) -> None:
        self.mean: np.ndarray | None = None
        self.spread: np.ndarray | None = None

    def fit(self, batches: Iterable[np.ndarray]) -> "HealthyMean":
        """Learn from batches `(n, c, *grid)`, one after the other, in flat memory (Chan's update).

        Raises:
            SettingError: without images.
            ShapeError: if images differ in shape.
        """
        count, mean, squares = 0, np.zeros(0), np.zeros(0)
        for batch in batches:
            for one in batch:
                image = np.asarray(one, np.float64)  # one at a time: doubles of a batch were the peak of a training
                if count == 0:
                    mean, squares = np.zeros(image.shape), np.zeros(image.shape)
                elif image.shape != mean.shape:
                    raise ShapeError(f"an image has shape {image.shape}, the ones before {mean.shape}")
                count += 1
                step = image - mean
                mean += step / count
                squares += step * (image - mean)
        if count == 0:
            raise SettingError("no healthy images to average; expected at least one")
        spread = np.sqrt(squares / max(count - 1, 1))
        # Places that never change (the corners) would else outweigh everything by their rounding.
        floor = 0.1 * float(spread.mean()) or 1.0
        self.mean, self.spread = mean, np.maximum(spread, floor)
        return self

    def score(self, images: np.ndarray) -> np.ndarray:
        """Mean |z| `(n,)` of images `(n, c, *grid)`.

        Raises:
            NotFitted: before `fit`.
            ShapeError: if the images have another shape than those learned.
        """
        if self.mean is None or self.spread is None:
            raise NotFitted("HealthyMean has seen no healthy images yet; call fit(batches) first")
        if images.shape[1:] != self.mean.shape:
            raise ShapeError(f"images have shape {images.shape[1:]}, learned were {self.mean.shape}")
        return np.array([np.abs((image - self.mean) / self.spread).mean() for image in images])

    def state(self) -> dict[str, np.ndarray]:
        """What was learned, as arrays `(c, *grid)`.

        Raises:
            NotFitted: before `fit`.
        """
        if self.mean is None or self.spread is None:
            raise NotFitted("HealthyMean has seen no healthy images yet; call fit(batches) first")
        return {"mean": self.mean.astype(np.float32), "spread": self.spread.astype(np.float32)}

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> "HealthyMean":
        """Take back what `state` gave."""
        found = cls()
        found.mean, found.spread = state["mean"], state["spread"]
        return found


def baseline_metrics(
    labels: Sequence[Any] | np.ndarray,
    strangeness: Mapping[str, np.ndarray],
    *,
    values: Mapping[str, np.ndarray] | None = None,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, dict[str, Any]]:
    """Figures of each baseline by name, as `image_metrics`; with the raw `values` also `auroc_either_direction`.

    `auroc_either_direction` is max(a, 1 - a) of the raw statistic: its direction is chosen with the labels, so it is
    marked optimistic. It is the bar a method has to clear to be worth anything.
    """
    options: dict[str, Any] = {"groups": groups, "seed": seed, "draws": draws}
    found = {name: image_metrics(labels, scores, **options) for name, scores in strangeness.items()}
    for name, raw in (values or {}).items():
        figure = ranking_figures(labels, raw, {"auroc": auroc}, **options)["auroc"]
        found.setdefault(name, {})["auroc_either_direction"] = either_direction(figure)
    return found


def either_direction(figure: Mapping[str, Any]) -> dict[str, Any]:
    """An AUROC read in whichever direction is better, marked as chosen with the labels."""
    if figure["value"] is None or figure["value"] >= 0.5:
        return {**figure, "optimistic": True}
    turned = {key: None if figure[key] is None else 1 - figure[key] for key in ("value", "low", "high")}
    return {**figure, "value": turned["value"], "low": turned["high"], "high": turned["low"], "optimistic": True}


def columns(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """The raw statistics all rows have, by name: `(n,)` each."""
    return {name: _column(rows, name) for name in _shared_names(rows)}


def _entropy(grey: np.ndarray) -> float:
    """Shannon entropy of 256 grey levels in bits; values outside [0, 1] count as its ends."""
    counts = np.bincount((np.clip(grey, 0, 1) * 255).astype(np.uint8).ravel(), minlength=256)
    shares = counts[counts > 0] / grey.size
    return float(-(shares * np.log2(shares)).sum() + 0.0)


def _shared_names(rows: Sequence[Row]) -> list[str]:
    return [name for name in (rows[0] if rows else {}) if all(name in row for row in rows)]


def _column(rows: Sequence[Row], name: str) -> np.ndarray:
    return np.array([row[name] for row in rows], float)


def _spread(values: np.ndarray) -> float:
    """Robust spread; the standard deviation where most values are equal, 1 where all are."""
    if np.ptp(values) == 0:  # their standard deviation may be a rounding error instead of 0
        return 1.0
    robust = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return robust or float(values.std())
