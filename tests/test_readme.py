"""The README's main job runs as it stands there, on phantoms."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from halescan.cli import app
from halescan.synthesis.cohort import PhantomFolders

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
MAIN_JOB = README.partition("## The main job")[2].partition("\n## ")[0]
TINY = {"profile.size": "[64, 64]", "detector.encoder_steps": "2"}


@pytest.fixture
def xrays(phantoms: PhantomFolders, test_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds phantoms where the README has X-rays, and is the place to work in."""
    (tmp_path / "xrays").mkdir()
    for name, folder in (("healthy", phantoms.healthy), ("new", phantoms.new), ("test", test_set)):
        (tmp_path / "xrays" / name).symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_of_the_readme_trains_examines_and_reads_the_result(
    xrays: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = re.findall(r"```python\n(.*?)```", MAIN_JOB, re.DOTALL)[0]
    tiny = 'profile="chest-xray", profile_settings={"size": [64, 64]}, detector_settings={"encoder_steps": 2}'
    assert 'profile="chest-xray"' in code
    exec(compile(code.replace('profile="chest-xray"', tiny), "README.md", "exec"), {"__name__": "__main__"})
    said = capsys.readouterr().out
    assert len(re.findall(r"^case-[0-9a-f]{12} \S+ \S+ (?:above|not-above)$", said, re.MULTILINE)) == 5
    assert said.endswith("not done: ()\n")
    assert len(list((xrays / "results").glob("case-*/report.html"))) == 5


def test_the_main_job_takes_about_ten_lines_of_python() -> None:
    code = re.findall(r"```python\n(.*?)```", MAIN_JOB, re.DOTALL)[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10


def test_the_commands_of_the_readme_do_the_same(xrays: Path) -> None:
    lines = [line for line in MAIN_JOB.splitlines() if line.startswith("halescan ")]
    assert [line.split()[1] for line in lines] == ["train", "examine", "evaluate"]
    for line in lines:
        words = shlex.split(line)[1:]
        if words[0] == "train":
            words += [part for name, value in TINY.items() for part in ("--set", f"{name}={value}")]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    assert {"report.html", "report.pdf", "case.json", "overlay.png", "map.nii.gz"} <= {
        path.name for path in next((xrays / "results").glob("case-*")).iterdir()
    }
    assert (xrays / "evaluation" / "metrics.json").is_file()


def test_the_figures_have_their_place() -> None:
    assert README.count("## Figures\n") == 1
    assert README.index("<!-- figures -->") < README.index("<!-- /figures -->")


def test_the_readme_says_what_it_is_not_for() -> None:
    assert "Research use only" in README.partition("\n## ")[0]
