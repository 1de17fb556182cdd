"""Brightness: how much darker or brighter than in health a place is, for diseases that show in one direction."""

from typing import Literal

import numpy as np
from scipy.special import ndtr

from halescan.scoring.maps import PlaceStatistics

Sought = Literal["any", "darker", "brighter"]


def emphasis(grey: np.ndarray, masks: np.ndarray, usual: PlaceStatistics, *, sought: Sought) -> np.ndarray:
    """Weights `(n, *grid)` in (0, 1): the share of healthy images that are less dark (or less bright) at this place.

    An image's own level, the median of its difference to the healthy mean within the mask, is taken off first: gain and
    exposure are set by a person. Half of the places thus weigh 1/2 or more, in a healthy image too.

    Args:
        grey: `(n, *grid)` smoothed brightness.
        masks: `(n, *grid)` the places that count.
        usual: Brightness of healthy images, smoothed alike.
        sought: "darker" or "brighter"; "any" weighs all places alike, by 1.
    """
    if sought == "any":
        return np.ones(grey.shape, np.float32)
    away = grey - usual.mean
    own = np.array([np.median(one[mask] if mask.any() else one) for one, mask in zip(away, masks, strict=True)])
    brighter = (away - own.reshape(-1, *[1] * usual.mean.ndim)) / usual.spread
    return ndtr(-brighter if sought == "darker" else brighter).astype(np.float32)


def weighed(maps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Maps `(n, *grid)` times weights where they are above 0; a place that is less strange than usual stays so."""
    return np.where(maps > 0, maps * weights, maps)
