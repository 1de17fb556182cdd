"""Inside: the values of a coarse map that lie within the mask."""

from collections.abc import Iterator

import numpy as np

from halescan.types import Batch


def inside_of(maps: np.ndarray, batch: Batch) -> Iterator[np.ndarray]:
    """Of each map `(*coarse)` the values `(k,)` within the batch's mask; all of them where it is empty there."""
    for number, one in enumerate(maps):
        if batch.mask is None:
            yield one.ravel()
            continue
        mask = batch.mask[number]
        rows = [
            ((np.arange(cells) + 0.5) * side / cells).astype(int)
            for cells, side in zip(one.shape, mask.shape, strict=True)
        ]
        there = mask[np.ix_(*rows)]
        yield one[there] if there.any() else one.ravel()
