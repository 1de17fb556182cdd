"""Alone: one process at a time writes into a folder."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from halescan.errors import OutputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = "lock"
_BEHIND = 2**20  # Windows lets nobody read the bytes that are locked: the number of the process stands before them


@contextmanager
def alone_in(folder: Path, doing: str) -> Iterator[None]:
    """Keep every other process out of a folder that is written; the system lets go of it when this process ends.

    On a disk that knows no locks nobody is kept out.

    Args:
        doing: What is being done there, as "training".

    Raises:
        OutputError: if another process is at it, or the folder cannot be written.
    """
    with _lock_file(folder) as file:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError) as error:
            raise OutputError(
                f"{folder} is being written by another {doing}{_whose(folder)}; wait for it, or choose another --out"
            ) from error
        except OSError:
            pass
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        yield


def refuse_beside_another(folder: Path, doing: str) -> None:
    """Say at once, before any work is done, that another process writes into a folder.

    Raises:
        OutputError: if so.
    """
    if (folder / LOCK).exists():
        with alone_in(folder, doing):
            pass


def _lock_file(folder: Path) -> BinaryIO:
    """The file that is locked; unlike "w", "a" leaves in it whose it is."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / LOCK).open("ab", buffering=0)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from error


def _lock(file: BinaryIO) -> None:
    """Lock it, or fail at once."""
    if sys.platform == "win32":
        file.seek(_BEHIND)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _whose(folder: Path) -> str:
    """ " (process 1234)", as far as that is known."""
    with suppress(OSError):
        number = (folder / LOCK).read_bytes()
        return f" (process {number.decode()})" if number.isdigit() else ""
    return ""
