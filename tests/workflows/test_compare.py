"""A comparison on phantoms: one failure stops nothing, and interrupted it goes on where it was."""

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from halescan.errors import OutputError, SettingError
from halescan.synthesis.cohort import PhantomFolders
from halescan.training.run import Progress
from halescan.workflows import compare as workflow
from halescan.workflows.compare import Compared, compare
from halescan.workflows.comparison.run import Outcome

SCHEMA = Path(__file__).parents[2] / "docs/reference/schemas/comparison-1.schema.json"
SMALL = {"size": [48, 48]}
METHODS = ["healthy-atlas:2", "autoencoder:1"]
BROKEN = {"autoencoder": {"residual": "red"}}  # refused when learning begins: the images are grey


@pytest.fixture(scope="session")
def data(phantoms: PhantomFolders, test_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms with a train and a test part."""
    folder = tmp_path_factory.mktemp("compare") / "phantoms"
    shutil.copytree(phantoms.healthy, folder / "train" / "healthy")
    shutil.copytree(test_set, folder / "test")
    return folder


def run(data: Path, out: Path, **more: Any) -> Compared:
    asked: dict[str, Any] = {"detectors": METHODS, "settings": BROKEN, "profile_settings": SMALL}
    return compare(f"phantoms={data}:lung-ct", out=out, jobs=1, **{**asked, **more})


@pytest.fixture(scope="session")
def compared(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """An uninterrupted comparison."""
    return run(data, tmp_path_factory.mktemp("compare") / "whole")


def figures(done: Compared) -> list[Any]:
    """All that does not depend on the clock."""
    return [{key: value for key, value in line.items() if key != "cost"} for line in done.record["sets"][0]["ranking"]]


def test_one_failure_stops_nothing_and_is_told_in_a_sentence(compared: Compared) -> None:
    atlas, broken = compared.record["sets"][0]["ranking"]
    assert (atlas["method"], atlas["state"], atlas["seeds"]) == ("healthy-atlas", "done", 2)
    assert (broken["state"], broken["rank"]) == ("failed", None)
    assert "needs 3 channels" in broken["why"]
    assert any(line.endswith("; --retry tries it again") for line in compared.lines())
    assert compared.failed == 1


def test_the_phantoms_lesions_are_found_and_the_cost_is_measured(compared: Compared) -> None:
    atlas = compared.record["sets"][0]["ranking"][0]
    assert atlas["auroc"]["low"] <= atlas["auroc"]["value"] <= atlas["auroc"]["high"]
    assert atlas["auroc"]["seeds"]["count"] == 2
    assert atlas["cost"]["fit_s"] > 0
    assert atlas["cost"]["ms_an_image"] > 0
    assert 50 < atlas["cost"]["peak_mb"] < 20_000


def with_few(data: Path, folder: Path, count: int) -> Path:
    """The test part without outlines, and so many healthy scans to learn from."""
    shutil.copytree(data / "test", folder / "test", ignore=shutil.ignore_patterns("masks"))
    (folder / "train" / "healthy").mkdir(parents=True)
    for scan in sorted((data / "train" / "healthy").iterdir())[:count]:
        shutil.copy(scan, folder / "train" / "healthy")
    return folder


def test_where_patients_are_too_few_for_the_rate_methods_are_trained_once_and_page_table_and_terminal_say_so(
    data: Path, tmp_path: Path
) -> None:
    few = with_few(data, tmp_path / "few", 3)
    done = run(few, tmp_path / "out", detectors=["healthy-atlas:1"], settings={}, keep_models=True)
    said = (
        "3 healthy patients do not support a false-alarm rate of 5 % (19 would): no method was calibrated (five "
        "more trainings each), there are no decisions, and the colours of the maps come from the scans learned from "
        "and mark too much. --false-alarms 0.25 or more calibrates them"
    )
    assert said in done.record["sets"][0]["remarks"]
    for name in ("report.html", "table.md"):
        assert said in (done.out / name).read_text(encoding="utf-8")
    assert any(said in line for line in done.lines())
    assert done.record["sets"][0]["ranking"][0]["false_alarms"]["realised"] is None
    (trained,) = done.out.glob("cells/*/model/model.json")
    assert json.loads(trained.read_text())["training_set"]["calibrate"] == 0


def test_a_single_patient_calibrates_at_no_rate(data: Path, tmp_path: Path) -> None:
    one = with_few(data, tmp_path / "one", 1)
    done = run(one, tmp_path / "out", detectors=["healthy-atlas:1"], settings={}, false_alarms=0.5)
    assert any("are of one patient" in warning for warning in done.record["sets"][0]["warnings"])
    page = (done.out / "report.html").read_text(encoding="utf-8")
    assert "are of one patient" in page
    assert "threshold set on healthy calibration scans" not in page


def test_page_and_table_hold_the_figures_and_no_name_of_a_person_or_file(compared: Compared, data: Path) -> None:
    page = (compared.out / "report.html").read_text(encoding="utf-8")
    table = (compared.out / "table.md").read_text(encoding="utf-8")
    shown = f"{compared.record['sets'][0]['ranking'][0]['auroc']['value']:.3f}"
    for text in (page, table, json.dumps(compared.record)):
        assert shown[:4] in text
        for secret in ("PHANTOM-", "Phantom^", "healthy-0001", "test-0001", str(data.parent)):
            assert secret not in text
    assert "data:image/jpeg;base64," in page


def test_the_record_is_as_its_schema_says(compared: Compared) -> None:
    jsonschema.validate(json.loads((compared.out / "comparison.json").read_text()), json.loads(SCHEMA.read_text()))


def test_interrupted_it_goes_on_where_it_was_and_gives_the_same_table(
    compared: Compared, data: Path, tmp_path: Path
) -> None:
    def stop_in_the_last_cell(progress: Progress) -> None:
        if "seed 1" in progress.stage:
            raise KeyboardInterrupt

    out = tmp_path / "broken"
    for cell in compared.out.glob("cells/*seed-0*"):  # what an earlier attempt had done
        shutil.copytree(cell, out / "cells" / cell.name)
    with pytest.raises(KeyboardInterrupt) as stopped:
        run(data, out, listen=stop_in_the_last_cell)
    assert "2 of 3 cells are done" in stopped.value.__notes__[0]
    assert not (out / "report.html").exists()
    first = next(out.glob("cells/*atlas.seed-0*/result.json"))
    before = first.stat().st_mtime_ns
    assert figures(run(data, out)) == figures(compared)
    assert first.stat().st_mtime_ns == before


def test_what_is_done_is_not_done_again(compared: Compared, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a cell was run again")

    monkeypatch.setattr(workflow, "run_cell", never)
    again = run(data, compared.out)
    assert again.record["sets"] == compared.record["sets"]


def test_a_failure_is_tried_again_once_something_else_is_asked(
    compared: Compared, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail(folder: Path, request: dict[str, Any], **_: Any) -> Outcome:
        tried.append(request["detector"])
        return Outcome(None, "again")

    monkeypatch.setattr(workflow, "run_cell", fail)
    out = Path(shutil.copytree(compared.out, tmp_path / "copy"))
    run(data, out)
    assert tried == []
    run(data, out, cell_minutes=99.0)
    assert tried == ["autoencoder"]


def test_a_set_on_which_nothing_came_through_still_says_what_it_is_tested_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "run_cell", lambda *_, **__: Outcome(None, "no memory"))
    done = run(data, tmp_path / "out", pictures=False)
    assert {kind: done.record["sets"][0]["n"][kind] for kind in ("healthy", "abnormal")} == {
        "healthy": 12,
        "abnormal": 12,
    }
    assert "? healthy" not in (done.out / "table.md").read_text()


def test_a_column_or_setting_that_cannot_be_is_refused_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="phantoms: no scan has a column 'sex'"):
        run(data, tmp_path / "out", by=("sex",))
    with pytest.raises(SettingError, match="learning_rate must lie in"):
        run(data, tmp_path / "out", settings={"autoencoder": {"learning_rate": 50.0}})
    assert not (tmp_path / "out").exists()


def test_a_comparison_that_cannot_be_written_to_names_the_way_out(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "cells" / "lock").mkdir(parents=True)
    with pytest.raises(OutputError, match="choose another --out"):
        run(data, tmp_path / "out")


def test_a_folder_of_something_else_is_left_alone(data: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="something else"):
        run(data, tmp_path)


def test_two_budgets_for_one_training_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="two budgets"):
        run(data, tmp_path / "out", steps=10, minutes=1)
