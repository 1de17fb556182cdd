"""MedMNIST files: classes and the choice of what is healthy."""

from pathlib import Path

import numpy as np
import pytest

from halescan.data.table import read_cohort
from halescan.errors import LayoutError
from halescan.io import read
from tests.data.layouts.made import medmnist


def test_a_set_with_a_class_called_normal_needs_no_choice_but_says_what_it_took(tmp_path: Path) -> None:
    cohort = read_cohort(medmnist(tmp_path))
    assert len(cohort) == 12
    test = [item for item in cohort.items if item.split == "test"]
    assert [item.label for item in test] == ["healthy", "abnormal", "healthy", "abnormal"]
    assert {item.split for item in cohort.items} == {"train", "valid", "test"}
    assert cohort.remarks == ("MedMNIST: class 0 is taken to be healthy, every other class abnormal",)


def test_an_item_is_the_image_of_its_part(tmp_path: Path) -> None:
    file = medmnist(tmp_path)
    arrays = np.load(file)
    for item in read_cohort(file).items:
        np.testing.assert_array_equal(read(item.source).pixels, arrays[item.source.part or ""][item.source.index])


def test_a_set_without_such_a_class_asks(tmp_path: Path) -> None:
    file = medmnist(tmp_path, "pathmnist", (6, 8, 0, 6))
    with pytest.raises(LayoutError, match=r"which class of it is healthy\?.*layout='medmnist:healthy=0'"):
        read_cohort(file)
    cohort = read_cohort(file, layout="medmnist:healthy=6,abnormal=8")
    assert [item.label for item in cohort.items if item.split == "test"] == ["healthy", "abnormal", "healthy"]
    assert cohort.remarks[1] == "3 images of other classes are left out"


def test_of_several_findings_none_is_healthy(tmp_path: Path) -> None:
    file = medmnist(tmp_path, "chestmnist", [[0] * 14, [0, 1] + [0] * 12, [1, 1] + [0] * 12])
    items = [item for item in read_cohort(file).items if item.split == "test"]
    assert [(item.label, item.extra["class"]) for item in items] == [
        ("healthy", "none"), ("abnormal", "1"), ("abnormal", "0+1"),
    ]  # fmt: skip


def test_larger_versions_are_known_by_their_first_name(tmp_path: Path) -> None:
    assert len(read_cohort(medmnist(tmp_path, "octmnist_224", (3, 0, 3)))) == 9


def test_a_folder_that_holds_the_file_alone_is_the_set(tmp_path: Path) -> None:
    medmnist(tmp_path / "x")
    assert len(read_cohort(tmp_path / "x")) == 12


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("healthy=normal", "'normal' is no class; give numbers"),
        ("healthy=7", "has no image of class 7, which is to be healthy"),
        ("healthy=0,abnormal=5", "has no image of class 5, which is to be abnormal"),
        ("healthy=0+1", "has no image of class other, which is to be abnormal"),
    ],
)
def test_a_choice_that_fits_no_image_is_refused(options: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=said):
        read_cohort(medmnist(tmp_path), layout=f"medmnist:{options}")


def test_labels_that_are_missing_or_no_numbers_are_refused(tmp_path: Path) -> None:
    images = np.zeros((3, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", train_images=images, train_labels=np.zeros((2, 1), np.uint8))
    with pytest.raises(LayoutError, match="image 2 of train_images has no label"):
        read_cohort(tmp_path / "a.npz", layout="medmnist:healthy=0")
    np.savez(tmp_path / "b.npz", train_images=images, train_labels=np.array(["a", "b", "c"]))
    with pytest.raises(LayoutError, match="no class numbers"):
        read_cohort(tmp_path / "b.npz", layout="medmnist:healthy=0")
    np.savez(tmp_path / "c.npz", train_images=images, train_labels=np.array([{}, 1, 2], dtype=object))
    with pytest.raises(LayoutError, match="damaged, or its labels are no numbers"):
        read_cohort(tmp_path / "c.npz", layout="medmnist:healthy=0")


def test_images_in_one_file_are_no_copies_of_each_other(tmp_path: Path) -> None:
    assert read_cohort(medmnist(tmp_path)).notes == ()
