"""A call from its words to its exit code: what may go wrong is told in one sentence."""

import errno
import logging
import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Any

import typer

from halescan.cli.app import app
from halescan.cli.telling import plain
from halescan.errors import HalescanError, SettingError

BadCall: Any = typer.BadParameter.__base__  # UsageError: of click, or of the copy of click inside newer typers
STOPPED = "stopped; nothing is left half written"
STOPS = (130, 128 + signal.SIGTERM)  # Ctrl-C, and the word of a scheduler


def main() -> None:
    """Run the command line; exit with 0, 1 (a case failed, the others were done), 2 (bad call) or 130 (Ctrl-C)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may hold bytes that are no text
    signal.signal(signal.SIGTERM, _end)
    logging.raiseExceptions = False  # a full disk under the log must not end in a traceback
    logging.getLogger("halescan").addHandler(logging.NullHandler())  # else errors would go to stderr, with all details
    notes: list[str] = []
    try:
        _check_text(sys.argv[1:])
        code = app(prog_name="halescan", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except SystemExit as end:
        code, notes = end.code, getattr(end, "__notes__", [])
    except BrokenPipeError:
        _hush()  # whoever read our lines has gone: `halescan detectors | head`
        code = 1
    except BadCall as error:
        code = _fail(*_usage(error))
    except Exception as error:
        code = _fail(*_explain(error))
    if code in STOPS:
        _fail(". ".join([STOPPED, *(notes or ["Run the same command again"])]), int(code))
    try:
        sys.stdout.flush()
    except OSError:
        _hush()  # what could not be said to a full disk would be tried again, and complained of, on the way out
    sys.exit(code if isinstance(code, int) else 0)


def _check_text(words: list[str]) -> None:
    """Refuse file names that no table, report or log could hold."""
    for word in words:
        if not word.isascii() and word != word.encode(errors="replace").decode():
            raise SettingError(f"{word}: is not UTF-8 text; rename the file or folder")


def _end(number: int, frame: Any) -> None:
    """End on SIGTERM as on Ctrl-C: drafts are removed on the way out."""
    sys.exit(128 + number)


def _usage(error: Any) -> tuple[str, int]:
    """What typer has against a call, as one sentence; without any arguments at all, the help."""
    context = error.ctx
    if context is not None and error.message == context.get_help():
        return error.message, 2
    said = " ".join(error.format_message().split()).rstrip(".")
    return f"{said}. See {context.command_path if context else 'halescan'} --help", 2


def _explain(error: Exception) -> tuple[str, int]:
    """What went wrong, for a person, and the exit code."""
    if isinstance(error, HalescanError):
        return str(error), 2
    if isinstance(error, MemoryError):
        return "not enough memory; use smaller images (--set profile.size=...) or fewer jobs (--jobs 1)", 1
    logging.getLogger("halescan").error("unexpected error", exc_info=error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        way = "free some space there" if error.errno == errno.ENOSPC else "check that it is there and may be used"
        return f"{where}{error.strerror or error}; {way}", 2
    # a bug of ours: no traceback at a reader, but all of it in the log
    return f"unexpected {type(error).__name__}: {error}. This is a bug; --log-file keeps the details", 1


def _fail(message: str, code: int) -> int:
    """Say what is wrong, in one line but for the help, and give back the exit code."""
    line = message if message.startswith("Usage:") else f"halescan: {plain(' '.join(message.split()))}"
    with suppress(OSError):  # nobody may be listening
        typer.echo(line, err=True)
    return code


def _hush() -> None:
    """Let the interpreter flush into nothing when it ends, as its reader has gone."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
