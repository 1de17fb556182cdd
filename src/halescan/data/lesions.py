"""Lesions known by place and size only: a nodule's centre and diameter, painted on the voxels of its scan."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from halescan.errors import ScanError
from halescan.types import Scan


@dataclass(frozen=True)
class Lesion:
    """A ball: its centre in LPS millimetres (x, y, z) and its diameter; 0 where only the place is known."""

    centre_lps_mm: tuple[float, float, float]
    diameter_mm: float = 0.0


def painted(lesions: Sequence[Lesion], scan: Scan) -> np.ndarray:
    """A mask `(*scan.shape)` bool of the lesions: every voxel whose centre lies in one, and always that at its centre.

    Raises:
        ScanError: if the scan does not know where it lies, or a lesion lies outside it.
    """
    if scan.affine_lps is None:
        raise ScanError(f"{scan.source}: has lesions given in millimetres, but no position of its own to place them by")
    mask = np.zeros(scan.shape, bool)
    for lesion in lesions:
        _paint(mask, lesion, scan)
    return mask


def _paint(mask: np.ndarray, lesion: Lesion, scan: Scan) -> None:
    """Set one ball."""
    assert scan.affine_lps is not None
    steps = scan.affine_lps[:3, 3 - scan.dims : 3]  # mm along each axis of the array
    offset = np.array(lesion.centre_lps_mm) - scan.affine_lps[:3, 3]
    centre = np.linalg.lstsq(steps, offset, rcond=None)[0]
    nearest = np.rint(centre).astype(int)
    if (nearest < 0).any() or (nearest >= mask.shape).any():
        raise ScanError(
            f"{scan.source}: a lesion lies outside the scan, {tuple(round(float(at), 1) for at in centre)} voxels from "
            f"its first voxel, where it has {mask.shape}; is the table that of another scan, or in another system?"
        )
    reach = np.ceil(lesion.diameter_mm / 2 / np.linalg.norm(steps, axis=0)).astype(int) + 1
    low, high = np.maximum(nearest - reach, 0), np.minimum(nearest + reach + 1, mask.shape)
    box = tuple(slice(start, stop) for start, stop in zip(low, high, strict=True))
    places = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), axis=-1)
    away_mm = np.linalg.norm(places @ steps.T - offset, axis=-1)
    mask[box] |= away_mm <= lesion.diameter_mm / 2
    mask[tuple(nearest)] = True
