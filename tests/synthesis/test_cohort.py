"""A phantom cohort on disk: read back by the formats' own libraries, with nothing given away by its names."""

import csv

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from halescan.errors import OutputError, SettingError
from halescan.synthesis import chest_slice, write_cohort, write_test_set
from halescan.synthesis.cohort import write_dicom, write_nifti


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("cohort"), healthy=3, unseen=5, lesions=3, seed=1)


def _truth(folders) -> list[dict[str, str]]:
    with (folders.truth / "truth.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_healthy_new_and_truth_lie_in_their_folders(cohort) -> None:
    assert len(list(cohort.healthy.glob("*.dcm"))) == 3
    assert sorted(path.name for path in cohort.new.iterdir()) == [f"case-{letter}.dcm" for letter in "abcde"]
    assert len(list(cohort.truth.glob("*.png"))) == 3


def test_the_truth_names_one_lesion_of_each_kind(cohort) -> None:
    rows = _truth(cohort)
    assert sorted(row["kind"] for row in rows) == ["", "", "consolidation", "effusion", "nodule"]
    assert all((row["label"] == "abnormal") == bool(row["mask"]) == bool(row["diameter_mm"]) for row in rows)


def test_no_file_of_a_new_case_says_what_it_is(cohort) -> None:
    for path in cohort.new.iterdir():
        text = str(pydicom.dcmread(path)).lower()
        assert not any(word in text for word in ("lesion", "nodule", "healthy", "abnormal", "effusion"))


def test_a_mask_lies_on_its_lesion(cohort) -> None:
    for row in _truth(cohort):
        if row["mask"]:
            data = pydicom.dcmread(cohort.new / row["file"])
            mask = np.asarray(Image.open(cohort.truth / row["mask"])) > 0
            assert mask.shape == data.pixel_array.shape
            assert (data.pixel_array[mask] - 1024.0).mean() > -450


def test_every_person_is_another_patient_study_and_series(cohort) -> None:
    files = [*cohort.healthy.iterdir(), *cohort.new.iterdir()]
    for tag in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert len({pydicom.dcmread(path)[tag].value for path in files}) == len(files)


def test_a_dicom_slice_keeps_hounsfield_units_and_place(tmp_path) -> None:
    scan = chest_slice(4)
    write_dicom(scan, tmp_path / "a.dcm", number=4)
    data = pydicom.dcmread(tmp_path / "a.dcm")
    hounsfield = data.pixel_array * float(data.RescaleSlope) + float(data.RescaleIntercept)
    np.testing.assert_allclose(hounsfield, np.clip(scan.pixels, -1024, 3071), atol=0.5)
    assert [float(step) for step in data.PixelSpacing] == pytest.approx(scan.spacing_mm, abs=1e-6)
    assert [float(place) for place in data.ImagePositionPatient] == pytest.approx(scan.affine_lps[:3, 3], abs=1e-4)


def test_a_nifti_volume_stands_upright_in_ras(tmp_path) -> None:
    pixels = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    affine = np.array([[0, 0, 3.0, -10], [0, 2.0, 0, -20], [5.0, 0, 0, 30], [0, 0, 0, 1]])
    write_nifti(pixels, affine, tmp_path / "a.nii.gz")
    image = nibabel.load(tmp_path / "a.nii.gz")
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S")
    np.testing.assert_array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), pixels)
    np.testing.assert_allclose(image.affine @ [0, 0, 0, 1], [10, 20, 30, 1])


def test_volumes_are_written_with_their_masks(tmp_path, monkeypatch) -> None:
    from halescan.synthesis import chest_volume, cohort

    monkeypatch.setattr(cohort, "chest_volume", lambda number: chest_volume(number, size=(16, 48, 48)))
    folders = write_cohort(tmp_path, healthy=1, unseen=2, lesions=1, dims=3)
    (row,) = [row for row in _truth(folders) if row["mask"]]
    image, mask = nibabel.load(folders.new / row["file"]), nibabel.load(folders.truth / row["mask"])
    assert image.get_data_dtype() == np.int16
    assert set(np.unique(mask.dataobj)) == {0, 1}
    np.testing.assert_array_equal(image.affine, mask.affine)


def test_the_same_seed_writes_the_same_bytes_and_another_seed_other_people(tmp_path) -> None:
    first, again, other = (
        write_cohort(tmp_path / name, healthy=1, unseen=1, lesions=1, seed=seed)
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    one, same, another = ((part.new / "case-a.dcm").read_bytes() for part in (first, again, other))
    assert one == same
    assert one != another


def test_a_test_set_has_the_layout_that_evaluate_reads(tmp_path) -> None:
    write_test_set(tmp_path, healthy=2, abnormal=2)
    names = {folder: sorted(path.stem for path in (tmp_path / folder).iterdir()) for folder in ("abnormal", "masks")}
    assert names["abnormal"] == names["masks"] == ["test-0003", "test-0004"]
    assert len(list((tmp_path / "healthy").iterdir())) == 2


def test_an_earlier_cohort_is_not_mixed_with_a_new_one(tmp_path) -> None:
    write_cohort(tmp_path, healthy=1, unseen=0, lesions=0)
    with pytest.raises(OutputError, match="expected it empty"):
        write_cohort(tmp_path, healthy=1, unseen=0, lesions=0)


def test_a_folder_that_cannot_be_made_is_our_own_error(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        write_cohort(tmp_path / "file", healthy=1)


@pytest.mark.parametrize("wrong", [{"lesions": 6, "unseen": 5}, {"healthy": -1}, {"dims": 4}])
def test_impossible_counts_are_refused(tmp_path, wrong: dict) -> None:
    with pytest.raises(SettingError):
        write_cohort(tmp_path, **wrong)
