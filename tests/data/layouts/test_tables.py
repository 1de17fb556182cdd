"""Tables as a layout, as far as `test_table` and `test_sheets` do not tell it."""

from pathlib import Path

import pytest

from halescan.data.table import read_cohort
from halescan.errors import LayoutError, TableError
from tests.data.layouts.made import pictures, table


def test_a_table_says_which_scans_there_are(tmp_path: Path) -> None:
    cohort = read_cohort(table(tmp_path / "set"))
    assert [(item.label, item.split) for item in cohort.items] == [("healthy", "train"), ("abnormal", "test")]
    assert cohort.layout == "table"


def test_a_table_may_name_scans_by_absolute_paths_wherever_they_lie(tmp_path: Path) -> None:
    place = tmp_path / "archive" / "abnormal"
    pictures(place, "a.png")
    (tmp_path / "lists" / "healthy").mkdir(parents=True)
    file = tmp_path / "lists" / "healthy" / "scans.csv"
    file.write_text(f"file,split\n{place / 'a.png'},test\n")
    (item,) = read_cohort(file).items
    assert (item.source.path, item.split, item.label) == (place / "a.png", "test", "abnormal")


@pytest.mark.parametrize("how", ["named", "near"])
def test_two_lines_for_one_scan_are_refused_by_their_numbers(how: str, tmp_path: Path) -> None:
    pictures(tmp_path / "set", "a.png", "b.png")
    file = tmp_path / "set" / "manifest.csv"
    file.write_text("file,label\na.png,good\n\nb.png,bad\n./a.png,bad\n")
    with pytest.raises(TableError, match="lines 2 and 5 name the same file; keep one line a scan"):
        read_cohort(file if how == "named" else tmp_path / "set")


def test_the_manifest_of_a_folder_can_be_made_to_decide(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    (tmp_path / "manifest.csv").write_text("file,label\na.png,good\n")
    assert len(read_cohort(tmp_path)) == 2
    assert len(read_cohort(tmp_path, layout="table")) == 1


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"holds no manifest\.csv or manifest\.tsv"):
        read_cohort(tmp_path, layout="table")
