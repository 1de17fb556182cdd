"""Our own layout, as far as `test_table` does not tell it."""

from pathlib import Path

from halescan.data.table import read_cohort
from tests.data.layouts.made import drawn, pictures


def test_parts_have_one_word_whatever_their_folders_are_called(tmp_path: Path) -> None:
    for part in ("train", "val", "validation", "test"):
        pictures(tmp_path / part / "healthy", f"{part}.png")
    found = {item.source.path.stem: item.split for item in read_cohort(tmp_path).items}
    assert found == {"train": "train", "val": "valid", "validation": "valid", "test": "test"}
    assert len(read_cohort(tmp_path, split="val")) == 2


def test_masks_beside_the_labels_are_found_below_every_part(tmp_path: Path) -> None:
    pictures(tmp_path / "test/abnormal", "a.png")
    drawn(tmp_path / "test/masks/a.png")
    (item,) = read_cohort(tmp_path).items
    assert item.mask == (tmp_path / "test/masks/a.png").resolve() or item.mask == tmp_path / "test/masks/a.png"


def test_a_mask_that_no_scan_is_called_after_is_known_to_be_spare(tmp_path: Path) -> None:
    pictures(tmp_path / "test/abnormal", "a.png")
    for name in ("a", "nobody"):
        drawn(tmp_path / f"test/masks/{name}.png")
    assert [mask.name for mask in read_cohort(tmp_path).spare_masks] == ["nobody.png"]
