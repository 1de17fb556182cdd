from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from halescan.errors import AmbiguousScan, ScanError
from halescan.io import find, read
from tests.io.made import VOLUME

NAMES = ["a.mha", "a.mhd", "a.nrrd", "a.nhdr"]


def image_of(pixels, *, direction=np.eye(3), origin=(1.0, 2.0, 3.0), colour=False):
    image = sitk.GetImageFromArray(pixels, isVector=colour)
    image.SetSpacing((0.7, 0.5, 3.0))
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin(origin)
    return image


def write(path, image, *, packed=False):
    sitk.WriteImage(image, str(path), packed)
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("packed", [False, True])
def test_pixels_and_geometry_come_back(tmp_path, name, packed):
    scan = read(write(tmp_path / name, image_of(VOLUME), packed=packed))
    np.testing.assert_array_equal(scan.pixels, VOLUME)
    assert scan.pixels.dtype == np.int16
    assert scan.spacing_mm == pytest.approx((3.0, 0.5, 0.7))
    assert scan.directions == ("S", "P", "L")


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.floats(-180, 180)] * 3), st.sampled_from(["a.mha", "a.nrrd"]))
def test_every_corner_lies_where_itk_puts_it(tmp_path_factory, angles, name):
    direction = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    image = image_of(VOLUME, direction=direction)
    scan = read(write(tmp_path_factory.mktemp("m") / name, image))
    for x, y, z in [(0, 0, 0), (3, 2, 1), (3, 0, 1)]:
        expected = image.TransformIndexToPhysicalPoint((x, y, z))
        np.testing.assert_allclose((scan.affine_lps @ [z, y, x, 1])[:3], expected, atol=1e-5)


def test_nrrd_in_ras_becomes_lps(tmp_path):
    path = write(tmp_path / "a.nrrd", image_of(VOLUME))
    data = path.read_bytes().replace(b"left-posterior-superior", b"right-anterior-superior")
    path.write_bytes(data)
    np.testing.assert_allclose((read(path).affine_lps @ [0, 0, 0, 1])[:3], [-1, -2, 3])


def test_a_header_without_orientation_gives_only_size(tmp_path):
    header = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\nspacings: 1 2 3\nendian: little\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(header + VOLUME.astype("<i2").tobytes())
    scan = read(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(scan.pixels, VOLUME)
    assert (scan.affine_lps, scan.spacing_mm) == (None, (3.0, 2.0, 1.0))
    assert [note.key for note in scan.notes] == ["nominal-orientation"]


def test_text_encoding_reads(tmp_path):
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\nencoding: ascii\n\n"
    (tmp_path / "a.nrrd").write_text(header + " ".join(map(str, VOLUME.ravel())))
    np.testing.assert_array_equal(read(tmp_path / "a.nrrd").pixels, VOLUME)


@pytest.mark.parametrize("name", ["a.mhd", "a.nhdr"])
def test_a_raw_file_belongs_to_its_header(tmp_path, name):
    path = write(tmp_path / name, image_of(VOLUME))
    found = find(tmp_path)
    assert [(source.path, len(source.files)) for source in found.sources] == [(path, 2)]
    assert not found.problems
    (tmp_path / "a.raw").unlink()
    with pytest.raises(ScanError, match=r"its data file a\.raw is missing"):
        read(path)


@pytest.mark.parametrize("name", ["/etc/passwd", "../b.raw", "LIST", "slice%03d.raw 1 2 1"])
def test_a_header_cannot_name_files_elsewhere(tmp_path, name):
    path = write(tmp_path / "a.mhd", image_of(VOLUME))
    path.write_text(path.read_text().replace("a.raw", name))
    (tmp_path.parent / "b.raw").write_bytes(VOLUME.tobytes())
    with pytest.raises(ScanError, match="one file in the same folder"):
        read(path)


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_colour_stays_colour(tmp_path, name):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 3), dtype=np.uint8)
    scan = read(write(tmp_path / name, image_of(pixels, colour=True)))
    assert scan.colour
    np.testing.assert_array_equal(scan.pixels, pixels)


def test_several_volumes_are_a_question(tmp_path):
    joined = sitk.JoinSeries([image_of(VOLUME), image_of(VOLUME + 50)])
    path = write(tmp_path / "a.nrrd", joined)
    with pytest.raises(AmbiguousScan, match=r"index=0\) to index=1"):
        read(path)
    np.testing.assert_array_equal(read(path, index=1).pixels, VOLUME + 50)
    with pytest.raises(ScanError, match="number 5 was asked for"):
        read(path, index=5)


def test_one_slice_is_a_picture_with_its_normal(tmp_path):
    scan = read(write(tmp_path / "a.mha", image_of(VOLUME[:1])))
    assert (scan.dims, scan.pixels.shape) == (2, (3, 4))
    np.testing.assert_allclose(scan.affine_lps[:3, 0], [0, 0, 3])


def test_a_modality_in_the_header_is_kept(tmp_path):
    path = write(tmp_path / "a.mhd", image_of(VOLUME))
    path.write_text(path.read_text().replace("NDims = 3", "NDims = 3\nModality = MET_MOD_CT"))
    assert read(path).modality == "CT"


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_complex_values_are_refused(tmp_path, name):
    with pytest.raises(ScanError, match=rf"{name}: .*, expected grey"):
        read(write(tmp_path / name, image_of(VOLUME.astype(np.complex64))))


@pytest.mark.parametrize("name", ["a.mha", "a.mhd", "a.nrrd"])
def test_a_forged_size_is_refused(tmp_path, name):
    path = write(tmp_path / name, image_of(VOLUME))
    data = path.read_bytes()
    for word in (b"DimSize = ", b"sizes: "):
        data = data.replace(word + b"4 3 2", word + b"4000 3000 20")
    path.write_bytes(data)
    with pytest.raises(ScanError, match=r"claims 480\.0 MB of pixels"):
        read(path)


def test_nothing_is_printed_by_itk(tmp_path, capfd):
    path = write(tmp_path / "a.mha", image_of(VOLUME))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ScanError):
        read(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("word", "value"),
    [("NDims", "x"), ("NDims", None), ("DimSize", "4"), ("DimSize", "a b c"), ("ElementType", "MET_FOO")],
)
def test_a_header_that_does_not_say_what_it_must_is_refused_before_itk_prints_about_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], word: str, value: str | None
) -> None:
    lines = ["ObjectType = Image", "NDims = 3", "DimSize = 4 3 2", "ElementType = MET_UCHAR", "ElementDataFile = LOCAL"]
    told = [f"{word} = {value}" if line.startswith(word) else line for line in lines]
    path = tmp_path / "a.mha"
    path.write_bytes("\n".join(line for line in told if not line.endswith("None")).encode() + b"\n" + bytes(24))
    with pytest.raises(ScanError, match=word):
        read(path)
    assert capfd.readouterr().err == ""
