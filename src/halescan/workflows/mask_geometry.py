"""Where a mask or a map from elsewhere lies on its scan: by position where both know theirs, else as it is stored."""

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np

from halescan.data.lesions import painted
from halescan.data.table import Item
from halescan.errors import BlankScan, ShapeError
from halescan.io import read
from halescan.types import Scan

_OFF_GRID = 0.1  # voxels between the centres of a mask and those of its scan that are taken for rounding


def truth_on(item: Item, scan: Scan) -> np.ndarray | None:
    """Where the scan is abnormal `(*scan.shape)` bool: nowhere if it is healthy; None where nobody has drawn it.

    Raises:
        ScanError: if the mask cannot be read.
        ShapeError: if its voxels are not the scan's.
    """
    return np.zeros(scan.shape, bool) if item.label == "healthy" else drawn_on(item, scan)


def drawn_on(item: Item, scan: Scan) -> np.ndarray | None:
    """What the mask of a scan says, whatever its label `(*scan.shape)` bool; None where there is none.

    Raises:
        ScanError: if the mask cannot be read.
        ShapeError: if its voxels are not the scan's.
    """
    if not item.outlined:
        return None
    truth = painted(item.lesions, scan) if item.lesions else np.zeros(scan.shape, bool)
    if item.mask is None:
        return truth
    try:
        drawn = read(item.mask)
    except BlankScan as blank:
        return truth | bool(blank.value)
    return truth | laid(drawn.pixels[..., 0] > 0 if drawn.colour else drawn.pixels > 0, drawn, scan)


def laid(values: np.ndarray, drawn: Scan, scan: Scan) -> np.ndarray:
    """What is drawn on one scan's voxels, on those of another `(*scan.shape)`.

    Args:
        values: `(*drawn.shape)`.
        drawn: What they were read from, with its position.

    Raises:
        ShapeError: if its voxels are not the scan's, however its axes are swapped and mirrored.
    """
    if scan.affine_lps is None or drawn.affine_lps is None or drawn.dims != scan.dims:
        if values.shape != scan.shape:
            raise ShapeError(f"its shape {values.shape} is not the scan's {scan.shape}")
        return values
    corners = _corners(scan.affine_lps, scan.shape)
    found = [
        (float(np.linalg.norm(_corners(affine, scan.shape) - corners, axis=1).max()), order, steps)
        for affine, order, steps in _turned(drawn.affine_lps, values.shape)
        if tuple(values.shape[axis] for axis in order) == scan.shape
    ]
    if not found:
        raise ShapeError(f"its shape {values.shape} is not the scan's {scan.shape}")
    off_mm, order, steps = min(found, key=lambda one: one[0])
    voxel_mm = float(np.linalg.norm(scan.affine_lps[:3, 3 - scan.dims : 3], axis=0).min())
    if off_mm > _OFF_GRID * voxel_mm:
        raise ShapeError(
            f"its voxels are up to {off_mm:.3g} mm from the scan's, however its axes are swapped and mirrored; "
            "resample it onto the scan, or correct its position"
        )
    return values.transpose(order)[tuple(slice(None, None, step) for step in steps)]


def _turned(
    affine: np.ndarray, shape: tuple[int, ...]
) -> Iterator[tuple[np.ndarray, tuple[int, ...], tuple[int, ...]]]:
    """Every way to swap and mirror the axes of an array, none first: the affine `(4, 4)` then, and how to do it."""
    dims = len(shape)
    for order in permutations(range(dims)):
        for steps in product((1, -1), repeat=dims):
            turned = affine.copy()
            for axis, (old, step) in enumerate(zip(order, steps, strict=True), start=3 - dims):
                column = affine[:, 3 - dims + old]
                turned[:, axis] = step * column
                if step < 0:
                    turned[:, 3] += (shape[old] - 1) * column
            yield turned, order, steps


def _corners(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`(2^dims, 3)` positions of the corner voxels: where two grids agree on these they agree on all."""
    ends = [(0,)] * (3 - len(shape)) + [(0, size - 1) for size in shape]
    return np.array([(*corner, 1) for corner in product(*ends)]) @ affine[:3].T
