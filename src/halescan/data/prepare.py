"""One scan, one profile: the images a detector reads, where to look on them, and the way back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from halescan.data.facts import scan_facts
from halescan.data.framing import Frame, frame
from halescan.data.grid import Grid
from halescan.data.intensity import Levels, inner_levels, luminance, range_levels, robust_levels
from halescan.data.masks import find_region
from halescan.data.profiles import Profile
from halescan.data.stain import normalise
from halescan.errors import ScanError, ShapeError
from halescan.types import Note, Scan

_FEWEST_COLUMNS = 8  # of a volume: less of a last axis are channels, and no size of an image is smaller either
_BLANK = 0.01  # a slice whose mask fills less of the image shows the tip of an organ at most


@dataclass(frozen=True, eq=False)
class Prepared:
    """One image ready for a detector.

    Args:
        image: `(c, *grid)` float32, mostly in [0, 1].
        mask: `(*grid)` bool, where to look; never empty.
        grid: The way back to the scan's voxels.
        spacing_mm: Distance between the image's pixel centres along its axes; None if unknown.
        slice_index: The slice of a volume it shows; None for a whole scan.
        facts: What the raw scan looks like (`scan_facts`): the same for all slices of a scan.
        notes: What a reader should know about the preparation: the same for all slices of a scan.
    """

    image: np.ndarray
    mask: np.ndarray
    grid: Grid
    spacing_mm: tuple[float, ...] | None
    slice_index: int | None
    facts: Mapping[str, float | str]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is decided once for a scan and holds for all its slices; `pixels` is `scan.shape` plus colour."""

    pixels: np.ndarray
    mask: np.ndarray
    levels: Levels
    channels: int
    frame: Frame
    facts: Mapping[str, float | str]
    notes: tuple[Note, ...]


def prepare(scan: Scan, profile: Profile) -> Iterator[Prepared]:
    """The images of a scan: one, or one a slice where the profile is 2-D and the scan a volume.

    Slices keep their order along the first axis; those on which there is nothing to look at are left out. Pixels run
    as a reader sees them (image left is the patient's right) wherever the scan knows its orientation.

    Raises:
        ShapeError: if a single image meets a profile of volumes, or an array of another number of channels a profile
            of three.
        ScanError: if no slice shows anything to look at.
    """
    if scan.dims < profile.dims:
        raise ShapeError(
            f"a 2-D image of shape {scan.shape} cannot be read with the 3-D profile {profile.name!r}; "
            "give the whole volume, or use a 2-D profile"
        )
    _refuse_other_channels(scan, profile)
    plan = _plan(scan, profile)
    if scan.dims == profile.dims:
        yield _image(plan, plan.pixels, plan.mask, Grid(scan.shape, profile.size, plan.frame.steps))
        return
    found = False
    for index in range(scan.shape[0]):
        grid = Grid(scan.shape, profile.size, plan.frame.steps, index)
        plane = plan.pixels[index]
        if not plan.mask[index].any() or plane.min() == plane.max():
            continue
        image = _image(plan, plane, plan.mask[index], grid)
        if image.mask.mean() >= _BLANK:
            found = True
            yield image
    if not found:
        raise ScanError(f"none of {scan.shape[0]} slices shows anything that the profile {profile.name!r} looks at")


def _refuse_other_channels(scan: Scan, profile: Profile) -> None:
    """An array of two contrasts has three axes like a volume, and would be cut into slices across them.

    Only a file without any geometry can be meant: a sagittal volume may have few columns, but knows how wide they are.
    """
    thin = scan.dims == 3 and not scan.colour and scan.spacing_mm is None and scan.shape[-1] < _FEWEST_COLUMNS
    if profile.channels == 3 and thin:
        found = scan.shape[-1]
        raise ShapeError(
            f"{scan.source}: array {scan.shape}: {found} channel{'s' * (found != 1)} found, 3 expected by the profile "
            f"{profile.name!r}; stack three along the last axis. If it is a volume, its slices go along the first"
        )


def _plan(scan: Scan, profile: Profile) -> _Plan:
    """Decide colours, grey scale, mask and frame of a scan."""
    grey = luminance(scan.pixels) if scan.colour else scan.pixels
    hu, scale_notes = _grey_scale(scan, profile, grey)
    pixels, stain_notes = _stained(scan, profile)
    shown = grey if pixels is scan.pixels or not scan.colour else luminance(pixels)
    region = find_region(profile.mask, scan.pixels, dims=scan.dims, hu=hu)
    around = None
    if profile.crop_to_mask:
        name = profile.crop_mask or profile.mask
        same = name == profile.mask
        around = region.mask if same else find_region(name, scan.pixels, dims=scan.dims, hu=hu).mask
    return _Plan(
        pixels=pixels if scan.colour and profile.channels == 3 else grey,
        mask=region.mask,
        levels=_levels(scan, profile, shown, region.mask, hu=hu, windowed=Note("already-windowed") in scale_notes),
        channels=profile.channels,
        frame=frame(scan, profile, around),
        facts=scan_facts(scan, grey, region.mask),
        notes=(
            *_modality_notes(scan, profile),
            *_colour_notes(scan, profile),
            *scale_notes,
            *stain_notes,
            *region.notes,
        ),
    )


def _image(plan: _Plan, pixels: np.ndarray, mask: np.ndarray, grid: Grid) -> Prepared:
    """One place `(*place)` or `(*place, 3)` as an image, with its mask."""
    planes = pixels[None] if pixels.ndim == mask.ndim else np.moveaxis(pixels, -1, 0)
    image = plan.levels.apply(grid.forward(planes, fill=plan.levels.low))
    if len(image) < plan.channels:
        image = np.repeat(image, plan.channels, axis=0)
    where = grid.forward_mask(mask)
    if grid.slice_index is None and not where.any():  # thinner than a pixel of the image
        where = np.ones_like(where)
    return Prepared(image, where, grid, plan.frame.spacing_mm, grid.slice_index, plan.facts, plan.notes)


def _grey_scale(scan: Scan, profile: Profile, grey: np.ndarray) -> tuple[bool, tuple[Note, ...]]:
    """Whether grey values are Hounsfield units, and a remark where that had to be concluded.

    Files outside DICOM do not say. Eight unsigned bits are a picture of a window; values far below water can only be
    Hounsfield units, as every chest scan holds air; anything else has an unknown scale.
    """
    if scan.unit == "HU":
        return True, ()
    if profile.intensity != "window":
        return False, ()
    if scan.pixels.dtype == np.uint8:
        return False, (Note("already-windowed"),)
    if float(grey.min()) < -200:
        return True, (Note("assumed-hounsfield"),)
    return False, (Note("unknown-grey-scale"),)


def _levels(scan: Scan, profile: Profile, grey: np.ndarray, mask: np.ndarray, *, hu: bool, windowed: bool) -> Levels:
    """Which grey values become 0 and 1."""
    if profile.intensity == "window" and hu and profile.window_hu is not None:
        return Levels(*profile.window_hu)
    if profile.intensity == "range" or windowed:
        return range_levels(scan.pixels)
    if profile.intensity == "inner":
        return inner_levels(grey, mask)
    return robust_levels(grey, mask)


def _stained(scan: Scan, profile: Profile) -> tuple[np.ndarray, tuple[Note, ...]]:
    """The pixels in the look of the profile's stain, and a remark where there was none to change.

    Facts and mask are taken from the scan as it is: another scanner must still be seen to be another.
    """
    if profile.stain == "as-is" or not scan.colour:
        return scan.pixels, ()
    levels = range_levels(scan.pixels)
    found = normalise(levels.apply(scan.pixels), profile.stain, profile.stain_like)
    if found is None:
        return scan.pixels, (Note("stain-not-found"),)
    return found * (levels.high - levels.low) + levels.low, ()


def _modality_notes(scan: Scan, profile: Profile) -> tuple[Note, ...]:
    """A remark when the header says that this is another kind of scan."""
    if not scan.modality or not profile.modalities or scan.modality in profile.modalities:
        return ()
    return (Note("other-modality", {"found": scan.modality, "expected": ", ".join(profile.modalities)}),)


def _colour_notes(scan: Scan, profile: Profile) -> tuple[Note, ...]:
    """A remark when colours are lost or made up."""
    if scan.colour and profile.channels == 1:
        return (Note("colour-to-grey"),)
    if not scan.colour and profile.channels == 3:
        return (Note("grey-to-colour"),)
    return ()
