"""Cohorts from folders, manifests, tables and headers."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from halescan.data.table import read_cohort
from halescan.errors import ScanError, TableError
from tests.data.scenes import REAL


def picture(file: Path, seed: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 9), dtype=np.uint8)
    Image.fromarray(coarse).resize((24, 24), Image.Resampling.BICUBIC).save(file)
    return file


def dicom(file: Path, patient: str, study: str) -> None:
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = DigitalXRayImageStorageForPresentation
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.Modality, data.PatientID, data.StudyInstanceUID, data.SeriesInstanceUID = "DX", patient, study, generate_uid()
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = 12, 12, 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = np.random.default_rng(len(study)).integers(0, 4000, 144, dtype=np.uint16).tobytes()
    data.save_as(file, enforce_file_format=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """healthy/ with three, abnormal/ with two, masks/ for one; a manifest that knows the patients of four."""
    for number in range(3):
        picture(tmp_path / "test" / "healthy" / f"h{number}.png", number)
    for number in range(2):
        picture(tmp_path / "test" / "abnormal" / f"a{number}.png", 10 + number)
    picture(tmp_path / "test" / "masks" / "a1.png", 20)
    return tmp_path


def manifest(folder: Path, *lines: str) -> Path:
    file = folder / "manifest.tsv"
    file.write_text("\n".join(line.replace(" ", "\t") for line in ("file patient label split", *lines)) + "\n")
    return file


def test_folders_label_their_scans_and_masks_are_found_by_their_stem(folder: Path) -> None:
    cohort = read_cohort(folder / "test")
    assert [item.source.path.stem for item in cohort.items] == ["a0", "a1", "h0", "h1", "h2"]
    assert [item.label for item in cohort.items] == ["abnormal"] * 2 + ["healthy"] * 3
    assert [item.mask.name if item.mask else None for item in cohort.items] == [None, "a1.png", None, None, None]
    assert {item.split for item in cohort.items} == {"test"}
    assert cohort.summary() == "5 images, patients unknown"


def test_the_folder_of_one_label_alone_is_labelled_too(folder: Path) -> None:
    assert {item.label for item in read_cohort(folder / "test" / "healthy").items} == {"healthy"}


def test_the_nearest_manifest_that_names_the_files_tells_of_patients(folder: Path) -> None:
    manifest(
        folder,
        "test/healthy/h0.png p1 healthy test",
        "test/healthy/h1.png p1 healthy test",
        "test/healthy/h2.png p2 healthy test",
    )
    (folder / "test" / "manifest.csv").write_text("file,patient\nelsewhere.png,p9\n")
    cohort = read_cohort(folder / "test" / "healthy")
    assert cohort.summary() == "3 images of 2 patients"
    assert cohort.patients == 2
    groups = cohort.groups()
    assert groups[0] == groups[1] != groups[2]


def test_files_that_the_manifest_does_not_know_are_kept_and_counted(folder: Path) -> None:
    manifest(folder, "test/healthy/h0.png p1 healthy test")
    cohort = read_cohort(folder / "test")
    assert len(cohort) == 5
    assert [(note.key, note.values["count"]) for note in cohort.notes] == [("not-in-table", 4)]
    assert cohort.summary() == "5 images of 1 patient, 4 without a patient"
    assert cohort.patients is None


def test_a_table_that_is_named_decides_which_scans_there_are(folder: Path) -> None:
    table = manifest(folder, "test/healthy/h0.png p1 0 train", "test/abnormal/a1.png p2 1 test")
    for cohort in (read_cohort(folder, table=table), read_cohort(table)):
        assert [(item.source.path.name, item.label, item.split) for item in cohort.items] == [
            ("a1.png", "abnormal", "test"),
            ("h0.png", "healthy", "train"),
        ]


def test_a_table_may_name_many_files_of_one_folder(folder: Path) -> None:
    names = [picture(folder / "many" / f"{number:02}.png", number).name for number in range(12)]
    table = manifest(folder, *(f"many/{name} p{name} 0 train" for name in names[:10]))
    assert [item.source.path.name for item in read_cohort(table).items] == names[:10]


def test_a_table_that_names_missing_files_is_refused(folder: Path) -> None:
    table = manifest(folder, "test/healthy/h0.png p1 0 train", "gone.png p2 1 test")
    with pytest.raises(TableError, match=r"1 of 2 files it names are not there: .*gone\.png"):
        read_cohort(folder, table=table)


def test_a_table_about_another_place_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = manifest(folder, "test/healthy/h0.png p1 0 train")
    with pytest.raises(TableError, match="names no file below"):
        read_cohort(tmp_path_factory.mktemp("elsewhere"), table=table)


def test_a_label_or_a_split_that_is_asked_for_filters_and_says_so(folder: Path) -> None:
    cohort = read_cohort(folder / "test", label="healthy")
    assert [item.source.path.stem for item in cohort.items] == ["h0", "h1", "h2"]
    assert [(note.key, note.values["count"]) for note in cohort.notes] == [("left-out", 2)]
    assert len(read_cohort(folder, split="train")) == 0


def test_scans_that_nobody_labelled_take_the_label_asked_for(tmp_path: Path) -> None:
    picture(tmp_path / "x.png", 0)
    assert read_cohort(tmp_path, label="healthy").items[0].label == "healthy"
    assert read_cohort(tmp_path).items[0].label is None


def test_a_patient_on_both_sides_of_a_split_is_noticed(folder: Path) -> None:
    manifest(folder, "test/healthy/h0.png p1 healthy train", "test/healthy/h1.png p1 healthy test")
    notes = {note.key: note.values for note in read_cohort(folder / "test").notes}
    assert notes["patient-in-both-splits"]["count"] == 1


def test_copies_are_noticed_and_stay_together(folder: Path) -> None:
    healthy = folder / "test" / "healthy"
    (folder / "test" / "abnormal" / "copy.png").write_bytes((healthy / "h0.png").read_bytes())
    cohort = read_cohort(folder / "test")
    assert {note.key: note.values["count"] for note in cohort.notes} == {
        "duplicates": 1,
        "duplicates-with-other-labels": 1,
    }
    groups = dict(zip([item.source.path.stem for item in cohort.items], cohort.groups(), strict=True))
    assert groups["copy"] == groups["h0"]
    assert len(set(groups.values())) == 5


def test_copies_join_the_units_of_two_patients(folder: Path) -> None:
    healthy = folder / "test" / "healthy"
    (healthy / "h1.png").write_bytes((healthy / "h0.png").read_bytes())
    manifest(folder, *(f"test/healthy/h{number}.png p{number} healthy test" for number in range(3)))
    groups = read_cohort(healthy).groups()
    assert groups[0] == groups[1] != groups[2]


def test_dicom_headers_name_patient_and_study_unless_a_table_does(tmp_path: Path) -> None:
    for number in range(3):
        dicom(tmp_path / f"{number}.dcm", patient=f"ID{number // 2}", study=f"1.2.{number // 2}")
    cohort = read_cohort(tmp_path)
    assert cohort.summary() == "3 images of 2 patients"
    assert len({item.study for item in cohort.items}) == 2
    manifest(tmp_path, *(f"{number}.dcm same healthy train" for number in range(3)))
    assert read_cohort(tmp_path).patients == 1


def test_no_id_appears_in_what_is_printed(tmp_path: Path) -> None:
    dicom(tmp_path / "a.dcm", patient="SECRET-7", study="1.2.3.4567")
    cohort = read_cohort(tmp_path)
    assert cohort.items[0].patient == "SECRET-7"
    assert "SECRET" not in repr(cohort)
    assert "4567" not in repr(cohort.items[0])


def test_an_empty_file_does_not_hide_the_others(folder: Path) -> None:
    (folder / "test" / "healthy" / "empty.png").touch()
    cohort = read_cohort(folder / "test" / "healthy")
    assert sum(item.source.path.name != "empty.png" for item in cohort.items) == 3


def test_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScanError):
        read_cohort(tmp_path / "none")


def test_a_subset_keeps_the_order_asked_for(folder: Path) -> None:
    some = read_cohort(folder / "test").subset(np.array([4, 0]))
    assert [item.source.path.stem for item in some.items] == ["h2", "a0"]


@pytest.mark.real
def test_the_real_x_rays_have_their_patients() -> None:
    if not (REAL / "cxr-kermany").is_dir():
        pytest.skip("no X-rays; point HALESCAN_DATA to them")
    cohort = read_cohort(REAL / "cxr-kermany" / "train" / "healthy", label="healthy", split="train")
    assert cohort.summary() == "1000 images of 913 patients"
    assert len(set(cohort.groups())) == 913
