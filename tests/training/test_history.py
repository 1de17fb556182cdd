"""The history survives interruptions."""

import json
import math
from pathlib import Path

import pytest

from halescan.errors import ModelError, OutputError
from halescan.training.history import History, read_history


def row(step: int, stage: str = "learning", **more: object) -> dict[str, object]:
    return {
        "stage": stage,
        "epoch": step // 10,
        "step": step,
        "loss": 1.0 / step,
        "check_loss": None,
        "seconds": 1.5,
    } | more


def test_lines_come_back_as_they_were_added(tmp_path: Path) -> None:
    history = History("learning", path=tmp_path / "history.jsonl")
    history.add(row(10))
    history.add(row(20))
    assert read_history(tmp_path / "history.jsonl") == history.rows == [row(10), row(20)]
    assert history.seconds == 3.0
    assert history.loss == 0.05


def test_what_is_not_a_number_becomes_null(tmp_path: Path) -> None:
    history = History("learning", path=tmp_path / "history.jsonl")
    history.add(row(10, check_loss=math.nan))
    assert json.loads((tmp_path / "history.jsonl").read_text())["check_loss"] is None


def test_going_on_drops_what_was_written_but_never_saved(tmp_path: Path) -> None:
    before = History("learning", path=tmp_path / "history.jsonl")
    for line in (row(5, stage="encoder"), row(10), row(20), row(30)):
        before.add(line)
    after = History("learning", path=tmp_path / "history.jsonl")
    after.begin(step=20)
    assert after.rows == [row(10), row(20)]
    assert read_history(tmp_path / "history.jsonl") == [row(5, stage="encoder"), row(10), row(20)]


def test_a_last_line_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(json.dumps(row(10)) + "\n" + json.dumps(row(20))[:30])
    assert read_history(path) == [row(10)]


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text("{broken\n" + json.dumps(row(20)) + "\n")
    with pytest.raises(ModelError, match="line 1"):
        read_history(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="history"):
        History("learning", path=tmp_path / "file" / "history.jsonl").add(row(10))
