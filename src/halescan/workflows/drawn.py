"""Drawn: does a method that draws healthy images draw unseen ones any better than their plain mean would?"""

from collections.abc import Sequence

import numpy as np

from halescan.detectors import Detector
from halescan.evaluation.baselines import HealthyMean
from halescan.types import Batch, Images, Note

LOOKED_AT = 16  # images: a training that diverged, or has hardly begun, shows on any
_WORST = 1e30  # stands for what is no number, which JSON cannot hold


def poor_reconstruction(detector: Detector, mean: HealthyMean, images: Images) -> Note | None:
    """That a method, or the first such member of it, draws healthy images no better than their mean; else None.

    Both are judged by the mean absolute error inside the mask, in the channels that the method draws. A training that
    diverged may stay finite, be calibrated and look calm; one that has hardly begun draws black.

    Args:
        mean: The mean of the images learned from.
        images: Healthy ones, not learned from where there are such.
    """
    count = min(len(images), LOOKED_AT)
    batch = images.take([number * len(images) // count for number in range(count)])
    assert mean.mean is not None
    for one in detector.members_at_work:
        drawn = one.score(batch).reconstruction
        if drawn is None:
            continue
        channels = [c for c in range(drawn.shape[1]) if not np.array_equal(drawn[:, c], batch.images[:, c])]
        error = _error(batch, drawn, channels)
        usual = _error(batch, np.broadcast_to(mean.mean, batch.images.shape), channels)
        if channels and usual > 0 and not error < usual:  # of one image alone the mean is that image
            told = {"error": float(np.nan_to_num(error, nan=_WORST, posinf=_WORST)), "mean_error": usual}
            return Note("poor-reconstruction", {"method": one.name, **told})
    return None


def _error(batch: Batch, drawn: np.ndarray, channels: Sequence[int]) -> float:
    """Mean absolute error of `(n, c, *grid)` in some channels, inside the mask."""
    apart = np.abs(batch.images[:, channels].astype(float) - drawn[:, channels]).mean(axis=1)
    mask = np.ones(apart.shape, bool) if batch.mask is None else batch.mask
    return float(apart[mask].mean()) if mask.any() else 0.0
