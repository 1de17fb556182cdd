"""BraTS folders: slices by their segmentation, matched by height; volumes; contrasts and years."""

from pathlib import Path

import numpy as np
import pytest

from halescan.data.table import read_cohort
from halescan.errors import LayoutError, SettingError
from halescan.io import read
from halescan.workflows.healthy import cohort_fingerprint
from tests.data.layouts.made import brats, brats_case, volume


def test_slices_are_healthy_where_no_tumour_is_near_and_abnormal_where_one_is_drawn(tmp_path: Path) -> None:
    root = brats(tmp_path / "BraTS")
    items = read_cohort(root, layout="brats:every=1").items
    assert len(items) > 20
    for item in items:
        z = item.source.slice_index
        tumour = range(5, 17) if int(str(item.patient)[-1]) % 2 else range(23, 35)
        assert z is not None
        assert item.source.path.name.endswith("_flair.nii.gz")
        if item.label == "abnormal":
            assert z in tumour
            assert read(item.mask).pixels.astype(bool).sum() == 64  # type: ignore[arg-type]
        else:
            assert min(abs(z - other) for other in tumour) > 5
            assert item.mask is None


def test_in_each_part_and_at_every_height_both_classes_are_as_many(tmp_path: Path) -> None:
    items = read_cohort(brats(tmp_path / "BraTS"), layout="brats:every=1").items
    for split in ("train", "test"):
        counts: dict[tuple[int, str], int] = {}
        for item in items:
            if item.split == split:
                key = (int(float(item.extra["height"]) * 20), str(item.label))
                counts[key] = counts.get(key, 0) + 1
        assert counts
        assert all(counts[height, "healthy"] == counts[height, "abnormal"] for height, _ in counts)


def test_no_patient_is_in_both_parts_and_a_share_can_be_chosen(tmp_path: Path) -> None:
    root = brats(tmp_path / "BraTS")
    half = read_cohort(root, layout="brats:test=0.5,every=1").items
    sides = [{item.patient for item in half if item.split == split} for split in ("train", "test")]
    assert not sides[0] & sides[1]
    assert sides[0]
    assert sides[1]
    assert {item.split for item in read_cohort(root, layout="brats:test=0").items} == {"train"}


def test_a_slice_lies_where_it_lay_in_its_volume(tmp_path: Path) -> None:
    root = brats(tmp_path / "BraTS")
    item = next(item for item in read_cohort(root).items if item.label == "abnormal")
    cut, mask = read(item.source), read(item.mask)  # type: ignore[arg-type]
    whole = read(item.source.path)
    z = item.source.slice_index
    assert z is not None
    np.testing.assert_array_equal(cut.pixels, whole.pixels[z])
    assert whole.affine_lps is not None
    assert cut.affine_lps is not None
    np.testing.assert_allclose(cut.affine_lps @ [0, 3, 4, 1], whole.affine_lps @ [z, 3, 4, 1])
    np.testing.assert_array_equal(cut.affine_lps, mask.affine_lps)


@pytest.mark.parametrize(("contrast", "ending"), [("t1", "t1n"), ("t1ce", "t1c"), ("t2", "t2w"), ("flair", "t2f")])
def test_a_contrast_has_the_name_of_its_year(contrast: str, ending: str, tmp_path: Path) -> None:
    for visit in (0, 1):
        brats_case(tmp_path / "set", f"BraTS-GLI-00005-00{visit}", range(5 + 15 * visit, 17 + 15 * visit), year=2023)
    brats_case(tmp_path / "set", "BraTS-GLI-00006-000", range(5, 17), year=2023)
    cohort = read_cohort(tmp_path / "set", layout=f"brats:contrast={contrast},take=volumes")
    assert [item.source.path.name.rpartition("-")[2] for item in cohort.items] == [f"{ending}.nii.gz"] * 3
    assert [item.patient for item in cohort.items] == ["BraTS-GLI-00005"] * 2 + ["BraTS-GLI-00006"]
    assert len({item.study for item in cohort.items}) == 3
    assert all(str(item.mask).endswith("-seg.nii.gz") for item in cohort.items)


def test_cases_without_segmentation_are_whole_volumes_without_a_label(tmp_path: Path) -> None:
    brats_case(tmp_path, "BraTS-GLI-00001-000", range(5, 9), year=2023)
    (tmp_path / "BraTS-GLI-00001-000/BraTS-GLI-00001-000-seg.nii.gz").unlink()
    for place in (tmp_path, tmp_path / "BraTS-GLI-00001-000"):
        cohort = read_cohort(place)
        assert [(item.label, item.mask, item.source.slice_index) for item in cohort.items] == [(None, None, None)]
        assert "no label" in cohort.remarks[0]


def test_parts_that_folders_name_are_kept(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "train", "test", "test")):
        brats_case(tmp_path / part, f"BraTS2021_{number:05d}", range(5, 17) if number % 2 else range(23, 35))
    items = read_cohort(tmp_path).items
    assert {(str(item.patient)[-1], item.split) for item in items} <= {
        ("0", "train"), ("1", "train"), ("2", "test"), ("3", "test"),
    }  # fmt: skip
    assert read_cohort(tmp_path / "test").items == tuple(item for item in items if item.split == "test")


def test_a_case_without_its_segmentation_among_others_is_named(tmp_path: Path) -> None:
    root = brats(tmp_path / "BraTS")
    (root / "BraTS2021_00003/BraTS2021_00003_seg.nii.gz").rename(root / "BraTS2021_00003/W39_Segm.nii.gz")
    with pytest.raises(LayoutError, match=r"1 of 8 cases have no seg: BraTS2021_00003\. Add the file"):
        read_cohort(root)


def test_a_case_without_the_contrast_is_named(tmp_path: Path) -> None:
    root = brats(tmp_path / "BraTS")
    (root / "BraTS2021_00003/BraTS2021_00003_t2.nii.gz").unlink()
    assert len(read_cohort(root)) > 0
    with pytest.raises(LayoutError, match="1 of 8 cases have no t2"):
        read_cohort(root, layout="brats:contrast=t2")


def test_a_damaged_case_is_told_about_and_stops_nothing(tmp_path: Path) -> None:
    root = brats(tmp_path / "BraTS")
    (root / "BraTS2021_00003/BraTS2021_00003_seg.nii.gz").write_bytes(b"\x1f\x8b broken")
    cohort = read_cohort(root, layout="brats:every=1")
    assert len(cohort.problems) == 1
    assert len(cohort) > 0


def test_a_segmentation_in_which_nothing_is_drawn_makes_every_slice_healthy(tmp_path: Path) -> None:
    root = brats(tmp_path / "BraTS")
    seg = root / "BraTS2021_00003/BraTS2021_00003_seg.nii.gz"
    volume(seg, np.zeros((40, 16, 16), np.int16))
    cohort = read_cohort(root, layout="brats:every=1")
    assert not cohort.problems
    assert {item.label for item in cohort.items if item.patient == "BraTS2021_00003"} == {"healthy"}


def test_slices_with_little_brain_are_left_out(tmp_path: Path) -> None:
    root = brats(tmp_path / "BraTS")
    flair = root / "BraTS2021_00003/BraTS2021_00003_flair.nii.gz"
    whole = read(flair).pixels.copy()
    whole[:20] = 0
    volume(flair, whole)
    kept = [item for item in read_cohort(root, layout="brats:every=1").items if item.patient == "BraTS2021_00003"]
    assert all((item.source.slice_index or 0) >= 20 for item in kept)


def test_where_no_height_has_both_classes_the_way_out_is_named(tmp_path: Path) -> None:
    brats_case(tmp_path, "BraTS2021_00000", range(5, 17))
    with pytest.raises(LayoutError, match=r"no healthy one lies as high as an abnormal one\. Add cases"):
        read_cohort(tmp_path)


@pytest.mark.parametrize("option", ["test=2", "every=0", "gap=-1", "least=many", "every=1.5"])
def test_numbers_out_of_range_are_refused(option: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=f"brats: {option} must be a number from"):
        read_cohort(brats(tmp_path / "BraTS"), layout=f"brats:{option}")


def test_three_contrasts_are_stacked_as_channels(tmp_path: Path) -> None:
    root = brats(tmp_path / "BraTS")
    item = next(item for item in read_cohort(root, layout="brats:contrast=t2+flair+t1").items if item.mask is not None)
    scan = read(item.source)
    assert scan.pixels.shape == (16, 16, 3)
    assert [path.name.rpartition("_")[2] for path in item.source.files] == ["t2.nii.gz", "flair.nii.gz", "t1.nii.gz"]
    assert read(item.mask).pixels.shape == (16, 16)  # type: ignore[arg-type]


def test_the_order_of_contrasts_makes_another_cohort(tmp_path: Path) -> None:
    root = brats(tmp_path / "BraTS")
    one, other = (read_cohort(root, layout=f"brats:contrast={words}") for words in ("flair+t1+t2", "flair+t2+t1"))
    assert cohort_fingerprint(one) != cohort_fingerprint(other)


@pytest.mark.parametrize("words", ["flair+t1", "flair+flair+t1", "flair+t1+pd"])
def test_no_other_number_of_contrasts_is_stacked(words: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="or three of them"):
        read_cohort(brats(tmp_path / "BraTS"), layout=f"brats:contrast={words}")


def test_a_part_that_is_left_empty_is_told_of(tmp_path: Path) -> None:
    for number in range(3):  # the hash tests on one patient, whose slices have no partner at their height
        brats_case(tmp_path / "BraTS", f"BraTS2021_{number:05d}", range(5, 17) if number else range(23, 35))
    cohort = read_cohort(tmp_path / "BraTS", layout="brats:every=1")
    assert {item.split for item in cohort.items} == {"train"}
    assert any("lie in the train part, the test part is empty: add cases" in remark for remark in cohort.remarks)
