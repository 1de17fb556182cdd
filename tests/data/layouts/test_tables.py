"""Tables as a layout, as far as `test_table` and `test_sheets` do not tell it."""

from pathlib import Path

import pytest

from halescan.data.table import read_cohort
from halescan.errors import LayoutError
from tests.data.layouts.made import pictures, table


def test_a_table_says_which_scans_there_are(tmp_path: Path) -> None:
    cohort = read_cohort(table(tmp_path / "set"))
    assert [(item.label, item.split) for item in cohort.items] == [("healthy", "train"), ("abnormal", "test")]
    assert cohort.layout == "table"


def test_the_manifest_of_a_folder_can_be_made_to_decide(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    (tmp_path / "manifest.csv").write_text("file,label\na.png,good\n")
    assert len(read_cohort(tmp_path)) == 2
    assert len(read_cohort(tmp_path, layout="table")) == 1


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"holds no manifest\.csv or manifest\.tsv"):
        read_cohort(tmp_path, layout="table")
