"""What a command writes and says is fit for programs, and replaces nothing unasked."""

import json
import shutil
from pathlib import Path

from halescan.synthesis.cohort import PhantomFolders
from tests.cli.said import QUICK, Say, examine


def test_json_is_all_that_stands_on_stdout_and_stderr_is_silent(say: Say, atlas: Path, mixed: Path) -> None:
    (mixed / "bad.dcm").write_text("Dear Doctor, Jane Doe is ill")
    said = examine(say, atlas, mixed, "--json")
    assert said.code == 1
    assert said.err == ""
    record = json.loads(said.out)
    assert len(record["cases"]) == len(record["problems"]) == 1
    assert "Problem(" not in record["problems"][0]


def test_a_pipe_gets_plain_progress_lines_on_stderr_alone(say: Say, atlas: Path, mixed: Path) -> None:
    said = examine(say, atlas, mixed)
    assert said.err == "examining: 1/1\n"
    assert "examining" not in said.out


def test_a_second_run_skips_what_is_done_and_replaces_nothing_unasked(say: Say, atlas: Path, mixed: Path) -> None:
    assert examine(say, atlas, mixed).code == 0
    assert "1 case (1 done already)" in examine(say, atlas, mixed).out
    other = examine(say, atlas, mixed, "--lang", "fr")
    assert other.code == 2
    assert "--overwrite" in other.sentence
    assert examine(say, atlas, mixed, "--lang", "fr", "--overwrite").code == 0


def test_a_bad_scan_in_training_or_in_a_check_ends_with_exit_code_1(
    say: Say, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    for path in sorted(phantoms.healthy.iterdir())[:4]:
        (tmp_path / "set").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "set")
    (tmp_path / "set" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for words in (("train", "set", *QUICK, "--out", "m"), ("leaks", "set")):
        said = say(*words)
        assert (said.code, "broken.png" in said.out) == (1, True), words


def test_models_and_evaluations_are_not_replaced_unasked(
    say: Say, atlas: Path, phantoms: PhantomFolders, test_set: Path
) -> None:
    assert "--overwrite" in say("train", phantoms.healthy, *QUICK, "--out", atlas, "--seed", "9").sentence
    assert "folder of its own" in say("recalibrate", atlas, phantoms.healthy, "--out", atlas).sentence
    assert say("evaluate", atlas, test_set, "--out", "e").code == 0
    assert say("evaluate", atlas, test_set, "--out", "e").code == 0  # done already
    other = say("evaluate", atlas, test_set, "--out", "e", "--false-alarms", "0.2")
    assert other.code == 2
    assert "--overwrite" in other.sentence


def test_scores_from_elsewhere_need_no_model(say: Say, atlas: Path, test_set: Path) -> None:
    assert say("evaluate", atlas, test_set, "--out", "ours").code == 0
    said = say("evaluate", test_set, "--scores", "ours/scores.csv", "--out", "again", "--threshold", "0")
    assert said.code == 0
    auroc = [line for line in said.out.splitlines() if line.startswith("image auroc")]
    assert auroc == [
        line for line in say("evaluate", atlas, test_set, "--out", "ours").out.splitlines() if line in auroc
    ]


def test_a_statistic_as_good_as_the_scores_is_said_on_the_error_stream(say: Say, test_set: Path) -> None:
    paths = sorted(test_set.glob("*/*.dcm"))
    poor = [f"{path.parent.name}/{path.name},{number % 2}" for number, path in enumerate(paths)]
    Path("poor.csv").write_text("file,score\n" + "\n".join(poor) + "\n")
    said = say("evaluate", test_set, "--scores", "poor.csv", "--out", "e")
    assert said.code == 0
    assert "warning: " in said.err
    assert "alone reaches an AUROC" in said.err


def test_reports_without_json_still_list_their_cases(say: Say, atlas: Path, mixed: Path) -> None:
    said = say("examine", atlas, mixed, "--out", "out", "--reports", "html")
    assert "1 case in out" in said.out
    assert {path.name for path in next(Path("out").glob("case-*")).iterdir()} == {"report.html", "case.json"}
