import gzip
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from halescan.errors import AmbiguousScan, ScanError
from halescan.io import Source, find, read
from tests.io.made import GREY, VOLUME

DATA = Path(os.environ.get("HALESCAN_DATA", Path(__file__).parents[3] / "shared" / "data"))
AFFINE = np.array([[0.7, 0, 0, 10], [0, 0.5, 0, 20], [0, 0, 3.0, 30], [0, 0, 0, 1]])


def write(path, pixels, affine=AFFINE, *, kind=nibabel.Nifti1Image, **header):
    """`pixels` in (i, j, k)."""
    image = kind(pixels, affine)
    for word, value in header.items():
        image.header[word] = value
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_axes_are_turned_and_integers_stay(tmp_path, name, kind):
    scan = read(write(tmp_path / name, VOLUME.T, kind=kind))
    np.testing.assert_array_equal(scan.pixels, VOLUME)
    assert scan.pixels.dtype == np.int16
    assert scan.spacing_mm == pytest.approx((3.0, 0.5, 0.7))
    assert (scan.unit, scan.modality) == ("", "")


def test_ras_becomes_lps(tmp_path):
    scan = read(write(tmp_path / "a.nii", VOLUME.T))
    np.testing.assert_allclose(scan.affine_lps @ [1, 2, 3, 1], [-(10 + 3 * 0.7), -(20 + 2 * 0.5), 30 + 3, 1], rtol=1e-6)
    assert scan.directions == ("S", "A", "R")


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(*[st.floats(-180, 180)] * 3), st.tuples(*[st.floats(0.2, 6)] * 3), st.tuples(*[st.floats(-200, 200)] * 3)
)
def test_every_corner_lies_where_nibabel_puts_it(tmp_path_factory, angles, spacing, origin):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * spacing
    affine[:3, 3] = origin
    scan = read(write(tmp_path_factory.mktemp("n") / "a.nii", VOLUME.T, affine))
    assert scan.spacing_mm == pytest.approx(spacing[::-1], rel=1e-4)
    for k, j, i in [(0, 0, 0), (1, 2, 3), (1, 0, 3)]:
        ras = (affine @ [i, j, k, 1])[:3]
        np.testing.assert_allclose((scan.affine_lps @ [k, j, i, 1])[:3], ras * [-1, -1, 1], atol=2e-3)


def test_scaling_is_applied(tmp_path):
    image = nibabel.Nifti1Image(VOLUME.T, AFFINE)
    image.header.set_slope_inter(2.0, -5.0)
    data = np.asarray(VOLUME, "<i2").tobytes()
    nibabel.save(image, tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[112:120] = np.array([2.0, -5.0], "<f4").tobytes()
    raw[352:] = data
    (tmp_path / "a.nii").write_bytes(raw)
    scan = read(tmp_path / "a.nii")
    assert scan.pixels.dtype == np.float32
    np.testing.assert_allclose(scan.pixels, VOLUME * 2.0 - 5)


def test_without_orientation_only_the_size_is_known(tmp_path):
    image = nibabel.Nifti1Image(VOLUME.T, None)
    image.header.set_zooms((0.7, 0.5, 3.0))
    nibabel.save(image, tmp_path / "a.nii")
    scan = read(tmp_path / "a.nii")
    assert scan.affine_lps is None
    assert scan.spacing_mm == pytest.approx((3.0, 0.5, 0.7))
    assert [note.key for note in scan.notes] == ["nominal-orientation"]


@pytest.mark.parametrize(("unit", "factor"), [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001)])
def test_lengths_are_millimetres_whatever_the_file_counts_in(tmp_path, unit, factor):
    scan = read(write(tmp_path / "a.nii", VOLUME.T, xyzt_units=unit))
    assert scan.spacing_mm == pytest.approx((3.0 * factor, 0.5 * factor, 0.7 * factor))


def test_a_single_slice_is_a_picture_with_its_normal(tmp_path):
    scan = read(write(tmp_path / "a.nii", GREY.T[:, :, None]))
    assert (scan.dims, scan.pixels.shape) == (2, GREY.shape)
    np.testing.assert_allclose(scan.affine_lps[:3, 0], [0, 0, 3])


def test_trailing_axes_of_one_are_dropped(tmp_path):
    scan = read(write(tmp_path / "a.nii", VOLUME.T[..., None, None]))
    np.testing.assert_array_equal(scan.pixels, VOLUME)


def test_several_volumes_are_a_question(tmp_path):
    path = write(tmp_path / "a.nii.gz", np.stack([VOLUME.T, VOLUME.T + 50], axis=-1))
    with pytest.raises(AmbiguousScan, match=r"holds 2 volumes .* index=0\) to index=1"):
        read(path)
    np.testing.assert_array_equal(read(path, index=1).pixels, VOLUME + 50)
    source = find(path).sources[0]
    np.testing.assert_array_equal(read(Source(path, "nifti", source.files, index=0)).pixels, VOLUME)
    with pytest.raises(ScanError, match="number 2 was asked for"):
        read(path, index=2)


def test_rgb_voxels_are_colour(tmp_path):
    rgb = np.zeros((4, 3, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["R"], rgb["G"] = VOLUME.T, 9
    scan = read(write(tmp_path / "a.nii", rgb))
    assert scan.pixels.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(scan.pixels[..., 0], VOLUME)


def test_complex_values_are_refused(tmp_path):
    with pytest.raises(ScanError, match="complex numbers"):
        read(write(tmp_path / "a.nii", VOLUME.T.astype(np.complex64)))


def test_a_pair_of_files_is_one_scan(tmp_path):
    nibabel.save(nibabel.Nifti1Pair(VOLUME.T, AFFINE), tmp_path / "a.img")
    found = find(tmp_path)
    assert [source.path.name for source in found.sources] == ["a.hdr"]
    np.testing.assert_array_equal(read(found.sources[0]).pixels, VOLUME)
    np.testing.assert_array_equal(read(tmp_path / "a.hdr").pixels, VOLUME)
    (tmp_path / "a.img").unlink()
    with pytest.raises(ScanError):
        read(tmp_path / "a.hdr")


def test_gzip_without_its_ending_is_unpacked(tmp_path):
    write(tmp_path / "a.nii.gz", VOLUME.T).rename(tmp_path / "b.nii")
    np.testing.assert_array_equal(read(tmp_path / "b.nii").pixels, VOLUME)


@pytest.mark.parametrize("packed", [False, True])
def test_a_forged_size_is_refused(tmp_path, packed):
    path = write(tmp_path / "a.nii", VOLUME.T)
    raw = bytearray(path.read_bytes())
    raw[42:48] = np.array([30000, 30000, 2], "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(raw)) if packed else raw)
    with pytest.raises(ScanError, match=r"claims 3\.6 GB of pixels"):
        read(path)


@pytest.mark.real
@pytest.mark.skipif(not (DATA / "volumes").is_dir(), reason="HALESCAN_DATA/volumes is not there")
def test_real_volumes_agree_with_nibabel():
    for name in ("TCGA-FG-6692_flair_raw.nii.gz", "TCGA_HT_7693_19950520_flair.nii.gz"):
        path = DATA / "volumes" / "nifti" / name
        scan, image = read(path), nibabel.load(path)
        np.testing.assert_allclose(scan.pixels, image.get_fdata().transpose(2, 1, 0))
        lps = scan.affine_lps @ [5, 6, 7, 1]
        np.testing.assert_allclose(lps[:3] * [-1, -1, 1], (image.affine @ [7, 6, 5, 1])[:3], rtol=1e-5, atol=1e-4)
