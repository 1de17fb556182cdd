"""Ranking figures from weighted counts: AUROC, average precision, Dice, each from one pass over the sorted scores.

Every function takes `positives` and `negatives` of shape `(..., k)`: the weight of abnormal and of healthy cases at
each of k distinct scores, ascending. Resampling only changes the weights, so scores are sorted once.
"""

import numpy as np


def auroc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Chance that a random abnormal case outranks a random healthy one, ties counting half; NaN with one class."""
    below = np.cumsum(negatives, axis=-1) - negatives
    won = np.asarray(np.sum(positives * (below + 0.5 * negatives), axis=-1, dtype=np.float64))
    pairs = positives.sum(axis=-1, dtype=np.float64) * negatives.sum(axis=-1, dtype=np.float64)
    return _ratio(won, pairs)


def average_precision(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Mean precision over the abnormal cases, by steps (no interpolation), as scikit-learn has it; NaN without any."""
    hits = np.cumsum(positives[..., ::-1], axis=-1, dtype=np.float64)
    alarms = hits + np.cumsum(negatives[..., ::-1], axis=-1, dtype=np.float64)
    precision = np.divide(hits, alarms, out=np.zeros_like(hits), where=alarms > 0)
    return _ratio(np.sum(precision * positives[..., ::-1], axis=-1), hits[..., -1])


def best_dice(positives: np.ndarray, negatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest Dice over all thresholds, and the place of the score from which on it marks; NaN without positives."""
    hits = np.cumsum(positives[..., ::-1], axis=-1, dtype=np.float64)[..., ::-1]
    alarms = hits + np.cumsum(negatives[..., ::-1], axis=-1, dtype=np.float64)[..., ::-1]
    total = hits[..., :1]
    dice = _ratio(2 * hits, np.where(total > 0, alarms + total, 0))
    place = np.argmax(np.nan_to_num(dice, nan=-1.0), axis=-1)
    return np.take_along_axis(dice, place[..., None], axis=-1)[..., 0], place


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotient, NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)
