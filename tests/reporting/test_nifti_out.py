"""The map lies on the scan."""

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.errors import OutputError, ShapeError
from halescan.reporting.nifti_out import STEPS, affine_ras, write_map
from halescan.types import Scan
from tests.reporting.cases import AXIAL, flat_scan, volume_scan


def test_the_map_comes_back_voxel_by_voxel(tmp_path):
    result = volume_scan()
    write_map(result.scan, result.tail, tmp_path / "map.nii.gz")
    image = nibabel.load(tmp_path / "map.nii.gz")
    assert np.abs(np.asarray(image.dataobj) - result.tail.T).max() <= 0.5 / STEPS
    assert image.header.get_xyzt_units()[0] == "mm"


def test_values_without_a_share_are_zero_and_endless_ones_the_largest(tmp_path):
    tail = np.array([[np.nan, np.inf], [-1.0, 2.0]])
    write_map(Scan(np.zeros((2, 2)), 2), tail, tmp_path / "map.nii.gz")
    values = np.asarray(nibabel.load(tmp_path / "map.nii.gz").dataobj)[..., 0].T
    assert np.allclose(values, [[0, 32767 / STEPS], [0, 2]])


def test_a_voxel_keeps_its_place_in_the_patient(tmp_path):
    result = volume_scan()
    write_map(result.scan, result.tail, tmp_path / "map.nii.gz")
    image = nibabel.load(tmp_path / "map.nii.gz")
    lps = AXIAL @ [4, 24, 12, 1]
    assert np.allclose(image.affine @ [12, 24, 4, 1], [-lps[0], -lps[1], lps[2], 1])
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)


@given(st.lists(st.floats(-3, 3), min_size=12, max_size=12))
@settings(deadline=None, max_examples=30)
def test_a_nifti_affine_comes_back_as_it_was(numbers):
    ras = np.vstack([np.array(numbers).reshape(3, 4), [0, 0, 0, 1]])
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0])
    lps = to_lps @ ras @ np.eye(4)[:, [2, 1, 0, 3]]
    scan = Scan(pixels=np.zeros((2, 3, 4)), dims=3, affine_lps=lps)
    assert np.array_equal(affine_ras(scan), ras + 0.0)


def test_a_sheared_affine_is_written_as_sform_alone(tmp_path):
    sheared = AXIAL.copy()
    sheared[1, 0] = 2.0
    write_map(Scan(np.zeros((3, 4, 5)), 3, affine_lps=sheared), np.ones((3, 4, 5)), tmp_path / "map.nii.gz")
    image = nibabel.load(tmp_path / "map.nii.gz")
    assert int(image.header["qform_code"]) == 0
    assert np.allclose(image.affine, affine_ras(Scan(np.zeros((3, 4, 5)), 3, affine_lps=sheared)))


def test_a_flat_scan_becomes_one_slice_without_a_claimed_place(tmp_path):
    result = flat_scan()
    write_map(result.scan, result.tail, tmp_path / "map.nii.gz")
    image = nibabel.load(tmp_path / "map.nii.gz")
    assert image.shape == (80, 96, 1)
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (0, 0)
    assert image.header.get_zooms() == (1, 1, 1)


def test_spacing_is_kept_where_the_place_is_unknown(tmp_path):
    scan = Scan(np.zeros((3, 4, 5)), 3, spacing_mm=(5.0, 0.5, 0.25))
    write_map(scan, np.ones((3, 4, 5)), tmp_path / "map.nii.gz")
    assert nibabel.load(tmp_path / "map.nii.gz").header.get_zooms() == (0.25, 0.5, 5.0)


def test_the_same_map_gives_the_same_bytes(tmp_path):
    result = volume_scan()
    for name in ("a.nii.gz", "b.nii.gz"):
        write_map(result.scan, result.tail, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_a_map_of_another_shape_is_refused(tmp_path):
    with pytest.raises(ShapeError, match="does not lie on"):
        write_map(flat_scan().scan, np.zeros((3, 3)), tmp_path / "map.nii.gz")


def test_a_map_that_cannot_be_written_is_an_output_error(tmp_path):
    result = flat_scan()
    with pytest.raises(OutputError):
        write_map(result.scan, result.tail, tmp_path / "missing" / "map.nii.gz")
