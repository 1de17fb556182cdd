"""Texture: grey-level co-occurrence, local binary patterns and plain statistics of an image, as one named row."""

import numpy as np

GREYS = 32
REACHES_PX = (1, 3)
PROPERTIES = ("contrast", "homogeneity", "energy", "correlation", "ASM")
PATTERNS = 10  # uniform local binary patterns of 8 neighbours
QUANTILES = (0.01, 0.05, 0.5, 0.95, 0.99)
_PLANES = {1: ("grey",), 3: ("grey", "red", "green", "blue", "red-green", "red-blue")}
_PLAIN = ("mean", "spread", "skewness", "kurtosis", "entropy", *(f"quantile {share:g}" for share in QUANTILES))


def texture_names(channels: int) -> tuple[str, ...]:
    """What the numbers of `texture_row` are, for images of 1 or 3 channels."""
    together = [f"{name} {reach} px, {how}" for name in PROPERTIES for reach in REACHES_PX for how in ("mean", "range")]
    patterns = [f"pattern {number}" for number in range(PATTERNS)]
    plain = [f"{plane} {name}" for plane in _PLANES[channels] for name in _PLAIN]
    return (*together, *patterns, *plain)


def texture_row(image: np.ndarray) -> np.ndarray:
    """An image `(c, h, w)` in [0, 1] as float64 numbers, named by `texture_names`; no other image has a part in it."""
    planes = _planes(np.clip(np.asarray(image, np.float64), 0.0, 1.0))
    grey = planes[0]
    return np.concatenate([_together(grey), _patterns(grey), *(_plain(plane) for plane in planes)])


def _planes(image: np.ndarray) -> list[np.ndarray]:
    """Grey, and for a colour image its channels and what red has over the others, each `(h, w)` in [0, 1]."""
    if len(image) == 1:
        return [image[0]]
    red, green, blue = image
    return [image.mean(0), red, green, blue, (1 + red - green) / 2, (1 + red - blue) / 2]


def _together(grey: np.ndarray) -> np.ndarray:
    """How often greys stand beside each other: mean and range over four directions."""
    from skimage.feature import graycomatrix, graycoprops

    steps = np.minimum((grey * GREYS).astype(np.uint8), GREYS - 1)
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    counted = graycomatrix(steps, list(REACHES_PX), angles, levels=GREYS, symmetric=True, normed=True)
    numbers = []
    for name in PROPERTIES:
        table = graycoprops(counted, name)
        numbers.append(np.stack([table.mean(1), np.ptp(table, axis=1)], axis=1).ravel())
    return np.concatenate(numbers)


def _patterns(grey: np.ndarray) -> np.ndarray:
    """Share of the pixels with each uniform local binary pattern."""
    from skimage.feature import local_binary_pattern

    codes = local_binary_pattern((grey * 255).round().astype(np.uint8), 8, 1, method="uniform")
    return np.bincount(codes.astype(np.intp).ravel(), minlength=PATTERNS) / codes.size


def _plain(plane: np.ndarray) -> np.ndarray:
    """Moments, entropy in bits and quantiles of one plane."""
    mean, spread = plane.mean(), plane.std()
    level = (plane - mean) / spread if spread > 1e-9 else np.zeros_like(plane)
    shares = np.histogram(plane, bins=GREYS, range=(0.0, 1.0))[0] / plane.size
    entropy = -sum(share * np.log2(share) for share in shares if share > 0)
    moments = [mean, spread, np.mean(level**3), np.mean(level**4), entropy]
    return np.asarray([*moments, *np.quantile(plane, QUANTILES)])
