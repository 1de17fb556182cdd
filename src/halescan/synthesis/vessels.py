"""Vessels of the lungs: a tree that halves the lung again and again, thinner at every fork, drawn as tapering tubes."""

import numpy as np

from halescan.synthesis.anatomy import LUNG_HEIGHT_MM, Build, Chest

FORKS = 9
THICKEST_MM = 5.6


def grow_vessels(build: Build, random: np.random.Generator) -> np.ndarray:
    """Tubes `(n, 8)`: from `(z, y, x)` with radius, to `(z, y, x)` with radius; mm, z up from the lung base."""
    trees = []
    for side in (-1, 1):
        for root in ((0.49, 4.0, side * 30.0), (0.40, 2.0, side * 27.0)):  # arteries, then veins
            ends = _places_in_lung(build, random, side=side, count=2**FORKS)
            start = np.array([root[0] * LUNG_HEIGHT_MM, root[1], root[2] * build.mediastinum])
            trees.append(_halve(ends, start, random))
    return np.concatenate(trees).astype(np.float32)


def draw_tubes(
    canvas: np.ndarray, tubes: np.ndarray, *, inside: np.ndarray, hounsfield: float, spacing_mm: tuple, origin_mm: tuple
) -> None:
    """Draw tubes into `canvas (z, y, x)` in place, where `inside` (shares in [0, 1]) lets them.

    Distances are taken in voxels, so a thin vessel stays visible in a thick slice, as partial volume makes it.
    """
    step, origin = np.asarray(spacing_mm, np.float32), np.asarray(origin_mm, np.float32)
    starts, ends = (tubes[:, :3] - origin) / step, (tubes[:, 4:7] - origin) / step
    radii = tubes[:, [3, 7]] / step[2]
    reach = radii.max(axis=1, keepdims=True) + 1
    low = np.maximum(np.ceil(np.minimum(starts, ends) - reach), 0).astype(int)
    high = np.minimum(np.floor(np.maximum(starts, ends) + reach) + 1, canvas.shape).astype(int)
    filled = np.zeros(canvas.shape, np.float32)
    axes = [np.arange(side, dtype=np.float32) for side in canvas.shape]
    for number in np.flatnonzero((high > low).all(axis=1)):
        box = tuple(slice(*pair) for pair in zip(low[number], high[number], strict=True))
        share = _tube(axes, box, starts[number], ends[number], radii[number])
        np.maximum(filled[box], share, out=filled[box])
    canvas += filled * inside * (hounsfield - canvas)


def _places_in_lung(build: Build, random: np.random.Generator, *, side: int, count: int) -> np.ndarray:
    """Places `(count, 3)` spread through one lung, a little off the pleura."""
    draws = random.random((12 * count, 3)).astype(np.float32)
    level = draws[:, 0]
    y = (2 * draws[:, 1] - 1) * build.half_depth_mm
    x = side * draws[:, 2] * build.half_width_mm
    shift = build.offset_mm
    chest = Chest(build, x + shift[0], y + shift[1], level, edge_mm=1.0)
    kept = np.flatnonzero(chest.lungs < -4)
    kept = np.resize(kept, count)  # a very small lung repeats some
    return np.stack([level[kept] * LUNG_HEIGHT_MM, y[kept], x[kept]], axis=1)


def _halve(ends: np.ndarray, start: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Grow from `start` towards the middle of all ends, then of each half, until every end has its own twig.

    Radii follow Murray's law: the cubes of the children add up to the parent's.
    """
    tubes = []
    groups = ends[None]
    nodes = start[None]
    for fork in range(FORKS + 1):
        thickness = THICKEST_MM * 2.0 ** (-fork / 3)
        stop = nodes + (0.42 if fork < FORKS else 0.9) * (groups.mean(axis=1) - nodes)
        stop = stop + random.normal(size=stop.shape) * 2.0
        thick = np.full((len(nodes), 1), thickness)
        tubes.append(np.concatenate([nodes, thick, stop, thick * 2.0 ** (-1 / 3)], axis=1))
        if fork < FORKS:
            groups = _split(groups)
            nodes = np.repeat(stop, 2, axis=0)
    return np.concatenate(tubes)


def _split(groups: np.ndarray) -> np.ndarray:
    """Cut each group `(g, n, 3)` in two halves across its longest side: `(2 g, n / 2, 3)`."""
    longest = np.ptp(groups, axis=1).argmax(axis=1)
    along = np.take_along_axis(groups, longest[:, None, None], axis=2)[:, :, 0]
    order = along.argsort(axis=1)
    ordered = np.take_along_axis(groups, order[:, :, None], axis=1)
    return ordered.reshape(-1, groups.shape[1] // 2, 3)


def _tube(axes: list, box: tuple, start: np.ndarray, end: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Share of each voxel of `box` that a tapering tube fills."""
    z, y, x = axes[0][box[0]], axes[1][box[1]], axes[2][box[2]]
    dz, dy, dx = end - start
    length_squared = max(float(dz * dz + dy * dy + dx * dx), 1e-6)
    z, y, x = (z - start[0])[:, None, None], (y - start[1])[:, None], x - start[2]
    along = np.clip((z * dz + y * dy + x * dx) / length_squared, 0, 1)
    distance = np.sqrt((z - along * dz) ** 2 + (y - along * dy) ** 2 + (x - along * dx) ** 2)
    radius = radii[0] + along * (radii[1] - radii[0])
    # A vessel thinner than a voxel never fills it: what shows is its share of the voxel's width.
    return np.clip(radius - distance + 0.5, 0, 1) * np.minimum(1, 2 * radius)
