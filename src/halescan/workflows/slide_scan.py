"""A slide measured tile by tile, in memory that does not grow with it: heat map, scores and strangest tiles."""

import heapq
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from halescan.data.ahead import ahead
from halescan.data.tiles import Place, Tile, Tiling, draw_key, drawn_places, look_over, tile_at
from halescan.io.slide import Slide
from halescan.training.run import Progress, say_nothing
from halescan.types import Batch, Note
from halescan.workflows.healthy import embedding
from halescan.workflows.measure import AT_ONCE, Measure, Measured

STRANGEST = 8  # tiles kept to be shown
_LEAST_SEEN = 0.5  # of a cell's pixels must be looked at for the cell to count
_CUT = ("height", "width", "depth", "aspect")  # facts of a tile that we decide


@dataclass(frozen=True, eq=False)
class Shown:
    """A tile worth showing, with the detector's own answers about it."""

    tile: Tile
    score: float
    reconstruction: np.ndarray | None
    neighbours: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Scanned:
    """A whole slide, measured.

    Args:
        tiling: The way between slide, tiles and heat map.
        overview: `(h, w, 3)` uint8, the slide on the grid of the heat map.
        map: `(h, w)` mean strangeness of each cell, the least of them where nothing was looked at; None without maps.
        mask: `(h, w)` the cells that were looked at.
        tissue: `(h, w)` where tissue was found, examined or not.
        scores: `(n,)` of the tiles examined.
        errors: `(n,)` mean absolute error of the tiles, for methods that reconstruct; else their scores.
        strangest: The tiles with the highest scores, strangest first.
        facts: What the tiles look like, the median over some of them.
        embedding: The same from afar, of the tiles that would be learned from.
        notes: Remarks on how the tiles were prepared.
    """

    tiling: Tiling
    overview: np.ndarray
    map: np.ndarray | None
    mask: np.ndarray
    tissue: np.ndarray
    scores: np.ndarray
    errors: np.ndarray
    strangest: tuple[Shown, ...]
    facts: dict[str, float | str]
    embedding: np.ndarray
    notes: tuple[Note, ...]

    @property
    def peak(self) -> float | None:
        """The largest value of the heat map where it was looked; None without a map."""
        if self.map is None:
            return None
        return float(self.map[self.mask].max() if self.mask.any() else self.map.max())


def scan_slide(
    measure: Measure,
    slide: Slide,
    *,
    um_per_px: float | None = None,
    jobs: int | None = None,
    listen: Callable[[Progress], None] = say_nothing,
) -> Scanned:
    """Measure every tile that holds tissue.

    Tiles are read a few ahead of the network and let go as soon as their maps lie in the heat map.

    Args:
        um_per_px: Scale of the tiles where the model names none.

    Raises:
        ScanError: if the slide says no resolution, is blank, damaged or cut short.
        SettingError: if the model reads no colour.
    """
    profile = measure.profile
    tiling = Tiling.of(slide, profile, um_per_px=um_per_px)
    overview, tissue = look_over(slide, tiling)
    places = tiling.places(tissue)
    # those that would be learned from: the same share of every slide, to be compared with the reference
    witnesses = set(drawn_places(places, most=profile.tiles, key=draw_key(slide)))
    parts = [places[start : start + AT_ONCE] for start in range(0, len(places), AT_ONCE)]
    workers = jobs or os.cpu_count() or 1

    def work(part: Sequence[Place]) -> list[Tile]:
        return [tile_at(slide, tiling, tissue, place, profile) for place in part]

    kept = _Kept(tiling)
    done = 0
    for tiles in ahead(work, parts, jobs=workers, most=workers + 1):
        batch = Batch(
            np.stack([tile.prepared.image for tile in tiles]),
            np.stack([tile.prepared.mask for tile in tiles]),
            tiles[0].prepared.spacing_mm,
        )
        kept.add(tiles, measure(batch), witnesses)
        done += len(tiles)
        listen(Progress("examining tiles", done, len(places)))
    return kept.scanned(overview, tissue)


def cells_of(values: np.ndarray, mask: np.ndarray, cell: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of a tile's map in each cell where it was looked, and which cells were seen by half at least.

    Args:
        values: `(h, w)`.
        mask: `(h, w)` bool.
        cell: Pixels along a cell, a divisor of both sides.
    """
    rows, columns = values.shape[0] // cell, values.shape[1] // cell
    split = (rows, cell, columns, cell)
    seen = mask.reshape(split).sum(axis=(1, 3))
    sums = np.where(mask, values, 0).astype(np.float64).reshape(split).sum(axis=(1, 3))
    return (sums / np.maximum(seen, 1)).astype(np.float32), seen >= _LEAST_SEEN * cell * cell


@dataclass
class _Kept:
    """What stays of the tiles that went by."""

    tiling: Tiling
    map: np.ndarray | None = None
    scores: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    best: list[tuple[float, int, Shown]] = field(default_factory=list)
    facts: list[dict[str, float | str]] = field(default_factory=list)
    views: list[np.ndarray] = field(default_factory=list)
    notes: dict[str, Note] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mask = np.zeros(self.tiling.shape, bool)

    def add(self, tiles: Sequence[Tile], found: Measured, witnesses: set[Place]) -> None:
        """Take what is needed of some tiles."""
        if found.maps is not None and self.map is None:
            self.map = np.full(self.tiling.shape, np.nan, np.float32)
        errors = found.scores if found.errors is None else found.errors
        for number, tile in enumerate(tiles):
            self._lay(tile, found, number)
            self.errors.append(float(errors[number]))
            self._show(tile, found, number)
            self.scores.append(float(found.scores[number]))
            self.notes |= {note.key: note for note in tile.prepared.notes}
            if tile.place in witnesses:
                self.facts.append(dict(tile.prepared.facts))
                self.views.append(embedding(tile.prepared.image[None]))

    def scanned(self, overview: np.ndarray, tissue: np.ndarray) -> Scanned:
        """All of it, with the cells nobody looked at as healthy as the healthiest."""
        if self.map is not None:
            least = float(np.nanmin(self.map)) if np.isfinite(self.map).any() else 0.0
            np.nan_to_num(self.map, copy=False, nan=least)
        return Scanned(
            tiling=self.tiling,
            overview=overview,
            map=self.map,
            mask=self.mask,
            tissue=tissue,
            scores=np.array(self.scores),
            errors=np.array(self.errors),
            strangest=tuple(shown for _, _, shown in sorted(self.best, key=lambda one: (-one[0], -one[1]))),
            facts=_middle(self.facts),
            embedding=np.mean(self.views, axis=0),
            notes=tuple(self.notes.values()),
        )

    def _lay(self, tile: Tile, found: Measured, number: int) -> None:
        """A tile's map into the heat map."""
        rows, columns = self.tiling.window(tile.place)
        grid = tile.prepared.grid
        mask = grid.back_mask(found.masks[number])
        values = np.zeros(mask.shape, np.float32) if found.maps is None else grid.back(found.maps[number])
        means, seen = cells_of(values, mask, self.tiling.cell_px)
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        means, seen = means[: shape[0], : shape[1]], seen[: shape[0], : shape[1]]
        self.mask[rows, columns] = seen
        if self.map is not None:
            self.map[rows, columns] = np.where(seen, means, np.nan)

    def _show(self, tile: Tile, found: Measured, number: int) -> None:
        """Keep the tile if it is among the strangest; of equals the first."""
        score = float(found.scores[number])
        if len(self.best) == STRANGEST and score <= self.best[0][0]:
            return
        drawn = None if found.reconstruction is None else found.reconstruction[number].copy()
        near = None if found.neighbours is None else found.neighbours[number].copy()
        entry = (score, -len(self.scores), Shown(tile, score, drawn, near))
        if len(self.best) < STRANGEST:
            heapq.heappush(self.best, entry)
        else:
            heapq.heapreplace(self.best, entry)


def _middle(rows: Sequence[dict[str, float | str]]) -> dict[str, float | str]:
    """The median of every number, the first of every word; how large we cut the tiles says nothing of the slide."""
    return {
        name: value if isinstance(value, str) else float(np.median(_numbers(rows, name)))
        for name, value in rows[0].items()
        if name not in _CUT
    }


def _numbers(rows: Sequence[dict[str, float | str]], name: str) -> list[float]:
    return [float(row[name]) for row in rows if name in row]
