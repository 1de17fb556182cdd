"""Tiles: a whole slide cut into images of one scale, and the way from their maps back to the slide."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, gcd

import numpy as np

from halescan.data.item import Item
from halescan.data.prepare import Prepared, prepare
from halescan.data.profiles import Profile
from halescan.data.tissue import slide_tissue
from halescan.errors import BlankScan, ScanError, SettingError
from halescan.io import open_slide
from halescan.io.slide import Slide
from halescan.types import Scan

USUAL_UM_PER_PX = 0.5
"""µm per pixel of tiles where a profile names none: 20 x, at which cells and glands can be told apart."""

_LEAST_TISSUE = 0.1  # share of a tile: below, its score is that of the glass
_LEAST_CELL = 4  # pixels of a tile: the finest grid on which any detector's map says something of its own
_MOST_CELLS = 2048  # longer side of the heat map: with it, memory is the same for a biopsy and for a whole section
_TOO_COARSE = 1.25  # a slide scanned so much coarser than the tiles would be drawn larger than it is known

Place = tuple[int, int]  # row and column of a tile


@dataclass(frozen=True)
class Tiling:
    """How a slide is cut: tiles side by side from its top left corner, and cells that part every tile evenly.

    Args:
        slide_px: Rows and columns of level 0.
        slide_um_per_px: µm per pixel of level 0, `(y, x)`.
        tile_um_per_px: The same of a tile, `(y, x)`.
        tile_px: Rows and columns of a tile.
        cell_px: Pixels of a tile along a cell: one value of the heat map.
    """

    slide_px: tuple[int, int]
    slide_um_per_px: tuple[float, float]
    tile_um_per_px: tuple[float, float]
    tile_px: tuple[int, int]
    cell_px: int

    @classmethod
    def of(cls, slide: Slide, profile: Profile, *, um_per_px: float | None = None) -> "Tiling":
        """The tiles that a profile asks for.

        Args:
            um_per_px: Scale of the tiles where the profile names none.

        Raises:
            ScanError: if the slide does not say its resolution, or was scanned too coarsely.
            SettingError: if the profile reads no tiles in colour.
        """
        check_reads_slides(profile)
        if slide.um_per_px is None:
            raise ScanError(
                f"{slide.path}: does not say how large its pixels are. Give --um-per-px (usual: 0.25 for 40 x, "
                "0.5 for 20 x), or a column um_per_px in the table."
            )
        own = profile.spacing_mm
        scale = (1000 * own[0], 1000 * own[1]) if own else (um_per_px or USUAL_UM_PER_PX,) * 2
        steps = [wanted / step for wanted, step in zip(scale, slide.um_per_px, strict=True)]
        if min(steps) < 1 / _TOO_COARSE:
            raise ScanError(
                f"{slide.path}: was scanned at {max(slide.um_per_px):.3g} µm per pixel, and the model looks at "
                f"{min(scale):.3g}: it would see detail that was never recorded. Scan it finer, or use a coarser model."
            )
        tile = (profile.size[0], profile.size[1])
        drawn = [side / step for side, step in zip(slide.shape, steps, strict=True)]
        return cls(slide.shape, slide.um_per_px, (scale[0], scale[1]), tile, _cell(tile, max(drawn)))

    @property
    def steps(self) -> tuple[float, float]:
        """Pixels of level 0 along a pixel of a tile, `(y, x)`."""
        down, across = (wide / fine for wide, fine in zip(self.tile_um_per_px, self.slide_um_per_px, strict=True))
        return down, across

    @property
    def factor(self) -> tuple[float, float]:
        """Pixels of level 0 along a cell, `(y, x)`."""
        return self.steps[0] * self.cell_px, self.steps[1] * self.cell_px

    @property
    def cells(self) -> tuple[int, int]:
        """Cells along a tile, `(y, x)`."""
        return self.tile_px[0] // self.cell_px, self.tile_px[1] // self.cell_px

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the heat map, and of the overview of the same scale."""
        down, across = (ceil(side / step - 1e-9) for side, step in zip(self.slide_px, self.factor, strict=True))
        return down, across

    @property
    def counts(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        down, across = (ceil(side / cells) for side, cells in zip(self.shape, self.cells, strict=True))
        return down, across

    @property
    def cell_mm(self) -> tuple[float, float]:
        """Length of a cell, `(y, x)`."""
        return self.tile_um_per_px[0] * self.cell_px / 1000, self.tile_um_per_px[1] * self.cell_px / 1000

    def box(self, place: Place) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where a tile lies, half-open in pixels of level 0; the last ones reach beyond the slide."""
        rows, columns = (
            (number * side * step, (number + 1) * side * step)
            for number, side, step in zip(place, self.tile_px, self.steps, strict=True)
        )
        return rows, columns

    def window(self, place: Place) -> tuple[slice, slice]:
        """The cells of a tile in the heat map, cut at its edges."""
        rows, columns = (
            slice(number * cells, min((number + 1) * cells, side))
            for number, cells, side in zip(place, self.cells, self.shape, strict=True)
        )
        return rows, columns

    def places(self, tissue: np.ndarray) -> list[Place]:
        """The tiles that hold enough tissue, row by row; the fullest alone where none does."""
        shares = {}
        area = self.cells[0] * self.cells[1]
        for row in range(self.counts[0]):
            for column in range(self.counts[1]):
                shares[row, column] = np.count_nonzero(tissue[self.window((row, column))]) / area
        chosen = [place for place, share in shares.items() if share >= _LEAST_TISSUE]
        return chosen or [max(shares, key=lambda place: shares[place])]


@dataclass(frozen=True, eq=False)
class Tile:
    """One tile: where it lies, its pixels `(h, w, 3)` uint8, and itself as an image for the detector."""

    place: Place
    pixels: np.ndarray
    prepared: Prepared


def check_reads_slides(profile: Profile) -> None:
    """Refuse a profile that knows no tiles of stained tissue.

    Raises:
        SettingError: for grey images or volumes.
    """
    if profile.channels != 3 or profile.dims != 2:
        kind = "grey images" if profile.channels != 3 else "volumes"
        raise SettingError(
            f"a whole slide is read in tiles of colour, and the profile {profile.name!r} reads {kind}: "
            "use a model of a colour profile, such as histology"
        )


def for_slides(profile: Profile, *, um_per_px: float | None = None) -> Profile:
    """The profile as it is learned from slides: at a scale of its own, and tile by tile.

    Raises:
        SettingError: if it reads no colour.
    """
    check_reads_slides(profile)
    scale = profile.spacing_mm or ((um_per_px or USUAL_UM_PER_PX) / 1000,) * 2
    # tiles are no slices of a volume: their neighbours in a list are not neighbours in space
    return profile.model_copy(update={"spacing_mm": scale, "median_slices": 0, "crop_to_mask": False})


def open_slide_of(item: Item, *, um_per_px: float | None = None) -> Slide:
    """The slide of an item; a table's column `um_per_px` says its scale where the file does not.

    Raises:
        ScanError: if it cannot be opened, or the column holds no such number.
    """
    told = item.extra.get("um_per_px")
    try:
        scale = float(told) if told else um_per_px
    except ValueError:
        scale = 0.0
    if scale is not None and not 0 < scale < 1000:
        raise ScanError(f"{item.source.path}: um_per_px must be a number of µm above 0, such as 0.5; got {told!r}.")
    return open_slide(item.source, um_per_px=scale)


def look_over(slide: Slide, tiling: Tiling) -> tuple[np.ndarray, np.ndarray]:
    """The overview `(h, w, 3)` of a slide on the grid of its heat map, and where on it there is tissue, `(h, w)`.

    Raises:
        BlankScan: if there is none.
    """
    overview = slide.overview(tiling.factor)
    tissue = slide_tissue(overview)
    if not tissue.any():
        raise BlankScan(f"{slide.path}: the slide is blank: no tissue was found on the glass.")
    return overview, tissue


def tile_at(slide: Slide, tiling: Tiling, tissue: np.ndarray, place: Place, profile: Profile) -> Tile:
    """Read and prepare one tile, as a patch cut there would be; it is looked at where there is tissue."""
    pixels = slide.region(tiling.box(place), tiling.tile_px)
    # a profile without a scale learned from patches without one: a tile must not know more than they did
    spacing = profile.spacing_mm
    found = next(iter(prepare(Scan(pixels, 2, spacing, source=slide.path), profile)))
    here = np.zeros(tiling.cells, bool)
    own = tissue[tiling.window(place)]
    here[: own.shape[0], : own.shape[1]] = own
    fine = np.repeat(np.repeat(here, tiling.cell_px, axis=0), tiling.cell_px, axis=1)
    mask = found.mask & found.grid.forward_mask(fine)
    prepared = (
        found
        if not mask.any()
        else Prepared(found.image, mask, found.grid, found.spacing_mm, None, found.facts, found.notes)
    )
    return Tile(place, pixels, prepared)


def drawn_places(places: list[Place], *, most: int, key: str) -> list[Place]:
    """At most so many of the tiles, by chance but always the same for the same key, in their order."""
    if len(places) <= most:
        return places
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
    chosen = np.random.default_rng(seed).choice(len(places), most, replace=False)
    return [places[int(number)] for number in np.sort(chosen)]


def draw_key(slide: Slide) -> str:
    """What decides the draw: the slide's own name and size, so that other slides beside it change nothing."""
    return f"{slide.path.name}:{slide.shape}"


def sampled_tiles(item: Item, profile: Profile) -> Iterator[Prepared]:
    """`profile.tiles` tiles of a slide as images to learn from, numbered like the slices of a volume.

    Raises:
        ScanError: if the slide cannot be read, says no resolution or is blank.
        SettingError: if the profile reads no colour.
    """
    with open_slide_of(item) as slide:
        tiling = Tiling.of(slide, profile)
        _, tissue = look_over(slide, tiling)
        places = tiling.places(tissue)
        for place in drawn_places(places, most=profile.tiles, key=draw_key(slide)):
            found = tile_at(slide, tiling, tissue, place, profile).prepared
            number = place[0] * tiling.counts[1] + place[1]
            yield Prepared(found.image, found.mask, found.grid, found.spacing_mm, number, found.facts, found.notes)


def _cell(tile: tuple[int, int], drawn_px: float) -> int:
    """The smallest even part of a tile with which the heat map is not too large.

    Raises:
        SettingError: if the sides of a tile have no common divisor that will do.
    """
    whole = gcd(*tile)
    parts = [part for part in range(_LEAST_CELL, whole + 1) if whole % part == 0]
    fitting = [part for part in parts if drawn_px / part <= _MOST_CELLS]
    if not parts or (not fitting and drawn_px / parts[-1] > 2 * _MOST_CELLS):
        raise SettingError(f"tiles of {tile[0]} x {tile[1]} pixels cannot be parted for a heat map; 224 x 224 can")
    return fitting[0] if fitting else parts[-1]
