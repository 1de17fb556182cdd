"""Run: do a cell in a process of its own, watch it, and stop it when it takes too long or when we are stopped."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halescan.errors import OutputError
from halescan.reporting.json_out import write_json
from halescan.training.run import Progress

LOOK_S = 0.2  # between two looks at the process
GRACE_S = 20.0  # for a process that was asked to end: its last checkpoint is being written


@dataclass(frozen=True)
class Outcome:
    """What a cell left behind: a result, or the sentence that says why there is none."""

    result: dict[str, Any] | None
    why_not: str = ""


def outcome_of(folder: Path) -> Outcome | None:
    """What lies in a cell's folder; None if the cell is not done."""
    result, failure = _read(folder / "result.json"), _read(folder / "failure.json")
    if result is not None:
        return Outcome(result)
    return None if failure is None else Outcome(None, str(failure.get("sentence", "it failed")))


def asked_of(folder: Path) -> dict[str, Any] | None:
    """What was asked when a cell was last tried; None where it never was."""
    return _read(folder / "request.json")


def forget_failure(folder: Path) -> None:
    """Let a failed cell begin anew."""
    (folder / "failure.json").unlink(missing_ok=True)


def run_cell(
    folder: Path, request: dict[str, Any], *, minutes: float, tell: Callable[[Progress | None], None]
) -> Outcome:
    """Do what a request asks, in a fresh process; leave the outcome in the folder.

    Args:
        folder: Of the cell; what an interrupted attempt left there is gone on with.
        minutes: A process that takes longer is stopped, and the cell has failed.
        tell: Called a few times a second with how far the process has come.

    Raises:
        OutputError: if the folder cannot be written.
        KeyboardInterrupt: passed on, once the process has ended; the cell is then simply not done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from error
    write_json(request, folder / "request.json")
    begun = time.monotonic()
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "halescan.workflows.comparison.cell", str(folder)],
            stdin=subprocess.PIPE,  # closes when we end, however that comes about
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches us alone; we end the process in order
        )
        try:
            while process.poll() is None and time.monotonic() - begun < 60 * minutes:
                tell(progress_of(folder))
                time.sleep(LOOK_S)
        finally:
            late = process.poll() is None
            _end(process)
    return _settle(folder, process.returncode, late=late, minutes=minutes)


def _settle(folder: Path, code: int, *, late: bool, minutes: float) -> Outcome:
    """The outcome on disk; a process that left none has failed, and the folder says so from now on."""
    found = outcome_of(folder)
    if found is None:
        why = f"stopped after {minutes:g} minutes (--cell-minutes)" if late else _crash(code)
        write_json({"kind": "TimeoutError" if late else "Crash", "sentence": why}, folder / "failure.json")
        found = Outcome(None, why)
    for name in ("model.partial", "images"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return found


def _crash(code: int) -> str:
    if code == -9:
        return "the process was killed (signal 9), most likely because memory ran out"
    if code < 0:
        return f"the process crashed (signal {-code}); the log in its cell has more"
    return f"the process ended with code {code} and left no result; the log in its cell has more"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe, which asks the process to end; insist after a while."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def progress_of(folder: Path) -> Progress | None:
    """How far the process of a cell's folder has come; None before it has said anything."""
    told = _read(folder / "progress.json")
    if told is None:
        return None
    more = {name: told[name] for name in ("loss", "seconds_left", "within") if name in told}
    return Progress(told["stage"], told["done"], told["total"], **more)


def _read(path: Path) -> dict[str, Any] | None:
    """A record, or None where there is none yet."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
