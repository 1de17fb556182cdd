"""All files of a case, whole or not at all."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from halescan.errors import OutputError, SettingError
from halescan.reporting import case_folder, write_case
from halescan.types import Identity
from tests.reporting.cases import case_of, flat_scan, no_map_case, volume_scan

ALL_FILES = ["case.json", "map.nii.gz", "overlay.png", "report.html", "report.pdf"]


def _names(folder) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_case_is_one_folder_of_five_files(tmp_path):
    write_case(case_of(), tmp_path / "out" / "case-1")
    assert _names(tmp_path / "out" / "case-1") == ALL_FILES
    assert _names(tmp_path / "out") == ["case-1"]


def test_a_method_without_location_leaves_no_map_and_no_overlay(tmp_path):
    write_case(no_map_case(), tmp_path / "case")
    assert _names(tmp_path / "case") == ["case.json", "report.html", "report.pdf"]
    assert "gives no location" in (tmp_path / "case" / "report.html").read_text("utf-8")


def test_only_the_formats_asked_for_are_written(tmp_path):
    write_case(case_of(), tmp_path / "case", formats=("json", "map"))
    assert _names(tmp_path / "case") == ["case.json", "map.nii.gz"]


def test_further_scans_are_numbered(tmp_path):
    write_case(case_of(flat_scan(), volume_scan()), tmp_path / "case", formats=("map", "overlay"))
    assert _names(tmp_path / "case") == ["map-2.nii.gz", "map.nii.gz", "overlay-2.png", "overlay.png"]


def test_an_earlier_result_is_replaced_whole(tmp_path):
    write_case(case_of(), tmp_path / "case", formats=("json", "map"))
    write_case(case_of(case="case-2"), tmp_path / "case", formats=("json",))
    assert _names(tmp_path / "case") == ["case.json"]
    assert json.loads((tmp_path / "case" / "case.json").read_text("utf-8"))["case"] == "case-2"
    assert _names(tmp_path) == ["case"]


def test_files_of_somebody_else_are_never_replaced(tmp_path):
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "thesis.docx").write_text("x")
    with pytest.raises(OutputError, match="no result of a case"):
        write_case(case_of(), tmp_path / "case")
    assert _names(tmp_path / "case") == ["thesis.docx"]


def test_a_file_in_the_way_is_an_output_error(tmp_path):
    (tmp_path / "case").write_text("x")
    with pytest.raises(OutputError, match="in the way"):
        write_case(case_of(), tmp_path / "case")


@pytest.mark.skipif(not os.path.exists("/proc/version"), reason="needs /proc, where no folder can be made")
def test_a_read_only_place_is_an_output_error():
    with pytest.raises(OutputError, match="cannot be written"):
        write_case(case_of(), Path("/proc/halescan/case"), formats=("json",))


@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_ctrl_c_leaves_nothing_half_written(tmp_path, monkeypatch, problem):
    write_case(case_of(), tmp_path / "case", formats=("json",))
    before = (tmp_path / "case" / "case.json").read_bytes()

    def fail(*_):
        raise problem

    monkeypatch.setattr(case_folder, "write_map", fail)
    with pytest.raises(OutputError if isinstance(problem, OSError) else KeyboardInterrupt):
        write_case(case_of(case="case-2"), tmp_path / "case", formats=("json", "map"))
    assert _names(tmp_path) == ["case"]
    assert (tmp_path / "case" / "case.json").read_bytes() == before


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(SettingError, match="docx"):
        write_case(case_of(), tmp_path / "case", formats=("html", "docx"))
    assert _names(tmp_path) == []


def test_neither_the_path_nor_the_patient_leaves_with_the_report(tmp_path):
    scan = flat_scan()
    named = replace(scan.scan, source=Path("/data/DOE_JANE.dcm"), identity=Identity("DOE_JANE", "1.2.3.4.5.6.7", None))
    write_case(case_of(replace(scan, scan=named)), tmp_path / "case")
    for entry in (tmp_path / "case").iterdir():
        assert b"DOE_JANE" not in entry.read_bytes()
        assert b"1.2.3.4.5.6.7" not in entry.read_bytes()
