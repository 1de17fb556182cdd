"""Tiles of a slide side by side, with a bar that is as long as it says."""

import numpy as np

from halescan.reporting.slide_pictures import region_picture, tile_strip
from halescan.types import TileView

TILE = TileView(((0.0, 400.0), (100.0, 500.0)), np.full((64, 64, 3), 200, np.uint8), 1.0)


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    picture = np.asarray(region_picture(TILE, (0.5, 0.5), side_px=260))
    bar = (picture[260 - 9] == 255).all(axis=-1).sum()
    assert abs(bar - 260 * 50 / 200) <= 2  # 50 µm of 200


def test_every_tile_is_in_the_strip() -> None:
    tiles = [TileView(TILE.box_px, np.full((64, 64, 3), 30 * n, np.uint8), 1.0) for n in range(1, 7)]
    strip = tile_strip(tiles, (0.5, 0.5), tile_px=100, columns=4)
    assert strip.size == (412, 204)
    assert [strip.getpixel((50 + 104 * n, 50))[0] for n in range(4)] == [30, 60, 90, 120]
    assert [strip.getpixel((50 + 104 * n, 154))[0] for n in range(2)] == [150, 180]
