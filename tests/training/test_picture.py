"""The picture of a training."""

import json
from pathlib import Path

import pytest
from PIL import Image

from halescan.errors import ModelError, OutputError
from halescan.training.picture import draw_history


def history(path: Path, *, stages: int = 1) -> Path:
    rows = [
        {"stage": f"stage {stage}", "epoch": step // 10, "step": step, "loss": 10 / step, "check_loss": 12 / step}
        for stage in range(stages)
        for step in range(10, 110, 10)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_each_stage_gets_its_panel(tmp_path: Path) -> None:
    widths = []
    for stages in (1, 2):
        draw_history(history(tmp_path / "h.jsonl", stages=stages), tmp_path / "p.png")
        with Image.open(tmp_path / "p.png") as picture:
            widths.append(picture.width)
    assert widths[1] == 2 * widths[0]


def test_the_lines_are_drawn(tmp_path: Path) -> None:
    draw_history(history(tmp_path / "h.jsonl"), tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(2**20) or []}
    assert {(0x1F, 0x5F, 0xA8), (0xC8, 0x64, 0x1B)} <= colours


def test_no_history_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no line"):
        draw_history(tmp_path / "none.jsonl", tmp_path / "p.png")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        draw_history(history(tmp_path / "h.jsonl"), tmp_path / "no" / "p.png")
