"""Leaks planted in small data sets are found, ranked and told with the way out; clean ones are left in peace."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from halescan.data.table import read_cohort
from halescan.errors import OutputError, TableError
from halescan.evaluation.leaks import shortcut_warnings
from halescan.workflows.leaks import LeakReport, check_data, leaks
from tests.data.test_copies import body, jpeg
from tests.workflows.csv_rows import csv_rows

DATA = Path(os.environ.get("HALESCAN_DATA", Path(__file__).parents[3] / "shared" / "data"))
PARTS = ("train/healthy", "test/healthy", "test/abnormal")
COUNT = 16


def write_set(place: Path, *, count: int = COUNT) -> Path:
    """Different bodies in every part: nothing to find."""
    for number, part in enumerate(PARTS):
        (place / part).mkdir(parents=True)
        for n in range(count):
            body(1000 * number + n, 96).save(place / part / f"{n:03d}.png")
    return place


def write_table(place: Path, columns: dict[str, dict[str, str]]) -> None:
    """A manifest whose every column is given as file -> text."""
    names = sorted(path.relative_to(place).as_posix() for path in place.rglob("*.png"))
    lines = ["\t".join(["file", *columns])]
    lines += ["\t".join([name, *(texts.get(name, "") for texts in columns.values())]) for name in names]
    (place / "manifest.tsv").write_text("\n".join(lines) + "\n")


def files_of(place: Path, part: str = "") -> list[str]:
    return sorted(path.relative_to(place).as_posix() for path in (place / part).rglob("*.png"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("clean") / "set")


@pytest.fixture
def planted(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "planted"))


def keys(report: LeakReport) -> list[str]:
    return [leak.key for leak in report.warnings]


def found(report: LeakReport, key: str) -> str:
    return next(leak.sentence for leak in report.warnings if leak.key == key)


def test_a_clean_set_has_no_copies_and_no_telling_statistic(clean: Path) -> None:
    report = leaks(clean, jobs=1)
    assert report.record["n"] == {
        "scans": 3 * COUNT,
        "train_healthy": COUNT,
        "test_healthy": COUNT,
        "test_abnormal": COUNT,
    }
    assert keys(report) == ["patients-unknown"]
    assert "copies on both sides of the split" in report.record["not_found"]
    assert "patients on both sides of the split" not in report.record["not_found"]


def test_nothing_at_all_is_refused_rather_than_cleared(tmp_path: Path) -> None:
    (tmp_path / "set" / "test" / "healthy").mkdir(parents=True)
    with pytest.raises(TableError, match=r"no scan found\. Expected train/ and test/"):
        leaks(tmp_path / "set")


def test_without_split_and_labels_it_says_that_nothing_could_be_checked(tmp_path: Path) -> None:
    for n in range(4):
        (tmp_path / "scans").mkdir(exist_ok=True)
        body(n, 96).save(tmp_path / "scans" / f"{n}.png")
    report = leaks(tmp_path / "scans", jobs=1)
    said = "\n".join(report.lines())
    assert "nothing could be checked: there are no training scans and no labels; expected train/ and test/" in said
    assert "no leak found" not in said + report.markdown().lower()
    assert report.record["not_found"] == []


def test_without_training_scans_the_all_clear_is_of_the_rest_alone(clean: Path) -> None:
    report = leaks(clean / "test", jobs=1)
    assert report.warnings == ()
    assert "nothing found, but not all could be checked: there are no training scans; expected" in report.lines()[2]
    assert "could not be checked: copies and patients on both sides of the split (no training scans)" in report.lines()


def test_copies_across_the_split_are_found_by_bytes_by_pixels_and_by_look(planted: Path, tmp_path: Path) -> None:
    train, test = planted / "train/healthy", planted / "test/healthy"
    shutil.copy(train / "000.png", test / "bytes.png")
    Image.open(train / "001.png").save(test / "pixels.bmp")
    jpeg(ImageOps.mirror(Image.open(train / "002.png")), 60).save(test / "look.jpg")
    report = leaks(planted, out=tmp_path / "out", jobs=1)
    leak = report.warnings[0]
    assert (leak.key, leak.level) == ("copies", "grave")
    assert leak.sentence.startswith(f"3 of {2 * COUNT + 3} test scans (3 healthy, 0 abnormal)")
    assert report.record["copies"] == {"train and test": {"bytes": 1, "pixels": 1, "look": 1}}
    rows = csv_rows(tmp_path / "out/pairs.csv")
    assert {(row["file"], row["other_file"], row["same"], row["mirrored"]) for row in rows} == {
        ("healthy/000.png", "healthy/bytes.png", "bytes", "no"),
        ("healthy/001.png", "healthy/pixels.bmp", "pixels", "no"),
        ("healthy/002.png", "healthy/look.jpg", "look", "yes"),
    }


def test_one_picture_with_two_labels_is_found(planted: Path) -> None:
    shutil.copy(planted / "test/healthy/003.png", planted / "test/abnormal/again.png")
    report = leaks(planted, jobs=1)
    assert "1 pair of test scans shows the same picture" in found(report, "copies-with-two-labels")


def test_repeats_within_a_part_are_minor(planted: Path) -> None:
    for part in ("train/healthy", "test/abnormal"):
        shutil.copy(planted / part / "003.png", planted / part / "again.png")
    report = leaks(planted, jobs=1)
    levels = {leak.key: leak.level for leak in report.warnings}
    assert levels["repeats"] == levels["repeats-in-training"] == "minor"
    assert "copies" not in levels


def test_shared_patients_are_found_and_nobody_is_named(planted: Path, tmp_path: Path) -> None:
    names = {name: f"DOE^JOHN^{number}" for number, name in enumerate(files_of(planted))}
    names["test/abnormal/000.png"] = names["test/abnormal/001.png"] = names["train/healthy/005.png"]
    write_table(planted, {"patient": names})
    report = leaks(planted, out=tmp_path / "out", jobs=1)
    assert (report.warnings[0].key, report.warnings[0].level) == ("shared-patients", "grave")
    assert "1 patient lies on both sides of the split: 2 of 32 test scans" in report.warnings[0].sentence
    told = "\n".join(report.lines()) + json.dumps(report.record) + repr(report)
    told += "".join((tmp_path / "out" / name).read_text() for name in ("leaks.json", "leaks.md", "pairs.csv"))
    assert "DOE" not in told


def test_one_patients_slices_on_one_side_are_no_copies_of_each_other(planted: Path) -> None:
    shutil.copy(planted / "test/healthy/003.png", planted / "test/healthy/next.png")
    pixels = np.asarray(Image.open(planted / "test/healthy/next.png")).copy()
    pixels[50, 50] += 1  # nearly the same slice
    Image.fromarray(pixels).save(planted / "test/healthy/next.png")
    assert "repeats" in keys(leaks(planted, jobs=1))
    names = {name: str(number) for number, name in enumerate(files_of(planted))}
    names["test/healthy/next.png"] = names["test/healthy/003.png"]
    write_table(planted, {"patient": names})
    assert "repeats" not in keys(leaks(planted, jobs=1))


def test_a_shortcut_in_brightness_is_grave_with_its_direction(planted: Path) -> None:
    for path in (planted / "test/abnormal").iterdir():
        Image.open(path).point(lambda value: min(255, value + 40)).save(path)
    report = leaks(planted, jobs=1)
    leak = next(leak for leak in report.warnings if leak.key == "statistic")
    assert leak.level == "grave"
    row = report.record["statistics"]["brightness"]
    assert row["direction"] == "larger"
    assert row["auroc_either_direction"]["value"] > 0.95
    warned = {shortcut.name for shortcut in shortcut_warnings(0.9, report.record["statistics"])}
    assert "brightness" in warned


def test_classes_saved_in_two_ways_are_told_by_their_files(planted: Path) -> None:
    for path in sorted((planted / "test/abnormal").iterdir()):
        Image.open(path).save(path.with_suffix(".jpg"), quality=50)
        path.unlink()
    report = leaks(planted, jobs=1)
    assert report.record["statistics"]["file-ending"]["auroc_either_direction"]["value"] > 0.99
    assert "one export" in next(leak.way_out for leak in report.warnings if leak.values.get("kind") == "file")


def test_a_site_that_goes_with_the_label_is_grave_and_a_description_is_not(planted: Path) -> None:
    files = files_of(planted)
    sites = {name: "north" if "abnormal" in name or name.endswith(("0.png", "5.png")) else "south" for name in files}
    details = {name: "large" if "abnormal" in name else "none" for name in files}
    grades = {name: "2" for name in files if "abnormal" in name}
    write_table(planted, {"scanner": sites, "remark": details, "grade": grades})
    report = leaks(planted, jobs=1)
    column = next(leak for leak in report.warnings if leak.key == "column")
    assert (column.values["column"], column.level) == ("scanner", "grave")
    remark = next(leak for leak in report.warnings if leak.key == "column-is-the-label")
    assert (remark.values["column"], remark.level) == ("remark", "minor")
    assert report.record["columns"]["grade"] == {"why": "filled in for one class only"}


def test_slice_position_is_read_from_the_table(planted: Path) -> None:
    where = {
        name: f"slice {(5 if 'abnormal' in name else 15) + number % 4} of 24"
        for number, name in enumerate(files_of(planted))
    }
    write_table(planted, {"detail": where})
    report = leaks(planted, jobs=1)
    assert report.record["statistics"]["slice-position"]["auroc_either_direction"]["value"] == 1
    assert any(leak.values.get("kind") == "slice position" for leak in report.warnings)


def test_healthy_scans_from_another_source_in_the_test_part_are_told(planted: Path) -> None:
    for path in (planted / "train/healthy").iterdir():
        Image.open(path).resize((128, 128)).save(path)
    assert "AUROC of 1.00" in found(leaks(planted, jobs=1), "healthy-differ")


def test_the_worst_comes_first(planted: Path) -> None:
    shutil.copy(planted / "train/healthy/000.png", planted / "test/abnormal/copy.png")
    levels = [leak.level for leak in leaks(planted, jobs=1).warnings]
    assert levels == sorted(levels, key=["grave", "serious", "minor"].index)
    assert levels[0] == "grave"


def test_cohorts_in_two_places_are_checked_like_one(planted: Path) -> None:
    shutil.copy(planted / "train/healthy/000.png", planted / "test/healthy/copy.png")
    apart = check_data(read_cohort(planted / "train"), read_cohort(planted / "test"), jobs=1)
    both = leaks(planted, jobs=1)
    assert apart.record["warnings"] == both.record["warnings"]
    assert leaks(planted / "test", train=planted / "train", jobs=1).record["copies"] == both.record["copies"]


def test_scans_without_abnormal_ones_are_searched_for_copies_alone(planted: Path) -> None:
    shutil.copy(planted / "train/healthy/000.png", planted / "train/healthy/copy.png")
    report = check_data(None, read_cohort(planted / "train"), jobs=1)
    assert keys(report) == ["repeats"]
    assert "labelled healthy and abnormal" in "\n".join(report.lines())


def test_a_scan_that_cannot_be_read_is_named_and_stops_nothing(planted: Path) -> None:
    (planted / "test/healthy/bad.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    report = leaks(planted, jobs=1)
    assert len(report.record["problems"]) == 1
    assert "problem: bad.png" in "\n".join(report.lines())
    assert "repeats" not in keys(report)


def test_the_record_is_json_and_the_page_holds_every_statistic(clean: Path, tmp_path: Path) -> None:
    report = leaks(clean, out=tmp_path / "out", jobs=1)
    record = json.loads((tmp_path / "out/leaks.json").read_text())
    assert record == json.loads(json.dumps(report.record, allow_nan=False))
    page = (tmp_path / "out/leaks.md").read_text()
    assert all(f"| {name} |" in page for name in record["statistics"])


def test_another_check_is_not_replaced_unasked(clean: Path, tmp_path: Path) -> None:
    leaks(clean, out=tmp_path / "out", jobs=1)
    with pytest.raises(OutputError, match="--overwrite"):
        leaks(clean, out=tmp_path / "out", jobs=1)
    leaks(clean, out=tmp_path / "out", overwrite=True, jobs=1)


def test_threads_and_repetition_change_nothing(clean: Path) -> None:
    assert leaks(clean, jobs=1).record == leaks(clean, jobs=3).record


def real_report(name: str) -> LeakReport:
    if not (DATA / name).is_dir():
        pytest.skip(f"no images of {name}; point HALESCAN_DATA to them")
    return leaks(DATA / name, jobs=2)


def reached(report: LeakReport, name: str) -> float:
    return float(report.record["statistics"][name]["auroc_either_direction"]["value"])


def warned(report: LeakReport) -> str:
    return " ".join(leak.sentence for leak in report.warnings if leak.key == "statistic")


@pytest.mark.real
def test_in_the_x_rays_file_size_and_contrast_are_found_and_no_patient_is_shared() -> None:
    report = real_report("cxr-kermany")
    assert reached(report, "file-size") == pytest.approx(0.81, abs=0.03)
    assert reached(report, "contrast") == pytest.approx(0.71, abs=0.03)
    assert {"file-size", "contrast"} <= set(warned(report).replace(",", "").split())
    assert {"copies on both sides of the split", "patients on both sides of the split"} <= set(
        report.record["not_found"]
    )


@pytest.mark.real
def test_in_the_lung_slices_brightness_contrast_and_size_and_shared_people_are_found() -> None:
    report = real_report("ct-sarscov2")
    assert reached(report, "brightness") > 0.65
    assert {"contrast", "brightness", "file-size"} <= set(warned(report).replace(",", "").split())
    copies = next(leak for leak in report.warnings if leak.key == "copies")
    assert copies.level == "grave"
    assert copies.values["healthy"] >= 30
    assert copies.values["abnormal"] == 0


@pytest.mark.real
def test_in_the_brain_slices_contrast_is_found_and_matched_position_is_not() -> None:
    report = real_report("mri-lgg-flair")
    assert "contrast" in warned(report)
    assert reached(report, "slice-position") < 0.56
    assert "copies on both sides of the split" in report.record["not_found"]


@pytest.mark.real
def test_in_the_ultrasound_copies_of_training_images_and_contrast_are_found() -> None:
    report = real_report("us-busi")
    assert "contrast" in warned(report)
    copies = next(leak for leak in report.warnings if leak.key == "copies")
    assert copies.values["healthy"] >= 8
    assert copies.values["abnormal"] == 0


@pytest.mark.real
def test_in_the_biopsies_nothing_is_copied_and_healthy_patches_differ_between_the_parts() -> None:
    report = real_report("histo-hpylori")
    assert "copies on both sides of the split" in report.record["not_found"]
    assert "healthy-differ" in keys(report)
