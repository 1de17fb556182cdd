"""Tiles lie where they say they lie, whatever the scales of slide and model."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halescan.data.item import Item
from halescan.data.profiles import load_profile
from halescan.data.tiles import Tiling, drawn_places, for_slides, look_over, open_slide_of, sampled_tiles, tile_at
from halescan.errors import BlankScan, ScanError, SettingError
from halescan.io import open_slide, source_of
from tests.slides import MadeSlide, write_slide

SMALL = load_profile("histology", {"size": [64, 64], "spacing_mm": [0.002, 0.002], "tiles": 5})
RED = (1000.0, 900.0, 130.0)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    drawn = MadeSlide(2000, ((950, 1000, 600),), (RED,))
    return write_slide(tmp_path_factory.mktemp("tiles") / "a.tiff", drawn)


@given(
    rows=st.integers(300, 90_000),
    columns=st.integers(300, 90_000),
    fine=st.floats(0.12, 0.6),
    coarse=st.floats(0.6, 4.0),
)
def test_tiles_and_cells_cover_the_slide_and_nothing_twice(rows: int, columns: int, fine: float, coarse: float) -> None:
    cell = 8
    tiling = Tiling((rows, columns), (fine, fine), (coarse, coarse), (64, 64), cell)
    boxes = [tiling.box((row, column)) for row, column in ((0, 0), tuple(count - 1 for count in tiling.counts))]
    assert boxes[0][0][0] == boxes[0][1][0] == 0
    for axis, side in enumerate((rows, columns)):
        assert boxes[1][axis][0] < side + 1e-6
        assert boxes[1][axis][1] >= side - 1e-6
        step = 64 * coarse / fine
        assert boxes[1][axis][0] == pytest.approx((tiling.counts[axis] - 1) * step)
        windows = [tiling.window((n, n))[axis] for n in range(min(tiling.counts))]
        assert all(a.stop == b.start for a, b in pairwise(windows))
        assert abs(tiling.shape[axis] * tiling.factor[axis] - side) <= tiling.factor[axis]


def test_the_heat_map_stays_small_however_large_the_slide(path: Path) -> None:
    with open_slide(path) as slide:
        cells = {}
        for side in (2_000, 20_000, 100_000, 200_000):
            slide.pyramid.shapes = ((side, side),)
            cells[side] = Tiling.of(slide, load_profile("histology"))
    assert all(max(tiling.shape) <= 2048 for tiling in cells.values())
    assert all(224 % tiling.cell_px == 0 for tiling in cells.values())
    assert cells[2_000].cell_px == 4


def test_a_tile_shows_its_own_place(path: Path) -> None:
    with open_slide(path) as slide:
        tiling = Tiling.of(slide, SMALL)
        _, tissue = look_over(slide, tiling)
        found = {place: tile_at(slide, tiling, tissue, place, SMALL) for place in tiling.places(tissue)}
        red = {place for place, tile in found.items() if (tile.pixels[..., 1] < 90).mean() > 0.02}
    hit = set()
    for place in found:
        (top, bottom), (left, right) = tiling.box(place)
        near = np.hypot(RED[0] - np.clip(RED[0], top, bottom), RED[1] - np.clip(RED[1], left, right))
        hit |= {place} if near < RED[2] - 20 else set()
    assert hit
    assert red == hit
    assert all(tile.prepared.image.shape == (3, 64, 64) for tile in found.values())


def test_only_tissue_is_looked_at(path: Path) -> None:
    with open_slide(path) as slide:
        tiling = Tiling.of(slide, SMALL)
        _, tissue = look_over(slide, tiling)
        places = tiling.places(tissue)
        assert 0 < len(places) < tiling.counts[0] * tiling.counts[1]
        corner = min(places)
        mask = tile_at(slide, tiling, tissue, corner, SMALL).prepared.mask
    assert 0.05 < mask.mean() < 0.95


def test_tiles_are_drawn_by_chance_and_always_the_same() -> None:
    places = [(row, column) for row in range(20) for column in range(20)]
    first = drawn_places(places, most=30, key="a")
    assert first == sorted(first)
    assert len(set(first)) == 30
    assert first == drawn_places(places, most=30, key="a")
    assert first != drawn_places(places, most=30, key="b")
    assert drawn_places(places[:7], most=30, key="a") == places[:7]


def test_a_slide_gives_a_bounded_number_of_images_to_learn_from(path: Path) -> None:
    images = list(sampled_tiles(Item(source_of(path)), SMALL))
    assert len(images) == 5
    assert len({image.slice_index for image in images}) == 5
    assert images[0].spacing_mm == pytest.approx((0.002, 0.002))
    again = list(sampled_tiles(Item(source_of(path)), SMALL))
    np.testing.assert_array_equal(images[0].image, again[0].image)


def test_a_slide_without_resolution_asks_for_it(tmp_path: Path) -> None:
    silent = write_slide(tmp_path / "silent.tiff", MadeSlide.of(1000), um_per_px=None)
    with open_slide(silent) as slide, pytest.raises(ScanError, match="Give --um-per-px"):
        Tiling.of(slide, SMALL)
    with open_slide_of(Item(source_of(silent), extra={"um_per_px": "0.25"})) as slide:
        assert Tiling.of(slide, SMALL).steps == pytest.approx((8, 8))
    with pytest.raises(ScanError, match="must be a number"):
        open_slide_of(Item(source_of(silent), extra={"um_per_px": "forty"}))


def test_a_slide_scanned_too_coarsely_is_refused(path: Path) -> None:
    fine = SMALL.model_copy(update={"spacing_mm": (0.0001, 0.0001)})
    with open_slide(path) as slide, pytest.raises(ScanError, match=r"was scanned at 0\.5 µm per pixel"):
        Tiling.of(slide, fine)


def test_a_blank_slide_is_said_to_be_blank(tmp_path: Path) -> None:
    blank = write_slide(tmp_path / "blank.tiff", MadeSlide(1000, ()))
    with open_slide(blank) as slide, pytest.raises(BlankScan, match="no tissue was found"):
        look_over(slide, Tiling.of(slide, SMALL))


@pytest.mark.parametrize("name", ["chest-xray", "brain-mri"])
def test_a_grey_profile_reads_no_slide(path: Path, name: str) -> None:
    with open_slide(path) as slide, pytest.raises(SettingError, match=r"reads grey images: use a model of a colour"):
        Tiling.of(slide, load_profile(name))


def test_a_profile_learned_from_slides_knows_its_scale() -> None:
    assert for_slides(load_profile("histology")).spacing_mm == (0.0005, 0.0005)
    assert for_slides(SMALL).spacing_mm == (0.002, 0.002)
