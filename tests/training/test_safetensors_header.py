"""A header that lies is caught before memory is taken."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from halescan.errors import ModelError
from halescan.training.safetensors_header import check_header

GOOD = {"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}


def write(path: Path, header: Any, *, payload: int = 16, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + bytes(payload))
    return path


def test_what_safetensors_writes_passes(tmp_path: Path) -> None:
    arrays = {
        "a": np.ones((3, 2), np.float16),
        "b": np.zeros((0, 4)),
        "c": np.ones((), np.int64),
        "d": np.ones(3, bool),
    }
    save_file(arrays, str(tmp_path / "good"), metadata={"who": "me"})
    check_header(tmp_path / "good")
    check_header(write(tmp_path / "ours", GOOD))


LIES = {
    "a claim of four terabytes": {"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}},
    "a shape larger than its bytes": {"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 16]}},
    "a hole": {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}},
    "an overlap": GOOD | {"b": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}},
    "bytes after the end": {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}},
    "a negative side": {"a": {"dtype": "F32", "shape": [-2, -2], "data_offsets": [0, 16]}},
    "an unknown type": {"a": {"dtype": "O", "shape": [2, 2], "data_offsets": [0, 16]}},
    "no shape": {"a": {"dtype": "F32", "data_offsets": [0, 16]}},
    "a list": [1, 2],
    "no JSON": b"{not json",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused(tmp_path: Path, lie: str) -> None:
    with pytest.raises(ModelError, match="damaged or unsafe"):
        check_header(write(tmp_path / "bad", LIES[lie]))


@pytest.mark.parametrize("length", [0, 1, 10**6, 2**63 - 1])
def test_a_header_length_beyond_the_file_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(ModelError):
        check_header(write(tmp_path / "bad", GOOD, length=length))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=80))
def test_no_file_at_all_gets_another_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "any").write_bytes(content)
    with pytest.raises(ModelError):
        check_header(tmp_path / "any")
