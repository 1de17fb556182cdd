"""A checkpoint: all that learning needs to go on, in one safetensors file, written whole or not at all."""

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as pack
from torch import Tensor, nn

from halescan.errors import ModelError, OutputError, way_out

SCHEMA = "halescan.checkpoint/1"


def save_checkpoint(
    path: Path,
    *,
    module: nn.Module,
    optimisers: Mapping[str, torch.optim.Optimizer],
    facts: Mapping[str, Any],
) -> None:
    """Write module, optimisers and some facts (JSON) atomically.

    Raises:
        OutputError: if the folder is read-only or the disk is full; an older checkpoint stays as it was.
    """
    tensors = {f"module/{name}": value for name, value in module.state_dict().items()}
    for turn, optimiser in optimisers.items():
        for number, values in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{turn}/{number}/{name}": torch.as_tensor(value) for name, value in values.items()}
    whole = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    record = {"schema": SCHEMA, "sha256": _digest(whole), **facts}
    write_whole(path, pack(whole, metadata={"halescan": json.dumps(record)}))


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a checkpoint.

    Raises:
        ModelError: if the file is damaged or of another version.
    """
    way_out = f"{path} is damaged ({{}}); delete it to start this stage again"
    try:
        with safe_open(str(path), framework="pt") as file:
            record = json.loads((file.metadata() or {})["halescan"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelError(way_out.format("it cannot be read")) from error
    if record.get("schema") != SCHEMA:
        raise ModelError(f"{path} has schema {record.get('schema')!r}, expected {SCHEMA!r}; start without resume")
    if record.get("sha256") != _digest(tensors):
        raise ModelError(way_out.format("its checksum differs"))
    return tensors, record


def put_back(
    tensors: Mapping[str, Tensor], *, module: nn.Module, optimisers: Mapping[str, torch.optim.Optimizer]
) -> None:
    """Give module and optimisers what a checkpoint held."""
    module.load_state_dict(_under(tensors, "module/"))
    for turn, optimiser in optimisers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(tensors, f"optimiser/{turn}/").items():
            number, _, key = name.partition("/")
            state.setdefault(int(number), {})[key] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part.

    Raises:
        OutputError: if that cannot be done; names the file and the reason.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written ({error.strerror}); {way_out(error)}") from error
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes: safetensors itself notices no flipped bit."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        shape = struct.pack(f"<{value.ndim}q", *value.shape)
        digest.update(name.encode() + str(value.dtype).encode() + shape)
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
