"""Sentences for a page that is published: no file, no folder."""

import pytest

from halescan.workflows.comparison.words import without_files


@pytest.mark.parametrize(
    "name", ["/data/Doe_Jane/scan.dcm", "Doe_Jane.png", "Doe_Jane.nii.gz", r"C:\scans\Doe_Jane", "Doe_Jane/series"]
)
def test_files_and_folders_go(name: str) -> None:
    told = without_files(f"{name}: cannot be read as an image; leave it out")
    assert "Doe" not in told
    assert told.endswith("cannot be read as an image; leave it out")


def test_all_else_stays() -> None:
    told = "learning_rate must lie in (0, 10), got 50.0; 0.001 is usual"
    assert without_files(told) == told
