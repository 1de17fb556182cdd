"""A slide's heat map as a pyramidal TIFF that says where on the slide it lies."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from halescan.errors import OutputError, ShapeError
from halescan.types import SlideView

SCHEMA = "halescan.slide-map/1"
_TILE = 256  # pixels: what viewers of slides ask for
_SMALLEST = 256  # the coarsest level fits into one tile


def write_slide_map(view: SlideView, tail: np.ndarray, path: Path) -> None:
    """Write -log10 of the healthy tail of each cell, float32: 2 is "1 in 100 healthy places".

    The resolution tags hold µm per pixel, so that viewers lay the map over the slide; the description holds, as JSON,
    the pixels of level 0 along a pixel of the map and the extents of both. The top left corners are the same.

    Args:
        tail: `(h, w)`, on the overview.
        path: Ends in `.tiff`.

    Raises:
        ShapeError: if the map does not cover the slide.
        OutputError: if the file cannot be written.
    """
    import tifffile

    covered = [side * step for side, step in zip(tail.shape, view.factor, strict=True)]
    if any(found < side - 1e-6 for found, side in zip(covered, view.shape_px, strict=True)):
        raise ShapeError(f"a map of shape {tail.shape} does not cover a slide of {view.shape_px} pixels")
    um = [step * fine for step, fine in zip(view.factor, view.um_per_px, strict=True)]
    levels = list(_pyramid(np.ascontiguousarray(tail, np.float32)))
    try:
        with tifffile.TiffWriter(path) as sink:
            for number, level in enumerate(levels):
                steps = [side / own for side, own in zip(tail.shape, level.shape, strict=True)]
                sink.write(
                    level,
                    tile=(_TILE, _TILE),
                    compression="zlib",
                    photometric="minisblack",
                    subifds=len(levels) - 1 if number == 0 else None,
                    subfiletype=1 if number else 0,
                    resolution=tuple(10_000 / (wide * step) for wide, step in zip(um[::-1], steps[::-1], strict=True)),
                    resolutionunit="CENTIMETER",
                    description=_description(view, tail.shape, um) if number == 0 else None,
                    metadata=None,
                    software=False,
                )
    except OSError as problem:
        raise OutputError(f"{path}: the map cannot be written ({problem.strerror or problem})") from problem


def _description(view: SlideView, shape: tuple[int, ...], um: list[float]) -> str:
    """How the map lies on the slide."""
    rows, columns = view.shape_px
    return json.dumps(
        {
            "schema": SCHEMA,
            "values": "-log10 of the share of healthy places at least this strange",
            "research_use_only": True,
            "map_size_xy_px": [shape[1], shape[0]],
            "map_um_per_px_xy": [um[1], um[0]],
            "slide_size_xy_px": [columns, rows],
            "slide_um_per_px_xy": [view.um_per_px[1], view.um_per_px[0]],
            "slide_px_per_map_px_xy": [view.factor[1], view.factor[0]],
            "extent_xy_mm": [columns * view.um_per_px[1] / 1000, rows * view.um_per_px[0] / 1000],
            "top_left_xy_px": [0, 0],
        }
    )


def _pyramid(level: np.ndarray) -> Iterator[np.ndarray]:
    """The map, and copies half as long each: the largest of four, so that a speck is still seen from afar."""
    yield level
    while max(level.shape) > _SMALLEST:
        padded = np.pad(level, [(0, side % 2) for side in level.shape], mode="edge")
        level = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2).max(axis=(1, 3))
        yield level
