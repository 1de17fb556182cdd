"""The pneumonia X-rays, and what their file names say of the patient."""

from pathlib import Path

import pytest

from halescan.data.table import read_cohort
from halescan.errors import LayoutError
from tests.data.layouts.made import pictures, pneumonia


def test_labels_parts_patients_and_germs(tmp_path: Path) -> None:
    items = {item.source.path.name: item for item in read_cohort(pneumonia(tmp_path / "chest_xray")).items}
    assert len(items) == 9
    virus = items["person1_virus_7.jpeg"]
    assert (virus.label, virus.split, virus.patient, virus.extra["cause"]) == (
        "abnormal", "test", "person1_virus", "virus",
    )  # fmt: skip
    assert items["person1_virus_6.jpeg"].patient == virus.patient
    assert items["NORMAL2-IM-1427-0001.jpeg"].split == "valid"
    assert items["IM-0115-0001.jpeg"].patient == "IM-0115"


def test_persons_of_either_germ_are_counted_apart_so_that_no_patient_is_in_both_parts(tmp_path: Path) -> None:
    cohort = read_cohort(pneumonia(tmp_path / "chest_xray"))
    assert "patient-in-both-splits" not in {note.key for note in cohort.notes}
    assert cohort.patients == 7


def test_the_two_folders_alone_have_no_parts_unless_they_lie_in_one(tmp_path: Path) -> None:
    pictures(tmp_path / "x/NORMAL", "IM-0115-0001.jpeg")
    pictures(tmp_path / "x/PNEUMONIA", "person1_virus_6.jpeg")
    assert {item.split for item in read_cohort(tmp_path / "x").items} == {None}
    (tmp_path / "x").rename(tmp_path / "test")
    assert {item.split for item in read_cohort(tmp_path / "test").items} == {"test"}


def test_one_folder_of_them_knows_its_patients(tmp_path: Path) -> None:
    root = pneumonia(tmp_path / "chest_xray")
    cohort = read_cohort(root / "train/NORMAL", label="healthy")
    assert cohort.summary() == "2 images of 2 patients"


def test_a_set_without_healthy_images_is_refused(tmp_path: Path) -> None:
    pictures(tmp_path / "train/PNEUMONIA", "person1_virus_6.jpeg")
    with pytest.raises(LayoutError, match="has no image in a folder NORMAL/"):
        read_cohort(tmp_path, layout="pneumonia")
