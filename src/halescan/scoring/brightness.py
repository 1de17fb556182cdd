"""Brightness: how much darker or brighter than in health a place is, for diseases that show in one direction."""

from typing import Literal

import numpy as np
from scipy.special import log_ndtr

from halescan.scoring.maps import PlaceStatistics

Sought = Literal["any", "darker", "brighter"]


def levelled(grey: np.ndarray, masks: np.ndarray | None) -> np.ndarray:
    """Brightness `(n, *grid)` less each image's own level, its median within the mask: gain is set by a person.

    Where more than half of what is looked at is darker than in health, that becomes the level.
    """
    insides = [None] * len(grey) if masks is None else masks
    levels = [
        np.median(one if mask is None or not mask.any() else one[mask]) for one, mask in zip(grey, insides, strict=True)
    ]
    return grey - np.reshape(levels, (-1, *[1] * (grey.ndim - 1)))


def direction_rarity(
    grey: np.ndarray, masks: np.ndarray, usual: PlaceStatistics, *, sought: Literal["darker", "brighter"]
) -> np.ndarray:
    """-log10 of the share of healthy images at least as dark (or bright) at each place, were they normally distributed.

    Args:
        grey: `(n, *grid)` smoothed brightness.
        masks: `(n, *grid)` the places that count.
        usual: Of the `levelled` brightness of healthy images, smoothed alike.

    Returns:
        `(n, *grid)` float32 above 0; 0.3 is "as dark as half of the healthy images".
    """
    away = usual.apply(levelled(grey, masks))
    return np.asarray(log_ndtr(away if sought == "darker" else -away) / -np.log(10), np.float32)


def both(strange: np.ndarray, directed: np.ndarray) -> np.ndarray:
    """What is strange and lies in the direction sought: the geometric mean of two rarities, both -log10 of a share."""
    return np.sqrt(np.maximum(strange, 0) * directed)
