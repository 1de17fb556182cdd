"""Slices: one slice of a volume as a scan of its own, at its own place in the patient."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock

from halescan.errors import ScanError
from halescan.io.pixels import refuse_constant
from halescan.io.source import Source
from halescan.types import Scan

_MOST_KEPT = 128 * 2**20  # bytes of decoded volumes: slices are asked for in order, several of one volume in a row

_lock = Lock()
_kept: dict[tuple[Source, int, int], Scan] = {}


def one_slice(source: Source, read_volume: Callable[[Source], Scan]) -> Scan:
    """The slice that a source names. The last few volumes are kept, so that its neighbours cost no further reading.

    Raises:
        ScanError: if the scan is no volume, or has no such slice.
        BlankScan: if nothing is on that slice.
    """
    index = source.slice_index
    volume = _volume(replace(source, slice_index=None), read_volume)
    if volume.dims != 3 or index is None or not 0 <= index < volume.shape[0]:
        found = f"slices 0 to {volume.shape[0] - 1}" if volume.dims == 3 else "a single image"
        raise ScanError(f"{source.path}: holds {found}, slice {index} was asked for.")
    pixels = volume.pixels[index].copy()  # a view would keep the whole volume in memory
    refuse_constant(pixels, Path(f"{source.path}, slice {index}"), colour=volume.colour)
    affine = None
    if volume.affine_lps is not None:
        affine = volume.affine_lps.copy()
        affine[:, 3] += index * affine[:, 0]
    spacing = None if volume.spacing_mm is None else volume.spacing_mm[1:]
    return replace(volume, pixels=pixels, dims=2, spacing_mm=spacing, affine_lps=affine)


def _volume(source: Source, read_volume: Callable[[Source], Scan]) -> Scan:
    """A volume, from memory where it was read just before and has not changed. Threads that want the same one wait."""
    try:
        facts = source.files[0].stat()
    except OSError:
        return read_volume(source)  # which says what is wrong
    key = (source, facts.st_mtime_ns, facts.st_size)
    with _lock:
        if key not in _kept:
            volume = read_volume(source)
            _make_room(volume.pixels.nbytes)
            if volume.pixels.nbytes > _MOST_KEPT:
                return volume
            _kept[key] = volume
        return _kept[key]


def _make_room(size: int) -> None:
    """Let go of the volumes read longest ago until one of that size fits beside the others."""
    while _kept and size + sum(scan.pixels.nbytes for scan in _kept.values()) > _MOST_KEPT:
        del _kept[next(iter(_kept))]
