"""Grey values on one scale: where black and white lie, and the line between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from halescan.errors import SettingError

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601: what the eye makes of red, green and blue
_ENOUGH = 65_536  # values from which a quantile is read: its error is then below 0.1 % of the healthy spread


@dataclass(frozen=True)
class Levels:
    """Grey values shown as 0 and 1, and the largest value kept.

    Args:
        low: Grey value that becomes 0; below it all is 0.
        high: Grey value that becomes 1.
        ceiling: Largest value that comes out, at least 1.
    """

    low: float
    high: float
    ceiling: float = 1.0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise SettingError(f"black must lie below white, got {self.low} and {self.high}")

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """The pixels as float32 in [0, ceiling]."""
        scale = 1.0 / (self.high - self.low)
        values = np.multiply(pixels, np.float32(scale), dtype=np.float32)
        values -= np.float32(self.low * scale)
        return np.clip(values, 0, self.ceiling, out=values)


def window(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Grey values between `low` and `high` (HU in CT) as float32 in [0, 1]; beyond them all is black or white.

    Raises:
        SettingError: if `low` is not below `high`.
    """
    return Levels(low, high).apply(pixels)


def robust(
    pixels: np.ndarray, mask: np.ndarray | None = None, low_q: float = 0.005, high_q: float = 0.995
) -> np.ndarray:
    """Grey values as float32, 0 and 1 at two quantiles of those inside the mask, kept up to 1.5.

    What is brighter than nearly all healthy tissue (oedema on FLAIR, calcium) keeps its rank instead of going white.
    """
    return robust_levels(pixels, mask, low_q, high_q).apply(pixels)


def robust_levels(
    pixels: np.ndarray, mask: np.ndarray | None = None, low_q: float = 0.005, high_q: float = 0.995
) -> Levels:
    """The two quantiles of `robust`; the extremes where the quantiles coincide."""
    values = _sample(pixels, mask)
    low, high = quantiles(values, (low_q, high_q))
    if not low < high:
        low, high = float(pixels.min()), float(pixels.max())
    if not low < high:
        high = low + 1.0
    return Levels(float(low), float(high), 1.5)


def inner_levels(pixels: np.ndarray, mask: np.ndarray, *, rim: float = 0.09) -> Levels:
    """Black at the organ's 0.5 % quantile, and its inner median half way to white; kept up to 1.5.

    For the head on MRI: scalp fat governs the quantiles of the whole head, and a large bright lesion those of the
    brain; the median of what lies inside the rim moves with neither. So one person's brain looks as another's.

    Args:
        pixels: `(y, x)` or `(z, y, x)` grey.
        mask: The organ, of the same shape.
        rim: Share of the picture's smaller side taken off the mask's edge (scalp and skull).
    """
    low = robust_levels(pixels, mask).low
    middle = float(quantiles(_sample(*_inside(pixels, mask, rim)), (0.5,))[0])
    if not middle > low:
        return robust_levels(pixels, mask)
    return Levels(low, 2 * middle - low, 1.5)


def range_levels(pixels: np.ndarray) -> Levels:
    """Black and white of 8 and 16 unsigned bits; of other types the smallest and the largest value."""
    if pixels.dtype in (np.uint8, np.uint16):
        return Levels(0.0, float(np.iinfo(pixels.dtype).max))
    low, high = float(pixels.min()), float(pixels.max())
    return Levels(low, high if high > low else low + 1.0)


def quantiles(values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """`(shares,)` float64 of finite values, as `np.quantile`, several times as fast: sorting is vectorised there."""
    return ranked_quantiles(ranked(values), shares)


def ranked(values: np.ndarray) -> np.ndarray:
    """All values in rising order; whole numbers of few bits are counted rather than compared."""
    few_bits = values.dtype.kind in "iu" and values.dtype.itemsize <= 2
    return np.sort(values, axis=None, kind="stable" if few_bits else None)


def ranked_quantiles(rising: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """`(shares,)` float64 of values in rising order, linear between them."""
    places = np.asarray(shares, np.float64) * (rising.size - 1)
    below = places.astype(np.intp)
    first, next_one = (rising[index].astype(np.float64) for index in (below, np.minimum(below + 1, rising.size - 1)))
    return first + (next_one - first) * (places - below)


def luminance(pixels: np.ndarray) -> np.ndarray:
    """`(..., 3)` red, green, blue as `(...)` float32 grey, on the same scale."""
    return np.asarray(pixels, np.float32) @ LUMINANCE


def _inside(pixels: np.ndarray, mask: np.ndarray, rim: float) -> tuple[np.ndarray, np.ndarray]:
    """Some of the pixels, and where among them the mask lies deeper than its rim; the mask itself if nothing does."""
    side = min(pixels.shape[-2:])
    coarse = max(1, side // 128)
    some = (..., slice(None, None, coarse), slice(None, None, coarse))
    planes, masks = (values[some].reshape(-1, *values[some].shape[-2:]) for values in (pixels, mask))
    chosen = slice(None, None, max(1, len(planes) // 16))
    planes, masks = planes[chosen], masks[chosen]
    deep = np.stack([ndimage.distance_transform_edt(part) > rim * side / coarse for part in masks])
    return planes, deep if deep.any() else masks


def _sample(pixels: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Evenly spread values inside the mask (all, if it is empty), at most a few ten thousand."""
    values = pixels.reshape(-1)
    stride = max(1, values.size // (4 * _ENOUGH))
    # an odd stride does not fall into step with the rows
    stride += 1 - stride % 2
    values = values[::stride]
    if mask is not None:
        kept = values[mask.reshape(-1)[::stride]]
        values = kept if kept.size else values
    return values[:: max(1, values.size // _ENOUGH)]
