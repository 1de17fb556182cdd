"""Progress in a pipe: plain lines that say something new."""

import pytest

from halescan.cli.progress import listening
from halescan.training.run import Progress

CELL = "us, ensemble, seed 0: autoencoder"


def said(capsys: pytest.CaptureFixture[str], *told: Progress) -> list[str]:
    """The lines of a pipe in which every word is ten seconds after the last."""
    seconds = iter(range(0, 1000, 10))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.monotonic", lambda: float(next(seconds)))
        with listening() as listen:
            for progress in told:
                listen(progress)
    return capsys.readouterr().err.splitlines()


def test_a_line_says_the_step_of_the_running_job_and_how_many_jobs_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, Progress(CELL, 4, 10, 0.02, 119.0, within="37 of 1000"))
    assert lines == [f"{CELL} 37 of 1000: 4/10, loss 0.02, 119 s left"]


def test_the_same_line_is_not_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    standing, moved = (Progress(CELL, 4, 10, None, 119.0, within=f"{step} of 1000") for step in (37, 38))
    assert len(said(capsys, standing, standing, moved, moved)) == 2
