"""The model folder: everything `examine` needs, in files that are safe to open from a stranger.

model.json            schema, detector, settings, profile ..., and size and SHA-256 of the two files below
weights.safetensors   all learned arrays, the backbone included
calibration.json      healthy scores (absent in a model that was never calibrated)
history.jsonl, training.png, pictures.png, card.md
"""

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from halescan.errors import ModelError, OutputError, way_out
from halescan.training.safetensors_header import check_header

SCHEMA = "halescan.model"
VERSION = 1
UNSAFE = frozenset({".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".bin", ".npy", ".npz"})
_JSON_LIMIT = 64 * 2**20  # bytes; a larger model.json is no model's
_MOST_TABLES = 100_000  # lists and tables in it: a few bytes of file become a hundred of memory each

Record = dict[str, Any]


def write_model(
    folder: Path,
    *,
    record: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    calibration: Mapping[str, Any] | None = None,
    card: str | None = None,
    beside: Mapping[str, Path] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model folder whole or not at all.

    Args:
        record: The content of model.json; schema and checksums are added.
        tensors: What `Detector.state` gave.
        beside: Other files to take along, by their name in the folder (history.jsonl, training.png).
        overwrite: Replace a model that is there already; anything else than a model is never replaced.

    Raises:
        OutputError: if something is in the way, the place is read-only or the disk is full.
    """
    _look_in_the_way(folder, overwrite=overwrite)
    new: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.writing-", dir=folder.parent))
        _fill(new, record=record, tensors=tensors, calibration=calibration, card=card, beside=beside or {})
        new.chmod(0o755)  # mkdtemp's folders are for the owner alone
        _put_in_place(new, folder)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{folder} cannot be written ({_reason(error)}); {way_out(error)}") from error
    finally:
        if new is not None:
            shutil.rmtree(new, ignore_errors=True)


def read_model(folder: Path) -> tuple[Record, dict[str, np.ndarray], Record | None]:
    """The record, tensors and calibration (None if never calibrated) of a model folder.

    Raises:
        ModelError: if it is no model, damaged, from a newer version, or holds a file that could run code.
    """
    record = read_record(folder)
    for name in record["files"]:
        _check_file(folder / name, record["files"][name])
    weights = folder / "weights.safetensors"
    check_header(weights)
    try:
        tensors = load_file(str(weights))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{weights} is damaged; train again or copy the folder anew") from error
    calibration = _read_json(folder / "calibration.json") if "calibration.json" in record["files"] else None
    return record, tensors, calibration


def read_record(folder: Path) -> Record:
    """The content of model.json, after the checks that need no weights.

    Raises:
        ModelError: as `read_model`.
    """
    if not (folder / "model.json").is_file():
        raise ModelError(f"{folder} is not a model: it has no model.json; halescan train writes one")
    refuse_unsafe(folder)
    record = _read_json(folder / "model.json")
    name, _, version = str(record.get("schema", "")).rpartition("/")
    if name != SCHEMA or not version.isdigit():
        raise ModelError(f'{folder}: model.json has schema {record.get("schema")!r}, expected "{SCHEMA}/{VERSION}"')
    if int(version) > VERSION:
        raise ModelError(
            f"{folder} was written by a newer Halescan (model format {version}, this one reads up to {VERSION}); "
            "update: pip install -U halescan"
        )
    files = record.get("files")
    if not isinstance(files, dict) or "weights.safetensors" not in files or set(files) - _CHECKED:
        raise ModelError(f"{folder}: model.json is damaged (its list of files); train again or copy the folder anew")
    return record


def refuse_unsafe(folder: Path) -> None:
    """Raise ModelError if the folder holds a file that runs code when it is opened."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in UNSAFE:
            raise ModelError(
                f"{folder} holds {path.relative_to(folder)}: files of this kind can run code when opened, and a model "
                "needs none. Delete it if you know where it came from, else do not use this model"
            )


def fingerprint(folder: Path) -> str:
    """64 hex digits that change with anything a result depends on: settings, weights and calibration."""
    return hashlib.sha256(json.dumps(read_record(folder), sort_keys=True).encode()).hexdigest()


_CHECKED = {"weights.safetensors", "calibration.json"}


def _look_in_the_way(folder: Path, *, overwrite: bool) -> None:
    if folder.is_dir() and not folder.is_symlink():
        if not any(folder.iterdir()):
            return
        if not (folder / "model.json").is_file():
            raise OutputError(f"{folder} holds other files than a model and is left alone; name a new folder")
        if not overwrite:
            raise OutputError(f"{folder} holds a model already; name a new folder, or replace it with --overwrite")
    elif os.path.lexists(folder):
        raise OutputError(f"{folder} is a file or a link, not a folder; name a new folder")


def _fill(
    new: Path,
    *,
    record: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    calibration: Mapping[str, Any] | None,
    card: str | None,
    beside: Mapping[str, Path],
) -> None:
    for name, path in beside.items():
        shutil.copyfile(path, new / name)
    save_file({name: np.array(value, order="C") for name, value in tensors.items()}, str(new / "weights.safetensors"))
    if calibration is not None:
        _write_json(new / "calibration.json", calibration)
    if card is not None:
        (new / "card.md").write_text(card, encoding="utf-8")
    files = {name: _describe(new / name) for name in sorted(_CHECKED) if (new / name).is_file()}
    _write_json(new / "model.json", {**record, "schema": f"{SCHEMA}/{VERSION}", "files": files})
    readable = stat.S_IMODE((new / "model.json").stat().st_mode)
    (new / "weights.safetensors").chmod(readable)  # safetensors leaves it to the owner alone
    for path in new.iterdir():
        _sync(path)
    _sync(new)


def _put_in_place(new: Path, folder: Path) -> None:
    """Rename; an older model is moved aside first and comes back if the renaming fails."""
    if not folder.exists():
        new.rename(folder)
    else:
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old-", dir=folder.parent))
        folder.rename(aside / "model")
        try:
            new.rename(folder)
        except BaseException:
            (aside / "model").rename(folder)
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    _sync(folder.parent)


def _describe(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _check_file(path: Path, told: Any) -> None:
    """Raise ModelError unless the file has the size and SHA-256 that model.json tells."""
    if not path.is_file():
        raise ModelError(f"{path} is missing; copy the model folder anew")
    if not isinstance(told, dict) or path.stat().st_size != told.get("bytes") or _sha256(path) != told.get("sha256"):
        raise ModelError(f"{path} is damaged or was altered (its checksum differs); copy the model folder anew")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> Record:
    try:
        if path.stat().st_size > _JSON_LIMIT:
            raise ModelError(f"{path} is larger than any model's; do not use it")
        text = path.read_text(encoding="utf-8")
        if text.count("[") + text.count("{") > _MOST_TABLES:
            raise ModelError(f"{path} holds more tables than any model's; do not use it")
        content = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path} is damaged: it cannot be read as JSON; copy the model folder anew") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is damaged: it holds no table of names and values; copy the model folder anew")
    return content


def _sync(path: Path) -> None:
    """Make the file or folder survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
