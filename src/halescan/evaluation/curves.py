"""Ranking figures from weighted counts: AUROC, average precision, Dice and more, each in one pass over sorted scores.

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


def sensitivity_at(positives: np.ndarray, negatives: np.ndarray, specificity: float) -> np.ndarray:
    """Largest share of abnormal cases marked by a threshold that leaves at least this share of healthy ones unmarked.

    Only thresholds that exist count, nothing is interpolated; NaN with one class.
    """
    hits = np.cumsum(positives[..., ::-1], axis=-1, dtype=np.float64)
    alarms = np.cumsum(negatives[..., ::-1], axis=-1, dtype=np.float64)
    healthy = alarms[..., -1:]
    allowed = alarms <= (1 - specificity + 1e-9) * healthy  # (1 - 0.9) x 10 misses 1 by a rounding error
    found = np.max(hits * allowed, axis=-1)
    return _ratio(found, np.where(healthy[..., 0] > 0, hits[..., -1], 0))


def area_up_to(positives: np.ndarray, negatives: np.ndarray, limit: float) -> np.ndarray:
    """Area under (share of negatives, share of positives) marked up to a share of negatives, divided by that share.

    Straight lines between thresholds, cut at the limit; 1 is perfect; NaN with one class.
    """
    across, up = _shares(negatives), _shares(positives)
    start, stop = np.minimum(across[..., :-1], limit), np.minimum(across[..., 1:], limit)
    steep = _ratio(np.diff(up, axis=-1), np.diff(across, axis=-1))
    end = np.where(np.diff(across, axis=-1) > 0, up[..., :-1] + steep * (stop - across[..., :-1]), up[..., 1:])
    return np.asarray(np.sum((stop - start) * (up[..., :-1] + end) / 2, axis=-1) / limit)


def _shares(weights: np.ndarray) -> np.ndarray:
    """`(..., k + 1)` share of the weight at or above each score, strictest first, from 0 to 1; NaN without weight."""
    marked = np.cumsum(weights[..., ::-1], axis=-1, dtype=np.float64)
    start = np.zeros((*marked.shape[:-1], 1))
    return _ratio(np.concatenate([start, marked], axis=-1), np.broadcast_to(marked[..., -1:], start.shape))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotient, NaN where there is nothing to divide by."""
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    return np.divide(above, below, out=np.full(shape, np.nan), where=np.asarray(below) > 0)
