"""Planted lesions: nodules, consolidations and effusions whose place and extent are known to the voxel."""

from typing import Literal, get_args

import numpy as np

from halescan.errors import SettingError, ShapeError

Kind = Literal["nodule", "consolidation", "effusion"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# What is drawn when no diameter is given: usual sizes of findings nobody would overlook, in mm.
USUAL_MM: dict[Kind, tuple[float, float]] = {"nodule": (18, 30), "consolidation": (55, 85), "effusion": (28, 45)}
AIR_HU = -500.0


def plant_lesion(
    pixels: np.ndarray,
    spacing_mm: tuple[float, ...],
    seed: int,
    *,
    kind: Kind = "nodule",
    diameter_mm: float | None = None,
    inside: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Plant one lesion in a chest CT; returns the changed copy (float32) and its mask (bool), both of its shape.

    Args:
        pixels: `(y, x)` or `(z, y, x)` in HU, y towards the back (where an effusion gathers).
        spacing_mm: One spacing an axis.
        seed: Place, outline and texture.
        kind: A round solid "nodule", a patchy "consolidation", or an "effusion" layered along the back.
        diameter_mm: Across the lesion (the depth of the layer for an effusion); None draws a usual size.
        inside: Where the lesion may lie, bool; None finds the lungs.

    Raises:
        SettingError: on an unknown kind, a diameter not above 0, or where there is no lung to plant in.
        ShapeError: if spacing or `inside` do not fit the pixels.
    """
    if kind not in KINDS:
        raise SettingError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
    if len(spacing_mm) != pixels.ndim or pixels.ndim not in (2, 3):
        raise ShapeError(
            f"{len(spacing_mm)} spacings for pixels of shape {pixels.shape}; expected 2-D or 3-D, one an axis"
        )
    where = find_lungs(pixels) if inside is None else np.asarray(inside, bool)
    if where.shape != pixels.shape:
        raise ShapeError(f"inside has shape {where.shape}, the pixels {pixels.shape}")
    if not where.any():
        raise SettingError("no air-filled lung found below -500 HU; name the place by `inside`, or convert to HU first")
    random = np.random.default_rng([seed, 7])
    size_mm = diameter_mm if diameter_mm is not None else float(random.uniform(*USUAL_MM[kind]))
    if not size_mm > 0:
        raise SettingError(f"diameter_mm is {size_mm}, expected above 0; a nodule is usually 5 to 30")
    share = _PAINTERS[kind](where, np.asarray(spacing_mm), size_mm, random)
    return _blend(pixels, share * _with_rim(where), kind, random), (share > 0.5) & where


def find_lungs(pixels: np.ndarray) -> np.ndarray:
    """Air inside the body with the vessels in it, bool of the shape of `pixels` (HU); the windpipe is left out."""
    from scipy import ndimage

    air = np.pad(pixels < AIR_HU, [(0, 0)] * (pixels.ndim - 2) + [(1, 1)] * 2, constant_values=True)
    labels, _ = ndimage.label(air)
    sizes = np.bincount(labels.ravel())
    border = np.unique(np.concatenate([labels[..., side, :].ravel() for side in (0, -1)]))
    sizes[border] = 0
    sizes[0] = 0
    if not sizes.any():
        return np.zeros(pixels.shape, bool)
    # The second lung is never below a fifth of the first at the levels where a lesion can be planted.
    kept = np.flatnonzero(sizes >= max(0.2 * sizes.max(), 12))
    # One by one: closed together, two lungs would grow into each other behind the breastbone.
    lungs = np.logical_or.reduce([_with_vessels(labels == label) for label in kept])
    return lungs[..., 1:-1, 1:-1]


def _with_vessels(lung: np.ndarray) -> np.ndarray:
    """One lung with its gaps closed and its holes filled, slice by slice."""
    from scipy import ndimage

    closed = ndimage.binary_closing(lung, iterations=2) | lung
    planes = closed.reshape(-1, *closed.shape[-2:])
    return np.stack([ndimage.binary_fill_holes(plane) for plane in planes]).reshape(lung.shape)


def _nodule(where: np.ndarray, spacing: np.ndarray, size_mm: float, random: np.random.Generator) -> np.ndarray:
    """A ball with a slightly lobed outline, wholly inside the lung where it fits."""
    centre = _choose_place(where, spacing, margin_mm=0.55 * size_mm, random=random)
    distance = _distance_mm(where.shape, spacing, centre)
    radius = size_mm / 2 * (1 + 0.10 * _patches(where.shape, size_mm / 3 / spacing, random))
    return np.clip((radius - distance) / spacing[-1] + 0.5, 0, 1)


def _consolidation(where: np.ndarray, spacing: np.ndarray, size_mm: float, random: np.random.Generator) -> np.ndarray:
    """A cloud with a ragged edge, cut off by the pleura."""
    centre = _choose_place(where, spacing, margin_mm=0.2 * size_mm, random=random)
    distance = _distance_mm(where.shape, spacing, centre)
    ragged = _patches(where.shape, 7 / spacing, random)
    radius = size_mm / 2 * (1 + 0.28 * ragged)
    return np.clip((radius - distance) / 9 + 0.5, 0, 1)


def _effusion(where: np.ndarray, spacing: np.ndarray, size_mm: float, random: np.random.Generator) -> np.ndarray:
    """Fluid in the lowest part of one lung of a person lying on the back, higher at the wall than in the middle."""
    x = np.arange(where.shape[-1])
    middle = np.flatnonzero(where.any(axis=tuple(range(where.ndim - 1)))).mean()
    halves = [where & (x < middle), where & (x >= middle)]
    lung = random.choice([half for half in halves if half.any()])
    rows = np.flatnonzero(lung.any(axis=tuple(axis for axis in range(lung.ndim) if axis != lung.ndim - 2)))
    columns = np.flatnonzero(lung.any(axis=tuple(range(lung.ndim - 1))))
    y = np.arange(lung.shape[-2])[:, None] * spacing[-2]
    off_middle = (np.arange(lung.shape[-1]) - columns.mean()) / max(np.ptp(columns) / 2, 1)
    meniscus = size_mm * (0.9 + 0.35 * np.clip(np.abs(off_middle), 0, 1) ** 2)
    surface = rows[-1] * spacing[-2] - meniscus
    return np.clip((y - surface) / spacing[-2] + 0.5, 0, 1) * _with_rim(lung)


_PAINTERS = {"nodule": _nodule, "consolidation": _consolidation, "effusion": _effusion}


def _blend(pixels: np.ndarray, share: np.ndarray, kind: Kind, random: np.random.Generator) -> np.ndarray:
    """Lay tissue over the lung: soft tissue, half-filled lung with its vessels seen through, or water."""
    grain = 12 * _patches(pixels.shape, np.full(pixels.ndim, 0.6), random)
    base = pixels.astype(np.float32)
    if kind == "consolidation":
        clouds = -160 + 130 * _patches(pixels.shape, np.full(pixels.ndim, 1.6), random)
        filled = np.clip(clouds, -500, 40) + grain
    else:
        filled = (32 if kind == "nodule" else 9) + grain
    # Never darker than what was there: vessels show through, the chest wall stays.
    return base + share.astype(np.float32) * (np.maximum(base, filled) - base)


def _with_rim(where: np.ndarray) -> np.ndarray:
    """`where` and the voxels beside it, which hold some air too and would else outline the lesion in black."""
    from scipy import ndimage

    return ndimage.binary_dilation(where, iterations=2)


def _choose_place(
    where: np.ndarray, spacing: np.ndarray, *, margin_mm: float, random: np.random.Generator
) -> np.ndarray:
    """A voxel at least `margin_mm` from the edge, else the one deepest inside."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(where, sampling=spacing)
    fits = np.argwhere(depth >= margin_mm)
    if len(fits) == 0:
        return np.array(np.unravel_index(depth.argmax(), depth.shape))
    return fits[random.integers(len(fits))]


def _distance_mm(shape: tuple[int, ...], spacing: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Distance of every voxel from `centre`, shape `shape`."""
    axes = np.meshgrid(*(np.arange(side) for side in shape), indexing="ij", sparse=True)
    square = sum(((axis - place) * step) ** 2 for axis, place, step in zip(axes, centre, spacing, strict=True))
    return np.sqrt(np.asarray(square))


def _patches(shape: tuple[int, ...], sigma: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Smooth noise of unit spread, cut at two standard deviations."""
    from scipy import ndimage

    noise = ndimage.gaussian_filter(random.standard_normal(shape, dtype=np.float32), sigma)
    return np.clip(noise / max(float(noise.std()), 1e-6), -2, 2)
