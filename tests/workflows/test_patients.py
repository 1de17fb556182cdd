"""From patches to patients, whole: figures, pages, tables, going on, privacy, bad input."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from halescan.cli import app
from halescan.errors import OutputError, ScanError, SettingError
from halescan.io.identity import case_name
from halescan.training.run import Progress
from halescan.workflows.patients import PatientsDone, patients
from tests.workflows.csv_rows import csv_rows
from tests.workflows.patient_studies import cohort, write_hpylori, write_table

SCHEMA = Path(__file__).parents[2] / "docs/reference/schemas/patients-1.schema.json"
PEOPLE = cohort(5, 3, 3)
PROFILE: dict[str, Any] = {"size": [32, 32], "mask": "everything"}
TINY: dict[str, Any] = {
    "profile": "histology",
    "profile_settings": PROFILE,
    "detector": "healthy-atlas",
    "classifier_settings": {"backbone": "own", "levels": [1, 2], "encoder_steps": 2, "folds": 2},
    "folds": 3,
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("studies") / "set", PEOPLE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("key")


@pytest.fixture(scope="module")
def done(study: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> PatientsDone:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HALESCAN_HOME", str(home))
        return patients(study, out=tmp_path_factory.mktemp("patients") / "out", identity=True, **TINY)


def test_specks_are_found_in_patches_and_patients_by_all_three(done: PatientsDone) -> None:
    assert list(done.record["methods"]) == ["detector", "classifier", "fusion"]
    for found in done.record["methods"].values():
        assert found["patch"]["auroc"]["value"] > 0.9
        assert found["patient"]["auroc"]["value"] > 0.9
        for level in ("patch", "patient"):
            decisions = found[level]["decisions"]
            assert {"precision", "recall", "f1", "specificity", "counts"} <= set(decisions)
            assert decisions["recall"]["low"] <= decisions["recall"]["value"] <= decisions["recall"]["high"]
        assert np.sum(found["patient"]["levels"]["table"]) == 11


def test_bug_4_what_is_decided_is_what_the_median_of_the_folds_says(done: PatientsDone) -> None:
    """The median of folds decides, on the files that are written."""
    for told in csv_rows(done.out / "patches.csv"):
        for name, found in done.record["methods"].items():
            cut = found["cuts"]["patch"][int(told["fold"]) - 1]
            assert cut["used"] == pytest.approx(np.median([one for one in cut["folds"] if one is not None]))
            if abs(float(told[f"{name}_healthy_tail"]) - cut["used"]) > 1e-4:
                assert (told[f"{name}_above"] == "yes") == (float(told[f"{name}_healthy_tail"]) > cut["used"])
    for person in done.record["patients"]:
        for name, said in person["methods"].items():
            cut = done.record["methods"][name]["cuts"]["patient"][person["fold"] - 1]
            assert said["positive"] == (said["score"] > np.median([one for one in cut["folds"] if one is not None]))


def test_the_tables_have_a_row_for_each_patient_and_patch(done: PatientsDone) -> None:
    people, patches = csv_rows(done.out / "patients.csv"), csv_rows(done.out / "patches.csv")
    assert len(people) == 11
    assert len(patches) == 66
    assert {row["case"] for row in people} == {row["case"] for row in patches}
    for person in people:
        above = [row["fusion_above"] == "yes" for row in patches if row["case"] == person["case"]]
        assert float(person["fusion_positive_share"]) == pytest.approx(np.mean(above), abs=1e-5)
        assert float(person["fusion_score"]) == pytest.approx(np.mean(above), abs=1e-5)
    scores = [float(row["fusion_score"]) for row in people]
    assert scores == sorted(scores, reverse=True)


def test_p_values_are_those_of_the_negative_patients_of_the_other_folds(done: PatientsDone) -> None:
    units = done.record["methods"]["fusion"]["cuts"]["negative_units"]
    for person in done.record["patients"]:
        p = person["methods"]["fusion"]["p_value"]
        n = units[person["fold"] - 1]
        assert 3 <= n <= 4
        assert p * (n + 1) == pytest.approx(round(p * (n + 1)))


def test_no_output_names_a_patient_and_the_owners_table_does(done: PatientsDone, home: Path) -> None:
    written = [path for path in done.out.rglob("*") if path.is_file()]
    assert len(written) > 15
    for path in written:
        assert b"Doe-" not in path.read_bytes()
        assert "Doe-" not in str(path.relative_to(done.out))
    known = (home / "identity.csv").read_text()
    assert (home / "identity.csv").stat().st_mode & 0o077 == 0
    assert all(name in known for name, _ in PEOPLE)


def test_the_record_is_what_its_schema_says(done: PatientsDone) -> None:
    record = json.loads((done.out / "patients.json").read_text())
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    assert record == done.record
    record["patients"][0]["name"] = "a name"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, json.loads(SCHEMA.read_text()))


def test_a_case_has_the_name_it_has_elsewhere(done: PatientsDone, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALESCAN_HOME", str(home))
    names = {case_name(f"patient:{name}") for name, _ in PEOPLE}
    assert {person["case"] for person in done.record["patients"]} == names
    assert {path.stem for path in (done.out / "patients").iterdir()} == names


def test_the_pages_need_nothing_from_elsewhere(done: PatientsDone) -> None:
    for path in [done.out / "report.html", *(done.out / "patients").iterdir()]:
        text = path.read_text()
        assert not re.findall(r'(?:src|href)="(?!data:|patients/case-)', text)
        assert "<script" not in text
        assert "Research use only" in text
    page = (done.out / "report.html").read_text()
    links = re.findall(r'href="(patients/case-[0-9a-f]+\.html)"', page)
    assert len(links) == 11
    assert all((done.out / link).is_file() for link in links)
    assert page.count("<svg") >= 3


def test_the_most_suspicious_patches_are_shown_first_and_framed(done: PatientsDone) -> None:
    worst = done.record["patients"][0]
    text = (done.out / "patients" / f"{worst['case']}.html").read_text()
    assert text.count("data:image/jpeg") == 6
    tails = [float(tail) for tail in re.findall(r"fusion (-?\d+\.\d+)</figcaption>", text)]
    assert tails == sorted(tails, reverse=True)
    assert text.count('<figure class="above">') == 4  # a patient called HIGH has four patches with specks


def test_the_same_request_is_not_done_twice_and_another_is_refused(
    done: PatientsDone, study: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALESCAN_HOME", str(home))
    before = (done.out / "patients.json").stat().st_mtime_ns
    assert patients(study, out=done.out, **TINY).record == done.record
    assert (done.out / "patients.json").stat().st_mtime_ns == before
    with pytest.raises(OutputError, match="--overwrite"):
        patients(study, out=done.out, pooling="max", **TINY)


def test_ctrl_c_keeps_what_is_learned_and_another_pooling_learns_nothing_anew(study: Path, tmp_path: Path) -> None:
    quick = {**TINY, "classifier": "none"}

    def stop(progress: Progress) -> None:
        if progress.stage == "models" and progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        patients(study, out=tmp_path / "out", listen=stop, **quick)
    assert stopped.value.__notes__ == ["2 of 6 models are learned and kept; the same command goes on from there"]
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.npz") if path.name != "rows.npz"}
    assert len(kept) == 2
    first = patients(study, out=tmp_path / "out", **quick)
    whole = patients(study, out=tmp_path / "whole", **quick)
    assert first.record["methods"] == whole.record["methods"]
    again = patients(study, out=tmp_path / "out", pooling="max", overwrite=True, **quick)
    assert again.record["about"]["pooling"]["pooling"] == "max"
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())


def test_attention_mil_needs_no_label_of_a_patch(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", PEOPLE, labels="none", apiece=4)
    small = {"backbone": "own", "levels": [1, 2], "encoder_steps": 2, "steps": 40, "width": 8, "attention": 4}
    found = patients(
        root, out=tmp_path / "out", pooling="attention-mil", mil_settings=small, **{**TINY, "classifier": "none"}
    )
    assert found.record["methods"]["classifier"]["patch"] is None
    assert found.record["methods"]["classifier"]["patient"]["n"] == {"positive": 6, "negative": 5}
    assert any("healthy ones alone" in note for note in found.record["about"]["notes"])
    assert (found.out / "report.html").is_file()


def test_a_folder_of_something_else_is_left_alone(study: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="something else"):
        patients(study, out=tmp_path / "out", **TINY)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"profile": None}, "--profile"),
        ({"classifier": "oracle"}, "no classifier"),
        ({"pooling": "median"}, "pooling must be one of"),
        ({"folds": 2}, "folds must be 3 or more"),
        ({"classifier_settings": {"depth": 3}}, "no setting depth"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_is_learned(
    study: Path, tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingError, match=said):
        patients(study, out=tmp_path / "out", **{**TINY, **wrong})
    assert not (tmp_path / "out").exists()


def test_a_damaged_patch_is_told_of_at_the_terminal_counted_on_the_page_and_stops_nothing(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", PEOPLE, apiece=4)
    (root / "Doe-003-1.png").write_bytes((root / "Doe-003-1.png").read_bytes()[:60])
    found = patients(root, out=tmp_path / "out", **{**TINY, "classifier": "none"})
    assert found.record["n"]["patches"] == 43
    assert any("/set/case-" in problem and "-1.png: damaged" in problem for problem in found.problems)
    assert "Doe-003" not in "".join(found.problems)
    assert found.record["remarks"] == ["1 file could not be used"]


def cut_short(root: Path, names: str) -> None:
    for file in root.rglob(names):
        file.write_bytes(file.read_bytes()[:60])


def test_a_stopped_run_leaves_no_name_of_a_damaged_file_behind(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", PEOPLE, apiece=4)
    cut_short(root, "Doe-003-1.png")

    def stop(progress: Progress) -> None:
        if progress.stage == "models":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        patients(root, out=tmp_path / "out", listen=stop, **{**TINY, "classifier": "none"})
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(left) == 1
    assert all(b"Doe-" not in path.read_bytes() for path in left)


def test_patients_of_whom_nothing_can_be_used_are_told_of_and_fill_no_fold(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", cohort(5, 0, 3), apiece=4)
    cut_short(root, "Doe-000-*.png")
    quick = {**TINY, "classifier": "none"}
    found = patients(root, out=tmp_path / "out", **quick)
    assert len(found.record["patients"]) == 7
    assert "1 of 8 patients with a diagnosis are not judged: none of their images could be used" in found.problems
    cut_short(root, "Doe-00[1-2]-*.png")
    with pytest.raises(SettingError, match="too few patients: 2 negative and 3 positive"):
        patients(root, out=tmp_path / "other", **quick)
    cut_short(root, "*.png")
    with pytest.raises(ScanError, match="set/case-") as none:
        patients(root, out=tmp_path / "third", **quick)
    assert "Doe-" not in str(none.value)


def test_a_named_fold_without_a_usable_image_is_refused(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", PEOPLE, apiece=4)
    lines = (root / "manifest.csv").read_text().splitlines()
    told = [f"{line},{'last' if 'Doe-000' in line else number % 3}" for number, line in enumerate(lines[1:])]
    told = [line if line.endswith("last") else line[:-1] + str(int(line.split("-")[1][:3]) % 3) for line in told]
    (root / "manifest.csv").write_text("\n".join([f"{lines[0]},fold", *told]))
    cut_short(root, "Doe-000-*.png")
    with pytest.raises(SettingError, match="1 of 4 folds that the column 'fold' names hold no image"):
        patients(root, out=tmp_path / "out", **TINY)


def test_rows_without_a_file_and_negative_patients_with_abnormal_images_are_told_of(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", PEOPLE, apiece=4)
    table = root / "manifest.csv"
    table.write_text(table.read_text().replace("Doe-001,healthy", "Doe-001,abnormal"))
    for number in range(4):
        (root / f"Doe-004-{number}.png").unlink()
    found = patients(root, out=tmp_path / "out", **{**TINY, "classifier": "none"})
    assert "4 of 44 images that manifest.csv names are not there, of 1 patients every one" in found.problems
    assert "1 of 4 negative patients have images labelled abnormal" in found.problems


def test_images_of_two_patients_that_are_one_and_the_same_are_told_of(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", PEOPLE, apiece=4)
    (root / "Doe-009-0.png").write_bytes((root / "Doe-010-0.png").read_bytes())
    (root / "Doe-001-0.png").write_bytes((root / "Doe-001-1.png").read_bytes())  # within a patient it does no harm
    found = patients(root, out=tmp_path / "out", **{**TINY, "classifier": "none"})
    assert [problem.partition(":")[0] for problem in found.problems] == [
        "2 images are byte for byte those of another patient"
    ]


def test_who_is_who_can_be_asked_for_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALESCAN_HOME", str(tmp_path / "home"))
    root = write_table(tmp_path / "set", PEOPLE, apiece=4)
    quick = {**TINY, "classifier": "none"}
    patients(root, out=tmp_path / "out", **quick)
    assert not (tmp_path / "home" / "identity.csv").exists()
    patients(root, out=tmp_path / "out", identity=True, **quick)
    assert "Doe-010" in (tmp_path / "home" / "identity.csv").read_text()


def test_what_is_called_a_copy_afterwards_is_learned_anew(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", PEOPLE, apiece=4)
    quick = {**TINY, "classifier": "none"}
    patients(root, out=tmp_path / "out", **quick)
    lines = (root / "manifest.csv").read_text().splitlines()
    copies = [f"{line},{'yes' if line.split(',')[0].endswith('-3.png') else ''}" for line in lines[1:]]
    (root / "manifest.csv").write_text("\n".join([f"{lines[0]},augmented", *copies]))
    found = patients(root, out=tmp_path / "out", overwrite=True, **quick)
    assert found.record["n"]["augmented_copies"] == 11
    assert len(list((tmp_path / "out" / "work").glob("*/without-1.npz"))) == 2


def test_the_share_of_red_pixels_stands_beside_the_methods(done: PatientsDone) -> None:
    red = done.record["baselines"]["red-count"]
    assert red["patch"]["auroc"]["value"] > 0.9
    assert red["patient"]["n"] == {"positive": 6, "negative": 5}
    assert any(line.startswith("patch red-count: AUROC") for line in done.lines())
    shares = [float(row["red-count_score"]) for row in csv_rows(done.out / "patches.csv")]
    assert min(shares) < 0.01 < max(shares) < 0.2
    assert "red-count (nothing learned)" in (done.out / "report.html").read_text()


def test_slices_of_volumes_go_the_same_way(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows_ = [["file", "patient", "label"]]
    for number, (name, kind) in enumerate(cohort(5, 0, 5)):
        volume = random.random((20, 20, 6), np.float32)
        volume[6:12, 6:12, 2:4] += 3.0 * (kind == "HIGH")
        nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / f"{number}.nii.gz")
        rows_.append([f"{number}.nii.gz", name, "abnormal" if kind == "HIGH" else "healthy"])
    with (tmp_path / "manifest.csv").open("w", newline="") as sink:
        csv.writer(sink).writerows(rows_)
    found = patients(
        tmp_path / "manifest.csv",
        out=tmp_path / "out",
        profile="generic",
        profile_settings={"size": [20, 20], "intensity": "range", "pooling": "max"},
        detector="healthy-atlas",
        classifier="none",
        pooling="max",
        folds=3,
    )
    assert found.record["n"]["patches"] == 60
    assert found.record["baselines"] == {}  # grey slices have no red
    assert found.record["methods"]["detector"]["patient"]["auroc"]["value"] > 0.9
    slices = {row["slice"] for row in csv_rows(found.out / "patches.csv")}
    assert slices == {"0", "1", "2", "3", "4", "5"}


def test_a_given_fold_is_kept(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", PEOPLE, apiece=4)
    lines = (root / "manifest.csv").read_text().splitlines()
    fold = {name: number % 3 for number, (name, _) in enumerate(PEOPLE)}
    told = [f"{line},{fold[line.split(',')[1]]}" for line in lines[1:]]
    (root / "manifest.csv").write_text("\n".join([f"{lines[0]},fold", *told]))
    found = patients(root, out=tmp_path / "out", **{**TINY, "classifier": "none"})
    sizes = [person["fold"] for person in found.record["patients"]]
    assert [sizes.count(one) for one in (1, 2, 3)] == [4, 4, 3]


def command(data: Path, out: Path, *more: str) -> list[str]:
    words = ["patients", str(data), "--out", str(out), "--detector", "healthy-atlas", "--classifier", "none"]
    return [*words, "--folds", "3", "--set", "profile.size=[32,32]", "--set", "profile.mask=everything", *more]


def test_the_command_reads_the_published_folders_and_ends_with_1_where_something_does_not_fit(tmp_path: Path) -> None:
    root = write_hpylori(tmp_path / "study", PEOPLE, presence=5)
    with (root / "PatientDiagnosis.csv").open("a") as table:
        table.write("B99-99,ALTA\n")
    ended = CliRunner().invoke(app, command(root, tmp_path / "out"))
    assert ended.exit_code == 1, ended.output
    assert "problem: 1 row of HP_WSI-CoordAnnotatedWindows.csv with a Presence outside -1, 0 and 1" in ended.output
    assert "1 patient of 12 with a diagnosis, but without any image" in ended.output
    assert "B99" not in ended.output
    assert (tmp_path / "out" / "report.html").is_file()
    page = (tmp_path / "out" / "report.html").read_text()
    assert "without any image" in page


def test_the_command_speaks_json_and_ends_with_0_where_all_fits(study: Path, tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, command(study, tmp_path / "out", "--profile", "histology", "--json"))
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["schema"] == "halescan.patients/1"
