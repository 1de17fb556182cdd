"""Results are made once, and nothing of anybody else's is replaced."""

import json
from pathlib import Path

import pytest

from halescan.errors import OutputError
from halescan.workflows.patient_level.record import SCHEMA
from halescan.workflows.patient_level.results_folder import claim, done_already


def written(out: Path, request: str) -> Path:
    record = {"schema": SCHEMA, "about": {"request_sha256": request}}
    (out / "patients.json").write_text(json.dumps(record))
    return out


def test_the_same_request_is_found_and_another_is_refused_unless_it_may_be_replaced(tmp_path: Path) -> None:
    assert done_already(tmp_path, "a", overwrite=False) is None
    written(tmp_path, "a")
    found = done_already(tmp_path, "a", overwrite=False)
    assert found is not None
    assert found["about"]["request_sha256"] == "a"
    with pytest.raises(OutputError, match="--overwrite"):
        done_already(tmp_path, "b", overwrite=False)
    assert done_already(tmp_path, "b", overwrite=True) is None


def test_overwriting_keeps_what_is_learned(tmp_path: Path) -> None:
    work = claim(tmp_path / "out", overwrite=False)
    (work / "without-1.npz").write_bytes(b"learned")
    written(tmp_path / "out", "a")
    assert claim(tmp_path / "out", overwrite=True) == work
    assert (work / "without-1.npz").read_bytes() == b"learned"
    assert not (tmp_path / "out" / "patients.json").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="something else"):
        claim(tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
