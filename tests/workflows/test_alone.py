"""Alone: a second process is kept out of a folder, a process that is gone keeps nobody out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from halescan.errors import OutputError
from halescan.workflows.alone import alone_in, refuse_beside_another

HOLD = "import sys, pathlib; from halescan.workflows.alone import alone_in\n"
HOLD += "with alone_in(pathlib.Path(sys.argv[1]), 'training'): print(flush=True); sys.stdin.read()"


def test_a_second_one_is_refused_until_the_first_has_left(tmp_path: Path) -> None:
    with alone_in(tmp_path / "m.partial", "training"):
        said = rf"m\.partial is being written by another training \(process {os.getpid()}\); wait for it, or choose"
        with pytest.raises(OutputError, match=said), alone_in(tmp_path / "m.partial", "training"):
            pass
        with pytest.raises(OutputError, match=said):
            refuse_beside_another(tmp_path / "m.partial", "training")
    with alone_in(tmp_path / "m.partial", "training"):
        pass


def test_a_process_that_was_killed_keeps_nobody_out(tmp_path: Path) -> None:
    held = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with held:
        assert held.stdout is not None
        held.stdout.readline()
        with pytest.raises(OutputError, match=rf"another training \(process {held.pid}\)"):
            refuse_beside_another(tmp_path, "training")
        held.kill()
    refuse_beside_another(tmp_path, "training")


def test_asking_makes_no_folder(tmp_path: Path) -> None:
    refuse_beside_another(tmp_path / "m.partial", "training")
    assert not (tmp_path / "m.partial").exists()


def test_a_disk_without_locks_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("halescan.workflows.alone._lock", unknown)
    with alone_in(tmp_path, "training"), alone_in(tmp_path, "training"):
        assert (tmp_path / "lock").exists()
