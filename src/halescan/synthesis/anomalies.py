"""Synthetic anomalies: what is strange about a healthy image after something was pasted, blended, bent or lit in it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.synthesis.poisson import poisson_blend

Box = tuple[slice, ...]
LEAST_PX = 3  # half a patch's side: Poisson blending needs an inside
_TRIES = 20  # places drawn before the best one so far is taken
_INSIDE = 0.7  # of a patch must show the body
_VISIBLE = 1 / 255  # a change below one grey level of a screen is none


@dataclass(frozen=True, eq=False)
class Planted:
    """A healthy image with something planted.

    Args:
        image: `(c, *grid)` float32; bit by bit the healthy one wherever `label` is 0.
        label: `(*grid)` float32 in [0, 1], how strange each place was made.
        kind: Row of `ANOMALIES`.
    """

    image: np.ndarray
    label: np.ndarray
    kind: str


@dataclass(frozen=True, eq=False)
class _Canvas:
    """What a painter works with: an image so far `(c, *grid)`, another healthy one, where the body is, and chance."""

    image: np.ndarray
    other: np.ndarray
    inside: np.ndarray
    random: np.random.Generator

    @property
    def grid(self) -> tuple[int, ...]:
        return self.image.shape[1:]


Painted = tuple[np.ndarray, np.ndarray]  # the whole image `(c, *grid)`, and how strange it is now `(*grid)`
Painter = Callable[[_Canvas], Painted]


def plant_anomaly(
    image: np.ndarray,
    *,
    kind: str,
    seed: int | Sequence[int],
    other: np.ndarray | None = None,
    inside: np.ndarray | None = None,
    strength: float = 1.0,
    most: int = 3,
) -> Planted:
    """Plant one to `most` anomalies of a kind in a healthy image, in 2-D or 3-D, grey or colour.

    Args:
        image: `(c, *grid)`, values mostly in [0, 1].
        kind: Row of `ANOMALIES`.
        seed: The same seed plants the same thing.
        other: Another healthy image of that shape, for "fpi", "pii" and "nsa"; None uses the mirrored image itself.
        inside: `(*grid)` bool, where the body is: seven tenths of each patch lie in it where that can be. None: all.
        strength: In [0, 1]: what is planted is blended in by so much; 0 leaves the image as it was.
        most: Patches at most; after the first each comes with one chance in two.

    Raises:
        SettingError: on an unknown kind, a strength outside [0, 1], or `most` below 1.
        ShapeError: if the shapes do not fit, or the grid is below 8 pixels.

    Source:
        Sizes, numbers and labels of patches as in Cai et al. 2025, arXiv:2404.04518. We differ: nothing depends on a
        library of pictures, patches keep within the body by redrawing, and a label is 0 exactly where nothing changed.
    """
    canvas = _canvas(image, other, inside, np.random.default_rng(seed))
    if kind not in ANOMALIES:
        raise SettingError(f"no anomaly is called {kind!r}; there are {', '.join(ANOMALIES)}")
    if not 0 <= strength <= 1 or most < 1:
        raise SettingError(
            f"strength must lie in [0, 1] and most be 1 or more, got {strength} and {most}; 1 and 3 work"
        )
    before = canvas.image
    label = np.zeros(canvas.grid)
    for number in range(most):
        if number and canvas.random.random() < 0.5:
            continue
        painted, strange = ANOMALIES[kind](canvas)
        label = np.maximum(label, strange)
        canvas = _Canvas(painted, canvas.other, canvas.inside, canvas.random)
    low, high = min(0.0, float(before.min())), max(1.0, float(before.max()))
    change = strength * (np.clip(canvas.image, low, high) - before)
    touched = (np.abs(change).max(axis=0) > 0) & (label > 0)
    planted = np.where(touched, before + change, before).astype(np.float32)
    return Planted(planted, np.where(touched, strength * label, 0).astype(np.float32), kind)


def plant_each(
    images: np.ndarray,
    *,
    kinds: Sequence[str] | None = None,
    seed: int = 0,
    masks: np.ndarray | None = None,
    strength: float = 1.0,
) -> Iterator[Planted]:
    """Every image `(n, c, *grid)` once with every kind, image by image; what comes in is the next image's.

    Args:
        kinds: Rows of `ANOMALIES`; None takes all.
        masks: `(n, *grid)` bool or None.
    """
    for number, image in enumerate(images):
        other = images[(number + 1) % len(images)] if len(images) > 1 else None
        inside = None if masks is None else masks[number]
        for place, kind in enumerate(ANOMALIES if kinds is None else kinds):
            yield plant_anomaly(
                image, kind=kind, seed=(seed, number, place), other=other, inside=inside, strength=strength
            )


def _cutpaste(canvas: _Canvas) -> Painted:
    """A piece of the image, pasted elsewhere in it as it is."""
    box = _box(canvas)
    piece = _piece(canvas.image, box, canvas, scale=1.0)
    return _set(canvas.image, box, piece), _set_label(canvas.grid, box, np.ones(piece.shape[1:]), canvas.image, piece)


def _fpi(canvas: _Canvas) -> Painted:
    """The same place of another image shines through: a linear mix by a share in 0.05 to 0.95."""
    box, share = _box(canvas), canvas.random.uniform(0.05, 0.95)
    here = canvas.image[(slice(None), *box)]
    piece = here + share * (canvas.other[(slice(None), *box)] - here)
    label = np.full(piece.shape[1:], share)
    return _set(canvas.image, box, piece), _set_label(canvas.grid, box, label, canvas.image, piece)


def _pii(canvas: _Canvas) -> Painted:
    """As "fpi", but the stranger's gradients are blended in without a seam before they are mixed."""
    box, share = _box(canvas), canvas.random.uniform(0.05, 0.95)
    here = canvas.image[(slice(None), *box)]
    blended = poisson_blend(here, canvas.other[(slice(None), *box)])
    piece = here + share * (blended - here)
    label = np.full(piece.shape[1:], share)
    return _set(canvas.image, box, piece), _set_label(canvas.grid, box, label, canvas.image, piece)


def _nsa(canvas: _Canvas) -> Painted:
    """A piece of another image from elsewhere and of another size, without a seam; labelled by how much it shows."""
    box = _box(canvas)
    here = canvas.image[(slice(None), *box)]
    piece = poisson_blend(here, _piece(canvas.other, box, canvas, scale=canvas.random.uniform(0.7, 1.3)))
    greys = 255 * np.abs(piece - here).mean(axis=0)
    label = 1 / (1 + np.exp(-np.clip((greys - 4) / 2, -60, 60)))
    return _set(canvas.image, box, piece), _set_label(canvas.grid, box, label, canvas.image, piece)


def _blob(canvas: _Canvas) -> Painted:
    """A soft lobed spot, brighter or darker than what it lies on, whose texture goes on below."""
    share = _spot(canvas, edge=canvas.random.uniform(0.1, 0.6))
    change = canvas.random.uniform(0.1, 0.5) * canvas.random.choice([-1.0, 1.0])
    return canvas.image + change * share, share


def _deformation(canvas: _Canvas) -> Painted:
    """Tissue pushed away from a place or drawn to it, or shifted past it: a mass that shows by what it displaces."""
    from scipy import ndimage

    share = _spot(canvas, edge=1.0)
    radius = max(2.0, 0.5 * float((share > 0).sum()) ** (1 / share.ndim))
    centre = np.array(ndimage.center_of_mass(share))
    places = np.stack(np.meshgrid(*(np.arange(side) for side in canvas.grid), indexing="ij")).astype(float)
    away = places - centre.reshape(-1, *([1] * share.ndim))
    if canvas.random.random() < 0.5:
        offset = canvas.random.choice([-0.6, 0.6]) * share * away
    else:
        way = canvas.random.standard_normal(share.ndim)
        offset = 0.5 * radius * share * (way / np.linalg.norm(way)).reshape(-1, *([1] * share.ndim))
    bent = np.stack([ndimage.map_coordinates(c, places + offset, order=1, mode="nearest") for c in canvas.image])
    moved = np.clip(np.sqrt((offset**2).sum(axis=0)), 0, 1)  # a pixel or more is plain to see
    return bent, np.where(np.abs(bent - canvas.image).max(axis=0) > _VISIBLE, moved, 0)


def _noise(canvas: _Canvas) -> Painted:
    """A spot of foreign texture: noise of its own grain, fine or coarse."""
    from scipy import ndimage

    share = _spot(canvas, edge=0.3)
    grain = canvas.random.uniform(0.0, 0.03) * max(canvas.grid)
    texture = ndimage.gaussian_filter(canvas.random.standard_normal(canvas.grid), grain)
    texture *= canvas.random.uniform(0.08, 0.3) / max(float(texture.std()), 1e-9)
    return canvas.image + texture * share, share


def _veil(canvas: _Canvas) -> Painted:
    """A cloudy haze over a large part of the body, brighter or darker: what is spread out rather than focal."""
    from scipy import ndimage

    side = max(canvas.grid)
    cells = [max(4, round(16 * grid / side)) for grid in canvas.grid]
    clouds = ndimage.gaussian_filter(canvas.random.standard_normal(cells), 2.0, mode="nearest")
    finer = [grid / cell for grid, cell in zip(canvas.grid, cells, strict=True)]
    clouds = ndimage.zoom(clouds, finer, order=3, mode="nearest", grid_mode=True)
    bare = np.quantile(clouds[canvas.inside], canvas.random.uniform(0.2, 0.7))  # this share of the body stays as it was
    thick = np.clip((clouds - bare) / max(float(clouds[canvas.inside].std()), 1e-9), 0, 1)
    share = thick * ndimage.gaussian_filter(canvas.inside.astype(float), 0.02 * side)
    change = canvas.random.uniform(0.05, 0.25) * canvas.random.choice([-1.0, 1.0])
    return canvas.image + change * share, np.where(share > _VISIBLE, share, 0)


ANOMALIES: dict[str, Painter] = {
    "cutpaste": _cutpaste,  # Li et al. 2021, arXiv:2104.04015
    "fpi": _fpi,  # Tan et al. 2020, arXiv:2011.04197
    "pii": _pii,  # Tan et al. 2021, arXiv:2107.02622
    "nsa": _nsa,  # Schlüter et al. 2022, arXiv:2109.15222
    "blob": _blob,
    "deformation": _deformation,
    "noise": _noise,
    "veil": _veil,
}


def _canvas(
    image: np.ndarray, other: np.ndarray | None, inside: np.ndarray | None, random: np.random.Generator
) -> _Canvas:
    """All of it checked."""
    if image.ndim not in (3, 4) or min(image.shape[1:]) < 8:
        raise ShapeError(f"expected an image (c, *grid) with two or three sides of 8 or more, got {image.shape}")
    if other is not None and other.shape != image.shape:
        raise ShapeError(f"the other image has shape {other.shape}, this one {image.shape}")
    if inside is not None and inside.shape != image.shape[1:]:
        raise ShapeError(f"inside has shape {inside.shape}, the image's grid {image.shape[1:]}")
    body = np.ones(image.shape[1:], bool) if inside is None or not inside.any() else np.asarray(inside, bool)
    stranger = np.flip(image, axis=-1) if other is None else other
    return _Canvas(image.astype(np.float64), stranger.astype(np.float64), body, random)


def _box(canvas: _Canvas) -> Box:
    """A patch of a drawn size at a drawn place, seven tenths of it in the body where twenty draws find such a one."""
    best, most = None, -1.0
    for _ in range(_TRIES):
        shares = np.clip(0.05 + canvas.random.gamma(2, 0.03, len(canvas.grid)), 0.03, 0.4)
        box = tuple(_span(side, share, canvas.random) for side, share in zip(canvas.grid, shares, strict=True))
        filled = float(canvas.inside[box].mean())
        if filled >= _INSIDE:
            return box
        if filled > most:
            best, most = box, filled
    assert best is not None
    return best


def _span(side: int, share: float, random: np.random.Generator) -> slice:
    """From `half` before to `half` after a drawn centre, inside the grid."""
    half = min(max(LEAST_PX, round(share * side)), (side - 1) // 2)
    centre = int(random.integers(half, side - half))
    return slice(centre - half, centre + half + 1)


def _piece(image: np.ndarray, box: Box, canvas: _Canvas, *, scale: float) -> np.ndarray:
    """`(c, *box)` from elsewhere in an image, as much of it body as the patch needs, `scale` times as large there."""
    from scipy import ndimage

    sides = [span.stop - span.start for span in box]
    best, most = np.zeros(len(sides)), -1.0
    for _ in range(_TRIES):
        centre = np.array([_centre(grid, side, canvas.random) for grid, side in zip(canvas.grid, sides, strict=True)])
        around = tuple(
            slice(max(0, round(c - s / 2)), max(0, round(c - s / 2)) + s) for c, s in zip(centre, sides, strict=True)
        )
        filled = float(canvas.inside[around].mean())
        if filled > most:
            best, most = centre, filled
        if filled >= _INSIDE:
            break
    lines = [c + scale * (np.arange(side) - (side - 1) / 2) for c, side in zip(best, sides, strict=True)]
    places = np.meshgrid(*lines, indexing="ij")
    return np.stack([ndimage.map_coordinates(channel, places, order=1, mode="mirror") for channel in image])


def _centre(grid: int, side: int, random: np.random.Generator) -> float:
    """A drawn middle, on pixels, of a span of `side` within `grid`."""
    return (side - 1) / 2 + float(random.integers(0, grid - side + 1))


def _set(image: np.ndarray, box: Box, piece: np.ndarray) -> np.ndarray:
    changed = image.copy()
    changed[(slice(None), *box)] = piece
    return changed


def _set_label(grid: tuple[int, ...], box: Box, label: np.ndarray, image: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """The patch's label where something can be seen to have changed, 0 elsewhere."""
    whole = np.zeros(grid)
    whole[box] = np.where(np.abs(piece - image[(slice(None), *box)]).max(axis=0) > _VISIBLE, label, 0)
    return whole


def _spot(canvas: _Canvas, *, edge: float) -> np.ndarray:
    """A lobed ellipsoid in a drawn box, `(*grid)` in [0, 1]; its rim takes `edge` of its radius."""
    from scipy import ndimage

    box = _box(canvas)
    lines = [np.linspace(-1, 1, span.stop - span.start) for span in box]
    radius = np.sqrt(sum(line**2 for line in np.meshgrid(*lines, indexing="ij")))
    lobes = ndimage.gaussian_filter(
        canvas.random.standard_normal(radius.shape), [0.15 * side for side in radius.shape], mode="nearest"
    )
    reach = 0.85 * (1 + 0.15 * np.clip(lobes / max(float(lobes.std()), 1e-9), -1, 1))
    spot = np.clip((reach - radius) / (edge * reach), 0, 1)
    whole = np.zeros(canvas.grid)
    whole[box] = spot * spot * (3 - 2 * spot)
    return whole
