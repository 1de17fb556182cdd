"""Examination: new scans in; scores, findings and a report for each case out."""

import csv
import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from halescan.errors import OutputError, ScanError, SettingError, TrainingError
from halescan.io import read
from halescan.reporting.json_out import listed_findings
from halescan.synthesis.cohort import PhantomFolders
from halescan.training.run import Progress
from halescan.workflows.examine import decision, examine, regions
from halescan.workflows.recalibrate import recalibrate
from halescan.workflows.train import train
from tests.detectors.bodies import contrasts
from tests.io.made import write_dicom, write_series

QUICK = {"formats": ("json", "map")}


def records(out: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(out.glob("case-*/case.json"))]


def test_every_case_gets_all_five_files_and_a_row_of_the_table(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    done = examine(model_folder, phantoms.new, out=tmp_path)
    folders = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(folders) == len(done.records) == 5
    for folder in folders:
        names = {path.name for path in folder.iterdir()}
        assert {"report.html", "report.pdf", "case.json", "overlay.png", "map.nii.gz"} <= names
    with (tmp_path / "cases.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 5


def test_planted_lesions_score_higher_than_healthy_phantoms(model_folder: Path, test_set: Path, tmp_path: Path) -> None:
    sick = examine(model_folder, test_set / "abnormal", out=tmp_path / "sick", **QUICK)
    well = examine(model_folder, test_set / "healthy", out=tmp_path / "well", **QUICK)
    means = [np.mean([record["verdict"]["score"] for record in done.records]) for done in (sick, well)]
    assert means[0] > means[1]


@pytest.mark.parametrize(("overwrite", "way"), [(False, "the same command goes on"), (True, "with its --overwrite")])
def test_stopped_half_way_the_table_lists_all_that_is_done_in_this_run_and_earlier_ones(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path, overwrite: bool, way: str
) -> None:
    scans = sorted(phantoms.new.glob("*.dcm"))
    examine(model_folder, scans[0], out=tmp_path / "o", **QUICK)
    (tmp_path / "o" / "cases.csv").unlink()

    def stop(progress: Progress) -> None:
        if progress.stage == "examining" and progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        examine(model_folder, scans[1:], out=tmp_path / "o", overwrite=overwrite, listen=stop, **QUICK)
    assert stopped.value.__notes__[0].startswith(f"2 of 4 cases are done and lie in {tmp_path / 'o'}; {way}")
    with (tmp_path / "o" / "cases.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3


def test_a_second_run_does_nothing_and_gives_the_same_table(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    first = examine(model_folder, phantoms.new, out=tmp_path, **QUICK)
    table = (tmp_path / "cases.csv").read_bytes()
    times = [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("case-*/case.json"))]
    second = examine(model_folder, phantoms.new, out=tmp_path, **QUICK)
    assert second.skipped == 5
    assert first.skipped == 0
    assert (tmp_path / "cases.csv").read_bytes() == table
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("case-*/case.json"))] == times


def test_the_table_of_a_folder_names_the_cases_of_earlier_runs_too(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    first, *others = sorted(phantoms.new.iterdir())
    examine(model_folder, first, out=tmp_path / "out", **QUICK)
    done = examine(model_folder, others, out=tmp_path / "out", **QUICK)
    assert len(done.records) == len(others)
    with (tmp_path / "out" / "cases.csv").open(encoding="utf-8") as table:
        assert {row["case"] for row in csv.DictReader(table)} == {
            path.name for path in (tmp_path / "out").glob("case-*")
        }


def test_results_of_other_settings_are_never_replaced_unasked(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    examine(model_folder, phantoms.new, out=tmp_path, **QUICK)
    with pytest.raises(OutputError, match="--overwrite"):
        examine(model_folder, phantoms.new, out=tmp_path, false_alarms=0.1, **QUICK)
    done = examine(model_folder, phantoms.new, out=tmp_path, false_alarms=0.1, overwrite=True, **QUICK)
    assert {record["verdict"]["false_alarm_rate"] for record in done.records} == {0.1}


def test_a_broken_file_is_named_and_the_others_are_done(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    shutil.copytree(phantoms.new, folder)
    (folder / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (folder / "empty.nii.gz").write_bytes(b"")
    (folder / "text.dcm").write_text("not an image")
    done = examine(model_folder, folder, out=tmp_path / "out", **QUICK)
    assert len(done.records) == 5
    assert len(done.problems) == 3


def _texture(depth: int) -> np.ndarray:
    return np.random.default_rng(1).integers(-1000, 400, (depth, 48, 48)).astype(np.int16)


def test_a_report_says_that_a_slice_at_the_end_of_its_series_could_not_be_read(
    model_folder: Path, tmp_path: Path
) -> None:
    folder = write_series(tmp_path / "series", _texture(5), positions=[(0, 0, 3 * z) for z in range(5)])
    (folder / "004.dcm").write_bytes(b"")
    examine(model_folder, folder, out=tmp_path / "out", formats=("json", "html"))
    assert {"key": "unread-files", "values": {"count": 1}}.items() <= records(tmp_path / "out")[0]["notes"][0].items()
    report = next((tmp_path / "out").glob("case-*/report.html"))
    assert "Files beside those of this series that could not be read: 1." in report.read_text()


def test_a_case_says_how_many_of_its_scans_could_not_be_read(model_folder: Path, tmp_path: Path) -> None:
    for name, picture in zip(("a.dcm", "b.dcm", "c.dcm"), _texture(3), strict=True):
        write_dicom(tmp_path / name, picture)
    (tmp_path / "b.dcm").write_bytes((tmp_path / "b.dcm").read_bytes()[:-900])
    done = examine(model_folder, tmp_path, out=tmp_path / "out", **QUICK)
    notes = {note["key"]: note for note in done.records[0]["notes"]}
    assert len(done.records) == len(done.problems) == 1
    assert notes["unread-scans"]["values"] == {"count": 1}


def test_an_array_in_place_of_a_path_is_refused_with_the_way_out(model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"got ndarray; save an array with numpy\.save"):
        examine(model_folder, np.zeros((2, 64, 64)), out=tmp_path / "out")


def test_a_folder_without_scans_is_refused(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(ScanError, match="no scan found"):
        examine(model_folder, tmp_path / "none", out=tmp_path / "out")


@pytest.mark.parametrize("rate", [0, 1, -0.1, 5])
def test_a_rate_outside_0_and_1_is_refused(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path, rate: float
) -> None:
    with pytest.raises(SettingError, match=r"0\.05"):
        examine(model_folder, phantoms.new, out=tmp_path, false_alarms=rate)


def test_the_map_lies_on_the_scan_in_any_viewer(model_folder: Path, tmp_path: Path, phantoms: PhantomFolders) -> None:
    volume, affine = np.zeros((40, 36, 6), np.int16), np.diag([2.0, 3.0, 5.0, 1.0])
    volume[8:32, 8:30] = 1000 + np.random.default_rng(0).integers(0, 200, (24, 22, 6))
    affine[:3, 3] = (-30, 12, 7)
    nibabel.save(nibabel.Nifti1Image(volume, affine), tmp_path / "volume.nii.gz")
    done = examine(model_folder, tmp_path / "volume.nii.gz", out=tmp_path / "out", **QUICK)
    written = nibabel.load(tmp_path / "out" / done.records[0]["case"] / "map.nii.gz")
    assert written.shape == volume.shape
    np.testing.assert_allclose(written.affine, affine, atol=1e-4)


def test_a_volume_read_by_a_model_of_single_slices_is_shown_as_uncalibrated(model_folder: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(-1000, 400, (5, 48, 48)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(pixels.T, np.eye(4)), tmp_path / "v.nii")
    record = examine(model_folder, tmp_path / "v.nii", out=tmp_path / "out", **QUICK).records[0]
    verdict = record["verdict"]
    assert verdict["decision"] == "withheld"
    assert not [note for note in record["notes"] if note["key"].startswith("quantile-rule")]  # it knows images alone
    assert verdict["p_value"] is None
    assert verdict["score"] is not None


def test_a_colour_image_meets_a_grey_model_with_a_remark(model_folder: Path, tmp_path: Path) -> None:
    picture = np.random.default_rng(2).integers(0, 255, (80, 80, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "colour.png")
    done = examine(model_folder, tmp_path / "colour.png", out=tmp_path / "out", **QUICK)
    keys = {note["key"] for note in done.records[0]["notes"]}
    assert "colour-to-grey" in keys
    assert "unlike-training" in keys


def test_no_name_or_id_of_a_patient_reaches_an_output(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    examine(model_folder, phantoms.new, out=tmp_path)
    import pydicom

    header = pydicom.dcmread(next(iter(sorted(phantoms.new.iterdir()))))
    secrets = [str(header.PatientID), str(header.StudyInstanceUID), str(header.PatientName)]
    for path in tmp_path.rglob("*"):
        content = path.name.encode() + (path.read_bytes() if path.is_file() else b"")
        assert not [secret for secret in secrets if secret.encode() in content], path


def test_identities_are_joined_only_when_asked_and_only_at_home(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path, own_home: Path
) -> None:
    examine(model_folder, phantoms.new, out=tmp_path / "a", **QUICK)
    assert not (own_home / "identity.csv").exists()
    done = examine(model_folder, phantoms.new, out=tmp_path / "b", identity=True, **QUICK)
    assert done.records[0]["case"] in (own_home / "identity.csv").read_text()
    assert (own_home / "identity.csv").stat().st_mode & 0o077 == 0


def test_regions_that_a_report_does_not_tell_apart_are_counted_nowhere() -> None:
    finding = {"above": True, "longest_diameter_mm": 9.0}
    record = {"notes": [{"key": "map-tells-little"}], "scans": [{"gives_location": True, "findings": [finding]}]}
    assert listed_findings(record) is None
    assert regions(record) == "no regions told apart"
    assert decision({**record, "verdict": {"decision": "not-above"}}) == "no deviation above the set threshold"


def test_an_identity_list_that_cannot_be_written_is_told_before_any_work(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path, own_home: Path
) -> None:
    (own_home / "identity.csv").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"identity\.csv"):
        examine(model_folder, phantoms.new, out=tmp_path / "out", identity=True, **QUICK)
    assert not list((tmp_path / "out").iterdir())


def test_scans_of_another_kind_are_noticed_and_recalibration_is_named(
    phantoms: PhantomFolders, test_set: Path, model_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in sorted(phantoms.healthy.iterdir())[:24]:
        scan = read(path)
        grey = np.clip((scan.pixels.astype(float) + 1000) / 8 + 60, 0, 255).astype(np.uint8)[::2, ::2]
        Image.fromarray(grey).save(other / f"{path.stem}.png")
    done = examine(model_folder, other, out=tmp_path / "out", **QUICK)
    assert done.differences
    assert any("recalibrate" in line for line in done.lines())
    assert all("differs-from-reference" in {note["key"] for note in record["notes"]} for record in done.records)


def test_scans_like_the_reference_are_not_called_different(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    assert not examine(model_folder, phantoms.healthy, out=tmp_path, **QUICK).differences


def test_a_recalibrated_model_leaves_the_old_one_as_it_was(
    model_folder: Path, phantoms: PhantomFolders, test_set: Path, tmp_path: Path
) -> None:
    before = (model_folder / "model.json").read_bytes()
    new = recalibrate(model_folder, test_set / "healthy", split="test", out=tmp_path / "new")
    assert new.healthy.calibration.units == 12
    assert (model_folder / "model.json").read_bytes() == before
    with pytest.raises(SettingError, match="a new version needs a folder of its own"):
        recalibrate(model_folder, test_set / "healthy", split="test", out=model_folder)


def test_scans_a_model_was_made_from_cannot_recalibrate_it(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="44 of these 44 scans"):
        recalibrate(model_folder, phantoms.healthy, out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_volume_model_reads_volumes_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    healthy = tmp_path / "healthy"
    healthy.mkdir()
    for number in range(6):
        values = 100 + rng.normal(0, 5, (12, 12, 12)).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), healthy / f"{number}.nii.gz")
    sick = 100 + rng.normal(0, 5, (12, 12, 12)).astype(np.float32)
    sick[5:7, 2:4, 8:10] += 80
    nibabel.save(nibabel.Nifti1Image(sick, np.eye(4)), tmp_path / "sick.nii.gz")
    model = train(
        healthy,
        profile="generic",
        profile_settings={"dims": 3, "size": [12, 12, 12], "smooth_mm": 0.5, "smooth_px": 0.5, "min_finding_mm": 1},
        detector="healthy-atlas",
        out=tmp_path / "model",
    )
    record = examine(model, tmp_path / "sick.nii.gz", out=tmp_path / "out", **QUICK).records[0]
    z, y, x = record["scans"][0]["findings"][0]["peak_index_zyx"]
    assert (z in (8, 9), y in (2, 3), x in (5, 6)) == (True, True, True)  # NIfTI stores (x, y, z)


def test_a_grey_scan_gets_no_p_value_from_a_method_that_compares_contrasts(tmp_path: Path) -> None:
    for number, image in enumerate(contrasts(24, grid=(32, 32))):
        (tmp_path / "healthy").mkdir(exist_ok=True)
        np.save(tmp_path / "healthy" / f"{number}.npy", np.moveaxis(image, 0, -1))
    small = {"steps": 2, "side": 16, "width": 4, "depth": 2}
    recipe = {"size": [32, 32], "channels": 3}
    model = train(
        tmp_path / "healthy",
        profile="generic",
        profile_settings=recipe,
        detector="modality-translation",
        detector_settings=small,
        out=tmp_path / "m",
    )
    (tmp_path / "new").mkdir()
    (true, grey) = contrasts(2, grid=(32, 32), seed=9)
    np.save(tmp_path / "new" / "true.npy", np.moveaxis(true, 0, -1))
    np.save(tmp_path / "new" / "grey.npy", grey[0])
    done = examine(model, tmp_path / "new", out=tmp_path / "out", formats=("json",))
    assert [record["verdict"]["p_value"] is not None for record in done.records] == [True]
    assert ["grey.npy" in problem and "same picture" in problem for problem in done.problems] == [True]


@pytest.mark.parametrize(
    ("scans", "said"),
    [
        ([{"gives_location": False, "findings": []}], "no map"),
        ([{"gives_location": True, "findings": []}], "0 regions"),
        ([{"gives_location": True, "findings": [{"above": True}]}], "1 region, 1 above its own threshold"),
        ([{"gives_location": True, "findings": [{"above": None}] * 2}], "2 regions, not judged"),
    ],
)
def test_a_method_without_a_map_is_not_said_to_have_found_no_region(scans: list[dict], said: str) -> None:
    assert regions({"notes": [], "scans": scans}) == said


@pytest.mark.parametrize(
    ("decided", "region_above", "said"),
    [
        ("above", True, "above the set threshold"),
        ("not-above", None, "no deviation above the set threshold"),
        ("not-above", False, "no deviation above the set threshold"),
        ("not-above", True, "score not above the set threshold"),
        ("withheld", True, "decision withheld"),
    ],
)
def test_a_case_is_not_said_to_lack_deviations_where_one_of_its_regions_lies_above_its_own_threshold(
    decided: str, region_above: bool | None, said: str
) -> None:
    findings = [] if region_above is None else [{"above": region_above}]
    record = {"verdict": {"decision": decided}, "scans": [{"findings": findings}], "notes": []}
    assert decision(record) == said
