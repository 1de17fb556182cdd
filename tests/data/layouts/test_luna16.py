"""LUNA16: scans, nodules by place, subsets."""

from pathlib import Path

import numpy as np
import pytest

from halescan.data.lesions import Lesion, painted
from halescan.data.table import read_cohort
from halescan.errors import LayoutError, SettingError
from halescan.io import read
from tests.data.layouts.made import luna16


def test_scans_with_a_nodule_are_abnormal_and_lung_masks_are_no_scans(tmp_path: Path) -> None:
    cohort = read_cohort(luna16(tmp_path / "luna"))
    assert [(item.source.path.stem, item.label, item.split) for item in cohort.items] == [
        ("1.3.6.0", "healthy", "train"),
        ("1.3.6.1", "healthy", "train"),
        ("1.3.6.2", "abnormal", "test"),
    ]
    assert cohort.items[2].lesions == (Lesion((-20, -10, 110), 6), Lesion((-15, -5, 104), 4))
    assert cohort.remarks[1] == "LUNA16: 1 scans of annotations.csv are not here"
    assert cohort.items[0].source.files[1].suffix == ".raw"


def test_a_nodule_is_painted_where_the_table_says_in_world_millimetres(tmp_path: Path) -> None:
    item = read_cohort(luna16(tmp_path / "luna")).items[2]
    scan = read(item.source)
    mask = painted(item.lesions, scan)
    # world (-20, -10, 110) is voxel x 10, y 10, z 5 of a scan that begins at (-30, -20, 100) with 1 x 1 x 2 mm
    assert mask[5, 10, 10]
    assert mask[2, 15, 15]
    assert mask[5, 10, 13]
    assert not mask[5, 10, 14]
    assert mask[6, 10, 10]
    assert not mask[7, 10, 10]
    assert 30 < mask.sum() < 90  # balls of 113 and 34 mm3 in voxels of 2 mm3
    assert np.isfinite(mask).all()


def test_candidates_of_class_one_are_nodules_of_unknown_size(tmp_path: Path) -> None:
    root = luna16(tmp_path / "luna")
    (root / "annotations.csv").unlink()
    (root / "candidates.csv").write_text(
        "seriesuid,coordX,coordY,coordZ,class\n1.3.6.0,-20,-10,110,1\n1.3.6.1,0,0,0,0\n"
    )
    with pytest.raises(LayoutError, match=r"has no annotations\.csv\. Fetch it, or choose luna16:nodules=candidates"):
        read_cohort(root)
    items = read_cohort(root, layout="luna16:nodules=candidates").items
    assert [item.label for item in items] == ["abnormal", "healthy", "healthy"]
    assert painted(items[0].lesions, read(items[0].source)).sum() == 1


def test_tables_may_lie_one_folder_below(tmp_path: Path) -> None:
    root = luna16(tmp_path / "luna")
    (root / "CSVFILES").mkdir()
    (root / "annotations.csv").rename(root / "CSVFILES/annotations.csv")
    assert len(read_cohort(root)) == 3


def test_the_subsets_to_test_on_are_a_choice(tmp_path: Path) -> None:
    root = luna16(tmp_path / "luna")
    items = read_cohort(root, layout="luna16:test=0+1").items
    assert [item.split for item in items] == ["test", "test", "train"]
    with pytest.raises(SettingError, match="test=last names no subsets"):
        read_cohort(root, layout="luna16:test=last")


def test_one_subset_knows_its_nodules(tmp_path: Path) -> None:
    items = read_cohort(luna16(tmp_path / "luna") / "subset9").items
    assert [(item.label, len(item.lesions)) for item in items] == [("abnormal", 2)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seriesuid,coordX,coordY\na,1,2\n", "has no column 'coordz'"),
        ("seriesuid,coordX,coordY,coordZ,diameter_mm\na,1,2,here,4\n", "line 2 holds no numbers"),
        ("seriesuid,coordX,coordY,coordZ,diameter_mm\na,1,2,nan,4\n", "line 2 holds no place"),
        ("seriesuid,coordX,coordY,coordZ,class\na,1,2,3,7\n", "line 2 is of class '7', expected 0 or 1"),
    ],
)
def test_a_wrong_table_is_refused(text: str, said: str, tmp_path: Path) -> None:
    root = luna16(tmp_path / "luna")
    (root / "annotations.csv").write_text(text)
    with pytest.raises(LayoutError, match=said):
        read_cohort(root, layout="luna16")
