"""Masks and maps laid on their scan, by position or as they are stored."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halescan.data.item import Item
from halescan.errors import ShapeError
from halescan.io import Source, read
from halescan.types import Scan
from halescan.workflows.mask_geometry import laid, truth_on

GRID = np.arange(12.0).reshape(3, 4)


def scan_of(values: np.ndarray, affine: np.ndarray | None = None) -> Scan:
    return Scan(values, values.ndim, affine_lps=affine)


def picture(folder: Path, name: str, values: np.ndarray) -> Path:
    path = folder / name
    Image.fromarray(values.astype(np.uint8)).save(path)
    return path


def item(folder: Path, mask: Path | None, label: str = "abnormal") -> tuple[Item, Scan]:
    path = picture(folder, "scan.png", GRID)
    found = Item(source=Source(path, "raster", (path,)), label=label, mask=mask)  # type: ignore[arg-type]
    return found, read(path)


def test_without_positions_values_stay_as_they_are_stored() -> None:
    assert laid(GRID, scan_of(GRID), scan_of(GRID)) is GRID
    with pytest.raises(ShapeError, match="not the scan's"):
        laid(GRID.T, scan_of(GRID.T), scan_of(GRID))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_mirrored_map_is_turned_back_with_its_values(axis: int) -> None:
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    turned = affine.copy()
    turned[:, 3] += (GRID.shape[axis] - 1) * turned[:, 1 + axis]
    turned[:, 1 + axis] *= -1
    flipped = np.flip(GRID, axis)
    np.testing.assert_array_equal(laid(flipped, scan_of(flipped, turned), scan_of(GRID, affine)), GRID)


def test_a_mask_in_which_nothing_is_drawn_is_empty(tmp_path: Path) -> None:
    found, scan = item(tmp_path, picture(tmp_path, "mask.png", np.zeros((3, 4))))
    truth = truth_on(found, scan)
    assert truth is not None
    assert not truth.any()


def test_a_mask_that_is_full_is_full(tmp_path: Path) -> None:
    found, scan = item(tmp_path, picture(tmp_path, "mask.png", np.full((3, 4), 255)))
    truth = truth_on(found, scan)
    assert truth is not None
    assert truth.all()


def test_a_healthy_scan_is_abnormal_nowhere_and_an_outlined_one_where_it_is_drawn(tmp_path: Path) -> None:
    drawn = GRID > 7
    mask = picture(tmp_path, "mask.png", 255 * drawn)
    healthy, scan = item(tmp_path, mask, "healthy")
    assert not truth_on(healthy, scan).any()  # type: ignore[union-attr]
    np.testing.assert_array_equal(truth_on(item(tmp_path, mask)[0], scan), drawn)
    assert truth_on(item(tmp_path, None)[0], scan) is None
