"""A full or read-only disk is named, and nothing is left half written."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from halescan.synthesis.cohort import PhantomFolders
from tests.cli.said import QUICK, Say


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 100 kB; only root may make one."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_leaves_nothing_half_written(
    say: Say, atlas: Path, mixed: Path, phantoms: PhantomFolders, test_set: Path, small_disk: Path
) -> None:
    said = say("examine", atlas, mixed, "--out", small_disk / "out", "--reports", "html,pdf,json")
    assert said.code == 1
    assert "No space left" in said.out
    assert [path.name for path in (small_disk / "out").iterdir()] == ["cases.csv"]
    (small_disk / "filling").write_bytes(bytes(40_000))
    assert "No space left" in say("train", phantoms.healthy, *QUICK, "--out", small_disk / "m").sentence
    assert not (small_disk / "m").exists()
    subprocess.run(["dd", "if=/dev/zero", f"of={small_disk / 'rest'}", "bs=1k"], capture_output=True, check=False)
    assert (
        "No space left"
        in say("recalibrate", atlas, test_set / "healthy", "--split", "test", "--out", small_disk / "m").sentence
    )
    assert say("evaluate", atlas, test_set, "--out", small_disk / "e").code == 2
    assert say("demo", "--out", small_disk / "d").code == 2


def test_a_read_only_disk_is_named_before_the_work_where_it_can_be(
    say: Say, atlas: Path, mixed: Path, phantoms: PhantomFolders, test_set: Path, small_disk: Path
) -> None:
    (small_disk / "old").mkdir()
    (small_disk / "old" / "metrics.json").touch()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    said = say("evaluate", atlas, test_set, "--out", small_disk / "old", "--overwrite")
    assert (said.code, "measuring" in said.err) == (2, False)
    assert "choose another --out" in said.sentence
    for words in (
        ("examine", atlas, mixed, "--out", small_disk),
        ("examine", atlas, mixed, "--out", small_disk / "o"),
        ("train", phantoms.healthy, *QUICK, "--out", small_disk / "m"),
        ("evaluate", atlas, phantoms.healthy.parent / "healthy", "--out", small_disk / "e", "--log-file", small_disk),
    ):
        said = say(*words)
        assert said.code == 2
        assert str(small_disk) in said.sentence
