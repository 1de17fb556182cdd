"""Finding lungs in CT."""

from pathlib import Path

import pytest

from halescan.data.table import read_cohort
from halescan.errors import LayoutError
from tests.data.layouts.made import drawn, finding_lungs


def test_slices_have_no_label_and_their_lung_masks_are_no_lesions(tmp_path: Path) -> None:
    root = finding_lungs(tmp_path / "lungs")
    cohort = read_cohort(root)
    assert [(item.source.path.name, item.label, item.mask, item.patient) for item in cohort.items] == [
        ("ID_0000_Z_0142.tif", None, None, "0000"),
        ("ID_0067_Z_0238.tif", None, None, "0067"),
    ]
    assert cohort.items[0].extra["lungs"] == str(root / "2d_masks/ID_0000_Z_0142.tif")
    assert "nobody says which of these scans are healthy" in cohort.remarks[0]


def test_volumes_are_a_choice(tmp_path: Path) -> None:
    root = finding_lungs(tmp_path / "lungs")
    (item,) = read_cohort(root, layout="finding-lungs:take=volumes").items
    assert item.source.path.name == "IMG_0002.nii.gz"
    assert item.extra["lungs"].endswith("MASK_0002.nii.gz")


def test_what_is_not_there_is_named_with_the_other_choice(tmp_path: Path) -> None:
    root = finding_lungs(tmp_path / "lungs")
    for file in sorted((root / "2d_images").iterdir()):
        file.unlink()
    with pytest.raises(LayoutError, match=r"has no image in 2d_images/\. Unpack it, or choose finding-lungs:take=vol"):
        read_cohort(root)


def test_a_mask_without_image_is_refused(tmp_path: Path) -> None:
    root = finding_lungs(tmp_path / "lungs")
    drawn(root / "2d_masks/ID_0999_Z_0001.tif")
    with pytest.raises(LayoutError, match="1 mask without an image"):
        read_cohort(root)
