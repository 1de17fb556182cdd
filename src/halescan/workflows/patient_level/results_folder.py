"""The folder of the results: is the same request done already, and may it be written?"""

import json
import shutil
from pathlib import Path
from typing import Any

from halescan.errors import OutputError
from halescan.workflows.patient_level.record import SCHEMA


def done_already(out: Path, request: str, *, overwrite: bool) -> dict[str, Any] | None:
    """The record of the same request, which need not be made twice.

    Args:
        request: Its SHA-256.

    Raises:
        OutputError: if there are results of another request.
    """
    try:
        record = json.loads((out / "patients.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if overwrite or not isinstance(record, dict) or record.get("schema") != SCHEMA:
        return None
    if record["about"].get("request_sha256") == request:
        return record
    raise OutputError(
        f"{out} holds results of other data or settings; choose another --out, or --overwrite to replace them (what "
        "was learned is kept and used again)"
    )


def claim(out: Path, *, overwrite: bool) -> Path:
    """The folder of what is learned, in one of ours or a new one.

    Raises:
        OutputError: if `out` holds something else, or cannot be written.
    """
    work = out / "work"
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not work.is_dir())):
        raise OutputError(f"{out} holds something else than patients' results; choose another --out")
    try:
        work.mkdir(parents=True, exist_ok=True)
        if overwrite:
            shutil.rmtree(out / "patients", ignore_errors=True)
            (out / "patients.json").unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    return work
