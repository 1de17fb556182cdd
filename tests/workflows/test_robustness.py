"""Robustness: each distortion begins with the undistorted figures, and a ruined scan is noticed."""

import json
from pathlib import Path

import pytest

from halescan.errors import OutputError, SettingError, TableError
from halescan.synthesis.distortions import DISTORTIONS
from halescan.training.run import Progress
from halescan.workflows import robustness as workflow
from halescan.workflows.evaluate import evaluate
from halescan.workflows.robustness import robustness


@pytest.fixture(scope="module")
def record(model_folder: Path, test_set: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    out = tmp_path_factory.mktemp("robust") / "out"
    return robustness(model_folder, test_set, out=out, distortions=["noise", "crop"], jobs=1) | {"out": out}


def test_every_strength_has_a_row_and_a_picture_and_the_file_says_the_same(record: dict) -> None:
    wanted = [(name, strength) for name in ("noise", "crop") for strength in DISTORTIONS[name].strengths]
    assert [(row["distortion"], row["strength"]) for row in record["rows"]] == wanted
    on_disk = json.loads((record["out"] / "robustness.json").read_text())
    assert on_disk == {key: value for key, value in record.items() if key != "out"}
    assert (record["out"] / "robustness.png").stat().st_size > 10_000
    assert not (record["out"] / "robustness.partial.json").exists()


def test_undistorted_it_is_what_evaluate_says(record: dict, model_folder: Path, test_set: Path, tmp_path: Path) -> None:
    told = evaluate(model_folder, test_set, out=tmp_path / "evaluation", jobs=1).record
    for row in record["rows"]:
        if row["strength"] == DISTORTIONS[row["distortion"]].none:
            assert row["auroc"] == told["image"]["auroc"]
            assert row["auroc_change"]["value"] == 0
            assert row["false_alarm"]["value"] == told["about"]["false_alarms"]["realised"]["value"]
            assert row["failed"] == 0


def test_a_strong_crop_costs_and_cries_wolf(record: dict) -> None:
    first, *_, last = [row for row in record["rows"] if row["distortion"] == "crop"]
    assert last["auroc"]["value"] < first["auroc"]["value"]
    assert last["auroc_change"]["value"] == pytest.approx(last["auroc"]["value"] - first["auroc"]["value"])
    assert last["auroc_change"]["low"] <= last["auroc_change"]["value"] <= last["auroc_change"]["high"]
    assert last["false_alarm"]["value"] > 0.5 > first["false_alarm"]["value"]


def test_asked_again_nothing_is_measured_again_and_another_request_is_refused(
    record: dict, model_folder: Path, test_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "_measure", lambda *_: pytest.fail("measured again"))
    again = robustness(model_folder, test_set, out=record["out"], distortions=["noise", "crop"])
    assert again["rows"] == record["rows"]
    with pytest.raises(OutputError, match="overwrite"):
        robustness(model_folder, test_set, out=record["out"], distortions=["noise"])


def test_interrupted_it_goes_on_and_gives_the_same(
    record: dict, model_folder: Path, test_set: Path, tmp_path: Path
) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 3:
            raise KeyboardInterrupt

    names = ["noise", "crop"]
    with pytest.raises(KeyboardInterrupt):
        robustness(model_folder, test_set, out=tmp_path, distortions=names, jobs=1, listen=stop)
    kept = json.loads((tmp_path / "robustness.partial.json").read_text())
    assert len(kept["settings"]) == 3
    done = robustness(model_folder, test_set, out=tmp_path, distortions=names, jobs=1)
    assert done["rows"] == record["rows"]


def test_a_few_cases_of_each_class_are_enough_for_a_glance(model_folder: Path, test_set: Path, tmp_path: Path) -> None:
    found = robustness(model_folder, test_set, out=tmp_path, distortions=["jpeg"], most_cases=3, jobs=1)
    assert found["n"] == {"cases": 6, "healthy": 3, "abnormal": 3}


def test_healthy_scans_alone_give_false_alarms_and_no_auroc(model_folder: Path, test_set: Path, tmp_path: Path) -> None:
    found = robustness(model_folder, test_set / "healthy", out=tmp_path, distortions=["brightness"], jobs=1)
    assert found["rows"][0]["auroc"]["value"] is None
    assert found["rows"][0]["false_alarm"]["value"] is not None
    assert found["rows"][0]["sensitivity"]["value"] is None


def test_what_cannot_be_is_refused(model_folder: Path, test_set: Path, phantoms: object, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="jpeg"):
        robustness(model_folder, test_set, out=tmp_path, distortions=["fog"])
    with pytest.raises(SettingError, match="most_cases"):
        robustness(model_folder, test_set, out=tmp_path, most_cases=1)
    with pytest.raises(TableError, match="label"):
        robustness(model_folder, phantoms.new, out=tmp_path)  # type: ignore[attr-defined]
