"""MedIAnomaly's sets: those with a data.json, and its BraTS slices."""

import json
from pathlib import Path
from typing import Any

import pytest

from halescan.data.table import read_cohort
from halescan.errors import LayoutError
from tests.data.layouts.made import drawn, medianomaly, pictures


def test_data_json_deals_the_images(tmp_path: Path) -> None:
    cohort = read_cohort(medianomaly(tmp_path / "RSNA"))
    assert [(item.source.path.name, item.split, item.label) for item in cohort.items] == [
        ("a.png", "train", "healthy"),
        ("b.png", "train", "healthy"),
        ("c.png", "test", "healthy"),
        ("d.png", "test", "abnormal"),
    ]
    assert cohort.remarks == ()


def test_images_that_it_does_not_deal_are_left_out_and_counted(tmp_path: Path) -> None:
    root = medianomaly(tmp_path / "RSNA")
    record = json.loads((root / "data.json").read_text())
    record["train"] = {"0": ["a.png"], "unlabeled": {"0": ["b.png"], "1": []}}
    (root / "data.json").write_text(json.dumps(record))
    cohort = read_cohort(root)
    assert len(cohort) == 3
    assert cohort.remarks[0].startswith("1 images lie in images/ that data.json does not put into train or test")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"train": {"0": ["a.png", "gone.png"]}, "test": {}}, r"1 of 2 images it names .*: images/gone\.png\. Unpack"),
        ({"train": {"0": []}, "test": {"2": ["a.png"]}}, "the label '2' means neither healthy .0. nor abnormal .1."),
        ({"train": {"0": "a.png"}, "test": {}}, "train, 0 is no list of file names"),
        ({"train": {"0": ["../data.json"]}, "test": {}}, "which lies outside images/"),
        ({"train": []}, "is not MedIAnomaly's; expected"),
    ],
)
def test_a_wrong_data_json_is_refused_in_a_sentence(record: Any, said: str, tmp_path: Path) -> None:
    root = medianomaly(tmp_path / "RSNA")
    (root / "data.json").write_text(json.dumps(record))
    with pytest.raises(LayoutError, match=said):
        read_cohort(root, layout="medianomaly")


def test_without_data_json_nothing_says_what_is_healthy(tmp_path: Path) -> None:
    root = medianomaly(tmp_path / "RSNA")
    (root / "data.json").unlink()
    with pytest.raises(LayoutError, match=r"cannot be read .*says which images of a MedIAnomaly set are healthy"):
        read_cohort(root, layout="medianomaly")


def brats_slices(root: Path) -> Path:
    pictures(root / "train", "BraTS2021_00000_flair_70.png", "BraTS2021_00000_flair_75.png")
    pictures(root / "test/normal", "BraTS2021_00005_flair_70.png")
    pictures(root / "test/tumor", "BraTS2021_00006_flair_80.png")
    drawn(root / "test/annotation/BraTS2021_00006_seg_80.png")
    return root


def test_its_brats_slices_have_masks_named_seg_for_flair(tmp_path: Path) -> None:
    items = read_cohort(brats_slices(tmp_path / "BraTS2021")).items
    assert [(item.label, item.split, item.patient) for item in items] == [
        ("healthy", "test", "BraTS2021_00005"),
        ("abnormal", "test", "BraTS2021_00006"),
        ("healthy", "train", "BraTS2021_00000"),
        ("healthy", "train", "BraTS2021_00000"),
    ]
    assert items[1].mask == tmp_path / "BraTS2021/test/annotation/BraTS2021_00006_seg_80.png"


def test_a_slice_without_annotation_is_refused(tmp_path: Path) -> None:
    root = brats_slices(tmp_path / "BraTS2021")
    (root / "test/annotation/BraTS2021_00006_seg_80.png").unlink()
    with pytest.raises(LayoutError, match="1 abnormal image without a mask"):
        read_cohort(root)
