"""What every scan must be before it leaves the door: finite, not constant, of a plain number type, and affordable."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from halescan.errors import BlankScan, ScanError
from halescan.types import Note

LARGEST_BYTES = 2 << 30
"""Decoded size above which a scan is refused: no chest CT reaches it, and a forged header easily does."""

DEFLATE_RATIO = 1032
"""No deflate stream (PNG, gzip, zip) unpacks to more than 1032 times its size; a header that claims so is forged."""

MOST_NON_FINITE = 0.5


def check_claim(where: Path, *, claimed: int, stored: int, ratio: int = 1) -> None:
    """Compare the size that a header claims with what the file can hold, before any memory is taken.

    Args:
        where: The file, for the message.
        claimed: Bytes the decoded pixels will take.
        stored: Bytes that are there.
        ratio: Most that the compression can pack, 1 for none.

    Raises:
        ScanError: if the file cannot hold that much.
    """
    if claimed > stored * ratio:
        raise ScanError(
            f"{where}: the header claims {_size(claimed)} of pixels, the file holds {_size(max(stored, 0))}. "
            "It is cut short or damaged: copy it again from where it came."
        )


def check_affordable(where: Path, *, claimed: int) -> None:
    """Refuse what nobody could want to read at once, before any memory is taken.

    Raises:
        ScanError: beyond `LARGEST_BYTES`.
    """
    if claimed > LARGEST_BYTES:
        raise ScanError(
            f"{where}: the header claims {_size(claimed)} of pixels; at most {_size(LARGEST_BYTES)} are read at once. "
            "Cut it into smaller pieces or reduce its size first."
        )


def array_bytes(shape: tuple[int, ...], dtype: Any) -> int:
    """Bytes an array of this shape and type will take, in whole numbers that cannot overflow."""
    return prod(int(length) for length in shape) * np.dtype(dtype).itemsize


def finish(pixels: np.ndarray, *, where: Path, dims: int) -> tuple[np.ndarray, tuple[Note, ...]]:
    """Make decoded pixels fit for a Scan.

    Booleans become 0 and 255; numbers of 64 bits become 32; non-finite values, up to half of all, become the smallest
    finite one; three equal colour channels become one grey one, as most X-rays are stored so.

    Args:
        pixels: `(y, x)` or `(z, y, x)`, with an optional last axis of 3 for colour.
        where: The file, for messages.
        dims: Number of spatial axes.

    Raises:
        ScanError: if it is empty, constant (`BlankScan`), mostly not a number, or of a type that is no picture.
    """
    if pixels.size == 0:
        raise ScanError(f"{where}: holds an image without pixels (shape {pixels.shape}).")
    pixels = _plain(pixels, where)
    pixels, notes = _finite(pixels, where)
    if pixels.ndim == dims + 1:
        pixels = _collapse(pixels)
    refuse_constant(pixels, where, colour=pixels.ndim == dims + 1)
    return np.ascontiguousarray(pixels), notes


def _plain(pixels: np.ndarray, where: Path) -> np.ndarray:
    """Native byte order, at most 32 bits an integer, float32."""
    kind = pixels.dtype.kind
    if kind == "b":
        return pixels.astype(np.uint8) * np.uint8(255)
    if kind == "f":
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and is counted as such below
            return pixels.astype(np.float32, copy=False)
    if kind not in "iu":
        what = {"c": "complex numbers", "O": "Python objects", "U": "text", "S": "text"}.get(kind, str(pixels.dtype))
        raise ScanError(f"{where}: holds {what}, expected grey or colour values. Save its magnitude as float32.")
    if pixels.dtype.itemsize > 4:
        return _narrow(pixels)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _narrow(pixels: np.ndarray) -> np.ndarray:
    """64-bit integers as 32-bit ones where they fit, else float32."""
    low, high = int(pixels.min()), int(pixels.max())
    for narrow in (np.int32, np.uint32):
        if np.iinfo(narrow).min <= low and high <= np.iinfo(narrow).max:
            return pixels.astype(narrow)
    return pixels.astype(np.float32)


def _finite(pixels: np.ndarray, where: Path) -> tuple[np.ndarray, tuple[Note, ...]]:
    """Non-finite values as the smallest finite one, with a note of their share."""
    if pixels.dtype.kind != "f":
        return pixels, ()
    finite = np.isfinite(pixels)
    if finite.all():
        return pixels, ()
    share = 1.0 - float(finite.mean())
    if share > MOST_NON_FINITE:
        raise ScanError(
            f"{where}: {share:.0%} of the pixels are not finite numbers; at most {MOST_NON_FINITE:.0%} can be mended. "
            "Export the image again."
        )
    mended = np.where(finite, pixels, pixels[finite].min())
    return mended, (Note("non-finite-pixels", {"share": share}),)


def _collapse(pixels: np.ndarray) -> np.ndarray:
    """Three equal channels as one."""
    first = pixels[..., 0]
    rows = first.shape[0]
    sample = pixels[rows // 2]  # most colour images say so in one row, at no cost
    if not (sample == sample[..., :1]).all():
        return pixels
    if np.array_equal(first, pixels[..., 1]) and np.array_equal(first, pixels[..., 2]):
        return first
    return pixels


def refuse_constant(pixels: np.ndarray, where: Path, *, colour: bool) -> None:
    """A single value everywhere is an empty exposure or a failed export, not a scan.

    Raises:
        BlankScan: naming the value.
    """
    first = pixels.reshape(-1, 3)[0] if colour else pixels.reshape(-1)[0]
    if (pixels == first).all():
        value = tuple(first.tolist()) if colour else f"{float(first):g}"
        blank = BlankScan(f"{where}: every pixel has the value {value}: nothing to examine.")
        blank.value = None if colour else float(first)
        blank.shape = pixels.shape[:-1] if colour else pixels.shape
        raise blank


def _size(count: int) -> str:
    """Bytes in words."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
