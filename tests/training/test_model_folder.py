"""The model folder: whole, checked, and safe to open."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halescan.errors import ModelError, OutputError
from halescan.training.model_folder import fingerprint, read_model, read_record, write_model

RECORD: dict[str, Any] = {"detector": "autoencoder", "settings": {"latent": 4}, "seed": 0}
TENSORS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "count": np.asarray(3),
    "half": np.ones(2, np.float16),
}
CALIBRATION = {"scores": [0.1, 0.2]}


def written(folder: Path, **changes: Any) -> Path:
    write_model(folder, **{"record": RECORD, "tensors": TENSORS, "calibration": CALIBRATION, "card": "# ü"} | changes)
    return folder


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    record, tensors, calibration = read_model(written(tmp_path / "model"))
    assert record | RECORD == record
    assert record["schema"] == "halescan.model/1"
    assert calibration == CALIBRATION
    assert set(tensors) == set(TENSORS)
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        assert (tensors[name] == value).all()
        assert tensors[name].shape == value.shape


def test_a_model_without_calibration_has_none(tmp_path: Path) -> None:
    assert read_model(written(tmp_path / "model", calibration=None))[2] is None


def test_other_files_come_along(tmp_path: Path) -> None:
    (tmp_path / "h").write_text("{}")
    folder = written(tmp_path / "model", beside={"history.jsonl": tmp_path / "h"})
    names = {path.name for path in folder.iterdir()}
    assert names == {"model.json", "weights.safetensors", "calibration.json", "card.md", "history.jsonl"}


def test_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    written(tmp_path / "model")
    written(tmp_path / "model", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_in_the_way_is_replaced_only_when_asked(tmp_path: Path) -> None:
    written(tmp_path / "model")
    with pytest.raises(OutputError, match="--overwrite"):
        written(tmp_path / "model")
    written(tmp_path / "model", record=RECORD | {"seed": 5}, overwrite=True)
    assert read_record(tmp_path / "model")["seed"] == 5


def test_anything_but_a_model_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(OutputError, match="left alone"):
        written(tmp_path / "thesis", overwrite=True)
    with pytest.raises(OutputError, match="not a folder"):
        written(tmp_path / "thesis" / "chapter.tex", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert read_record(written(tmp_path / "model"))["seed"] == 0


def test_a_full_disk_leaves_the_old_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "model")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            written(tmp_path / "model", record=RECORD | {"seed": 5}, overwrite=True)
    assert read_record(tmp_path / "model")["seed"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_failed_exchange_brings_the_old_model_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path / "model")
    rename = Path.rename

    def refuses(self: Path, target: Path) -> Path:
        if ".writing-" in self.name:
            raise OSError(13, "Permission denied")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuses)
        with pytest.raises(OutputError, match="Permission denied"):
            written(folder, record=RECORD | {"seed": 5}, overwrite=True)
    assert read_model(folder)[0]["seed"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        written(tmp_path / "file" / "model")


def test_nan_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        written(tmp_path / "model", calibration={"scores": [float("nan")]})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["weights.safetensors", "calibration.json"])
def test_a_missing_or_altered_file_is_named(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path / "model")
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name} is damaged"):
        read_model(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        read_model(folder)


@pytest.mark.parametrize("name", ["x.pkl", "weights.pt", "sub/old.PTH", "bank.joblib", "a.pickle"])
def test_a_file_that_can_run_code_is_refused(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path / "model")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")
    with pytest.raises(ModelError, match="run code"):
        read_model(folder)


def altered(folder: Path, **changes: Any) -> Path:
    record = json.loads((folder / "model.json").read_text()) | changes
    (folder / "model.json").write_text(json.dumps(record))
    return folder


def test_a_newer_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"newer Halescan.*pip install"):
        read_model(altered(written(tmp_path / "model"), schema="halescan.model/2"))


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "other/1"},
        {"schema": None},
        {"files": {}},
        {"files": None},
        {"files": {"weights.safetensors": None}},
        {"files": {"weights.safetensors": {}, "../../etc/passwd": {}}},
    ],
)
def test_a_record_that_is_no_models_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        read_model(altered(written(tmp_path / "model"), **changes))


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff", "[" * 100_000])
def test_a_damaged_record_is_refused(tmp_path: Path, text: str) -> None:
    folder = written(tmp_path / "model")
    (folder / "model.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelError, match=r"model\.json"):
        read_model(folder)


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a model"):
        read_model(tmp_path)


def test_the_fingerprint_follows_settings_weights_and_calibration_but_not_the_place(tmp_path: Path) -> None:
    one = fingerprint(written(tmp_path / "one"))
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    others = [
        fingerprint(written(tmp_path / "two", record=RECORD | {"seed": 1})),
        fingerprint(written(tmp_path / "three", tensors={"weight": np.zeros(1)})),
        fingerprint(written(tmp_path / "four", calibration={"scores": [0.3]})),
    ]
    assert len(one) == 64
    assert fingerprint(tmp_path / "copy") == one
    assert len({one, *others}) == 4
