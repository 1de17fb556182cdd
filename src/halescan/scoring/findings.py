"""Findings: the connected regions a reader should look at, each with its size, its place and its p-value."""

import math
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist

from halescan.errors import SettingError, ShapeError
from halescan.scoring.calibration import Calibration
from halescan.scoring.places import Box, Kind, mask_box, place_words
from halescan.scoring.tail import HealthyTail
from halescan.types import Finding

_FEW = 200  # points whose distances cost less than thinning them
_MANY = 1500  # points whose distances are compared pair by pair without thinning them first
_ROUNDING = 1e-9  # of a distance: pairs closer than this are equally far apart


@dataclass(frozen=True)
class Found:
    """What was found, and what was left out of the list.

    Args:
        findings: Strangest first, numbered from 1.
        too_small: Regions dropped for their diameter.
        beyond: Regions dropped because the list was full.
    """

    findings: tuple[Finding, ...]
    too_small: int = 0
    beyond: int = 0


@dataclass(frozen=True, eq=False)
class Region:
    """One connected region: its box in the map, which voxels of the box belong to it, and its peak."""

    box: Box
    inside: np.ndarray
    voxels: int
    peak_index: tuple[int, ...]
    peak: float
    _diameters: dict[tuple[float, ...], float] = field(default_factory=dict, repr=False)

    def diameter(self, spacing: tuple[float, ...]) -> float:
        """Its `longest_diameter`, measured once in each unit."""
        if spacing not in self._diameters:
            self._diameters[spacing] = longest_diameter(self.inside, spacing)
        return self._diameters[spacing]

    @property
    def centre(self) -> np.ndarray:
        """Mean index of its voxels in the whole map."""
        axes = range(self.inside.ndim)
        lines = [self.inside.sum(axis=tuple(other for other in axes if other != axis)) for axis in axes]
        offsets = [float(line @ np.arange(line.size)) / self.voxels for line in lines]
        return np.array([start + offset for (start, _), offset in zip(self.box, offsets, strict=True)])


def find(
    strangeness: np.ndarray,
    *,
    threshold: float,
    tail: HealthyTail | None = None,
    mask: np.ndarray | None = None,
    spacing_mm: tuple[float, ...] | None = None,
    affine_lps: np.ndarray | None = None,
    min_diameter_mm: float = 0.0,
    min_diameter_px: float = 0.0,
    calibration: Calibration | None = None,
    false_alarms: float = 0.05,
    places: Kind = "none",
    directions: tuple[str, ...] | None = None,
    most: int = 10,
) -> Found:
    """The regions where a map reaches its threshold inside the mask; voxels that touch by a corner belong together.

    The longest diameter is the largest distance between two voxel centres of the region plus the extent of one voxel in
    that direction, so that a rod of n voxels measures n of them and a disc of radius r pixels measures 2 r + 1.

    Args:
        strangeness: `(y, x)` or `(z, y, x)`, finite.
        threshold: Map value from which a place belongs to a finding.
        tail: For `peak_tail`, which is 0 without it.
        mask: Same shape, bool; None looks everywhere.
        spacing_mm: An axis each; None leaves out millimetres.
        affine_lps: `(4, 4)` as `Scan.affine_lps`.
        min_diameter_mm: Smaller regions are dropped, where the spacing is known.
        min_diameter_px: The same in voxels, where it is not.
        calibration: For `p_value`; its peaks must come from maps made like this one.
        false_alarms: In (0, 1); `Finding.above` is None when the calibration cannot support it.
        places: Which words a place gets; told from the region's centre within the mask's box.
        directions: As `Scan.directions`.
        most: Length of the list.

    Raises:
        ShapeError: if the shapes differ or the map is not finite.
        SettingError: if the rate does not lie in (0, 1) or `most` is below 0.
    """
    _check(strangeness, mask, spacing_mm, false_alarms, most)
    large, too_small = regions(
        strangeness,
        threshold=threshold,
        mask=mask,
        spacing_mm=spacing_mm,
        min_diameter_mm=min_diameter_mm,
        min_diameter_px=min_diameter_px,
    )
    # Ties go by size and then by place, so that the order is the same every time.
    large.sort(key=lambda region: (-region.peak, -region.voxels, region.peak_index))
    organ = mask_box(mask, strangeness.shape)
    findings = []
    for number, region in enumerate(large[:most], start=1):
        centre = region.centre
        p_value, above = _significance(region.peak, calibration, false_alarms)
        finding = Finding(
            number=number,
            peak_index=region.peak_index,
            box=region.box,
            centre_lps_mm=_in_patient(centre, affine_lps),
            place=place_words(centre.tolist(), box=organ, directions=directions, kind=places),
            voxels=region.voxels,
            volume_mm3=_volume(region, spacing_mm),
            area_mm2=_area(region, spacing_mm),
            diameter_mm=None if spacing_mm is None else region.diameter(spacing_mm),
            diameter_px=region.diameter((1.0,) * strangeness.ndim),
            peak=region.peak,
            peak_tail=0.0 if tail is None else float(tail.log_tail(np.asarray(region.peak))),
            p_value=p_value,
            above=above,
        )
        findings.append(finding)
    return Found(tuple(findings), too_small=too_small, beyond=max(0, len(large) - most))


def regions(
    strangeness: np.ndarray,
    *,
    threshold: float,
    mask: np.ndarray | None = None,
    spacing_mm: tuple[float, ...] | None = None,
    min_diameter_mm: float = 0.0,
    min_diameter_px: float = 0.0,
) -> tuple[list[Region], int]:
    """All regions behind the findings, in no order, and the number of those dropped as too small; see `find`."""
    hot = strangeness >= threshold
    if mask is not None:
        hot &= np.asarray(mask, bool)
    found = _regions(strangeness, hot)
    large = [region for region in found if _is_large(region, spacing_mm, min_diameter_mm, min_diameter_px)]
    return large, len(found) - len(large)


def longest_diameter(inside: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Longest diameter of the voxels of a mask, in the unit of the spacing, the extent of one voxel included."""
    steps = np.asarray(spacing, np.float64)
    points = _line_ends(inside)
    # Along an axis too: a flat region in a thick slice is at least as long as the slice is thick.
    widest = float(((np.ptp(points, axis=0) + 1) * steps).max())
    if len(points) == 1:
        return widest
    apart = _farthest(points * steps)
    distance = np.linalg.norm(apart, axis=1)
    # The extent of a voxel differs with the direction: of pairs equally far apart, the longest line counts.
    return max(widest, float((distance + np.linalg.norm(apart / distance[:, None] * steps, axis=1)).max()))


def _check(
    strangeness: np.ndarray,
    mask: np.ndarray | None,
    spacing_mm: tuple[float, ...] | None,
    false_alarms: float,
    most: int,
) -> None:
    if strangeness.ndim not in (2, 3) or (mask is not None and mask.shape != strangeness.shape):
        raise ShapeError(f"expected a map (y, x) or (z, y, x) and its mask, got {strangeness.shape}")
    if spacing_mm is not None and (len(spacing_mm) != strangeness.ndim or min(spacing_mm) <= 0):
        raise ShapeError(f"expected {strangeness.ndim} positive spacings, got {spacing_mm}")
    if not np.isfinite(strangeness).all():
        raise ShapeError("the map holds values that are not finite; findings would be missed")
    if not 0 < false_alarms < 1:
        raise SettingError(f"the false-alarm rate must lie in (0, 1), got {false_alarms}; 0.05 is usual")
    if most < 0:
        raise SettingError(f"the list cannot have {most} findings; 0 or more, 10 is usual")


def _regions(strangeness: np.ndarray, hot: np.ndarray) -> list[Region]:
    """Every connected region of `hot`."""
    if not hot.any():
        return []
    labels, _ = ndimage.label(hot, structure=np.ones((3,) * hot.ndim, bool))
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[box] == number
        values = np.where(inside, strangeness[box], -np.inf)
        top = np.unravel_index(int(values.argmax()), values.shape)
        bounds = tuple((int(side.start), int(side.stop)) for side in box)
        peak_index = tuple(start + int(offset) for (start, _), offset in zip(bounds, top, strict=True))
        found.append(Region(bounds, inside, int(inside.sum()), peak_index, float(values[top])))
    return found


def _is_large(region: Region, spacing_mm: tuple[float, ...] | None, least_mm: float, least_px: float) -> bool:
    # In the plane: a single voxel of a thick slice is long across it, and still a speck.
    steps = (spacing_mm or (1.0,) * len(region.box))[-2:]
    least = least_px if spacing_mm is None else least_mm
    # The box's diagonal settles most specks without measuring them.
    diagonal = math.hypot(*((stop - start) * step for (start, stop), step in zip(region.box[-2:], steps, strict=True)))
    if diagonal < least:
        return False
    if least <= max(steps):
        return True
    flat = region.inside.ndim == 2
    longest = region.diameter(steps) if flat else longest_diameter(np.asarray(region.inside.any(axis=0)), steps)
    return longest >= least - 1e-9


def _volume(region: Region, spacing_mm: tuple[float, ...] | None) -> float | None:
    """Cubic millimetres in 3-D."""
    return None if spacing_mm is None or len(spacing_mm) < 3 else region.voxels * math.prod(spacing_mm)


def _area(region: Region, spacing_mm: tuple[float, ...] | None) -> float | None:
    """Square millimetres, of the largest slice in 3-D."""
    if spacing_mm is None:
        return None
    largest_slice = int(region.inside.sum(axis=(-2, -1)).max())
    return largest_slice * math.prod(spacing_mm[-2:])


def _significance(peak: float, calibration: Calibration | None, rate: float) -> tuple[float | None, bool | None]:
    """The p-value, and whether it lies at or below the rate."""
    p_value = None if calibration is None else calibration.finding_p_value(peak)
    if calibration is None or p_value is None or not calibration.supports(rate):
        return p_value, None
    return p_value, p_value <= rate * (1 + 1e-9)  # as forgiving of rounding as `Calibration.threshold`


def _in_patient(centre: np.ndarray, affine_lps: np.ndarray | None) -> tuple[float, float, float] | None:
    if affine_lps is None:
        return None
    index = np.concatenate([np.zeros(3 - centre.size), centre, [1.0]])
    x, y, z = (float(value) for value in (np.asarray(affine_lps) @ index)[:3])
    return x, y, z


def _line_ends(inside: np.ndarray) -> np.ndarray:
    """`(k, dims)` voxels that can be an end of the longest diameter: first or last on their line along each axis."""
    *lines, side = inside.shape
    flat = inside.reshape(-1, side)
    some = np.flatnonzero(flat.any(axis=1))
    first, last = flat[some].argmax(axis=1), side - 1 - flat[some, ::-1].argmax(axis=1)
    where = np.stack(np.unravel_index(some, lines), axis=1)
    long = last > first
    points = np.concatenate([np.column_stack([where, first]), np.column_stack([where[long], last[long]])])
    if len(points) <= _FEW:
        return points
    for axis in range(inside.ndim - 1):
        others = np.delete(points, axis, axis=1)
        order = np.lexsort((points[:, axis], *others.T))
        new = np.any(np.diff(others[order], axis=0) != 0, axis=1)
        points = points[order][np.append(True, new) | np.append(new, True)]
    return points


def _farthest(points: np.ndarray) -> np.ndarray:
    """`(k, dims)` from one point to the other, for the k pairs of points that lie farthest apart."""
    if len(points) > _MANY:
        # All on one plane has no hull: still exact below, only slower.
        with suppress(QhullError):
            points = points[ConvexHull(points).vertices]
    best, found = 0.0, points[:0]
    for start in range(0, len(points), _MANY):
        some = points[start : start + _MANY]
        apart = cdist(some, points)
        most = float(apart.max())
        if most > best * (1 - _ROUNDING):
            rows, columns = np.nonzero(apart >= max(most, best) * (1 - _ROUNDING))
            lines = points[columns] - some[rows]
            found = lines if most > best * (1 + _ROUNDING) else np.concatenate([found, lines])
            best = max(best, most)
    return found
