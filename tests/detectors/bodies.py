"""Small made-up bodies: an ellipse with two darker chambers, never twice the same."""

import numpy as np


def healthy(count: int, *, grid: tuple[int, ...], channels: int = 1, seed: int = 0) -> np.ndarray:
    """`(count, channels, *grid)` float32 in [0, 1]; outside the body exactly 0."""
    random = np.random.default_rng(seed)
    images = [_one(random, grid) for _ in range(count)]
    return np.stack([np.repeat(image[None], channels, axis=0) for image in images]).astype(np.float32)


def contrasts(count: int, *, grid: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """`(count, 3, *grid)`: the same bodies as three machines would show them, each with noise of its own."""
    one = healthy(count, grid=grid, seed=seed)
    random = np.random.default_rng(seed + 1)
    shown = np.concatenate([one, 0.9 - one, np.sqrt(one)], axis=1) * (one > 0)
    return (shown + 0.01 * random.standard_normal(shown.shape) * (one > 0)).astype(np.float32)


def centre(grid: tuple[int, ...]) -> tuple[int, ...]:
    """A place inside every body, between the chambers and the rim."""
    return (*(side // 2 for side in grid[:-1]), grid[-1] // 2)


def with_lesion(images: np.ndarray, *, contrast: float) -> np.ndarray:
    """The same images, brighter by `contrast` inside `lesion`."""
    return (images + contrast * lesion(images.shape[2:])).astype(np.float32)


def lesion(grid: tuple[int, ...]) -> np.ndarray:
    """`(*grid)` bool: a ball at the centre, a seventh of the smallest side in radius."""
    return _distance(grid, centre(grid)) <= min(grid) / 7


def _one(random: np.random.Generator, grid: tuple[int, ...]) -> np.ndarray:
    middle = np.array([side / 2 for side in grid]) + random.normal(0, 0.01, len(grid)) * grid
    radii = 0.42 * np.array(grid) * random.normal(1, 0.02, len(grid))
    places = np.stack(np.meshgrid(*(np.arange(side) for side in grid), indexing="ij"), axis=-1)
    inside = np.square((places - middle) / radii).sum(-1) <= 1
    image = 0.5 * random.normal(1, 0.02) + 0.02 * random.standard_normal(grid)
    for side in (-1, 1):
        away = middle + side * np.eye(len(grid))[-1] * 0.22 * grid[-1]
        image = np.where(np.square((places - away) / (0.3 * radii)).sum(-1) <= 1, image - 0.25, image)
    return np.where(inside, np.clip(image, 0.05, 1), 0)


def _distance(grid: tuple[int, ...], place: tuple[int, ...]) -> np.ndarray:
    places = np.stack(np.meshgrid(*(np.arange(side) for side in grid), indexing="ij"), axis=-1)
    return np.sqrt(np.square(places - np.array(place)).sum(-1))
