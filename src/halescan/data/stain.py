"""Stain: the same dye looks the same whoever stained and scanned; and how much of the one that matters is there.

An image is `(..., 3)` red, green, blue: 8 or 16 unsigned bits, or numbers in [0, 1]. Nothing is computed in the type it
came in: in 8 bits 250 - (200 + 200) / 2 is 178.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from halescan.errors import SettingError, ShapeError

_FLOOR = 1 / 255  # the darkest light that 8 bits tell from none; its density is 2.4
_TISSUE_DENSITY = 0.15  # Macenko's: what is paler in any colour says little about the dyes
_FEWEST = 64  # stained pixels from which two dyes can be told
_OUTER = 1.0  # per cent of the pixels at either end of the fan between the dyes that may be noise
_FULL = 99.0  # per cent: where a dye is taken to be at its strongest
_MOST = 2.0  # a dye that is hardly there must not be blown up until its noise looks like a finding
_NARROW_DEGREES = 20.0  # one dye and its noise; from haematoxylin to eosin or DAB it is 37
LEAST_SATURATION = 0.2  # healthy patches that were learned from have one red pixel in 100,000 above it
LEAST_VALUE = 0.08  # 20 of 255
_EVEN = 1e-5  # of a turn: rounding; no other hue of 8 bits lies as near to the border of red
_YELLOWEST = 200.0  # beyond it no light at all would be blue: outside what any screen shows
_FLAT = 1e-3  # of CIELAB: the image has a single colour


@dataclass(frozen=True)
class MacenkoLook:
    """How two dyes look: their colours and how strong they get.

    Args:
        dyes: Two unit vectors of optical density for red, green and blue; the one that takes more red light first
            (haematoxylin before eosin or DAB).
        strengths: The amount (in density) that only one pixel in a hundred exceeds, for each.
    """

    dyes: tuple[tuple[float, float, float], tuple[float, float, float]]
    strengths: tuple[float, float]

    @property
    def numbers(self) -> tuple[float, ...]:
        """All eight, as a profile's `stain_like` holds them."""
        return (*self.dyes[0], *self.dyes[1], *self.strengths)

    @classmethod
    def of(cls, numbers: tuple[float, ...]) -> Self:
        """The look of eight numbers.

        Raises:
            SettingError: if they are not eight, or no two dyes.
        """
        values = np.array(numbers, float)
        if values.shape != (8,) or not (values[6:] > 0).all() or _degrees(*values[:6].reshape(2, 3)) < 1:
            raise SettingError("a Macenko look is 8 numbers: the densities of two different dyes, then two strengths")
        dyes = values[:6].reshape(2, 3)
        return cls(_rows(dyes / np.linalg.norm(dyes, axis=1, keepdims=True)), (float(values[6]), float(values[7])))


@dataclass(frozen=True)
class ReinhardLook:
    """How tissue looks on the whole: mean and standard deviation of lightness, green-red and blue-yellow (CIELAB)."""

    means: tuple[float, float, float]
    spreads: tuple[float, float, float]

    @property
    def numbers(self) -> tuple[float, ...]:
        """All six, as a profile's `stain_like` holds them."""
        return (*self.means, *self.spreads)

    @classmethod
    def of(cls, numbers: tuple[float, ...]) -> Self:
        """The look of six numbers.

        Raises:
            SettingError: if they are not six, or a spread is not above 0.
        """
        if len(numbers) != 6 or not min(numbers[3:]) > 0:
            raise SettingError("a Reinhard look is 6 numbers: three means of CIELAB, then three spreads above 0")
        return cls(_three(np.array(numbers[:3])), _three(np.array(numbers[3:])))


# haematoxylin: the median over healthy patches of gastric biopsies that were learned from; DAB, of which they hold
# none: its colour by Ruifrok & Johnston 2001, and as strong as haematoxylin
MACENKO_LOOK = MacenkoLook(((0.773, 0.580, 0.257), (0.269, 0.568, 0.777)), (0.49, 0.49))
# the median over the same patches
REINHARD_LOOK = ReinhardLook((71.5, 3.2, -23.2), (5.2, 1.8, 4.1))


def macenko_look(rgb: np.ndarray, like: MacenkoLook = MACENKO_LOOK) -> MacenkoLook | None:
    """The two dyes of an image; None where hardly anything is stained.

    Args:
        rgb: An image.
        like: Whose second dye is taken where there is but one: a healthy patch of immunohistochemistry is haematoxylin
            alone, and its noise would pass for the marker.

    Source:
        Macenko et al. 2009, doi:10.1109/ISBI.2009.5193250. We differ: one dye alone is told apart from two, and stained
        is what is so in the mean of the colours, as haematoxylin takes hardly any blue.
    """
    density = _density(_light(rgb)).reshape(-1, 3)
    stained = density[density.mean(axis=1) > _TISSUE_DENSITY]
    if len(stained) < _FEWEST:
        return None
    dyes = _ends(stained)
    if _degrees(*dyes) < _NARROW_DEGREES:
        return _one_dye(stained, like)
    full = np.percentile(_amounts(stained, dyes), _FULL, axis=0)
    return MacenkoLook(_rows(dyes), (float(full[0]), float(full[1])))


def _ends(stained: np.ndarray) -> np.ndarray:
    """`(2, 3)` the outermost directions of densities `(n, 3)` in their main plane; the one with more red first."""
    _, axes = np.linalg.eigh(np.cov(stained.T))
    plane = axes[:, :0:-1]  # (3, 2): the two directions in which densities differ most
    # turned towards the densities, so that no angle lies near the jump at half a turn
    plane = plane * np.where(stained.mean(axis=0) @ plane < 0, -1.0, 1.0)
    across = stained @ plane
    angles = np.percentile(np.arctan2(across[:, 1], across[:, 0]), [_OUTER, 100 - _OUTER])
    ends = np.clip(np.stack([plane @ (np.cos(angle), np.sin(angle)) for angle in angles]), 1e-3, None)
    ends /= np.linalg.norm(ends, axis=1, keepdims=True)
    return ends[np.argsort(-ends[:, 0], kind="stable")]


def _one_dye(stained: np.ndarray, like: MacenkoLook) -> MacenkoLook:
    """The look of an image with one dye: the other, which is hardly there, is that of another look."""
    found = stained.mean(axis=0)
    dyes = np.array(like.dyes)
    at = int(np.argmin([_degrees(found, dye) for dye in dyes]))
    dyes[at] = found / np.linalg.norm(found)
    full = list(like.strengths)
    full[at] = float(np.percentile(stained @ dyes[at], _FULL))
    return MacenkoLook(_rows(dyes), (full[0], full[1]))


def reinhard_look(rgb: np.ndarray) -> ReinhardLook | None:
    """Mean and spread of the stained pixels' colours; None where hardly anything is stained.

    Source:
        Reinhard et al. 2001, doi:10.1109/38.946629. We differ: CIELAB in place of l-alpha-beta, and only stained
        pixels count, as else the share of bare glass would decide.
    """
    from skimage.color import rgb2lab

    light = _light(rgb)
    stained = light[_density(light).max(axis=-1) > _TISSUE_DENSITY]
    if len(stained) < _FEWEST:
        return None
    colours = rgb2lab(stained)
    return ReinhardLook(_three(colours.mean(axis=0)), _three(np.maximum(colours.std(axis=0), _FLAT)))


def macenko_normalise(
    rgb: np.ndarray, like: MacenkoLook = MACENKO_LOOK, *, own: MacenkoLook | None = None, marker: bool = False
) -> np.ndarray | None:
    """The image as if its two dyes were those of another look; of its own type. None where nothing is stained.

    Args:
        rgb: An image.
        like: The look it shall have, `macenko_look(reference)`.
        own: The look it has: that of the whole slide, where this is one tile of many; None: its own.
        marker: Whether the second dye is a marker, as in immunohistochemistry. How much of it there is beside the first
            is then the finding itself, and is kept: the amounts of both are scaled as the first.

    Source:
        Macenko et al. 2009, doi:10.1109/ISBI.2009.5193250. We differ: what is no mix of the two dyes (a fold, ink)
        stays as it is rather than being dropped, and no dye becomes more than twice as strong or weak.
    """
    own = own or macenko_look(rgb, like)
    if own is None:
        return None
    density = _density(_light(rgb))
    amounts = _amounts(density.reshape(-1, 3), np.array(own.dyes))
    rest = density.reshape(-1, 3) - amounts @ np.array(own.dyes)
    scale = np.clip(np.array(like.strengths) / own.strengths, 1 / _MOST, _MOST)
    scale = scale[[0, 0]] if marker else scale
    wanted = (amounts * scale) @ np.array(like.dyes) + rest
    return _typed(10.0 ** -wanted.reshape(density.shape), rgb)


def reinhard_normalise(
    rgb: np.ndarray, like: ReinhardLook = REINHARD_LOOK, *, own: ReinhardLook | None = None
) -> np.ndarray | None:
    """The image with the mean and spread of another look's colours; of its own type. None where nothing is stained.

    Args:
        rgb: An image.
        like: The look it shall have, `reinhard_look(reference)`.
        own: The look it has: that of the whole slide, where this is one tile of many; None: its own.

    Source:
        Reinhard et al. 2001, doi:10.1109/38.946629. We differ as in `reinhard_look`; bare glass keeps its colour, and
        no spread becomes more than twice as large or small.
    """
    from skimage.color import lab2rgb, rgb2lab

    own = own or reinhard_look(rgb)
    if own is None:
        return None
    light = _light(rgb)
    scale = np.clip(np.array(like.spreads) / own.spreads, 1 / _MOST, _MOST)
    colours = (rgb2lab(light) - own.means) * scale + like.means
    colours[..., 0] = np.clip(colours[..., 0], 0, 100)
    colours[..., 2] = np.minimum(colours[..., 2], _YELLOWEST * (colours[..., 0] + 16) / 116)
    share = np.clip(_density(light).max(axis=-1, keepdims=True) / _TISSUE_DENSITY, 0, 1)
    return _typed(share * lab2rgb(colours) + (1 - share) * light, rgb)


def normalise(rgb: np.ndarray, way: str, like: tuple[float, ...] | None = None) -> np.ndarray | None:
    """The image with another look, as a profile's `stain` and `stain_like` say; None where nothing is stained.

    Raises:
        SettingError: for a way that does not exist, or numbers that are no look of it.
    """
    look = check_look(way, like)
    if isinstance(look, ReinhardLook):
        return reinhard_normalise(rgb, look)
    return macenko_normalise(rgb, look, marker=way == "macenko-marker")


def check_look(way: str, like: tuple[float, ...] | None) -> MacenkoLook | ReinhardLook:
    """The look that a profile's `stain_like` means; ours for None.

    Raises:
        SettingError: for a way that does not exist, or numbers that are no look of it.
    """
    if way in ("macenko", "macenko-marker"):
        return MACENKO_LOOK if like is None else MacenkoLook.of(like)
    if way == "reinhard":
        return REINHARD_LOOK if like is None else ReinhardLook.of(like)
    raise SettingError(f"stain must be one of macenko, macenko-marker and reinhard, got {way!r}")


def dab(rgb: np.ndarray) -> np.ndarray:
    """`(...)` optical density of the brown dye (diaminobenzidine) by colour deconvolution, 0 where there is none.

    Source:
        Ruifrok & Johnston 2001, by their vectors of haematoxylin and DAB and a third at right angles to both.
    """
    from skimage.color import hdx_from_rgb

    return np.maximum(_density(_light(rgb)) @ np.asarray(hdx_from_rgb, np.float32), 0)[..., 1]


def red_mask(
    rgb: np.ndarray,
    *,
    hue: float = 0.0,
    within: float = 1 / 9,
    least_saturation: float = LEAST_SATURATION,
    least_value: float = LEAST_VALUE,
) -> np.ndarray:
    """`(...)` bool: where an image is red.

    Args:
        rgb: An image.
        hue: The hue looked for, in turns: 0 is red, and so are 1 and -1.
        within: How far a hue may lie from it in turns, either way round; a ninth is 40 degrees.
        least_saturation: In [0, 1]. Grey has no hue, and would count as red where that is written as 0.
        least_value: In [0, 1]. Nor has black.

    Source:
        The red of IAM-CVC/HelicoBacterDetection: hue below 20 or above 160 of 180. We differ: colour is asked for.
    """
    light = _light(rgb)
    value = light.max(axis=-1)
    chroma = value - light.min(axis=-1)
    coloured = (chroma > 0) & (chroma >= least_saturation * value) & (value >= least_value)
    return coloured & (_turns_apart(_hue(light), hue) <= within + _EVEN)


@dataclass(frozen=True, eq=False)
class RedLost:
    """The red of an image that its reconstruction lacks.

    Args:
        count: Red pixels of the image.
        drawn: Red pixels of the reconstruction.
        map: Bool, of the image's shape: red in the image and not in the reconstruction.
    """

    count: int
    drawn: int
    map: np.ndarray

    @property
    def ratio(self) -> float:
        """The source's score: red pixels of the image to those of the reconstruction and one more."""
        return self.count / (self.drawn + 1)


def red_lost(original: np.ndarray, drawn: np.ndarray) -> RedLost:
    """How much red an image lost in reconstruction; both `(..., 3)` of one shape.

    Source:
        F_red of IAM-CVC/HelicoBacterDetection, arXiv:2309.16053, with `red_mask`.

    Raises:
        ShapeError: if their shapes differ.
    """
    if original.shape != drawn.shape:
        raise ShapeError(f"an image of shape {original.shape} was drawn as {drawn.shape}; expected the same shape")
    before, after = red_mask(original), red_mask(drawn)
    return RedLost(int(np.count_nonzero(before)), int(np.count_nonzero(after)), before & ~after)


def _hue(light: np.ndarray) -> np.ndarray:
    """`(...)` hue in turns, [0, 1); 0 for grey."""
    from skimage.color import rgb2hsv

    return rgb2hsv(light)[..., 0]


def _turns_apart(one: np.ndarray, other: float) -> np.ndarray:
    """How far hues lie from another, in turns: at most a half, for hue is a circle."""
    return np.abs((one - other + 0.5) % 1.0 - 0.5)


def _light(rgb: np.ndarray) -> np.ndarray:
    """The image as float32 in [0, 1]."""
    if rgb.ndim < 2 or rgb.shape[-1] != 3:
        raise ShapeError(f"an array of shape {rgb.shape} is no colour image; its last axis must be red, green, blue")
    if rgb.dtype in (np.uint8, np.uint16):
        return rgb.astype(np.float32) / np.float32(np.iinfo(rgb.dtype).max)
    if not np.issubdtype(rgb.dtype, np.floating):
        raise ShapeError(f"colours of type {rgb.dtype} have no known white; give 8 or 16 unsigned bits, or floats")
    return np.clip(rgb, 0, 1).astype(np.float32)


def _typed(light: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1] as the type of another image."""
    inside = np.clip(light, 0, 1)
    if like.dtype in (np.uint8, np.uint16):
        return np.round(inside * np.iinfo(like.dtype).max).astype(like.dtype)
    return inside.astype(np.float32)


def _density(light: np.ndarray) -> np.ndarray:
    """Optical density: -log10 of the light let through."""
    return -np.log10(np.maximum(light, np.float32(_FLOOR)))


def _amounts(density: np.ndarray, dyes: np.ndarray) -> np.ndarray:
    """`(n, 2)` how much of two dyes `(2, 3)` makes each density `(n, 3)`, by least squares."""
    return density @ np.linalg.pinv(dyes)


def _degrees(one: np.ndarray, other: np.ndarray) -> float:
    """The angle between two directions; 0 where either has none."""
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.degrees(np.arccos(np.clip(one @ other / lengths, -1, 1)))) if lengths > 0 else 0.0


def _three(values: np.ndarray) -> tuple[float, float, float]:
    """Three numbers as Python's own."""
    one, two, three = (float(value) for value in values)
    return one, two, three


def _rows(values: np.ndarray) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Two rows of three."""
    return _three(values[0]), _three(values[1])
