"""Where to look: the body, the lungs, the head, the tissue or the ultrasound sector, from grey values alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from halescan.data.grid import resample
from halescan.data.intensity import luminance, quantiles, ranked
from halescan.errors import SettingError
from halescan.types import Note

_SIDE = 128  # masks are found on a copy with this longer in-plane side: organs are large, and it takes milliseconds
_SLICES = 160  # and with at most so many slices
_BODY_HU = -500.0  # half way between air and soft tissue
_PALE_DENSITY = 0.010  # 2 % of the light is lost: clean glass varies by a tenth of it, the palest mucus loses twice it
_STAIN_DENSITY = 0.050  # a tenth is lost: stain, however small the speck
_LUNG_HU = -400.0  # aerated lung lies below, ground glass about there, consolidation above


@dataclass(frozen=True, eq=False)
class Region:
    """Where to look, `(y, x)` or `(z, y, x)` bool, never empty; and what a reader should know about it."""

    mask: np.ndarray
    notes: tuple[Note, ...] = ()


def find_region(name: str, pixels: np.ndarray, *, dims: int, hu: bool = False) -> Region:
    """The region of this name in a scan's pixels.

    Args:
        name: A key of `MASKS`.
        pixels: `(y, x)` or `(z, y, x)`; colour has a last axis of 3.
        dims: 2 or 3, the number of spatial axes.
        hu: Whether the grey values are Hounsfield units.

    Raises:
        SettingError: if no mask has this name.
    """
    if name not in MASKS:
        raise SettingError(f"no mask is called {name!r}; choose one of {', '.join(MASKS)}")
    shape = pixels.shape[:dims]
    if name == "everything":
        return Region(np.ones(shape, dtype=bool))
    small = _small_copy(pixels, dims)
    region = MASKS[name](small, hu)
    if not region.mask.any():
        return Region(np.ones(shape, dtype=bool), (*region.notes, Note("mask-everything", {"looked-for": name})))
    return Region(_full_size(region.mask, shape), region.notes)


def body(pixels: np.ndarray, hu: bool) -> Region:
    """All but the air around the patient, without the table: the largest piece, its cavities filled."""
    grey = _grey(pixels)
    dense = grey > _air_level(grey, hu)
    # the table is a thin shell: it goes, and with it what ties it to the back
    return Region(_filled(_largest(_opened(dense | _enclosed(~dense, hu), 3))))


def lungs(pixels: np.ndarray, hu: bool) -> Region:
    """The two lungs as hulls, so that consolidation as dense as the chest wall stays inside; else the body.

    Air that the body encloses, its two largest pieces, made convex lung by lung and slice by slice. Where disease
    whitened one lung, the mirror image of the other stands in for it. Implausible when the lungs make less than 3 % or
    more than 90 % of the body, as in a scan of the abdomen: the body stands in, with a note.
    """
    grey = _grey(pixels)
    air = grey < (_LUNG_HU if hu else otsu(grey.ravel()))
    inside = body(pixels, hu).mask
    gas = _opened(_enclosed(air, hu) & inside)
    hulls = _both_sides(_hulls(_largest_pieces(gas, 2)), inside, gas)
    share = hulls.sum() / max(1, inside.sum())
    if not 0.03 <= share <= 0.9:
        return Region(inside, (Note("lungs-not-found"),))
    return Region(hulls)


def head(pixels: np.ndarray, hu: bool) -> Region:
    """The head on MRI or CT: brighter than the air around it, the largest piece, filled."""
    grey = _grey(pixels)
    # the logarithm keeps dark fluid and bone on the head's side of the threshold, though fat may be ten times brighter
    low = float(grey.min())
    spread = float(quantiles(grey, (0.99,))[0]) - low
    scaled = np.log1p(np.clip(grey - low, 0, None) / max(spread, 1e-6) * 20)
    lit = scaled > otsu(scaled.ravel())
    # filled before the largest is chosen: where a dark skull parts them, the scalp's ring holds the brain
    return Region(_filled(_closed(_largest(_filled(_opened(lit))), 2)))


def tissue(pixels: np.ndarray, hu: bool) -> Region:
    """Stained tissue on a bright slide: whatever lets less light through than the glass; all of it without glass.

    Optical density is -log10 of the light let through, of each colour against the brightest of that colour, so that a
    tinted lamp or scanner changes nothing. A pale stain is tissue too: the level is low, and pale gaps are closed.
    """
    colours = pixels if pixels.ndim > 2 and pixels.shape[-1] == 3 else pixels[..., None]
    values = np.asarray(colours, np.float32)
    white = np.maximum(np.quantile(values.reshape(-1, values.shape[-1])[::7], 0.98, axis=0), 1e-6)
    if white.min() < 0.8 * white.max():  # the brightest places are coloured: no glass to be seen
        return everything(pixels, hu)
    density = -np.log10(np.clip(values / white, 0.01, 1)).max(axis=-1)
    plane = (0,) * (density.ndim - 2)
    smooth = ndimage.gaussian_filter(density, (*plane, 1.5, 1.5))
    stained = _opened(smooth > _PALE_DENSITY) | (smooth > _STAIN_DENSITY)
    found = _closed(stained, 3)
    return Region(found if found.mean() > 0.02 else np.ones_like(found))


def sector(pixels: np.ndarray, hu: bool) -> Region:
    """The fan or box in which the probe listened: hull of the largest piece that is not black; else everything.

    The hull keeps the shadow behind a rib, a stone or a tumour inside: black there is a finding, not the frame.
    """
    grey = _grey(pixels)
    low = float(grey.min())
    lit = grey > low + 0.04 * (float(quantiles(grey, (0.999,))[0]) - low)
    # speckle is full of holes: they are closed before the largest piece is chosen
    found = _hulls(_largest(_opened(_closed(lit, 2))))
    return Region(found if found.mean() > 0.15 else np.ones_like(found))


def everything(pixels: np.ndarray, hu: bool) -> Region:
    """Every pixel."""
    return Region(np.ones(_grey(pixels).shape, dtype=bool))


MASKS: dict[str, Callable[[np.ndarray, bool], Region]] = {
    "everything": everything,
    "body": body,
    "lungs": lungs,
    "head": head,
    "tissue": tissue,
    "sector": sector,
}


def _small_copy(pixels: np.ndarray, dims: int) -> np.ndarray:
    """A copy with small sides, by averaging; colour stays last."""
    shape = pixels.shape[:dims]
    target = _small_shape(shape)
    if pixels.ndim > dims:
        return np.moveaxis(resample(np.moveaxis(pixels, -1, 0), target), 0, -1)
    if dims == 3:  # slice by slice: a volume in float32 would be twice the scan's own size
        kept = np.linspace(0, shape[0] - 1, target[0]).round().astype(int)
        return np.stack([resample(pixels[z], target[1:]) for z in kept])
    return resample(pixels, target)


def _small_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the small copy: one factor in the plane, so that a disc stays a disc."""
    factor = max(1.0, max(shape[-2:]) / _SIDE)
    plane = tuple(max(1, round(side / factor)) for side in shape[-2:])
    return (*(min(side, _SLICES) for side in shape[:-2]), *plane)


def _full_size(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The small mask on the scan's own voxels, its edge smooth."""
    if mask.shape == shape:
        return mask
    if len(shape) == 3:
        slices = (np.arange(shape[0]) * (mask.shape[0] / shape[0])).astype(int)
        return np.stack([resample(mask[z].astype(np.float32), shape[1:]) >= 0.5 for z in slices])
    return resample(mask.astype(np.float32), shape) >= 0.5


def _grey(pixels: np.ndarray) -> np.ndarray:
    """One value a place, float32."""
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    return luminance(pixels) if colour else np.asarray(pixels, np.float32)


def _air_level(grey: np.ndarray, hu: bool) -> float:
    """Grey value between the air around a body and the body."""
    return _BODY_HU if hu else otsu(grey.ravel())


def otsu(values: np.ndarray) -> float:
    """Otsu's threshold (1979, doi:10.1109/TSMC.1979.4310076) on 256 bins; the value itself when all are equal."""
    low, high = float(values.min()), float(values.max())
    if not low < high:
        return low
    edges = np.linspace(low, high, 257, dtype=np.result_type(values, 1.0))
    counts = np.diff(np.searchsorted(ranked(values), edges[1:-1]), prepend=0, append=values.size)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    # between two well separated classes the criterion is flat: its middle is the fair threshold
    best = np.flatnonzero(apart >= np.nanmax(apart) * (1 - 1e-9))
    return float(edges[1:][best].mean())


def _opened(mask: np.ndarray, steps: int = 1) -> np.ndarray:
    """Without bridges and specks thinner than twice `steps`; what reaches the border stays there."""
    return _grown(_shrunk(mask, steps), steps) & mask


def _closed(mask: np.ndarray, steps: int) -> np.ndarray:
    """Without gaps narrower than twice `steps`; the border of the image is no gap."""
    return _shrunk(_grown(mask, steps), steps)


def _grown(mask: np.ndarray, steps: int) -> np.ndarray:
    """With what touches it by a side, in the plane: slices are often too far apart to touch."""
    for _ in range(steps):
        before, mask = mask, mask.copy()
        mask[..., 1:, :] |= before[..., :-1, :]
        mask[..., :-1, :] |= before[..., 1:, :]
        mask[..., 1:] |= before[..., :-1]
        mask[..., :-1] |= before[..., 1:]
    return mask


def _shrunk(mask: np.ndarray, steps: int) -> np.ndarray:
    """Without what touches its outside by a side, in the plane; beyond the border nothing is outside."""
    return ~_grown(~mask, steps)


def _labelled(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the connected pieces, and their sizes from piece 1 on."""
    labels, _ = ndimage.label(mask)
    return labels, np.bincount(labels.ravel())[1:]


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected piece."""
    labels, sizes = _labelled(mask)
    return labels == 1 + int(sizes.argmax()) if sizes.size else mask


def _largest_pieces(mask: np.ndarray, most: int | None = None) -> np.ndarray:
    """The largest piece and those of a tenth of it or more; lungs that touch are one piece, disease may part one."""
    labels, sizes = _labelled(mask)
    order = np.argsort(sizes)[::-1][:most]
    kept = [1 + int(piece) for piece in order if sizes[piece] >= 0.1 * sizes[order[0]]]
    return np.isin(labels, kept)


def _filled(mask: np.ndarray) -> np.ndarray:
    """With its holes filled, slice by slice: a hole reaches no border."""
    if mask.ndim == 3:
        return np.stack([_filled(plane) for plane in mask])
    labels, sizes = _labelled(~mask)
    hole = np.ones(sizes.size + 1, dtype=bool)
    hole[_on_border(labels)] = False
    hole[0] = True  # the mask itself
    return hole[labels]


def _enclosed(air: np.ndarray, hu: bool) -> np.ndarray:
    """Air that a body encloses, slice by slice.

    On the scanner's own grid it never reaches the border (the inside of the table does). A picture may be cropped
    tightly, through the lungs: there a piece lies outside when its contact with the border is long for its size (a
    wedge in a corner reaches 2.8 square roots of its area).
    """
    if air.ndim == 3:
        return np.stack([_enclosed(plane, hu) for plane in air])
    labels, sizes = _labelled(air)
    contact = np.bincount(_on_border(labels), minlength=sizes.size + 1)[1:]
    allowed = np.zeros(sizes.size) if hu else 2 * np.sqrt(sizes)
    return np.concatenate([[False], contact <= allowed])[labels]


def _on_border(labels: np.ndarray) -> np.ndarray:
    """What stands on the outermost places of a plane."""
    return np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])


def _both_sides(found: np.ndarray, inside: np.ndarray, air: np.ndarray) -> np.ndarray:
    """With the mirror image of the larger lung added where the smaller is less than half of it, slice by slice.

    In a volume only between slices with air on both sides, or everywhere if these are few: at the apex and over the
    diaphragm one lung ends before the other, and what lies beside it is no lung.
    """
    if found.ndim == 2:
        return found if _even(found, inside) else found | _mirrored(found, inside)
    kept, there, air = found.copy(), found.any(axis=(1, 2)), _largest_pieces(air)
    both = [z for z in np.flatnonzero(there) if _even(air[z], inside[z])]
    for z in range(both[0], both[-1] + 1) if 4 * len(both) > there.sum() else range(len(found)):
        kept[z] = _both_sides(found[z], inside[z], air[z])
    return kept


def _twice_middle(inside: np.ndarray) -> int:
    """Twice the column in the middle of a body."""
    columns = np.flatnonzero(inside.any(axis=0))
    return int(columns[0] + columns[-1]) if columns.size else inside.shape[1] - 1


def _even(plane: np.ndarray, inside: np.ndarray) -> bool:
    """Whether the lesser side of the body's middle has half as much as the other or more."""
    twice_middle, across = _twice_middle(inside), 2 * np.arange(plane.shape[1])
    sides = plane[:, across < twice_middle].sum(), plane[:, across > twice_middle].sum()
    return bool(min(sides) >= 0.5 * max(sides))


def _mirrored(plane: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The mirror image at the body's middle, as far as it lies in the body."""
    opposite = _twice_middle(inside) - np.arange(plane.shape[1])
    known = (opposite >= 0) & (opposite < plane.shape[1])
    return plane[:, opposite.clip(0, plane.shape[1] - 1)] & known & inside


def _hulls(mask: np.ndarray) -> np.ndarray:
    """Every connected piece of every slice, made convex; specks are left out."""
    if mask.ndim == 3:
        return np.stack([_hulls(plane) for plane in mask])
    labels, sizes = _labelled(mask)
    found = np.zeros_like(mask)
    for piece in np.flatnonzero(sizes >= max(12, 0.05 * sizes.max(initial=0))):
        _fill_hull(found, labels == 1 + piece)
    return found


def _fill_hull(found: np.ndarray, piece: np.ndarray) -> None:
    """Set the convex hull of one piece: every pixel centre on the inner side of all its edges."""
    points = np.argwhere(piece & ~ndimage.binary_erosion(piece))
    try:
        edges = ConvexHull(points).equations
    except QhullError:  # all on one line
        found |= piece
        return
    (top, left), (bottom, right) = points.min(axis=0), points.max(axis=0) + 1
    y, x = np.mgrid[top:bottom, left:right]
    inner = np.ones(y.shape, dtype=bool)
    for across_y, across_x, offset in edges:
        inner &= across_y * y + across_x * x + offset <= 1e-6
    found[top:bottom, left:right] |= inner
