"""Phantoms: chests of people who never lived, for the demo, the tests, and figures anybody may print."""

import numpy as np

from halescan.errors import SettingError
from halescan.synthesis.anatomy import LUNG_HEIGHT_MM, Build, Chest, draw_build
from halescan.synthesis.shapes import cover
from halescan.synthesis.vessels import draw_tubes, grow_vessels
from halescan.types import Scan

FIELD_MM = 370.0
SLICE_MM = 3.0
SMALLEST_SIDE = 16


def chest_slice(
    seed: int, *, size: tuple[int, int] = (128, 128), spacing_mm: float | None = None, level: float | None = None
) -> Scan:
    """One axial CT slice of a healthy chest: float32 HU `(y, x)`, down is the back, right is the person's left.

    Args:
        seed: The same seed gives the same person and the same noise.
        size: `(rows, columns)`.
        spacing_mm: Pixel size; None spreads a field of view of 370 mm over the columns.
        level: 0 at the lung base, 1 at the apex; None draws one between the diaphragm and the aortic arch.

    Raises:
        SettingError: if a side is under 16 pixels, the pixel size is not positive or the level lies outside [0, 1].
    """
    _check(size)
    if level is not None and not 0 <= level <= 1:
        raise SettingError(f"level is {level}, expected 0 (lung base) to 1 (apex); 0.45 cuts the hila")
    random = np.random.default_rng([seed, 2])
    build = draw_build(random)
    height = level if level is not None else float(random.uniform(0.28, 0.68))
    pixel_mm = _pixel_mm(size[1], spacing_mm)
    spacing = (SLICE_MM, pixel_mm, pixel_mm)
    pixels = _scan_chest(build, random, shape=(1, *size), spacing_mm=spacing, lowest_mm=height * LUNG_HEIGHT_MM)
    affine = _affine(spacing, size, lowest_mm=height * LUNG_HEIGHT_MM)
    return Scan(pixels[0], 2, spacing_mm=spacing[1:], affine_lps=affine, modality="CT", unit="HU")


def chest_volume(seed: int, *, size: tuple[int, int, int] = (48, 96, 96)) -> Scan:
    """A CT volume of a healthy chest from the diaphragm to above the apex: float32 HU `(z, y, x)`, z grows upwards.

    The field of view is 370 mm across and 275 mm high whatever the size.

    Raises:
        SettingError: if a side is under 16 voxels.
    """
    _check(size)
    random = np.random.default_rng([seed, 3])
    build = draw_build(random)
    pixel_mm = _pixel_mm(size[2], None)
    spacing = (1.1 * LUNG_HEIGHT_MM / size[0], pixel_mm, pixel_mm)
    lowest_mm = -0.02 * LUNG_HEIGHT_MM
    pixels = _scan_chest(build, random, shape=size, spacing_mm=spacing, lowest_mm=lowest_mm)
    affine = _affine(spacing, size[1:], lowest_mm=lowest_mm)
    return Scan(pixels, 3, spacing_mm=spacing, affine_lps=affine, modality="CT", unit="HU")


def chest_xray(seed: int, *, size: tuple[int, int] = (128, 128)) -> Scan:
    """A frontal X-ray of a healthy chest, projected through a phantom volume: float32 in [0, 1], bone is bright.

    Raises:
        SettingError: if a side is under 16 pixels.
    """
    _check(size)
    volume = chest_volume(seed, size=(size[0], max(SMALLEST_SIDE, size[1] // 3), size[1]))
    pixel_mm = volume.spacing_mm or (1.0, 1.0, 1.0)
    # At X-ray tube energies calcium stops about three times what its CT number says.
    water = np.clip(volume.pixels / 1000 + 1, 0, None) + 2.2 * np.clip(volume.pixels / 1000 - 0.08, 0, None)
    absorbed = 0.02 * np.float32(pixel_mm[1]) * water.sum(axis=1)[::-1]
    low, high = np.percentile(absorbed, [2, 99])
    picture = np.clip((absorbed - low) / (high - low), 0, 1)
    noise = np.random.default_rng([seed, 4]).normal(0, 0.008, size)
    pixels = np.clip(picture**0.8 + noise, 0, 1).astype(np.float32)
    return Scan(pixels, 2, spacing_mm=(pixel_mm[0], pixel_mm[2]), modality="DX")


def _check(size: tuple[int, ...]) -> None:
    if min(size) < SMALLEST_SIDE:
        raise SettingError(f"a phantom of size {size} is too small to show a chest; give every side at least 16")


def _pixel_mm(columns: int, spacing_mm: float | None) -> float:
    """The pixel size asked for, else the one that shows the whole chest."""
    if spacing_mm is None:
        return FIELD_MM / columns
    if not spacing_mm > 0:
        raise SettingError(f"spacing_mm is {spacing_mm}, expected above 0; leave it out to fit the whole chest")
    return float(spacing_mm)


def _scan_chest(
    build: Build, random: np.random.Generator, *, shape: tuple, spacing_mm: tuple, lowest_mm: float
) -> np.ndarray:
    """Sample the person on a grid, let the vessels grow in, then blur and add noise as a scanner does."""
    from scipy.ndimage import gaussian_filter

    middle = [-(side - 1) / 2 * step for side, step in zip(shape[1:], spacing_mm[1:], strict=True)]
    z = (lowest_mm + np.arange(shape[0], dtype=np.float32) * spacing_mm[0])[:, None, None]
    y = (middle[0] + np.arange(shape[1], dtype=np.float32) * spacing_mm[1])[:, None]
    x = middle[1] + np.arange(shape[2], dtype=np.float32) * spacing_mm[2]
    chest = Chest(build, x, y, z / np.float32(LUNG_HEIGHT_MM), edge_mm=spacing_mm[2])
    pixels = chest.tissue(
        _smooth_noise(random, shape, [min(9.0 / step, side / 6) for step, side in zip(spacing_mm, shape, strict=True)])
    )
    tubes = grow_vessels(build, random)
    shift = (lowest_mm, middle[0] - build.offset_mm[1], middle[1] - build.offset_mm[0])
    inside = cover(chest.lungs, edge_mm=spacing_mm[2])
    draw_tubes(pixels, tubes, inside=inside, hounsfield=35.0, spacing_mm=spacing_mm, origin_mm=shift)
    pixels = gaussian_filter(pixels, (0, 0.45, 0.45))
    return pixels + _quantum_noise(random, pixels, chest)


def _smooth_noise(random: np.random.Generator, shape: tuple, sigma: list[float]) -> np.ndarray:
    """Low-frequency noise of unit spread: tissue is never of one grey."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(
        random.standard_normal(shape, dtype=np.float32), [0 if n == 1 else s for n, s in zip(shape, sigma, strict=True)]
    )
    return noise / max(float(noise.std()), 1e-6)


def _quantum_noise(random: np.random.Generator, pixels: np.ndarray, chest: Chest) -> np.ndarray:
    """Scanner noise: grainy, and stronger deep in the body where few photons arrive."""
    from scipy.ndimage import gaussian_filter

    grain = gaussian_filter(random.standard_normal(pixels.shape, dtype=np.float32), (0, 0.55, 0.55))
    grain /= max(float(grain.std()), 1e-6)
    deep = np.clip(-chest.body / 100, 0, 1)
    return grain * (7 + 12 * deep)


def _affine(spacing_mm: tuple, size: tuple, *, lowest_mm: float) -> np.ndarray:
    """Index `(z, y, x, 1)` to LPS millimetres; the middle of the field of view is the origin of x and y."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = spacing_mm
    affine[:3, 3] = (-(size[1] - 1) / 2 * spacing_mm[2], -(size[0] - 1) / 2 * spacing_mm[1], lowest_mm)
    affine[3, 3] = 1
    return affine
