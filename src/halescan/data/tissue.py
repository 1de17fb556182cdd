"""Tissue on a whole slide, told from glass on a small picture of it."""

import numpy as np
from scipy import ndimage

from halescan.data.masks import otsu

_SIDE = 700  # longer side of the copy on which tissue is looked for: some 30 µm a pixel of a whole section
_LEAST_GLASS = 200.0  # brightest colour of a slide that shows no glass: its tissue must not pass for glass
_DENSITIES = (0.03, 0.10)  # Otsu's level is kept between them: haze and dust lie below, the palest stain above
_BLACK = 20  # where no colour reaches it, the scanner drew a border of its own
_LEAST_PIECE = 36  # pixels of the copy: a speck of dust, blurred


def slide_tissue(overview: np.ndarray) -> np.ndarray:
    """Where there is tissue: what takes more light than Otsu's threshold of optical density.

    Optical density is -log10 of the light let through, of each colour against the brightest of that colour; of the
    three the largest counts, as a dye may take one colour only.

    Args:
        overview: `(h, w, 3)` uint8, some micrometres a pixel.

    Returns:
        `(h, w)` bool; all False on a blank slide.

    Source: Otsu 1979, doi:10.1109/TSMC.1979.4310076. We differ: the threshold is kept within the densities of a pale
    and a plain stain, so that dark nuclei do not push the stroma below it, nor dust on bare glass make tissue.
    """
    factor = -(-max(overview.shape[:2]) // _SIDE)
    density = _density(_smaller(overview, factor))
    ndimage.gaussian_filter(density, 1.0, output=density)
    level = float(np.clip(otsu(density.reshape(-1)), *_DENSITIES))
    found = _pieces(ndimage.binary_closing(np.pad(density > level, 2), iterations=2)[2:-2, 2:-2])
    return np.repeat(np.repeat(found, factor, axis=0), factor, axis=1)[: overview.shape[0], : overview.shape[1]]


def _smaller(overview: np.ndarray, factor: int) -> np.ndarray:
    """`(h, w, 3)` float32, the mean of `factor` by `factor` pixels; the last ones stand for what lies beyond."""
    rows, columns = (-(-side // factor) for side in overview.shape[:2])
    missing = [(0, rows * factor - overview.shape[0]), (0, columns * factor - overview.shape[1]), (0, 0)]
    padded = np.pad(overview, missing, mode="edge")
    return padded.reshape(rows, factor, columns, factor, 3).mean(axis=(1, 3), dtype=np.float32)


def _density(picture: np.ndarray) -> np.ndarray:
    """Optical density `(h, w)`, the largest of the three colours; 0 where the scanner drew nothing."""
    glass = np.maximum(np.quantile(picture[::2, ::2].reshape(-1, 3), 0.98, axis=0), _LEAST_GLASS)
    light = np.clip(picture / glass.astype(np.float32), 1 / 255, 1)
    density = -np.log10(light.min(axis=-1))
    density[picture.max(axis=-1) < _BLACK] = 0
    return density


def _pieces(mask: np.ndarray) -> np.ndarray:
    """Without the smallest."""
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    kept = np.bincount(labels.ravel()) >= _LEAST_PIECE
    kept[0] = False
    return kept[labels]
