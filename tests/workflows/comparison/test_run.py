"""A cell's process: it ends in a result or a sentence, whatever happens to it."""

from pathlib import Path

from halescan.training.run import Progress
from halescan.workflows.comparison.cell import Note
from halescan.workflows.comparison.run import forget_failure, outcome_of, progress_of, run_cell


def test_a_job_that_breaks_leaves_a_sentence(tmp_path: Path) -> None:
    found = run_cell(tmp_path / "cell", {"job": "judge"}, minutes=1, tell=lambda progress: None)
    assert found.result is None
    assert found.why_not.startswith("unexpected")
    assert outcome_of(tmp_path / "cell") == found


def test_a_job_that_takes_too_long_is_stopped_and_says_so(tmp_path: Path) -> None:
    found = run_cell(tmp_path / "cell", {"job": "judge"}, minutes=0.0001, tell=lambda progress: None)
    assert "stopped after 0.0001 minutes" in found.why_not


def test_a_process_that_dies_without_a_word_has_failed(tmp_path: Path) -> None:
    found = run_cell(tmp_path / "cell", {"job": "no such job"}, minutes=1, tell=lambda progress: None)
    assert found.result is None
    assert found.why_not


def test_while_a_job_runs_its_stage_step_and_loss_are_told(tmp_path: Path) -> None:
    told = Progress("autoencoder", 37, 1000, 0.02, 12.0)
    Note(tmp_path)(told)
    assert progress_of(tmp_path) == told


def test_before_a_job_has_said_anything_nothing_is_told(tmp_path: Path) -> None:
    assert progress_of(tmp_path) is None


def test_a_failure_can_be_forgotten(tmp_path: Path) -> None:
    run_cell(tmp_path / "cell", {"job": "no such job"}, minutes=1, tell=lambda progress: None)
    forget_failure(tmp_path / "cell")
    assert outcome_of(tmp_path / "cell") is None
