"""Commands run in the tests' own process, and what they are run on."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from halescan import cli
from halescan.synthesis.cohort import PhantomFolders
from tests.cli.said import QUICK, Said, Say


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Say]:
    """Run a command in this process, in a folder of its own; what C libraries print past Python is heard too."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["halescan", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Said(int(ended.value.code or 0), *capfd.readouterr())

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def atlas(phantoms: PhantomFolders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of phantoms, trained by the command."""
    out = tmp_path_factory.mktemp("cli") / "model"
    environment = {**os.environ, "HALESCAN_HOME": str(out.parent / "home")}
    command = [sys.executable, "-m", "halescan", "train", str(phantoms.healthy), "--out", str(out), *QUICK]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return out


@pytest.fixture
def mixed(phantoms: PhantomFolders, tmp_path: Path) -> Path:
    """A folder with one good scan, to which a test adds a bad one."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(phantoms.new / "case-a.dcm", folder / "good.dcm")
    return folder
