"""Contrasts: several scans of one body on one grid, as the channels of a single scan."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from halescan.errors import ScanError
from halescan.io.source import Source
from halescan.types import Scan

CHANNELS = 3  # what a scan of several channels has, and every step from reading to report can carry
_WHITE_Q = 0.995


def stack(source: Source, read_one: Callable[[Path], Scan]) -> Scan:
    """The files of a source as channels, each on a scale of its own: 0 stays 0, its brightest tissue becomes 1.

    MR contrasts have no common unit: without that, the brightest of them alone would set the grey scale of all.

    Raises:
        ScanError: if there are not three, one is in colour, or they do not lie on one grid.
    """
    if len(source.files) != CHANNELS:
        raise ScanError(f"{source.path}: {len(source.files)} contrasts were to be stacked, expected {CHANNELS}.")
    scans = [read_one(path) for path in source.files]
    first = scans[0]
    for path, scan in zip(source.files, scans, strict=True):
        if scan.colour or scan.shape != first.shape or not _same_place(scan, first):
            raise ScanError(
                f"{path}: does not lie on the grid of {first.source.name} (shape {scan.shape}, there {first.shape}). "
                "Register and resample the contrasts of an examination to one grid first."
            )
    pixels = np.stack([_scaled(scan.pixels) for scan in scans], axis=-1)
    notes = {note.key: note for scan in scans for note in scan.notes}
    return replace(first, pixels=pixels, unit="", source=source.path, notes=tuple(notes.values()))


def _same_place(one: Scan, other: Scan) -> bool:
    """Whether two scans lie in the same place within a tenth of a millimetre, as far as both know."""
    if one.affine_lps is None or other.affine_lps is None:
        return True
    return bool(np.allclose(one.affine_lps, other.affine_lps, atol=0.1))


def _scaled(pixels: np.ndarray) -> np.ndarray:
    """Grey values with 1 at the upper quantile of those above 0; where none are, of their range."""
    low = min(0.0, float(pixels.min()))
    above = pixels[pixels > low] - low
    white = float(np.quantile(above[:: max(1, above.size // 65_536)], _WHITE_Q))
    return ((pixels.astype(np.float32) - low) / white).astype(np.float32)
