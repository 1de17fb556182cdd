"""Where DICOM slices lie: ordered along their normal, evenly spaced, and mapped to LPS millimetres."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from halescan.errors import ScanError
from halescan.types import Note

SAME_PLACE_MM = 0.005
"""Two slices closer than this lie at the same place."""

EVEN_SHARE, EVEN_MM = 0.01, 0.02
"""Gaps may differ from the median by 1 %, or by what rounding in the header does."""

SAME_DIRECTION = 1e-2
"""Largest difference between the direction cosines of slices of one stack: scanners round them differently."""


@dataclass(frozen=True)
class Plane:
    """One slice in space.

    Args:
        position_mm: LPS position of the centre of the first pixel.
        row: Direction in which the column number (x) grows.
        column: Direction in which the row number (y) grows.
        spacing_mm: (y, x), or None.
    """

    position_mm: tuple[float, float, float]
    row: tuple[float, float, float]
    column: tuple[float, float, float]
    spacing_mm: tuple[float, float] | None

    @property
    def normal(self) -> np.ndarray:
        """Unit vector out of the slice, right-handed with row and column."""
        return np.cross(self.row, self.column)


@dataclass(frozen=True, eq=False)
class Stacked:
    """Slices put in order.

    Args:
        order: For each place along the normal, the numbers of the slices that lie there: one, or several duplicates.
    """

    order: tuple[tuple[int, ...], ...]
    spacing_mm: tuple[float, float, float] | None
    affine_lps: np.ndarray | None
    notes: tuple[Note, ...] = ()


def pixel_spacing(dataset: Any) -> tuple[tuple[float, float] | None, tuple[Note, ...]]:
    """(y, x) millimetres in the patient, or at the detector with the note `detector-spacing`.

    Ultrasound says it for each region of the picture; it counts here where there is one region. Zero, negative or no
    number: it is unknown, with the note `bad-spacing`.
    """
    spacing, bad = _lengths(dataset, "PixelSpacing")
    if spacing is not None:
        return spacing, ()
    spacing, bad_too = _lengths(dataset, "ImagerPixelSpacing")
    if spacing is not None:
        return spacing, (Note("detector-spacing"),)
    regions: Any = dataset.get("SequenceOfUltrasoundRegions") or ()
    if len(regions) == 1 and regions[0].get("PhysicalUnitsXDirection") == 3 == regions[0].get(
        "PhysicalUnitsYDirection"
    ):
        centimetres = [abs(float(regions[0].get(f"PhysicalDelta{axis}") or 0)) for axis in "YX"]
        return _pair([10 * size for size in centimetres]), ()
    groups: Any = dataset.get("PerFrameFunctionalGroupsSequence") or ({},)
    measures = functional(dataset, groups[0], "PixelMeasuresSequence")
    bad_frame = measures is not None and _lengths(measures, "PixelSpacing")[1]
    return None, (Note("bad-spacing"),) if bad or bad_too or bad_frame else ()


def plane(dataset: Any) -> Plane | None:
    """Where a single slice lies; None if it does not say."""
    spacing, _ = pixel_spacing(dataset)
    return _plane(dataset.get("ImagePositionPatient"), dataset.get("ImageOrientationPatient"), spacing)


def frame_planes(dataset: Any, frames: int) -> list[Plane] | None:
    """Where each frame of a multi-frame file lies; None if it does not say.

    Enhanced files say it frame by frame, dose grids by offsets from the first.
    """
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if groups is not None and len(groups) >= frames:
        planes = [_enhanced_plane(dataset, group) for group in list(groups)[:frames]]
        return None if any(one is None for one in planes) else [one for one in planes if one is not None]
    first, offsets = plane(dataset), dataset.get("GridFrameOffsetVector")
    if first is None or offsets is None or len(offsets) != frames:
        return None
    places = np.asarray(first.position_mm) + np.outer([float(offset) for offset in offsets], first.normal)
    return [Plane((x, y, z), first.row, first.column, first.spacing_mm) for x, y, z in places.tolist()]


def functional(dataset: Any, group: Any, sequence: str) -> Any:
    """An item of a functional group: the frame's own, else the one shared by all, else None."""
    for place in (group, *(dataset.get("SharedFunctionalGroupsSequence") or ())):
        items = place.get(sequence)
        if items:
            return items[0]
    return None


def slice_affine(one: Plane) -> np.ndarray | None:
    """`(4, 4)` of a single slice: z = 0, the first column is the slice's normal."""
    if one.spacing_mm is None:
        return None
    return _affine(one, one.normal)


def stack(planes: Sequence[Plane], *, where: Path) -> Stacked:
    """Order slices along their normal and check that they make a volume.

    Raises:
        ScanError: if they lie in different directions, or unevenly, or not in one row.
    """
    first = planes[0]
    _check_parallel(planes, where)
    along = np.array([np.dot(one.position_mm, first.normal) for one in planes])
    order = _places(along)
    positions = np.array([planes[group[0]].position_mm for group in order])
    if len(order) == 1:
        return Stacked(order, None, None)
    _check_even(np.diff([along[group[0]] for group in order]), where)
    step = (positions[-1] - positions[0]) / (len(order) - 1)
    _check_straight(positions, step, first, where)
    if first.spacing_mm is None:
        return Stacked(order, None, None)
    affine = _affine(planes[order[0][0]], step)
    return Stacked(order, (float(np.linalg.norm(step)), *first.spacing_mm), affine, _tilt(step, first))


def _lengths(place: Any, word: str) -> tuple[tuple[float, float] | None, bool]:
    """Two lengths of the header, and whether what it says instead is no length."""
    try:
        value = place.get(word)
        pair = _pair(value)
    except (ValueError, TypeError):  # pydicom's answer to text in place of a number
        return None, True
    return pair, pair is None and value is not None and str(value) not in ("", "[]")


def _pair(value: Any) -> tuple[float, float] | None:
    """Two positive finite numbers, or None."""
    if value is None or isinstance(value, (str, float, int)) or len(value) != 2:
        return None
    first, second = float(value[0]), float(value[1])
    return (first, second) if 0 < first < np.inf and 0 < second < np.inf else None


def _plane(position: Any, orientation: Any, spacing: tuple[float, float] | None) -> Plane | None:
    """A plane from its header values, with directions made unit length; None if they make no plane."""
    if position is None or orientation is None or len(position) != 3 or len(orientation) != 6:
        return None
    place = np.array([float(value) for value in position])
    row, column = np.array([float(value) for value in orientation]).reshape(2, 3)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not np.isfinite(place).all() or not all(0.9 < length < 1.1 for length in lengths) or abs(row @ column) > 0.1:
        return None
    row, column = row / lengths[0], column / lengths[1]
    return Plane(tuple(place.tolist()), tuple(row.tolist()), tuple(column.tolist()), spacing)


def _enhanced_plane(dataset: Any, group: Any) -> Plane | None:
    """Where one frame of an enhanced file lies."""
    position = functional(dataset, group, "PlanePositionSequence")
    orientation = functional(dataset, group, "PlaneOrientationSequence")
    measures = functional(dataset, group, "PixelMeasuresSequence")
    if position is None or orientation is None:
        return None
    spacing = _lengths(measures, "PixelSpacing")[0] if measures is not None else None
    return _plane(position.get("ImagePositionPatient"), orientation.get("ImageOrientationPatient"), spacing)


def _affine(one: Plane, step: np.ndarray) -> np.ndarray:
    """`(4, 4)` from the index (z, y, x, 1) to LPS millimetres."""
    spacing = one.spacing_mm or (1.0, 1.0)
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = np.asarray(one.column) * spacing[0]
    affine[:3, 2] = np.asarray(one.row) * spacing[1]
    affine[:3, 3] = one.position_mm
    return affine


def _check_parallel(planes: Sequence[Plane], where: Path) -> None:
    """One direction and one spacing: a localiser among axial slices has another."""
    directions = np.array([[*one.row, *one.column] for one in planes])
    away = int((np.abs(directions - directions[0]).max(axis=1) > SAME_DIRECTION).sum())
    if away:
        raise ScanError(
            f"{where}: {min(away, len(planes) - away)} of {len(planes)} slices lie in another direction than the rest, "
            "such as a localiser; expected one direction. Move them to a folder of their own."
        )
    spacings = {one.spacing_mm for one in planes}
    known = np.array([spacing or (0.0, 0.0) for spacing in spacings])
    if (np.ptp(known, axis=0) > 1e-3 * known.max()).any():
        raise ScanError(
            f"{where}: slices have {len(spacings)} different pixel spacings, expected one. Export each reconstruction "
            "to a folder of its own."
        )


def _places(along: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Slice numbers in order along the normal, those at the same place together."""
    places: list[list[int]] = []
    last = -np.inf
    for number in np.argsort(along, kind="stable").tolist():
        if along[number] - last <= SAME_PLACE_MM:
            places[-1].append(number)
        else:
            places.append([number])
            last = along[number]
    return tuple(tuple(place) for place in places)


def _check_even(gaps_mm: np.ndarray, where: Path) -> None:
    """Equal gaps, or a sentence that names them: interpolating over a missing slice would invent anatomy."""
    median = float(np.median(gaps_mm))
    if np.abs(gaps_mm - median).max() <= max(EVEN_SHARE * median, EVEN_MM):
        return
    low, high = float(gaps_mm.min()), float(gaps_mm.max())
    multiples = gaps_mm / low
    missing = int(np.rint(multiples).sum()) - len(gaps_mm)
    if np.abs(multiples - np.rint(multiples)).max() < 0.05 and missing <= len(gaps_mm):
        what = f"{missing} slice{'s' if missing > 1 else ''} missing: "
        way = "Fetch the whole series again"
    else:
        what, way = "", "Export one series with even gaps"
    raise ScanError(
        f"{where}: {what}slice gaps range from {low:.2f} to {high:.2f} mm, expected equal within {EVEN_SHARE:.0%}. "
        f"{way}, or resample it first."
    )


def _check_straight(positions: np.ndarray, step: np.ndarray, first: Plane, where: Path) -> None:
    """First pixels must lie on one line, within half a pixel, or no affine can describe the volume."""
    line = positions[0] + np.arange(len(positions))[:, None] * step
    off = float(np.linalg.norm(positions - line, axis=1).max())
    if off > 0.5 * max(first.spacing_mm or (1.0, 1.0)) + EVEN_MM + EVEN_SHARE * float(np.linalg.norm(step)):
        raise ScanError(
            f"{where}: slices are shifted against each other by up to {off:.2f} mm, expected one straight row. "
            "Export the series again with one field of view."
        )


def _tilt(step: np.ndarray, first: Plane) -> tuple[Note, ...]:
    """A note where the stack leans, as with a tilted gantry."""
    lean = np.degrees(np.arccos(np.clip(step @ first.normal / np.linalg.norm(step), -1, 1)))
    return (Note("tilted-stack", {"degrees": round(float(lean), 1)}),) if lean > 0.5 else ()
