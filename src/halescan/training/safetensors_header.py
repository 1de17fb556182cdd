"""The header of a safetensors file, checked against the file's size before any memory is taken for its arrays."""

import json
import math
import struct
from pathlib import Path
from typing import Any

from halescan.errors import ModelError

_LIMIT = 8 * 2**20  # bytes of header: room for 50,000 arrays, where the largest backbones have a thousand
_BYTES = {"BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2}
_BYTES |= {"U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8}


def check_header(path: Path) -> None:
    """Raise ModelError unless every array that the header claims lies inside the file, and nothing else does."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
        if not 2 <= length <= min(_LIMIT, size - 8):
            raise _damaged(path, "its header does not fit the file")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise _damaged(path, "its header cannot be read") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is no table")
    header.pop("__metadata__", None)
    ends = sorted(_extent(path, entry) for entry in header.values())
    edges = [0, *(end for _, end in ends)]
    if [start for start, _ in ends] != edges[:-1] or edges[-1] != size - 8 - length:
        raise _damaged(path, "the arrays it claims do not fill the file")


def _extent(path: Path, entry: Any) -> tuple[int, int]:
    """First and last byte of an array, if its shape and type ask for exactly as many."""
    try:
        begin, end = (int(number) for number in entry["data_offsets"])
        sides = [int(side) for side in entry["shape"]]
        asked = math.prod(sides) * _BYTES[entry["dtype"]]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, "an array is described wrongly") from error
    if min([begin, *sides]) < 0 or end - begin != asked:
        raise _damaged(path, f"an array claims {asked} bytes and has {end - begin}")
    return begin, end


def _damaged(path: Path, why: str) -> ModelError:
    return ModelError(f"{path} is damaged or unsafe: {why}; copy the model folder anew")
