"""The picture of a training."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halescan.errors import ModelError, OutputError
from halescan.training.picture import draw_history, draw_pictures


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


def test_every_named_loss_gets_a_look_of_its_own(tmp_path: Path) -> None:
    names = [f"loss {number}" for number in range(8)]
    rows = [{"stage": "s", "step": step, "loss": 9.0} | dict.fromkeys(names, 1.0 / step) for step in (1, 2)]
    (tmp_path / "h.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    draw_history(tmp_path / "h.jsonl", tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(2**20) or []}
    assert {(0x77, 0x77, 0x77), (0x2C, 0x8A, 0x57), (0x7A, 0x4F, 0xA3)} <= colours


@pytest.mark.parametrize("shape", [(3, 1, 8, 9), (3, 3, 8, 9), (3, 1, 4, 8, 9)])
def test_pictures_have_a_row_a_name_and_a_column_an_image(tmp_path: Path, shape: tuple[int, ...]) -> None:
    white = np.full(shape, 2.0, np.float32)
    sizes = []
    for names in (["original"], ["original", "student"]):
        draw_pictures(dict.fromkeys(names, white), tmp_path / "p.png")
        with Image.open(tmp_path / "p.png") as picture:
            sizes.append(picture.size)
    assert sizes[0][0] == sizes[1][0]
    assert sizes[1][1] == 2 * sizes[0][1]


def test_pictures_are_shown_from_black_to_white_on_one_scale(tmp_path: Path) -> None:
    shown = {"original": np.zeros((1, 1, 8, 8), np.float32), "student": np.full((1, 1, 8, 8), 0.5, np.float32)}
    draw_pictures(shown, tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        grey = np.asarray(picture.convert("L"))
    half = len(grey) // 2
    assert (grey[:half] == 0).mean() > 0.3
    assert (np.abs(grey[half:].astype(int) - 127) <= 1).mean() > 0.3


def test_pictures_that_cannot_be_written_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        draw_pictures({"original": np.zeros((1, 1, 8, 8), np.float32)}, tmp_path / "no" / "p.png")
