"""A damaged, newer or unsafe model is refused in one sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.said import Say, examine


def _edited(key: str, value: object) -> Callable[[Path], None]:
    def spoil(model: Path) -> None:
        record = json.loads((model / "model.json").read_text())
        record.pop(key) if value is None else record.update({key: value})
        (model / "model.json").write_text(json.dumps(record))

    return spoil


def _flipped(model: Path) -> None:
    path = model / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda model: (model / "model.json").unlink(), "is not a model"),
        (lambda model: (model / "model.json").write_text("{"), "damaged"),
        (lambda model: (model / "weights.safetensors").unlink(), "missing"),
        (lambda model: (model / "calibration.json").unlink(), "missing"),
        (lambda model: (model / "extra.pkl").write_bytes(b"x"), "can run code"),
        (_flipped, "checksum"),
        (_edited("schema", "halescan.model/9"), "newer Halescan"),
        (_edited("detector", "nosuch"), "no detector"),
        (_edited("settings", {"nope": 1}), "no setting nope"),
        (_edited("profile", [1]), "profile"),
        (_edited("training_set", None), "training_set"),
        (_edited("trained_utc", [1]), "trained_utc"),
    ],
)
def test_a_damaged_newer_or_unsafe_model_is_refused(
    say: Say, atlas: Path, mixed: Path, tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(shutil.copytree(atlas, tmp_path / "copy"))
    said = examine(say, tmp_path / "copy", mixed)
    assert said.code == 2
    assert says in said.sentence


def test_markup_in_a_strangers_model_stays_text(say: Say, atlas: Path, mixed: Path, tmp_path: Path) -> None:
    _edited("name", "</title><script>alert(1)</script>")(shutil.copytree(atlas, tmp_path / "copy"))
    assert say("examine", tmp_path / "copy", mixed, "--out", "out", "--reports", "html").code == 0
    assert "<script>alert" not in next(Path("out").glob("*/report.html")).read_text()
