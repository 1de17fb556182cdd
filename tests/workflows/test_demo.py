"""The demo: the whole main job on phantoms."""

from pathlib import Path

import pytest

from halescan.errors import OutputError, SettingError
from halescan.training.run import Progress
from halescan.workflows import demo as demo_room
from halescan.workflows.demo import demo


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_room, "HEALTHY_SLICES", 12)
    recipe = {"detector": "healthy-atlas", "profile_settings": {"size": [48, 48]}}
    monkeypatch.setattr(demo_room, "_recipe", lambda volumes: recipe)


@pytest.mark.usefixtures("small")
def test_the_demo_says_what_was_planted_what_was_found_and_where_the_reports_lie(tmp_path: Path) -> None:
    lines = demo(tmp_path / "demo").lines
    reports = [Path(line.strip()) for line in lines if line.endswith("report.html")]
    assert len(reports) == 5
    assert all(report.exists() for report in reports)
    assert sum("planted nothing" in line for line in lines) == 2
    assert "made-up phantoms" in lines[0]


@pytest.mark.usefixtures("small")
def test_the_demo_replaces_an_earlier_demo_and_nothing_else(tmp_path: Path) -> None:
    demo(tmp_path / "demo")
    with pytest.raises(OutputError, match="not empty"):
        demo(tmp_path / "demo")
    demo(tmp_path / "demo", overwrite=True)
    (tmp_path / "demo" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        demo(tmp_path / "demo", overwrite=True)
    assert (tmp_path / "demo" / "thesis.txt").exists()


@pytest.mark.usefixtures("small")
def test_a_demo_stopped_by_ctrl_c_says_how_to_start_it_anew(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage not in ("making phantoms",):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        demo(tmp_path / "demo", listen=stop)
    assert stopped.value.__notes__ == ["The demo starts anew each time; run it again with --overwrite"]


def test_an_unknown_language_costs_no_training(tmp_path: Path) -> None:
    with pytest.raises(SettingError):
        demo(tmp_path / "demo", lang="xx")
    assert not (tmp_path / "demo").exists()
