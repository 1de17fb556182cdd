"""Every step from a scan's voxels to an image's pixels, each of which knows its way back."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from halescan.errors import SettingError, ShapeError

Bounds = tuple[tuple[int, int], ...]


class Step(Protocol):
    """One step on the last axes of an array; `order` 1 is linear, 0 the nearest neighbour."""

    @property
    def before(self) -> tuple[int, ...]:
        """Shape of the grid that goes in."""
        ...

    @property
    def after(self) -> tuple[int, ...]:
        """Shape of the grid that comes out."""
        ...

    def forward(self, array: np.ndarray, order: int = 1, fill: float = 0) -> np.ndarray:
        """From the scan's side to the image's; `fill` stands where the scan has nothing."""
        ...

    def back(self, array: np.ndarray, order: int = 1, fill: float = 0) -> np.ndarray:
        """From the image's side to the scan's; `fill` stands where the image has nothing."""
        ...


@dataclass(frozen=True)
class Orient:
    """Axes put into another order, then flipped: no value changes.

    Args:
        before: Shape of the grid that goes in.
        axes: Axis `k` of the result is axis `axes[k]` of what goes in.
        flips: Whether each axis of the result runs backwards.
    """

    before: tuple[int, ...]
    axes: tuple[int, ...]
    flips: tuple[bool, ...]

    def __post_init__(self) -> None:
        if sorted(self.axes) != list(range(len(self.before))) or len(self.flips) != len(self.before):
            raise SettingError(f"axes {self.axes} and flips {self.flips} do not reorder a grid of shape {self.before}")

    @property
    def after(self) -> tuple[int, ...]:
        return tuple(self.before[axis] for axis in self.axes)

    def forward(self, array: np.ndarray, order: int = 1, fill: float = 0) -> np.ndarray:
        _check_grid(array, self.before)
        return _flip(_permute(array, self.axes), self.flips)

    def back(self, array: np.ndarray, order: int = 1, fill: float = 0) -> np.ndarray:
        _check_grid(array, self.after)
        return _permute(_flip(array, self.flips), tuple(int(axis) for axis in np.argsort(self.axes)))


@dataclass(frozen=True)
class Crop:
    """A box cut out of a grid; where it reaches beyond the grid, it pads.

    Args:
        before: Shape of the grid that goes in.
        bounds: Half-open `(start, stop)` an axis, in voxels; negative or beyond the end means padding.
    """

    before: tuple[int, ...]
    bounds: Bounds

    def __post_init__(self) -> None:
        if len(self.bounds) != len(self.before) or any(stop <= start for start, stop in self.bounds):
            raise SettingError(f"bounds {self.bounds} hold no voxel of a grid of shape {self.before}")

    @property
    def after(self) -> tuple[int, ...]:
        return tuple(stop - start for start, stop in self.bounds)

    def forward(self, array: np.ndarray, order: int = 1, fill: float = 0) -> np.ndarray:
        _check_grid(array, self.before)
        return _cut(array, self.bounds, fill)

    def back(self, array: np.ndarray, order: int = 1, fill: float = 0) -> np.ndarray:
        _check_grid(array, self.after)
        back = tuple((-start, size - start) for size, (start, _) in zip(self.before, self.bounds, strict=True))
        return _cut(array, back, fill)


@dataclass(frozen=True)
class Resize:
    """Another number of samples over the same extent, in the pixel-centre convention.

    Sample `i` of `n` lies at the share `(i + 1/2) / n` of the extent on both sides, so going back reads the very places
    that were sampled. Linear; where it shrinks, the triangle widens to the coarser spacing, so that nothing aliases.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.before) != len(self.after) or min(*self.before, *self.after) < 1:
            raise SettingError(f"cannot resize a grid of shape {self.before} to {self.after}")

    def forward(self, array: np.ndarray, order: int = 1, fill: float = 0) -> np.ndarray:
        _check_grid(array, self.before)
        return resample(array, self.after, order)

    def back(self, array: np.ndarray, order: int = 1, fill: float = 0) -> np.ndarray:
        _check_grid(array, self.after)
        return resample(array, self.before, order)


@dataclass(frozen=True)
class Grid:
    """The way from a scan's voxels to an image's pixels and back.

    Args:
        scan_shape: Shape of the whole scan.
        image_shape: Shape of the image.
        steps: In the order of going forward.
        slice_index: The slice of a volume that the image shows; None if it shows the whole scan.
    """

    scan_shape: tuple[int, ...]
    image_shape: tuple[int, ...]
    steps: tuple[Step, ...]
    slice_index: int | None = None

    def __post_init__(self) -> None:
        shape = self.place_shape
        for step in self.steps:
            if tuple(step.before) != shape:
                raise ShapeError(f"{type(step).__name__} takes a grid of shape {step.before}, got {shape}")
            shape = tuple(step.after)
        if shape != self.image_shape:
            raise ShapeError(f"the steps end on a grid of shape {shape}, the image has {self.image_shape}")

    @property
    def place_shape(self) -> tuple[int, ...]:
        """Shape of what the image shows: the scan, or one of its slices."""
        return self.scan_shape if self.slice_index is None else self.scan_shape[1:]

    def forward(self, array: np.ndarray, *, fill: float = 0) -> np.ndarray:
        """An array `(..., *place_shape)` on the image's pixels, `(..., *image_shape)` float32, linear."""
        for step in self.steps:
            array = step.forward(array, 1, fill)
        return np.ascontiguousarray(array, dtype=np.float32)

    def forward_mask(self, mask: np.ndarray) -> np.ndarray:
        """A mask `(..., *place_shape)` on the image's pixels: bool, each pixel the nearest voxel's."""
        for step in self.steps:
            mask = step.forward(mask, 0, 0)
        return np.ascontiguousarray(mask, dtype=bool)

    def back(self, values: np.ndarray) -> np.ndarray:
        """A map `(..., *image_shape)` on the scan's voxels (or the slice's): float32, linear, 0 beyond the crop."""
        for step in reversed(self.steps):
            values = step.back(values, 1, 0)
        return np.ascontiguousarray(values, dtype=np.float32)

    def back_mask(self, mask: np.ndarray) -> np.ndarray:
        """A mask `(..., *image_shape)` on the scan's voxels (or the slice's): bool, each voxel the nearest pixel's."""
        for step in reversed(self.steps):
            mask = step.back(mask, 0, 0)
        return np.ascontiguousarray(mask, dtype=bool)


def resample(array: np.ndarray, shape: Sequence[int], order: int = 1) -> np.ndarray:
    """The last `len(shape)` axes of an array on `shape` samples; see `Resize`. Linear gives float32.

    A grid that already has the shape comes back as it is, bit for bit.
    """
    target = tuple(shape)
    source = array.shape[array.ndim - len(target) :]
    if order not in (0, 1):
        raise SettingError(f"order must be 0 (nearest) or 1 (linear), got {order}")
    if source == target:
        return array
    first = array.ndim - len(target)
    if order == 0:
        for axis, (old, new) in enumerate(zip(source, target, strict=True)):
            array = array if old == new else array.take(_nearest(old, new), axis=first + axis)
        return array
    array = np.asarray(array, np.float32)
    # the axis that shrinks most goes first: what is left to do is then smallest
    for axis in sorted(range(len(target)), key=lambda axis: target[axis] / source[axis]):
        if source[axis] != target[axis]:
            array = _blend(array, first + axis, target[axis])
    return array


def _blend(array: np.ndarray, axis: int, new: int) -> np.ndarray:
    """One axis as a product with its weights: sparse, as each sample has few neighbours, and no threads to wait for."""
    first = array.swapaxes(0, axis)
    columns = np.ascontiguousarray(first).reshape(first.shape[0], -1)
    mixed = _weights(first.shape[0], new) @ columns
    return mixed.reshape(new, *first.shape[1:]).swapaxes(0, axis)


@lru_cache(maxsize=64)
def _weights(old: int, new: int) -> csr_array:
    """`(new, old)` float32: each row the share of every old sample in a new one; rows sum to 1."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale - 0.5
    if scale <= 1:
        centres = centres.clip(0, old - 1)  # beyond the outermost centres the edge goes on
    width = max(scale, 1.0)
    reach = np.ceil(centres - width)[:, None] + np.arange(int(np.ceil(2 * width)) + 1)
    triangle = np.clip(1 - np.abs(reach - centres[:, None]) / width, 0, None) * ((reach >= 0) & (reach < old))
    shares = (triangle / triangle.sum(axis=1, keepdims=True)).astype(np.float32)
    row, place = np.nonzero(shares)
    return csr_array((shares[row, place], (row, reach[row, place].astype(np.intp))), shape=(new, old))


@lru_cache(maxsize=64)
def _nearest(old: int, new: int) -> np.ndarray:
    """`(new,)` the old sample whose cell holds the centre of each new one."""
    index = ((np.arange(new) + 0.5) * old / new).astype(np.intp).clip(0, old - 1)
    index.setflags(write=False)
    return index


def _cut(array: np.ndarray, bounds: Bounds, fill: float) -> np.ndarray:
    """The box of the last axes; `fill` where it reaches beyond them."""
    sizes = array.shape[array.ndim - len(bounds) :]
    inside = [
        (max(start, 0), max(min(stop, size), max(start, 0))) for (start, stop), size in zip(bounds, sizes, strict=True)
    ]
    where: tuple[Any, ...] = (..., *(slice(start, stop) for start, stop in inside))
    piece = array[where]
    after = tuple(stop - start for start, stop in bounds)
    if piece.shape[array.ndim - len(bounds) :] == after:
        return piece
    dtype = array.dtype if float(fill).is_integer() else np.result_type(array.dtype, np.float32)
    whole = np.full(array.shape[: array.ndim - len(bounds)] + after, fill, dtype=dtype)
    places: tuple[Any, ...] = tuple(
        slice(min(low - start, size), min(high - start, size))
        for (low, high), (start, _), size in zip(inside, bounds, after, strict=True)
    )
    whole[(..., *places)] = piece
    return whole


def _permute(array: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The last axes in another order."""
    lead = array.ndim - len(axes)
    return array.transpose(*range(lead), *(lead + axis for axis in axes))


def _flip(array: np.ndarray, flips: tuple[bool, ...]) -> np.ndarray:
    """The last axes, some running backwards."""
    where: tuple[Any, ...] = (..., *(slice(None, None, -1 if flip else 1) for flip in flips))
    return array[where]


def _check_grid(array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse an array whose last axes are not the grid."""
    if array.shape[max(array.ndim - len(shape), 0) :] != tuple(shape):
        raise ShapeError(f"expected an array whose last axes are {tuple(shape)}, got {array.shape}")
