"""What is told of a study names no patient."""

from pathlib import Path

import numpy as np

from halescan.data.item import Item
from halescan.io import Problem
from halescan.io.source import Source
from halescan.workflows.patient_level.case_names import unnamed, without_files
from halescan.workflows.patient_level.study import Study


def study(*places: str) -> Study:
    """A scan of each of several patients, who are called as their folders."""
    paths = [Path(place) for place in places]
    items = tuple(Item(Source(path, "raster", (path,)), patient=path.parent.name) for path in paths)
    names = tuple(path.parent.name for path in paths)
    count = len(paths)
    return Study(
        items,
        np.arange(count),
        names,
        (None,) * count,
        None,
        np.zeros(count, bool),
        np.ones(count, bool),
        (),
        "made-up",
    )


def test_a_files_own_patient_is_replaced_by_the_case_in_folder_and_file_in_any_letters() -> None:
    told = study("/data/set/Doe-1/doe-1_a.png", "/data/set/Roe-2/b.png")
    path = Path("/data/set/Doe-1/doe-1_a.png")
    said = unnamed(Problem(path, f"{path}: damaged"), told, ["case-x", "case-y"])
    assert said == "set/case-x/case-x_a.png: damaged"


def test_a_problem_of_no_scan_is_told_as_it_is() -> None:
    assert unnamed(Problem(Path("/else"), "/else: gone"), study("/set/Doe-1/a.png"), ["case-x"]) == "/else: gone"


def test_problems_that_travel_count_files_and_keep_sentences() -> None:
    assert without_files(["2 patients have none", "a/b.png: damaged", "c\\d.png: damaged"]) == [
        "2 patients have none",
        "2 files could not be used",
    ]
    assert without_files(["a/b.png: damaged"]) == ["1 file could not be used"]
    assert without_files([]) == []
