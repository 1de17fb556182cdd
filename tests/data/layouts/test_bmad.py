"""BMAD's sets, with and without img/ folders and masks."""

from pathlib import Path

import pytest

from halescan.data.table import read_cohort
from halescan.errors import LayoutError
from tests.data.layouts.made import bmad, drawn, pictures


def test_parts_labels_patients_and_masks_are_those_of_the_folders(tmp_path: Path) -> None:
    root = bmad(tmp_path / "Brain")
    items = {str(item.source.path.relative_to(root)): item for item in read_cohort(root).items}
    assert len(items) == 8
    first = items["test/Ungood/img/00124_60.png"]
    assert (first.label, first.split, first.patient) == ("abnormal", "test", "00124")
    assert first.mask == root / "test/Ungood/label/00124_60.png"
    assert items["valid/good/img/00025_99.png"].split == "valid"
    assert items["train/good/img/00003_60.png"].label == "healthy"


def test_masks_may_lie_in_anomaly_mask_and_those_of_good_images_are_not_used(tmp_path: Path) -> None:
    root = bmad(tmp_path / "Brain")
    for part in ("valid", "test"):
        (root / part / "Ungood/label").rename(root / part / "Ungood/anomaly_mask")
    drawn(root / "test/good/anomaly_mask/00025_99.png")
    items = read_cohort(root).items
    assert len(items) == 8
    assert all(item.outlined == (item.label == "abnormal") for item in items)


def test_images_may_lie_in_the_label_s_folder_itself(tmp_path: Path) -> None:
    pictures(tmp_path / "train/good", "1000.png")
    pictures(tmp_path / "test/good", "1001.png")
    pictures(tmp_path / "test/Ungood", "100.png")
    items = read_cohort(tmp_path).items
    assert [(item.label, item.split, item.mask, item.patient) for item in items] == [
        ("abnormal", "test", None, None),
        ("healthy", "test", None, None),
        ("healthy", "train", None, None),
    ]


def test_an_image_without_mask_and_a_mask_without_image_are_refused(tmp_path: Path) -> None:
    root = bmad(tmp_path / "Brain")
    (root / "test/Ungood/label/00124_70.png").rename(tmp_path / "aside.png")
    with pytest.raises(LayoutError, match=r"1 abnormal image without a mask: test/Ungood/img/00124_70\.png\. Add"):
        read_cohort(root)
    (tmp_path / "aside.png").rename(root / "test/Ungood/label/00124_70.png")
    (root / "test/Ungood/img/00124_60.png").unlink()
    with pytest.raises(LayoutError, match=r"1 mask without an image: test/Ungood/label/00124_60\.png\. Add"):
        read_cohort(root)
