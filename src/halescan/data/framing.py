"""What part of a scan the image shows, the right way round, and how many voxels make a pixel."""

from dataclasses import dataclass

import numpy as np

from halescan.data.grid import Bounds, Crop, Orient, Resize, Step
from halescan.data.profiles import Profile
from halescan.types import Scan

_AXIS = {"L": 0, "R": 0, "P": 1, "A": 1, "S": 2, "I": 2}
# how a reader sees a plane: by the patient's axes in it, where its rows and its columns lead as the index grows
_PLANES = {frozenset({0, 1}): ("P", "L"), frozenset({0, 2}): ("I", "L"), frozenset({1, 2}): ("I", "P")}
_VOLUME = ("S", "P", "L")


@dataclass(frozen=True)
class Frame:
    """The steps from the scan (or each of its slices) to the image, and the distance between the image's pixels."""

    steps: tuple[Step, ...]
    spacing_mm: tuple[float, ...] | None


def frame(scan: Scan, profile: Profile, around: np.ndarray | None) -> Frame:
    """Turn, cut, resize and pad a scan, or each slice of a volume read slice by slice, to the profile's image.

    Args:
        around: `scan.shape` bool; the image shows the box around it. None shows everything.
    """
    dims = profile.dims
    turn = orientation(scan, dims)
    spacing = None if scan.spacing_mm is None else tuple(scan.spacing_mm[-dims:][axis] for axis in turn.axes)
    box: Bounds = tuple((0, side) for side in turn.after)
    if around is not None:
        place = np.asarray(around.any(axis=0)) if around.ndim > dims else around
        box = _box(turn.forward(place), profile.crop_margin)
    cut, resize, pad = _window(box, turn.after, _voxels_per_pixel(box, profile, spacing), profile.size)
    steps: list[Step] = [] if turn == _stay(turn.before) else [turn]
    steps += [step for step in (cut, resize, pad) if step.before != step.after]
    extent = zip(resize.before, resize.after, spacing or (), strict=False)
    return Frame(tuple(steps), tuple(old / new * mm for old, new, mm in extent) if spacing else None)


def orientation(scan: Scan, dims: int) -> Orient:
    """The turn after which pixels run as a reader sees them; none where the scan does not know or lies oblique.

    Planes: x grows to the patient's left (axial, coronal) or back (sagittal), y to the back (axial) or the feet.
    Volumes: axes head, back, left.
    """
    shape = scan.shape[-dims:]
    if scan.directions is None:
        return _stay(shape)
    letters = scan.directions[-dims:]
    held = [_AXIS[letter] for letter in letters]
    wanted = _VOLUME if dims == 3 else _PLANES.get(frozenset(held), ())
    if len(set(held)) != dims or not wanted:
        return _stay(shape)
    axes = tuple(held.index(_AXIS[letter]) for letter in wanted)
    return Orient(shape, axes, tuple(letters[axis] != letter for axis, letter in zip(axes, wanted, strict=True)))


def _stay(shape: tuple[int, ...]) -> Orient:
    """The turn that changes nothing."""
    return Orient(shape, tuple(range(len(shape))), (False,) * len(shape))


def _box(mask: np.ndarray, margin: float) -> Bounds:
    """Bounds of a mask with room around it, inside the grid."""
    spans = []
    for axis in range(mask.ndim):
        filled = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        spans.append((int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, mask.shape[axis]))
    room = round(margin * max(stop - start for start, stop in spans[-2:]))
    return tuple(
        (max(0, start - room), min(size, stop + room)) for (start, stop), size in zip(spans, mask.shape, strict=True)
    )


def _voxels_per_pixel(box: Bounds, profile: Profile, spacing: tuple[float, ...] | None) -> tuple[float, ...]:
    """How many voxels one pixel of the image spans along each axis."""
    sides = [stop - start for start, stop in box]
    fill = [side / pixels for side, pixels in zip(sides, profile.size, strict=True)]
    if spacing is not None and profile.spacing_mm is not None:
        return tuple(wanted / mm for wanted, mm in zip(profile.spacing_mm, spacing, strict=True))
    if profile.fit == "stretch":
        return tuple(fill)
    # one millimetre is as long along every axis of the image; without spacing, one voxel is
    mm_of = spacing or (1.0,) * len(sides)
    coarsest = max(scale * mm for scale, mm in zip(fill, mm_of, strict=True))
    return tuple(coarsest / mm for mm in mm_of)


def _window(
    box: Bounds, shape: tuple[int, ...], scale: tuple[float, ...], size: tuple[int, ...]
) -> tuple[Crop, Resize, Crop]:
    """Cut, resize and pad so that the middle of the box lies in the middle of the image.

    Where the image has room beside the box it shows what the scan holds there, and pads only beyond the scan. Padding
    comes last, on the small grid: a long thin file cannot claim the memory of a square.
    """
    cuts, inner, pads = [], [], []
    for (start, stop), side, voxels, pixels in zip(box, shape, scale, size, strict=True):
        first = (start + stop) / 2 - voxels * pixels / 2
        low = min(max(0, round(first)), side - 1)
        high = max(min(side, round(first + voxels * pixels)), low + 1)
        kept = min(max(1, round((high - low) / voxels)), pixels)
        before = min(max(0, round((low - first) / voxels)), pixels - kept)
        cuts.append((low, high))
        inner.append(kept)
        pads.append((-before, pixels - before))
    cut = Crop(shape, tuple(cuts))
    return cut, Resize(cut.after, tuple(inner)), Crop(tuple(inner), tuple(pads))
