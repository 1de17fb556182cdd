"""Maps: a detector's coarse answer laid on the image's grid, smoothed, and read against healthy maps place by place."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from scipy import ndimage

from halescan.errors import SettingError, ShapeError

_LEAST_SIGMA_PX = 0.125  # a Gaussian this narrow does not reach the next pixel
_LARGEST_MATRIX = 1024  # beyond this side a dense weight matrix costs more than the filter it replaces


def to_grid(coarse: np.ndarray, shape: tuple[int, ...], *, sigma_px: tuple[float, ...] | None = None) -> np.ndarray:
    """Lay coarse maps on the image's grid by linear interpolation, and smooth them there in the same pass.

    A coarse cell's value stands at the cell's centre; beyond the outermost centres the edge value goes on (what torch
    calls `align_corners=False`). The weights of one axis are a small matrix, kept between calls.

    Args:
        coarse: `(n, *coarse)` in 2-D or 3-D.
        shape: The image's grid.
        sigma_px: Standard deviation of a Gaussian along each axis of that grid, costs nothing extra here; below 1/8 it
            does nothing.

    Returns:
        `(n, *shape)` float32.

    Raises:
        ShapeError: if the maps and the grid differ in their number of axes.
    """
    if coarse.ndim != len(shape) + 1 or coarse.size == 0 or min(shape, default=0) < 1:
        raise ShapeError(f"maps of shape {coarse.shape} cannot be laid on a grid {tuple(shape)}; expected (n, *coarse)")
    sigmas = (0.0,) * len(shape) if sigma_px is None else _checked_sigmas(sigma_px, len(shape))
    maps = np.ascontiguousarray(coarse, np.float32)
    # Last axis first: the maps stay small until the end.
    for axis in reversed(range(len(shape))):
        maps = _resampled(maps, axis + 1, shape[axis], sigmas[axis])
    return maps


def smooth(maps: np.ndarray, sigma_px: tuple[float, ...]) -> np.ndarray:
    """Gaussian smoothing of `(n, *grid)` by a standard deviation in pixels for each axis; edges go on unchanged."""
    return to_grid(maps, maps.shape[1:], sigma_px=sigma_px)


def sigma_px(
    *, smooth_mm: float, smooth_px: float, spacing_mm: tuple[float, ...] | None, dims: int
) -> tuple[float, ...]:
    """The smoothing in pixels of each axis: from millimetres where the spacing is known, else `smooth_px` as it is."""
    if smooth_mm < 0 or smooth_px < 0:
        raise SettingError(f"smoothing must be 0 or more, got {smooth_mm} mm and {smooth_px} px")
    if spacing_mm is None:
        return (float(smooth_px),) * dims
    if len(spacing_mm) != dims or min(spacing_mm) <= 0:
        raise ShapeError(f"expected {dims} positive spacings, got {spacing_mm}")
    return tuple(float(smooth_mm / step) for step in spacing_mm)


def median_over_slices(volume: np.ndarray, size: int) -> np.ndarray:
    """Median of the `size`³ voxels around each voxel of one series `(z, y, x)`, its slices in order.

    Removes what stands in one slice only; keeps what is at least `size` voxels wide. A lesion smaller than about half
    the window is erased. A series of fewer than `size` slices has no neighbours to ask and comes back as it is.

    Raises:
        ShapeError: if this is not one volume.
        SettingError: if `size` is even; 0 and 1 leave the volume as it is.
    """
    if volume.ndim != 3:
        raise ShapeError(f"the median over slices needs one volume (z, y, x), got shape {volume.shape}")
    if size < 0 or (size > 0 and size % 2 == 0):
        raise SettingError(f"the edge of the median window must be odd (3 or 5), or 0 for none; got {size}")
    if size <= 1 or len(volume) < size:
        return volume.astype(np.float32)
    return ndimage.median_filter(volume.astype(np.float32), size=size, mode="nearest")


def erode(mask: np.ndarray, share: float) -> np.ndarray:
    """Take a rim off a mask: `share` of the grid's smaller side, measured in pixels from the mask's own edge.

    The border of the picture is no edge: an organ that runs out of it keeps its places there. A mask that would vanish
    comes back whole, since looking at a rim is better than looking nowhere.

    Args:
        mask: `(*grid)` bool.
        share: In [0, 0.5).
    """
    if not 0 <= share < 0.5:
        raise SettingError(f"the eroded share must lie in [0, 0.5), got {share}")
    kept = np.asarray(mask, bool)
    if share == 0 or kept.all() or not kept.any():
        return kept.copy()
    inner = ndimage.distance_transform_edt(kept) > share * min(kept.shape)
    return inner if inner.any() else kept.copy()


@dataclass(frozen=True, eq=False)
class PlaceStatistics:
    """What healthy maps are like at each place, so that a place is compared with itself.

    Ribs, scalp and vessels are a little strange in every healthy scan; read against its own mean and spread, such a
    place stands out only when it is stranger than usual *there*.

    Args:
        mean: `(*grid)` mean of the healthy maps, smoothed over space.
        spread: `(*grid)` standard deviation, smoothed, shrunk towards that of the whole grid, and never near zero.
        count: `(*grid)` number of healthy maps that had this place inside their mask.
    """

    mean: np.ndarray
    spread: np.ndarray
    count: np.ndarray

    @classmethod
    def fit(cls, maps: np.ndarray, masks: np.ndarray | None = None, *, blur_px: float = 2.0, prior: float = 10) -> Self:
        """From held-out healthy maps `(n, *grid)` and their masks; see `fit_batches`."""
        return cls.fit_batches([(maps, masks)], blur_px=blur_px, prior=prior)

    @classmethod
    def fit_batches(
        cls, batches: Iterable[tuple[np.ndarray, np.ndarray | None]], *, blur_px: float = 2.0, prior: float = 10
    ) -> Self:
        """From batches of healthy maps the detector has not learned from; memory does not grow with their number.

        Args:
            batches: Pairs of maps `(b, *grid)` and masks `(b, *grid)` or None.
            blur_px: Gaussian over which neighbouring places share what they know; 0 for none.
            prior: The whole grid's variance enters as if seen in this many maps: a place's own counts n/(n + prior).

        Raises:
            ShapeError: if there is no map, the grids differ, or a value is not finite.
        """
        count, mean, squares = _moments(batches)
        shared_count, shared_mean = _shared_mean(count, mean, blur_px)
        # Squares around the smoothed mean, since that is what will be subtracted.
        around = _blur(squares + count * (mean - shared_mean) ** 2, blur_px)
        everywhere = max(float(around.sum() / shared_count.sum()), float(np.finfo(np.float32).tiny))
        own = around / np.maximum(shared_count, 1e-9)
        variance = (count * own + prior * everywhere) / np.maximum(count + prior, 1e-9)
        # A tenth of the usual spread: a place that never varied in few maps must not divide by nearly nothing.
        spread = np.sqrt(np.maximum(np.where(count + prior > 0, variance, everywhere), 0.01 * everywhere))
        return cls(shared_mean.astype(np.float32), spread.astype(np.float32), count.astype(np.float32))

    def apply(self, maps: np.ndarray) -> np.ndarray:
        """`(n, *grid)` in standard deviations above the healthy mean of each place; larger stays stranger."""
        if maps.shape[1:] != self.mean.shape:
            raise ShapeError(f"the places were learned on a grid {self.mean.shape}, got maps of shape {maps.shape}")
        return ((maps - self.mean) / self.spread).astype(np.float32, copy=False)

    def state(self) -> dict[str, np.ndarray]:
        """All of it as arrays; `from_state` takes it back."""
        return {"mean": self.mean, "spread": self.spread, "count": self.count}

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> Self:
        """Take back what `state` gave.

        Raises:
            ShapeError: if an array is missing or the three differ in shape.
        """
        missing = {"mean", "spread", "count"} - set(state)
        if missing or len({np.shape(state[name]) for name in ("mean", "spread", "count")}) != 1:
            raise ShapeError(f"expected mean, spread and count of one shape; missing: {sorted(missing) or 'none'}")
        return cls(*(np.asarray(state[name], np.float32) for name in ("mean", "spread", "count")))


def _checked_sigmas(sigmas: tuple[float, ...], dims: int) -> tuple[float, ...]:
    if len(sigmas) != dims or not all(np.isfinite(sigma) and sigma >= 0 for sigma in sigmas):
        raise SettingError(f"expected {dims} smoothing widths of 0 or more, got {sigmas}")
    return tuple(float(sigma) if sigma >= _LEAST_SIGMA_PX else 0.0 for sigma in sigmas)


def _resampled(maps: np.ndarray, axis: int, side: int, sigma: float) -> np.ndarray:
    """One axis brought to `side` and smoothed there."""
    if maps.shape[axis] == side and sigma == 0:
        return maps
    if max(side, maps.shape[axis]) > _LARGEST_MATRIX:
        laid = _along(maps, axis, _weights(maps.shape[axis], side, 0.0)) if maps.shape[axis] != side else maps
        return ndimage.gaussian_filter1d(laid, sigma, axis=axis, mode="nearest") if sigma else laid
    return _along(maps, axis, _weights(maps.shape[axis], side, sigma))


def _along(maps: np.ndarray, axis: int, weights: np.ndarray) -> np.ndarray:
    """Multiply one axis by `weights (side, coarse)`."""
    before, after = maps.shape[:axis], maps.shape[axis + 1 :]
    if not after:
        return (maps.reshape(-1, maps.shape[axis]) @ weights.T).reshape(*before, len(weights))
    flat = maps.reshape(int(np.prod(before)), maps.shape[axis], int(np.prod(after)))
    return np.matmul(weights, flat).reshape(*before, len(weights), *after)


@lru_cache(maxsize=64)
def _weights(coarse: int, side: int, sigma: float) -> np.ndarray:
    """`(side, coarse)`: each row holds the shares a fine pixel takes from the coarse ones; rows sum to 1."""
    centres = np.clip((np.arange(side) + 0.5) * (coarse / side) - 0.5, 0, coarse - 1)
    below = np.minimum(centres.astype(int), max(coarse - 2, 0))
    above = np.minimum(below + 1, coarse - 1)
    matrix = np.zeros((side, coarse))
    np.add.at(matrix, (np.arange(side), below), 1 - (centres - below))
    np.add.at(matrix, (np.arange(side), above), centres - below)
    if sigma:
        matrix = ndimage.gaussian_filter1d(matrix, sigma, axis=0, mode="nearest")
    weights = np.ascontiguousarray(matrix, np.float32)
    weights.setflags(write=False)
    return weights


def _moments(
    batches: Iterable[tuple[np.ndarray, np.ndarray | None]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean and sum of squares around it at each place, merged batch by batch (Chan et al., 1979)."""
    count = mean = squares = np.zeros(())
    for maps, masks in batches:
        values = np.asarray(maps, np.float64)
        inside = np.ones(values.shape, bool) if masks is None else np.asarray(masks, bool)
        if inside.shape != values.shape or (count.ndim and count.shape != values.shape[1:]):
            raise ShapeError(f"maps {values.shape}, masks {inside.shape} and the first grid {count.shape} differ")
        if not np.isfinite(values).all():
            raise ShapeError("a healthy map holds values that are not finite; expected finite numbers everywhere")
        if not count.ndim:
            count, mean, squares = (np.zeros(values.shape[1:]) for _ in range(3))
        new_count = inside.sum(axis=0)
        new_mean = np.where(inside, values, 0).sum(axis=0) / np.maximum(new_count, 1)
        new_squares = (np.where(inside, values - new_mean, 0) ** 2).sum(axis=0)
        total = count + new_count
        step = new_mean - mean
        share = new_count / np.maximum(total, 1)
        squares = squares + new_squares + step**2 * count * share
        mean = mean + step * share
        count = total
    if not count.ndim or not count.any():
        raise ShapeError("no healthy map to learn the places from, or all their masks are empty")
    return count, mean, squares


def _shared_mean(count: np.ndarray, mean: np.ndarray, blur_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed count, and the mean smoothed with it as weight; the mean of all places where none is near."""
    shared_count = _blur(count, blur_px)
    overall = float((count * mean).sum() / count.sum())
    known = shared_count > 1e-6
    return shared_count, np.where(known, _blur(count * mean, blur_px) / np.where(known, shared_count, 1), overall)


def _blur(values: np.ndarray, blur_px: float) -> np.ndarray:
    return ndimage.gaussian_filter(values, blur_px, mode="nearest") if blur_px else values
