"""Copies: scans that show the same picture, also where one was mirrored, turned, cropped, rescaled or saved anew.

Every picture is first compared with every other as 16 x 16 grey cells, in eight positions and three crops; the
likeliest partners are then laid over each other (a small affine step) and compared in detail. Broad shades are filtered
out beforehand: two chests of different people share those.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from halescan.data.grid import resample
from halescan.data.intensity import luminance
from halescan.types import Scan

SIDE = 64
"""Pixels along each side of the pictures that are compared."""

SAME = 0.91
"""Detail correlation from which two pictures count as copies. On real X-rays, brain slices and biopsies (1.2 million
pairs of pictures of different known patients) the most alike pair reached 0.897 (two brains); of copies that were
saved anew, rescaled, mirrored or cropped a little nearly all exceed it: benchmarks/results/leaks.md."""

_CELLS = 16
_MARGINS = (0.0, 0.04, 0.08)  # cut from each side of one picture before the first comparison
_TURNS = tuple((quarter, mirrored) for quarter in range(4) for mirrored in (False, True))
_VARIANTS = tuple(
    (turn, margin * sign)
    for turn in range(len(_TURNS))
    for margin in _MARGINS
    for sign in ((1, -1) if margin else (1,))
)
_LIKELY = 0.5
_PARTNERS = 5  # looked at closely for each picture and each side of the split
_LEAST_OVERLAP = 0.6
_BLOCK_CELLS = 4_000_000  # correlations held at once
_BLOCK_PAIRS = 64
_STEPS = ((32, 7, 0.09), (64, 5, 0.05))
"""Side in pixels, steps of the fit, and the Gaussian (as a share of the side) of the shades that are taken away."""
_NEARBY = 0.08  # of the side: Gaussian over which contrast is evened out at full size
_FAINT = 0.1  # of the whole picture's contrast: where there is less nearby, it is not blown up further
_PROMISING = 0.75  # detail correlation at half size below which no further step is taken


@dataclass(frozen=True)
class Copy:
    """Two pictures that are one: their numbers, how alike they are (at most 1), and whether one is a mirror image."""

    first: int
    second: int
    likeness: float
    mirrored: bool


def picture(scan: Scan) -> np.ndarray:
    """`(64, 64)` float32 in [0, 1] from darkest to brightest, of the middle slice of a volume."""
    pixels = scan.pixels[scan.shape[0] // 2] if scan.dims == 3 else scan.pixels
    small = resample(luminance(pixels) if scan.colour else pixels, (SIDE, SIDE)).astype(np.float32, copy=False)
    return (small - small.min()) / max(float(np.ptp(small)), 1e-6)


def pixel_digest(pixels: np.ndarray) -> bytes:
    """16 bytes that are the same for the same grey values, however they are stored; nobody is named by them."""
    digest = hashlib.blake2b(repr((pixels.shape, pixels.dtype.str)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()


def find_copies(
    pictures: np.ndarray,
    sides: Sequence[int] | np.ndarray | None = None,
    *,
    of: Sequence[int] | np.ndarray | None = None,
    same: float = SAME,
) -> list[Copy]:
    """Pairs of pictures that show the same thing, most alike first.

    Each picture is compared with all, but only its five likeliest partners on each side are looked at closely: of ten
    copies of one picture not every pair is listed, yet all hang together.

    Args:
        pictures: `(n, 64, 64)` as `picture` makes them; an array on disk will do. One without contrast is
            like no other.
        sides: `(n,)` part of the split of each, as numbers; None puts all on one side.
        of: Numbers of the pictures whose copies are looked for among all; None for all.
        same: Detail correlation from which a pair is listed, in (0, 1].
    """
    where = np.zeros(len(pictures), np.intp) if sides is None else np.asarray(sides, np.intp)
    queries = np.arange(len(pictures)) if of is None else np.asarray(of, np.intp)
    found: list[Copy] = []
    for pairs in _blocks(_candidates(pictures, where, queries)):
        for pair, value in zip(pairs, _aligned(pictures, pairs), strict=True):
            if value >= same:
                first, second = sorted((pair.query, pair.partner))
                found.append(Copy(first, second, min(1.0, float(value)), mirrored=_TURNS[pair.turn][1]))
    return sorted(found, key=lambda copy: (-copy.likeness, copy.first, copy.second))


@dataclass(frozen=True)
class _Pair:
    """A picture, its partner, the number of the turn that makes it look most like that one, and how much to cut off.

    `margin` above 0: the picture is cut; below 0: the partner is.
    """

    query: int
    partner: int
    turn: int
    margin: float


def _candidates(pictures: np.ndarray, sides: np.ndarray, queries: np.ndarray) -> Iterator[_Pair]:
    """The likeliest partners of each query on each side, each pair once."""
    galleries = {margin: _gallery(pictures, margin) for margin in _MARGINS}
    columns = [np.flatnonzero(sides == side) for side in np.unique(sides)]
    asked = np.zeros(len(pictures), bool)
    asked[queries] = True
    told: set[tuple[int, int]] = set()  # at most a few pairs a picture
    step = max(1, min(1024, _BLOCK_CELLS // max(len(pictures), 1)))
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        best, variant = _best_variant(np.asarray(pictures[some], np.float32), galleries)
        best[np.arange(len(some)), some] = -1  # itself
        for side in columns:
            for pair in _top(best[:, side], variant[:, side], some, side):
                if (pair.partner, pair.query) not in told:
                    if asked[pair.partner]:
                        told.add((pair.query, pair.partner))
                    yield pair


def _gallery(pictures: np.ndarray, margin: float) -> np.ndarray:
    """`(n, 256)` all pictures without a margin, in coarse cells."""
    rows = np.empty((len(pictures), _CELLS * _CELLS), np.float32)
    for start in range(0, len(pictures), 1024):
        some = np.asarray(pictures[start : start + 1024], np.float32)
        rows[start : start + 1024] = _coarse(_cut(some, margin))
    return rows


def _best_variant(queries: np.ndarray, galleries: Mapping[float, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """`(q, n)` highest correlation over all turns and margins, and which of `_VARIANTS` gives it."""
    count = len(next(iter(galleries.values())))
    best = np.full((len(queries), count), -1, np.float32)
    which = np.zeros(best.shape, np.int8)
    for number, (turn, margin) in enumerate(_VARIANTS):
        cells = _coarse(_cut(_turn(queries, *_TURNS[turn]), max(margin, 0)))
        found = cells @ galleries[max(-margin, 0)].T
        better = found > best
        np.copyto(best, found, where=better)
        which[better] = number
    return best, which


def _top(best: np.ndarray, variant: np.ndarray, queries: np.ndarray, side: np.ndarray) -> Iterator[_Pair]:
    """The few likely partners of each query among the columns of one side."""
    kept = min(_PARTNERS, len(side))
    places = np.argpartition(best, len(side) - kept, axis=1)[:, len(side) - kept :]
    for row, columns in enumerate(places):
        for column in columns:
            if best[row, column] >= _LIKELY:
                yield _Pair(int(queries[row]), int(side[column]), *_VARIANTS[variant[row, column]])


def _coarse(pictures: np.ndarray) -> np.ndarray:
    """`(n, 256)` float32 of length 1: 16 x 16 cells without broad shades; zeros where there is no contrast."""
    size = pictures.shape[-1] // _CELLS
    cells = pictures.reshape(len(pictures), _CELLS, size, _CELLS, size).mean(axis=(2, 4))
    return _unit((cells - gaussian_filter(cells, (0, 3, 3))).reshape(len(cells), -1))


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and length 1; a row without contrast becomes zeros."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-4, rows / np.maximum(length, 1e-4), 0), np.float32)


def _turn(pictures: np.ndarray, quarter: int, mirrored: bool) -> np.ndarray:
    """Turned by quarters, then perhaps mirrored."""
    turned = np.rot90(pictures, quarter, axes=(1, 2))
    return turned[:, :, ::-1] if mirrored else turned


def _cut(pictures: np.ndarray, share: float) -> np.ndarray:
    """Without a margin on each side, on the same number of pixels."""
    if share == 0:
        return pictures
    margin = round(share * SIDE)
    return resample(pictures[:, margin:-margin, margin:-margin], (SIDE, SIDE))


def _blocks(pairs: Iterator[_Pair]) -> Iterator[list[_Pair]]:
    """Pairs in lists that fit into memory."""
    block: list[_Pair] = []
    for pair in pairs:
        block.append(pair)
        if len(block) == _BLOCK_PAIRS:
            yield block
            block = []
    if block:
        yield block


def _aligned(pictures: np.ndarray, pairs: Sequence[_Pair]) -> np.ndarray:
    """`(p,)` detail correlation of each pair once the first picture is laid over the second."""
    moving = np.stack([_turn(pictures[pair.query][None], *_TURNS[pair.turn])[0] for pair in pairs])
    fixed = np.stack([pictures[pair.partner] for pair in pairs])
    affine = np.zeros((len(pairs), 2, 3), np.float32)
    affine[:, [0, 1], [0, 1]] = np.array([(1 - 2 * abs(pair.margin)) ** np.sign(pair.margin) for pair in pairs])[
        :, None
    ]
    value = np.full(len(pairs), -1.0)
    going = np.arange(len(pairs))
    for side, steps, broad in _STEPS:
        here, there = _detail(moving[going], side, broad), _detail(fixed[going], side, broad)
        affine[going] = _fit(here, there, affine[going], steps)
        value[going] = _overlap_correlation(here, there, affine[going])
        going = going[value[going] >= _PROMISING]
        if not len(going):
            break
    return value


def _detail(pictures: np.ndarray, side: int, broad: float) -> np.ndarray:
    """`(p, side, side)` float32 without broad shades, mean 0 and spread 1.

    At full size contrast is evened out too: a bright skull around a dark brain would else decide alone, and skulls of
    different people fit each other well.
    """
    size = SIDE // side
    small = np.asarray(pictures, np.float32).reshape(len(pictures), side, size, side, size).mean(axis=(2, 4))
    small -= gaussian_filter(small, (0, broad * side, broad * side))
    if side == SIDE:
        nearby = np.sqrt(gaussian_filter(small * small, (0, _NEARBY * side, _NEARBY * side)))
        small /= nearby + _FAINT * small.std(axis=(1, 2), keepdims=True) + 1e-9
    small -= small.mean(axis=(1, 2), keepdims=True)
    return np.asarray(small / np.maximum(small.std(axis=(1, 2), keepdims=True), 1e-6), np.float32)


def _fit(moving: np.ndarray, fixed: np.ndarray, affine: np.ndarray, steps: int) -> np.ndarray:
    """The affine map `(p, 2, 3)` from places of the fixed picture to places of the moving one, bettered step by step.

    Inverse compositional alignment (Baker and Matthews 2004, doi:10.1023/B:VISI.0000011205.11775.fd), over a batch.
    """
    count, side, _ = fixed.shape
    y, x = _places(side)
    down, across = np.gradient(fixed, axis=(1, 2))
    slopes = [(gradient * side / 2).reshape(count, -1) for gradient in (down, across)]
    steepest = np.stack([slope * weight for slope in slopes for weight in (y, x, np.ones_like(x))], axis=1)
    curvature = steepest @ steepest.transpose(0, 2, 1)
    trace = np.trace(curvature, axis1=1, axis2=2)[:, None, None]
    inverse = np.linalg.inv(curvature + (1e-3 * trace + 1e-6) * np.eye(6, dtype=np.float32))
    for _ in range(steps):
        laid, inside = _warp(moving, affine)
        error = (laid - fixed.reshape(count, -1)) * inside
        change = inverse @ (steepest @ error[:, :, None])
        affine = _compose(affine, np.clip(change, -0.2, 0.2).reshape(count, 2, 3))
    return affine


def _places(side: int) -> tuple[np.ndarray, np.ndarray]:
    """`(side * side,)` y and x of every pixel centre, in (-1, 1)."""
    axis = ((np.arange(side) + 0.5) * 2 / side - 1).astype(np.float32)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return y.ravel(), x.ravel()


def _warp(moving: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moving pictures `(p, side * side)` at the mapped places, and where these lie inside them."""
    count, side, _ = moving.shape
    y, x = _places(side)
    mapped = affine[:, :, :1] * y + affine[:, :, 1:2] * x + affine[:, :, 2:]
    pixel = (mapped + 1) * side / 2 - 0.5
    inside = ((pixel >= 0) & (pixel <= side - 1)).all(axis=1)
    pixel = pixel.clip(0, side - 1.001)
    corner = pixel.astype(np.int32)
    rest = (pixel - corner).astype(np.float32)
    flat = moving.reshape(-1)
    at = corner[:, 0] * side + corner[:, 1] + (np.arange(count, dtype=np.int32) * side * side)[:, None]
    upper = flat[at] * (1 - rest[:, 1]) + flat[at + 1] * rest[:, 1]
    lower = flat[at + side] * (1 - rest[:, 1]) + flat[at + side + 1] * rest[:, 1]
    return upper * (1 - rest[:, 0]) + lower * rest[:, 0], inside


def _compose(affine: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The map after the inverse of a small step."""
    step = _squared(change)
    step[:, [0, 1], [0, 1]] += 1
    return np.asarray(_squared(affine) @ np.linalg.inv(step), np.float32)[:, :2]


def _squared(affine: np.ndarray) -> np.ndarray:
    """`(p, 3, 3)` float64."""
    square = np.zeros((len(affine), 3, 3))
    square[:, :2], square[:, 2, 2] = affine, 1
    return square


def _overlap_correlation(moving: np.ndarray, fixed: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """`(p,)` correlation where both pictures are; -1 where they share too little."""
    laid, inside = _warp(moving, affine)
    count = np.maximum(inside.sum(axis=1), 1)[:, None]
    first, second = laid * inside, fixed.reshape(laid.shape) * inside
    first = (first - first.sum(axis=1, keepdims=True) / count) * inside
    second = (second - second.sum(axis=1, keepdims=True) / count) * inside
    length = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    value = (first * second).sum(axis=1) / np.maximum(length, 1e-6)
    return np.where(inside.mean(axis=1) >= _LEAST_OVERLAP, value, -1.0)
