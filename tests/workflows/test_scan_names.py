"""Names of scans for anybody to read: a file by its name, never a folder that may be a patient."""

from pathlib import Path

import pytest

from halescan.io import Problem, Source
from halescan.workflows.scan_names import (
    listed_lines,
    listed_names,
    shown_name,
    shown_scan,
    told_of_file,
    told_of_scan,
)


@pytest.mark.parametrize(
    ("place", "shown"),
    [("set/Healthy/1.png", "Healthy/1.png"), ("Doe Jane/1.png", "1.png"), ("1.png", "1.png")],
)
def test_a_folder_is_shown_only_where_it_is_nobodys_name(place: str, shown: str) -> None:
    assert shown_name(place) == shown


def test_a_series_is_called_after_its_first_file() -> None:
    folder = Path("/data/DOE_JANE")
    source = Source(folder, "dicom", (folder / "IM1.dcm", folder / "IM2.dcm"))
    assert shown_scan(source) == "series of IM1.dcm"
    told = told_of_scan(source, f"{folder}: the gaps between {folder}/IM1.dcm and {folder}/IM2.dcm differ")
    assert told == "series of IM1.dcm: the gaps between IM1.dcm and IM2.dcm differ"


def test_an_error_says_once_which_scan_it_is_about() -> None:
    path = Path("/data/DOE_JANE/abnormal/1.png")
    source = Source(path, "raster", (path,))
    assert told_of_scan(source, f"{path}: damaged") == "abnormal/1.png: damaged"
    assert told_of_scan(source, "damaged") == "abnormal/1.png: damaged"
    beside = Problem(path, f"{path.parent}/1_seg.png: damaged")
    assert told_of_file(beside) == "1_seg.png: damaged"


def test_long_lists_are_cut_and_counted() -> None:
    assert listed_names(["a", "b", "c", "d"]) == "a, b, c and 1 more"
    assert listed_lines([7]) == "line 7"
    assert listed_lines(list(range(2, 10))) == "lines 2, 3, 4, 5, 6 and 3 more"
