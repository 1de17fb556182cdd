"""MVTec-like sets."""

from pathlib import Path

import pytest

from halescan.data.table import read_cohort
from halescan.errors import LayoutError
from tests.data.layouts.made import drawn, mvtec, pictures


def test_every_folder_of_test_but_good_is_a_defect_with_its_masks(tmp_path: Path) -> None:
    root = mvtec(tmp_path / "bottle")
    items = {str(item.source.path.relative_to(root)): item for item in read_cohort(root).items}
    assert len(items) == 5
    hole = items["test/hole/000.png"]
    assert (hole.label, hole.split, hole.extra["defect"]) == ("abnormal", "test", "hole")
    assert hole.mask == root / "ground_truth/hole/000_mask.png"
    assert (items["test/good/000.png"].label, items["test/good/000.png"].mask) == ("healthy", None)
    assert {items[f"train/good/00{number}.png"].split for number in range(2)} == {"train"}


def test_masks_may_have_the_names_of_their_images(tmp_path: Path) -> None:
    root = mvtec(tmp_path / "bottle")
    for mask in root.glob("ground_truth/*/*.png"):
        mask.rename(mask.with_name("000.png"))
    assert sum(item.outlined for item in read_cohort(root).items) == 2


def test_a_set_without_ground_truth_has_no_masks(tmp_path: Path) -> None:
    pictures(tmp_path / "train/good", "000.png")
    pictures(tmp_path / "test/lesion", "000.png")
    assert [item.outlined for item in read_cohort(tmp_path).items] == [False, False]


def test_partners_that_are_missing_are_named(tmp_path: Path) -> None:
    root = mvtec(tmp_path / "bottle")
    pictures(root / "test/hole", "001.png", "002.png")
    with pytest.raises(LayoutError, match=r"2 abnormal images without a mask: test/hole/001\.png, test/hole/002\.png"):
        read_cohort(root)
    for number in range(1, 6):
        drawn(root / f"ground_truth/hole/00{number}_mask.png")
    with pytest.raises(LayoutError, match=r"3 masks without an image: .*003_mask.*004_mask.*005_mask\.png\. Add"):
        read_cohort(root)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    pictures(tmp_path / "test/hole", "000.png")
    with pytest.raises(LayoutError, match="has no train/good/, as MVTec's sets have"):
        read_cohort(tmp_path, layout="mvtec")
