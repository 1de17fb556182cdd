"""Per-region overlap: is each lesion found, however small, or only the many pixels of the large ones?

Source: Bergmann et al., The MVTec anomaly detection dataset, IJCV 2021, doi:10.1007/s11263-020-01400-4. The share of
each lesion that is marked, averaged over lesions, against the share of healthy pixels that is marked; the area under it
up to a share of 0.3, divided by 0.3. As every lesion counts one, each of its pixels counts one over its size, and the
curve comes from the same sorted pixels as the AUROC. We differ in counting volumes' lesions in 3-D.
"""

import numpy as np
from scipy import ndimage

from halescan.evaluation.curves import area_up_to

LIMIT = 0.3
"""Share of healthy pixels up to which the area is taken."""


def region_weights(inside: np.ndarray) -> tuple[np.ndarray, int]:
    """One over the size of its own region for each True pixel, in C order `(k,)`, and the number of regions.

    Pixels that touch by an edge or a corner belong together.
    """
    if not inside.any():
        return np.zeros(0), 0
    labels, count = ndimage.label(inside, structure=np.ones((3,) * inside.ndim, bool))
    numbers = labels[inside]
    return 1 / np.bincount(numbers)[numbers], count


def aupro(weights: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Area under per-region overlap, from `weights` and healthy pixels `(..., k)` at each distinct value, ascending."""
    return area_up_to(weights, negatives, LIMIT)
