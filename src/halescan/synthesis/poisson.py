"""Poisson blending: a piece of one image set into another so that only its gradients come along, not its level."""

import numpy as np

from halescan.errors import ShapeError


def poisson_blend(target: np.ndarray, source: np.ndarray, *, mixed: bool = True) -> np.ndarray:
    """The inside of a box with the gradients of `source` and the border of `target`.

    Solves the Poisson equation on the box exactly, by sine transforms along its axes, in any number of dimensions.

    Args:
        target: `(c, *box)` with a rim of one pixel that stays as it is.
        source: `(c, *box)`, what comes in.
        mixed: Take at each step the stronger gradient of the two (over the channels), so that nothing of the target is
            wiped out; else always the source's.

    Returns:
        `(c, *box)` float64.

    Raises:
        ShapeError: if the two differ in shape, or a side is below 3 pixels.

    Source:
        Pérez, Gangnet and Blake 2003, doi:10.1145/882262.882269. We differ: rectangles only, for which the sine
        transform needs no iteration.
    """
    from scipy import fft

    if target.shape != source.shape or min(target.shape[1:]) < 3:
        raise ShapeError(f"a box {target.shape} cannot take a piece {source.shape}; expected one shape, 3 or more wide")
    below = target.astype(np.float64)
    axes = tuple(range(1, below.ndim))
    force = sum(_pull(below, source.astype(np.float64), axis, mixed) for axis in axes)
    spectrum = fft.dstn(np.asarray(force), type=1, axes=axes)
    change = fft.idstn(spectrum / _eigenvalues(spectrum.shape[1:]), type=1, axes=axes)
    result = below.copy()
    result[(slice(None), *(slice(1, -1) for _ in axes))] += change
    return result


def _pull(target: np.ndarray, source: np.ndarray, axis: int, mixed: bool) -> np.ndarray:
    """What the wanted steps along an axis ask of each inner pixel `(c, *inner)`."""
    old, new = np.diff(target, axis=axis), np.diff(source, axis=axis)
    if mixed:
        stronger = np.abs(new).sum(0, keepdims=True) > np.abs(old).sum(0, keepdims=True)
        new = np.where(stronger, new, old)
    inner = tuple(slice(None) if other == axis else slice(1, -1) for other in range(1, target.ndim))
    return np.diff((new - old)[(slice(None), *inner)], axis=axis)


def _eigenvalues(shape: tuple[int, ...]) -> np.ndarray:
    """Of the Laplacian with a fixed border, `(*shape)`."""
    lines = [2 * np.cos(np.pi * np.arange(1, side + 1) / (side + 1)) - 2 for side in shape]
    return np.asarray(sum(np.meshgrid(*lines, indexing="ij", sparse=True)))
