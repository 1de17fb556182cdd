"""The case for programs."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from halescan.errors import OutputError
from halescan.reporting.json_out import CASES_COLUMNS, case_record, utc, write_cases_csv, write_json
from halescan.types import Note
from tests.reporting.cases import ALL_CASES, case_of, flat_scan, model_of, verdict_of, volume_scan

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/reference/schemas/case-1.schema.json").read_text("utf-8"))


def test_the_schema_itself_is_sound():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", sorted(ALL_CASES))
def test_every_case_keeps_to_the_schema(name):
    jsonschema.validate(json.loads(json.dumps(case_record(ALL_CASES[name]()), allow_nan=False)), SCHEMA)


def test_what_is_not_a_number_is_null():
    scan = replace(volume_scan(), score=float("nan"), slice_scores=np.array([np.nan, 1.0, np.inf]))
    result = case_of(scan, verdict=verdict_of(score=float("inf")), notes=(Note("x", {"share": float("nan")}),))
    record = json.loads(json.dumps(case_record(result), allow_nan=False))
    jsonschema.validate(record, SCHEMA)
    assert record["verdict"]["score"] is None
    assert record["scans"][0]["slice_scores"] == [None, 1.0, None]
    assert record["notes"][0]["values"] == {"share": None}


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-01-31T09:30:12.345+01:00", "2026-01-31T08:30:12Z"),
        ("2026-01-31T08:30:12Z", "2026-01-31T08:30:12Z"),
        ("2026-01-31T08:30:12", "2026-01-31T08:30:12Z"),
        ("yesterday", None),
    ],
)
def test_times_are_utc(time, expected):
    assert utc(time) == expected


def test_a_record_comes_back_as_it_was(tmp_path):
    record = case_record(case_of())
    write_json(record, tmp_path / "case.json")
    assert json.loads((tmp_path / "case.json").read_text("utf-8")) == record


def test_nothing_is_left_of_a_record_that_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json({"score": float("nan")}, tmp_path / "case.json")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_takes_no_file_is_an_output_error(tmp_path):
    (tmp_path / "case.json").mkdir()
    with pytest.raises(OutputError, match=r"case\.json"):
        write_json({}, tmp_path / "case.json")
    assert [entry.name for entry in tmp_path.iterdir()] == ["case.json"]


def test_the_table_lists_the_strangest_first_and_leaves_missing_cells_empty(tmp_path):
    results = [case_of(verdict=verdict_of(score=score), case=f"case-{score}") for score in (1.0, 3.0, 2.0)]
    write_cases_csv((case_record(result) for result in results), tmp_path / "cases.csv")
    with (tmp_path / "cases.csv").open(newline="", encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    assert [row["case"] for row in rows] == ["case-3.0", "case-2.0", "case-1.0"]
    assert tuple(rows[0]) == CASES_COLUMNS
    assert rows[0]["longest_diameter_mm"] == ""
    assert (rows[0]["findings"], rows[0]["findings_above"], rows[0]["p_value_is_bound"]) == ("2", "1", "false")


def test_no_cell_can_run_as_a_formula(tmp_path):
    write_cases_csv([case_record(case_of(model=model_of(name="=1+1")))], tmp_path / "cases.csv")
    assert ",'=1+1," in (tmp_path / "cases.csv").read_text("utf-8")


def test_neither_path_nor_identity_stands_in_a_record():
    scan = flat_scan()
    named = replace(scan, scan=replace(scan.scan, source=Path("/data/DOE^JANE/1.dcm")))
    assert "DOE" not in json.dumps(case_record(case_of(named)))
