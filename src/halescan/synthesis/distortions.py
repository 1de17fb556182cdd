"""Distortions: what machines, archives and hurried hands do to a scan without its patient being any different."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.types import Scan

_RANGE = (0.5, 99.5)  # percent of the pixels: a burnt-in letter is not the scan's brightest grey
_LEAST_SIDE = 8  # pixels left of a side

Distorted = tuple[Scan, np.ndarray | None]


@dataclass(frozen=True)
class Distortion:
    """One row of `DISTORTIONS`.

    Args:
        title: What it is, in a word or two.
        unit: What its strengths mean, for an axis.
        strengths: From none (the first, which leaves a scan as it is) to strong.
        apply: The scan and its mask, distorted by so much; the draw comes from the generator.
    """

    title: str
    unit: str
    strengths: tuple[float, ...]
    apply: Callable[[Scan, np.ndarray | None, float, np.random.Generator], Distorted]

    @property
    def none(self) -> float:
        """The strength that changes nothing."""
        return self.strengths[0]


def distort(
    scan: Scan, name: str, strength: float, *, seed: int | tuple[int, ...] = 0, mask: np.ndarray | None = None
) -> Distorted:
    """A scan as it would look distorted, and its mask moved with it. Neither is changed in place.

    Directions, places and noise are drawn from the seed alone, so that with the same one each strength goes further
    the same way. Slices of a volume are distorted in their plane, all alike but for noise. Pixels keep their type;
    spacing and affine follow where pixels are cut off or become larger, while a turned scan keeps its own: it is the
    patient who lies askew.

    Args:
        name: Row of `DISTORTIONS`.
        strength: In the row's unit; others than the listed ones are fine.
        mask: `scan.shape` bool.

    Raises:
        SettingError: on an unknown name or a strength out of its range.
        ShapeError: if the mask does not fit.
    """
    if name not in DISTORTIONS:
        raise SettingError(f"no distortion is called {name!r}; there are {', '.join(DISTORTIONS)}")
    if mask is not None and mask.shape != scan.shape:
        raise ShapeError(f"the mask has shape {mask.shape}, the scan {scan.shape}")
    row = DISTORTIONS[name]
    if strength == row.none:
        return scan, mask
    return row.apply(scan, mask, strength, np.random.default_rng(seed))


def _noise(scan: Scan, mask: np.ndarray | None, share: float, random: np.random.Generator) -> Distorted:
    """Gaussian noise whose standard deviation is a share of the scan's grey range."""
    _check("noise", share, 0, 2)
    grain = random.standard_normal(scan.pixels.shape, dtype=np.float32)
    return _with_pixels(scan, scan.pixels + share * _range(scan)[1] * grain), mask


def _brightness(scan: Scan, mask: np.ndarray | None, share: float, random: np.random.Generator) -> Distorted:
    """Every grey lifted by a share of the range; below 0 it sinks."""
    _check("brightness", share, -1, 1)
    return _with_pixels(scan, scan.pixels + np.float32(share * _range(scan)[1])), mask


def _contrast(scan: Scan, mask: np.ndarray | None, factor: float, random: np.random.Generator) -> Distorted:
    """Differences from the middle of the range, times a factor."""
    _check("contrast", factor, 0.01, 10)
    low, width = _range(scan)
    middle = np.float32(low + width / 2)
    return _with_pixels(scan, middle + np.float32(factor) * (scan.pixels - middle)), mask


def _rotation(scan: Scan, mask: np.ndarray | None, degrees: float, random: np.random.Generator) -> Distorted:
    """Turned around the middle, one way or the other, in millimetres where they are known.

    Beyond its edge the scan goes on as its mirror image: a patient who lies askew leaves no black corners.
    """
    from scipy import ndimage

    _check("rotation", degrees, -180, 180)
    turn = np.deg2rad(degrees) * random.choice([-1.0, 1.0])
    step = np.ones(2) if scan.spacing_mm is None else np.asarray(scan.spacing_mm[-2:])
    plain = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = plain * step[None, :] / step[:, None]
    middle = (np.asarray(scan.shape[-2:]) - 1) / 2
    offset = middle - matrix @ middle

    def turned(plane: np.ndarray, order: int) -> np.ndarray:
        return ndimage.affine_transform(plane, matrix, offset, order=order, mode="mirror")

    pixels = _plane_by_plane(scan.pixels.astype(np.float32), scan, lambda plane: turned(plane, 1))
    moved = None if mask is None else _planes(mask, lambda plane: turned(plane.astype(np.uint8), 0) > 0)
    return _with_pixels(scan, pixels), moved


def _crop(scan: Scan, mask: np.ndarray | None, share: float, random: np.random.Generator) -> Distorted:
    """A share of each side lost, now more at one end, now more at the other."""
    _check("crop", share, 0, 0.9)
    ends = random.random(2)
    spans = []
    for side, end in zip(scan.shape[-2:], ends, strict=True):
        lost = min(round(share * side), max(0, side - _LEAST_SIDE))
        start = round(end * lost)
        spans.append(slice(start, start + side - lost))
    where = (slice(None),) * (scan.dims - 2) + tuple(spans)
    affine = None if scan.affine_lps is None else scan.affine_lps.copy()
    if affine is not None:
        affine[:3, 3] += affine[:3, 1] * spans[0].start + affine[:3, 2] * spans[1].start
    cut = replace(scan, pixels=np.ascontiguousarray(scan.pixels[where]), affine_lps=affine)
    return cut, None if mask is None else mask[where].copy()


def _resolution(scan: Scan, mask: np.ndarray | None, factor: float, random: np.random.Generator) -> Distorted:
    """Pixels so many times as large, each the mean of what it covers."""
    _check("resolution", factor, 1, 64)
    old = scan.shape[-2:]
    new = tuple(min(side, max(_LEAST_SIDE, round(side / factor))) for side in old)
    weights = [_shares(before, after) for before, after in zip(old, new, strict=True)]

    def coarser(plane: np.ndarray) -> np.ndarray:
        return weights[0] @ plane @ weights[1].T

    pixels = _plane_by_plane(scan.pixels.astype(np.float32), scan, coarser)
    scale = np.array([before / after for before, after in zip(old, new, strict=True)])
    affine = None if scan.affine_lps is None else scan.affine_lps.copy()
    if affine is not None:
        affine[:3, 3] += affine[:3, 1:3] @ ((scale - 1) / 2)  # from the first old centre to the first new one
        affine[:3, 1:3] *= scale
    spacing = None
    if scan.spacing_mm is not None:
        spacing = (*scan.spacing_mm[:-2], *(mm * float(by) for mm, by in zip(scan.spacing_mm[-2:], scale, strict=True)))
    smaller = replace(_with_pixels(scan, pixels), spacing_mm=spacing, affine_lps=affine)
    return smaller, None if mask is None else _planes(mask, lambda plane: coarser(plane.astype(np.float32)) >= 0.5)


def _jpeg(scan: Scan, mask: np.ndarray | None, quality: float, random: np.random.Generator) -> Distorted:
    """Written as JPEG and read again, in 8 bits over the scan's full range."""
    from PIL import Image

    _check("jpeg", quality, 1, 100)
    low, high = (0.0, 255.0) if scan.pixels.dtype == np.uint8 else (float(scan.pixels.min()), float(scan.pixels.max()))
    step = (high - low) / 255 or 1.0

    def written(plane: np.ndarray) -> np.ndarray:
        sink = io.BytesIO()
        Image.fromarray(np.rint((plane - low) / step).astype(np.uint8)).save(sink, "JPEG", quality=round(quality))
        return np.asarray(Image.open(sink), np.float32) * np.float32(step) + np.float32(low)

    return _with_pixels(scan, _planes(scan.pixels, written) if scan.dims == 3 else written(scan.pixels)), mask


DISTORTIONS: dict[str, Distortion] = {
    "noise": Distortion("Noise", "standard deviation, share of the grey range", (0, 0.02, 0.05, 0.1, 0.2), _noise),
    "brightness": Distortion("Brightness", "added, share of the grey range", (0, 0.05, 0.1, 0.2, 0.35), _brightness),
    "contrast": Distortion("Contrast", "times the original", (1, 0.8, 0.6, 0.4, 0.25), _contrast),
    "rotation": Distortion("Rotation", "degrees", (0, 2, 5, 10, 20), _rotation),
    "crop": Distortion("Crop", "share of each side lost", (0, 0.05, 0.1, 0.2, 0.3), _crop),
    "resolution": Distortion("Resolution", "pixels so many times as large", (1, 1.5, 2, 4, 8), _resolution),
    "jpeg": Distortion("JPEG", "quality", (100, 75, 50, 25, 10), _jpeg),
}


def _check(name: str, strength: float, low: float, high: float) -> None:
    if not low <= strength <= high:
        usual = ", ".join(f"{value:g}" for value in DISTORTIONS[name].strengths)
        raise SettingError(f"the strength of {name} must lie in [{low:g}, {high:g}], got {strength}; {usual} are usual")


def _range(scan: Scan) -> tuple[float, float]:
    """The lowest of the scan's usual greys, and how far it is to the highest; 1 where all are the same."""
    low, high = np.percentile(scan.pixels, _RANGE)
    return float(low), float(high - low) or 1.0


def _with_pixels(scan: Scan, pixels: np.ndarray) -> Scan:
    """The scan with other pixels, of its own type: whole numbers are rounded and cut off where the type ends."""
    kind = scan.pixels.dtype
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        pixels = np.clip(np.rint(pixels), limits.min, limits.max)
    elif kind.kind == "b":
        pixels = pixels >= 0.5
    return replace(scan, pixels=np.ascontiguousarray(pixels.astype(kind)))


def _planes(volume: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Each slice of `(z, y, x, ...)`, or the plane `(y, x)` itself, changed."""
    return change(volume) if volume.ndim == 2 else np.stack([change(plane) for plane in volume])


def _plane_by_plane(pixels: np.ndarray, scan: Scan, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Each slice and each colour changed as a grey plane."""
    if not scan.colour:
        return _planes(pixels, change)
    return np.stack([_planes(pixels[..., colour], change) for colour in range(pixels.shape[-1])], axis=-1)


def _shares(before: int, after: int) -> np.ndarray:
    """`(after, before)`: how much of each new pixel each old one covers; rows sum to 1."""
    edges = np.linspace(0, before, after + 1)
    old = np.arange(before)
    covered = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    return (np.clip(covered, 0, None) * after / before).astype(np.float32)
