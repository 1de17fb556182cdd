"""A slide's heat map says where it lies, at every level."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from halescan.errors import ShapeError
from halescan.reporting.slide_map import write_slide_map
from halescan.types import SlideView

VIEW = SlideView((9000, 12_000), (0.25, 0.5), False, (16.0, 8.0), (224, 224), (1.0, 1.0), False, 40, 3.0)
TAIL = np.zeros((563, 1500), np.float32)
TAIL[300, 700] = 3.5


def test_the_map_comes_back_with_its_scale_and_its_place(tmp_path: Path) -> None:
    write_slide_map(VIEW, TAIL, tmp_path / "map.tiff")
    with tifffile.TiffFile(tmp_path / "map.tiff") as tiff:
        levels = [level.asarray() for level in tiff.series[0].levels]
        told = json.loads(tiff.pages.first.description)
        x, y = (tiff.pages.first.tags[name].value for name in ("XResolution", "YResolution"))
    np.testing.assert_array_equal(levels[0], TAIL)
    assert told["map_um_per_px_xy"] == [4.0, 4.0]
    assert (10_000 * x[1] / x[0], 10_000 * y[1] / y[0]) == pytest.approx((4.0, 4.0))
    assert told["slide_px_per_map_px_xy"] == [8.0, 16.0]
    assert told["extent_xy_mm"] == [6.0, 2.25]


def test_a_speck_is_seen_on_every_level(tmp_path: Path) -> None:
    write_slide_map(VIEW, TAIL, tmp_path / "map.tiff")
    with tifffile.TiffFile(tmp_path / "map.tiff") as tiff:
        levels = [level.asarray() for level in tiff.series[0].levels]
    assert [level.shape for level in levels] == [(563, 1500), (282, 750), (141, 375), (71, 188)]
    for number, level in enumerate(levels):
        assert np.argwhere(level == 3.5).tolist() == [[300 >> number, 700 >> number]]


def test_a_map_of_another_slide_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="does not cover"):
        write_slide_map(VIEW, TAIL[:100], tmp_path / "map.tiff")


def test_places_on_the_map_are_places_on_the_slide() -> None:
    assert VIEW.pixel((0, 0)) == (8, 4)
    assert VIEW.pixel((562, 1499)) == (8999, 11_996)
    assert VIEW.bounds(((0, 2), (1499, 1500))) == ((0, 32), (11_992, 12_000))
    assert VIEW.millimetres((9000, 12_000)) == (2.25, 6.0)
