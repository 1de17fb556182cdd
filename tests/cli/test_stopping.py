"""Stopped by Ctrl-C, or by a reader that has gone, a command leaves nothing half done."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halescan.synthesis.cohort import PhantomFolders, write_cohort
from tests.cli.said import QUICK, Said, Say


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More than a hundred small scans."""
    folder = tmp_path_factory.mktemp("crowd") / "scans"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(120):
        Image.fromarray(rng.integers(0, 255, (48, 48)).astype(np.uint8)).save(folder / f"{number:03d}.png")
    return folder


def started(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "halescan", *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True, preexec_fn=_hear_ctrl_c
    )


def _hear_ctrl_c() -> None:
    """Where the tests run in the background of a shell, Ctrl-C is ignored, and children would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(process: subprocess.Popen[str], *, after: str, seconds: float = 0.0) -> Said:
    """Press Ctrl-C (which goes to the whole process group) once a line has been seen."""
    assert process.stderr is not None
    seen = ""
    while after not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return Said(process.returncode, out, err)


def living(group: int) -> list[str]:
    """Processes of a group that are still there after a moment (multiprocessing's own tracker ends last)."""
    until = time.monotonic() + 5
    while time.monotonic() < until and _members(group):
        time.sleep(0.05)
    return _members(group)


def _members(group: int) -> list[str]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(rest[2]) == group and rest[0] != "Z":
            found.append(status.parent.name)
    return found


def test_ctrl_c_in_train_keeps_a_checkpoint_and_resume_goes_on(tmp_path: Path) -> None:
    folders = write_cohort(tmp_path / "cohort", healthy=6, unseen=0, lesions=0)
    words = ["train", folders.healthy, "--profile", "lung-ct", "--set", "profile.size=[64,64]", "--out", tmp_path / "m"]
    words += ["--detector", "denoising-autoencoder", "--set", "detector.steps=20", "--set", "detector.batch_size=2"]
    said = interrupted(started(*words), after="denoising-autoencoder: 1/20")
    assert said.code == 130
    assert "--resume" in said.sentence
    assert not (tmp_path / "m").exists()
    again = started(*words, "--resume")
    _, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert (tmp_path / "m" / "model.json").exists()
    assert not (tmp_path / "m.partial").exists()


def test_a_scheduler_s_word_to_end_says_what_is_kept_too(
    say: Say, phantoms: PhantomFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halescan.workflows.train.fit", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    said = say("train", phantoms.healthy, "--out", tmp_path / "m", *QUICK)
    assert said.code == 143
    assert f"{tmp_path / 'm.partial'} keeps the prepared scans, and nothing learned yet" in said.sentence
    assert said.sentence.endswith("train goes on from there with --resume")


@pytest.mark.parametrize("where", ["healthy_cohort", "prepared"])
def test_ctrl_c_in_train_before_anything_is_kept_advises_no_resume(
    say: Say, phantoms: PhantomFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(f"halescan.workflows.train.{where}", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    said = say("train", phantoms.healthy, "--out", tmp_path / "m", *QUICK)
    assert said.code == 130
    assert said.sentence.endswith("Run the same command again")


def test_ctrl_c_in_examine_leaves_whole_cases_only_and_no_worker_and_a_second_run_does_the_rest(
    atlas: Path, crowd: Path, tmp_path: Path
) -> None:
    words = ["examine", atlas, crowd, "--out", tmp_path / "o", "--reports", "json,html", "--jobs", "2"]
    process = started(*words)
    said = interrupted(process, after="examining", seconds=0.7)
    assert said.code == 130
    assert living(process.pid) == []
    folders = [path for path in (tmp_path / "o").iterdir() if path.is_dir()]
    assert said.sentence == (
        f"halescan: stopped; nothing is left half written. {len(folders)} of 120 cases are done and lie in "
        f"{tmp_path / 'o'}; the same command goes on where it stopped"
    )
    with (tmp_path / "o" / "cases.csv").open() as table:
        assert {row["case"] for row in csv.DictReader(table)} == {folder.name for folder in folders}
    assert all(len(list(folder.iterdir())) == 2 for folder in folders)
    assert not any(folder.name.startswith(".") for folder in folders)
    both = [started(*words), started(*words)]  # and two at once get on with each other
    for one in both:
        out, err = one.communicate(timeout=60)
        assert one.returncode == 0, err
        assert "120 cases" in out


def test_ctrl_c_in_evaluate_writes_no_figures(atlas: Path, crowd: Path, tmp_path: Path) -> None:
    shutil.copytree(crowd, tmp_path / "test" / "healthy")
    said = interrupted(started("evaluate", atlas, tmp_path / "test", "--out", tmp_path / "e"), after="measuring")
    assert said.code == 130
    assert said.sentence
    assert list((tmp_path / "e").iterdir()) == []


def test_a_reader_that_has_gone_and_a_full_stdout_are_no_bugs(tmp_path: Path) -> None:
    listing = started("profiles")
    assert listing.stdout is not None
    listing.stdout.close()
    assert listing.wait(timeout=30) == 1
    assert listing.stderr is not None
    assert listing.stderr.read() == ""
    listing.stderr.close()
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "halescan", "profiles"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert Said(2, "", done.stderr).sentence
