import itertools
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    HEVCM10P51,
    JPEG2000MC,
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from scipy.spatial.transform import Rotation

from halescan.errors import ScanError
from halescan.io import find, read
from halescan.io.identity import MAY_STAY
from tests.io.made import AXIAL, GREY, dicom_dataset, item, write_dicom, write_series

DATA = Path(os.environ.get("HALESCAN_DATA", Path(__file__).parents[3] / "shared" / "data"))
SERIES = DATA / "volumes" / "dicom" / "Lung_Dx-A0002_B40f"
real = [pytest.mark.real, pytest.mark.skipif(not SERIES.is_dir(), reason="HALESCAN_DATA/volumes is not there")]


def small_volume(depth=4, rows=5, columns=6):
    return np.random.default_rng(0).integers(-1000, 1000, (depth, rows, columns)).astype(np.int16)


def along_z(count, gap=2.0):
    return [(-10.0, -20.0, 5.0 + gap * number) for number in range(count)]


def test_files(*names):
    return [get_testdata_file(name, download=False) for name in names]


test_files.__test__ = False


@pytest.mark.parametrize(
    "path",
    test_files(
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_expb.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_padded.dcm",
    ),
    ids=lambda path: Path(path).stem,
)
def test_every_encoding_of_one_image_reads_alike(path):
    plain = read(get_testdata_file("MR_small.dcm", download=False))
    scan = read(path)
    np.testing.assert_array_equal(scan.pixels, plain.pixels)
    np.testing.assert_array_equal(scan.affine_lps, plain.affine_lps)
    assert scan.pixels.dtype == np.int16
    assert scan.pixels.dtype.isnative
    assert scan.spacing_mm == (0.3125, 0.3125)
    assert scan.modality == "MR"


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEGLSLossless,
     JPEG2000Lossless],
    ids=lambda uid: uid.name,
)  # fmt: skip
def test_every_lossless_encoding_keeps_16_bits(tmp_path, syntax):
    pixels = np.random.default_rng(0).integers(0, 65536, (64, 80)).astype(np.uint16)
    packed = syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless)
    dataset = dicom_dataset(pixels, Modality="DX", syntax=ExplicitVRLittleEndian if packed else syntax)
    if packed:
        dataset.compress(syntax)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    scan = read(tmp_path / "a.dcm")
    assert scan.pixels.dtype == np.uint16
    np.testing.assert_array_equal(scan.pixels, pixels)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("SC_rgb_jpeg_gdcm.dcm", (100, 100, 3)),  # JPEG Lossless
        ("SC_rgb_jls_lossy_line.dcm", (100, 100, 3)),
        ("examples_palette.dcm", (350, 800, 3)),
        ("examples_jpeg2k.dcm", (480, 640, 3)),
        ("ExplVR_BigEnd.dcm", (60, 80, 3)),
        ("image_dfl.dcm", (512, 512)),
        ("JPGExtended.dcm", (1024, 256)),
    ],
)
def test_pydicoms_own_files_read(name, shape):
    scan = read(get_testdata_file(name, download=False))
    assert scan.pixels.shape == shape
    assert scan.pixels.dtype == (np.uint16 if name.startswith("JPGExtended") else np.uint8)


def test_ybr_comes_out_as_the_same_rgb():
    rgb = read(get_testdata_file("SC_rgb_dcmtk_+eb+cr.dcm", download=False)).pixels.astype(int)
    ybr = read(get_testdata_file("SC_ybr_full_422_uncompressed.dcm", download=False)).pixels.astype(int)
    inner = (slice(2, 8), slice(10, 90))  # within the first bar, away from where chroma is averaged
    assert np.abs(rgb[inner] - ybr[inner]).max() <= 3


def test_pydicoms_ct_is_in_hounsfield_units():
    scan = read(get_testdata_file("CT_small.dcm", download=False))
    assert (scan.unit, scan.modality, scan.pixels.dtype) == ("HU", "CT", np.float32)
    assert scan.pixels.min() == -896
    assert scan.directions == ("P", "L")


def test_rescaling_ct_gives_hounsfield_units(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", GREY.astype(np.int16), RescaleSlope=2, RescaleIntercept=-1000)
    scan = read(path)
    assert (scan.unit, scan.pixels.dtype) == ("HU", np.float32)
    np.testing.assert_array_equal(scan.pixels, GREY * 2.0 - 1000)


@pytest.mark.parametrize(
    ("header", "unit"),
    [({"RescaleType": "HU"}, "HU"), ({"RescaleType": "HU_MOD"}, ""), ({"Modality": "MR"}, ""), ({}, "HU")],
)
def test_the_unit_is_hu_only_where_the_file_says_so(tmp_path, header, unit):
    path = write_dicom(tmp_path / "a.dcm", GREY, RescaleSlope=1, RescaleIntercept=-5, **header)
    assert read(path).unit == unit


def test_ct_without_rescaling_has_no_unit(tmp_path):
    scan = read(write_dicom(tmp_path / "a.dcm", GREY))
    assert (scan.unit, scan.pixels.dtype) == ("", np.uint8)


def test_an_identity_rescale_leaves_integers_alone(tmp_path):
    scan = read(write_dicom(tmp_path / "a.dcm", GREY, Modality="DX", RescaleSlope=1, RescaleIntercept=0))
    assert scan.pixels.dtype == np.uint8


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16])
def test_monochrome1_is_turned_so_that_larger_is_brighter(tmp_path, kind):
    dark = read(write_dicom(tmp_path / "a.dcm", GREY.astype(kind), PhotometricInterpretation="MONOCHROME1"))
    assert dark.pixels.dtype == kind
    steps = dark.pixels.astype(int) + GREY
    assert len(np.unique(steps)) == 1


def test_padding_becomes_the_smallest_measured_value(tmp_path):
    pixels = GREY.astype(np.int16) + 100
    pixels[:2] = -2000
    path = write_dicom(tmp_path / "a.dcm", pixels, PixelPaddingValue=-2000, RescaleSlope=1, RescaleIntercept=-1024)
    scan = read(path)
    assert scan.pixels.min() == scan.pixels[0, 0] == pixels[2:].min() - 1024


def test_drawings_in_unused_bits_are_taken_off(tmp_path):
    pixels = GREY.astype(np.uint16) | np.uint16(0x8000) * (GREY % 2)
    scan = read(write_dicom(tmp_path / "a.dcm", pixels, BitsStored=12, HighBit=11, Modality="MR"))
    np.testing.assert_array_equal(scan.pixels, GREY)


def test_spacing_at_the_detector_is_noted(tmp_path):
    scan = read(write_dicom(tmp_path / "a.dcm", GREY, Modality="DX", ImagerPixelSpacing=[0.2, 0.1]))
    assert scan.spacing_mm == (0.2, 0.1)
    assert [note.key for note in scan.notes] == ["detector-spacing"]


def test_ultrasound_takes_spacing_from_its_one_region(tmp_path):
    region = item(PhysicalUnitsXDirection=3, PhysicalUnitsYDirection=3, PhysicalDeltaX=0.02, PhysicalDeltaY=0.03)
    scan = read(write_dicom(tmp_path / "a.dcm", GREY, Modality="US", SequenceOfUltrasoundRegions=[region]))
    assert scan.spacing_mm == pytest.approx((0.3, 0.2))


@pytest.mark.parametrize("spacing", [[0, 0], [-1, 1], [0.5, float("nan")], [float("inf"), 1], 0.5])
def test_impossible_spacing_is_unknown_spacing_with_a_note(tmp_path, spacing):
    scan = read(write_dicom(tmp_path / "a.dcm", GREY, PixelSpacing=spacing))
    assert scan.spacing_mm is None
    assert [note.key for note in scan.notes] == ["bad-spacing"]


def test_spacing_in_letters_is_unknown_spacing_with_a_note(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", GREY, PixelSpacing=[0.125, 0.125])
    path.write_bytes(path.read_bytes().replace(b"0.125\\0.125", b"Doe^J\\aneee"))
    scan = read(path)
    assert (scan.spacing_mm, [note.key for note in scan.notes]) == (None, ["bad-spacing"])


def test_impossible_spacing_of_a_series_is_noted(tmp_path):
    scan = read(write_series(tmp_path, small_volume(), positions=along_z(4), PixelSpacing=[0, 0]))
    assert (scan.spacing_mm, [note.key for note in scan.notes]) == (None, ["bad-spacing"])


def test_absent_spacing_is_not_called_impossible(tmp_path):
    assert not read(write_dicom(tmp_path / "a.dcm", GREY, PixelSpacing="")).notes


def test_where_the_patients_spacing_is_impossible_the_detectors_serves(tmp_path):
    scan = read(write_dicom(tmp_path / "a.dcm", GREY, PixelSpacing=[0, 0], ImagerPixelSpacing=[0.2, 0.1]))
    assert (scan.spacing_mm, [note.key for note in scan.notes]) == ((0.2, 0.1), ["detector-spacing"])


def test_no_person_gets_out(tmp_path):
    scan = read(write_dicom(tmp_path / "a.dcm", GREY, KVP="120", ConvolutionKernel="B40f", ProtocolName="Doe"))
    assert scan.header["KVP"] == 120.0
    assert scan.header["ConvolutionKernel"] == "B40f"
    assert set(scan.header) <= set(MAY_STAY)
    assert not any(secret in repr(scan) for secret in ("Doe", "Jane", "secret-77"))


def test_warnings_that_quote_the_header_are_silenced(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", GREY)
    path.write_bytes(path.read_bytes().replace(b"1.2.826", b"Doe^Jan"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read(path)
    assert not caught


def test_slices_are_ordered_by_place_and_never_by_name(tmp_path):
    volume = small_volume()
    names = ["d.dcm", "a.dcm", "c.dcm", "b.dcm"]
    scan = read(write_series(tmp_path / "s", volume, positions=along_z(4), names=names))
    np.testing.assert_array_equal(scan.pixels, volume)
    assert scan.spacing_mm == (2.0, 0.5, 0.7)
    assert scan.directions == ("S", "P", "L")
    np.testing.assert_allclose(scan.affine_lps @ [3, 4, 5, 1], [-10 + 5 * 0.7, -20 + 4 * 0.5, 5 + 3 * 2.0, 1])
    assert scan.source == tmp_path / "s"


@settings(max_examples=15, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    gap=st.floats(0.3, 8.0),
    order=st.permutations(range(4)),
    origin=st.tuples(*[st.floats(-300, 300)] * 3),
)
def test_any_orientation_comes_back_in_order_and_in_place(tmp_path_factory, angles, gap, order, origin):
    row, column, normal = Rotation.from_euler("xyz", angles, degrees=True).as_matrix().T
    volume = small_volume()
    positions = np.array(origin) + np.outer(np.arange(4) * gap, normal)
    folder = tmp_path_factory.mktemp("series")
    orientation = [float(f"{value:.9f}") for value in (*row, *column)]
    names = [f"{place}.dcm" for place in order]
    scan = read(write_series(folder, volume, positions=positions, names=names, ImageOrientationPatient=orientation))
    np.testing.assert_array_equal(scan.pixels, volume)
    for z, y, x in itertools.product((0, 3), (0, 4), (0, 5)):
        corner = np.array(origin) + z * gap * normal + y * 0.5 * column + x * 0.7 * row
        np.testing.assert_allclose((scan.affine_lps @ [z, y, x, 1])[:3], corner, atol=2e-3)
    shutil.rmtree(folder)


def test_one_slice_of_a_series_is_a_picture_with_its_place(tmp_path):
    folder = write_series(tmp_path, small_volume(), positions=along_z(4))
    scan = read(folder / "002.dcm")
    assert scan.dims == 2
    np.testing.assert_allclose(scan.affine_lps @ [0, 0, 0, 1], [-10, -20, 9, 1])
    np.testing.assert_allclose(scan.affine_lps[:3, 0], [0, 0, 1])


def test_a_missing_slice_is_named_with_its_gaps(tmp_path):
    positions = along_z(6)
    folder = write_series(tmp_path, small_volume(5), positions=positions[:3] + positions[4:])
    with pytest.raises(ScanError, match=r"1 slice missing: slice gaps range from 2\.00 to 4\.00 mm, .*resample"):
        read(folder)


def test_uneven_gaps_are_named(tmp_path):
    positions = [(0, 0, z) for z in (0, 2.0, 4.0, 6.5)]
    folder = write_series(tmp_path, small_volume(), positions=positions)
    with pytest.raises(ScanError, match=r"slice gaps range from 2\.00 to 2\.50 mm, expected equal within 1%"):
        read(folder)


def test_gaps_within_one_percent_pass(tmp_path):
    positions = [(0, 0, z) for z in (0, 5.0, 10.04, 15.04)]
    scan = read(write_series(tmp_path, small_volume(), positions=positions))
    assert scan.spacing_mm[0] == pytest.approx(15.04 / 3)


def test_copies_of_a_slice_are_dropped_with_a_note(tmp_path):
    volume = small_volume()
    folder = write_series(tmp_path, volume, positions=along_z(4))
    shutil.copy(folder / "001.dcm", folder / "copy.dcm")
    scan = read(folder)
    np.testing.assert_array_equal(scan.pixels, volume)
    assert [(note.key, dict(note.values)) for note in scan.notes] == [("duplicate-slices", {"count": 1})]


def test_different_slices_at_one_place_are_refused(tmp_path):
    folder = write_series(tmp_path, small_volume(), positions=[*along_z(3), along_z(3)[1]])
    with pytest.raises(ScanError, match="2 different slices lie at the same place"):
        read(folder)


def test_a_localiser_in_the_series_is_refused(tmp_path):
    folder = write_series(tmp_path, small_volume(), positions=along_z(4))
    write_series(
        folder, small_volume(1), positions=[(0, 0, 0)], names=["x.dcm"], ImageOrientationPatient=[0, 1, 0, 0, 0, -1]
    )
    with pytest.raises(ScanError, match="1 of 5 slices lie in another direction"):
        read(folder)


def test_slices_of_two_sizes_are_refused(tmp_path):
    folder = write_series(tmp_path, small_volume(), positions=along_z(4))
    write_series(folder, small_volume(1, rows=8), positions=[(0, 0, 99)], names=["x.dcm"])
    with pytest.raises(ScanError, match=r"differ in size \(5 x 6, 8 x 6\)"):
        read(folder)


def test_slices_of_two_spacings_are_refused(tmp_path):
    folder = write_series(tmp_path, small_volume(), positions=along_z(4))
    write_series(folder, small_volume(1), positions=[(0, 0, 99)], names=["x.dcm"], PixelSpacing=[0.9, 0.9])
    with pytest.raises(ScanError, match="2 different pixel spacings"):
        read(folder)


def test_a_tilted_gantry_keeps_its_geometry_with_a_note(tmp_path):
    positions = [(0.0, number * 1.0, number * 3.0) for number in range(4)]
    scan = read(write_series(tmp_path, small_volume(), positions=positions))
    np.testing.assert_allclose((scan.affine_lps @ [3, 0, 0, 1])[:3], positions[3])
    assert scan.notes[0].key == "tilted-stack"
    assert scan.notes[0].values["degrees"] == pytest.approx(18.4, abs=0.1)


def test_a_slice_moved_sideways_is_refused(tmp_path):
    positions = [list(position) for position in along_z(4)]
    positions[1][0] += 5
    with pytest.raises(ScanError, match=r"shifted against each other by up to 5\.00 mm"):
        read(write_series(tmp_path, small_volume(), positions=positions))


def test_slices_may_scale_each_in_its_own_way(tmp_path):
    volume = small_volume(2)
    for number, slope in enumerate((2, 3)):
        write_series(
            tmp_path, volume[number : number + 1], positions=[along_z(2)[number]], names=[f"{number}.dcm"],
            Modality="PT", RescaleSlope=slope, RescaleIntercept=0,
        )  # fmt: skip
    np.testing.assert_array_equal(read(tmp_path).pixels, volume * np.array([2, 3])[:, None, None])


def test_series_are_told_apart_within_one_folder(tmp_path):
    for number in (1, 2):
        names = [f"{number}{z}.dcm" for z in range(4)]
        uid = f"1.2.{number}"
        write_series(tmp_path, small_volume(), positions=along_z(4), names=names, SeriesInstanceUID=uid)
    found = find(tmp_path)
    assert [(source.series, len(source.files)) for source in found.sources] == [("1.2.1", 4), ("1.2.2", 4)]


def test_x_rays_of_one_series_stay_apart(tmp_path):
    for name in "ab":
        write_dicom(tmp_path / f"{name}.dcm", GREY, Modality="DX")
    assert len(find(tmp_path).sources) == 2


def test_a_cine_is_slices_of_unknown_spacing():
    scan = read(get_testdata_file("examples_ybr_color.dcm", download=False))
    assert scan.pixels.shape == (30, 240, 320, 3)
    assert (scan.dims, scan.spacing_mm) == (3, None)
    assert scan.notes[0].key == "frames-without-positions"


def test_frames_with_a_known_gap_have_spacing(tmp_path):
    frames = small_volume()
    path = write_dicom(tmp_path / "a.dcm", frames, Modality="NM", PixelSpacing=[2, 3], SpacingBetweenSlices=4)
    assert read(path).spacing_mm == (4.0, 2.0, 3.0)


def test_a_dose_grid_lies_where_its_offsets_say():
    scan = read(get_testdata_file("rtdose.dcm", download=False))
    assert scan.spacing_mm == (5.0, 10.0, 10.0)
    assert scan.directions == ("S", "P", "L")


def enhanced(path, frames, *, places, slopes=None, spacing=(0.5, 0.7), **header):
    groups = []
    for number, place in enumerate(places):
        group = item(PlanePositionSequence=[item(ImagePositionPatient=list(place))])
        if slopes:
            rescale = item(RescaleSlope=slopes[number], RescaleIntercept=-10, RescaleType="US")
            group.PixelValueTransformationSequence = [rescale]
        groups.append(group)
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(AXIAL))],
        PixelMeasuresSequence=[item(PixelSpacing=list(spacing), SliceThickness=2)],
    )
    sequences = {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": groups}
    return write_dicom(path, frames, Modality="MR", **sequences, **header)


def test_enhanced_frames_are_ordered_by_place_and_scaled_each(tmp_path):
    frames = small_volume(3)
    places = [along_z(3)[place] for place in (2, 0, 1)]
    scan = read(enhanced(tmp_path / "a.dcm", frames, places=places, slopes=[1, 2, 3]))
    expected = frames * np.array([1, 2, 3])[:, None, None] - 10
    np.testing.assert_array_equal(scan.pixels, expected[[1, 2, 0]])
    assert scan.spacing_mm == (2.0, 0.5, 0.7)
    np.testing.assert_allclose(scan.affine_lps @ [0, 0, 0, 1], [-10, -20, 5, 1])


def test_one_enhanced_frame_is_a_picture_with_spacing(tmp_path):
    scan = read(enhanced(tmp_path / "a.dcm", small_volume(1), places=along_z(1)))
    assert (scan.dims, scan.spacing_mm, scan.directions) == (2, (0.5, 0.7), ("P", "L"))


@pytest.mark.parametrize("depth", [1, 3])
def test_impossible_spacing_of_enhanced_frames_is_noted(tmp_path, depth):
    scan = read(enhanced(tmp_path / "a.dcm", small_volume(depth), places=along_z(depth), spacing=(0, 0)))
    assert (scan.spacing_mm, [note.key for note in scan.notes]) == (None, ["bad-spacing"])


def test_enhanced_spacing_serves_where_the_plain_one_is_impossible(tmp_path):
    scan = read(enhanced(tmp_path / "a.dcm", small_volume(1), places=along_z(1), PixelSpacing=[0, 0]))
    assert (scan.spacing_mm, scan.notes) == ((0.5, 0.7), ())


def test_enhanced_frames_at_two_times_are_refused(tmp_path):
    with pytest.raises(ScanError, match="lie at the same place"):
        read(enhanced(tmp_path / "a.dcm", small_volume(4), places=along_z(2) * 2))


@pytest.mark.parametrize(
    ("name", "modality"), [("test-SR.dcm", "SR"), ("rtstruct.dcm", "RTSTRUCT"), ("rtplan.dcm", "RTPLAN")]
)
def test_what_holds_no_image_says_what_it_is(name, modality):
    path = get_testdata_file(name, download=False)
    with pytest.raises(ScanError, match=rf"holds no image \(modality {modality}\)"):
        read(path)
    assert f"modality {modality}" in find(path).problems[0].message


@pytest.mark.parametrize("name", ["MR_truncated.dcm", "badVR.dcm", "rtplan_truncated.dcm", "no_meta.dcm"])
def test_pydicoms_broken_files_are_refused(name):
    with pytest.raises(ScanError):
        read(get_testdata_file(name, download=False))


def cut_at(path, place):
    path.write_bytes(path.read_bytes()[:place])
    return path


def noise(side):
    return np.random.default_rng(0).integers(0, 4000, (side, side)).astype(np.uint16)


@pytest.mark.parametrize("before", [0, 4, 30, 200, 300])
def test_an_image_cut_off_before_its_pixels_is_incomplete(tmp_path, before):
    path = write_dicom(tmp_path / "a.dcm", noise(40))
    cut_at(path, path.read_bytes().rindex(b"\xe0\x7f\x10\x00") - before)
    with pytest.raises(ScanError, match=r"a\.dcm: is incomplete: .* cut short"):
        read(path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_packed_pixels_cut_off_in_the_middle_are_incomplete(tmp_path, syntax, share):
    dataset = dicom_dataset(noise(200))
    dataset.compress(syntax)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    path = cut_at(tmp_path / "a.dcm", int(share * (tmp_path / "a.dcm").stat().st_size))
    with pytest.raises(ScanError, match=r"is incomplete: its header promises 200 x 200 pixels, .* cut short"):
        read(path)


@pytest.mark.parametrize("side", [40, 200])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_bare_pixels_cut_off_in_the_middle_are_counted(tmp_path, side, syntax):
    path = write_dicom(tmp_path / "a.dcm", noise(side), syntax=syntax)
    cut_at(path, path.stat().st_size - 700)
    with pytest.raises(ScanError, match=r"header claims .* of pixels, the file holds .* cut short"):
        read(path)


def test_pixels_left_out_of_an_image_are_missed(tmp_path):
    with pytest.raises(ScanError, match="is incomplete: its header promises 12 x 16 pixels"):
        read(write_dicom(tmp_path / "a.dcm", GREY, PixelData=None))


def test_a_spectrum_misses_no_pixels(tmp_path):
    spectrum = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.2", "Modality": "MR", "PixelData": None}
    with pytest.raises(ScanError, match=r"holds no image \(modality MR\)"):
        read(write_dicom(tmp_path / "a.dcm", GREY, **spectrum))


def stored_as(path, syntax):
    """A whole file that says it is stored with that transfer syntax."""
    dataset = dicom_dataset(GREY)
    dataset.compress(RLELossless)
    dataset.file_meta.TransferSyntaxUID = syntax
    dcmwrite(path, dataset, implicit_vr=False, little_endian=True)
    return path


@pytest.mark.parametrize(
    ("syntax", "named", "way"),
    [
        ("1.2.3.4.5", r"1\.2\.3\.4\.5 \(not one that DICOM lists\)", "gdcmconv --raw"),
        (MPEG2MPML, r"4\.100 \(MPEG2 Main Profile / Main Level\)", "It is a video: export the frames"),
        (HEVCM10P51, r"4\.108 \(HEVC/H\.265 Main 10 Profile", "It is a video: export the frames"),
        (JPEG2000MC, r"4\.93 \(JPEG 2000 Part 2", "gdcmconv --raw"),
    ],
)
def test_a_transfer_syntax_that_is_not_read_is_named_with_the_way_out(tmp_path, syntax, named, way):
    with pytest.raises(ScanError, match=rf"transfer syntax .*{named}.*cannot be read\. .*{way}") as caught:
        read(stored_as(tmp_path / "a.dcm", syntax))
    assert "damaged" not in str(caught.value)


def test_a_transfer_syntax_that_is_no_uid_is_damage_and_not_quoted(tmp_path):
    path = stored_as(tmp_path / "a.dcm", "1.2.3.4.5")
    path.write_bytes(path.read_bytes().replace(b"1.2.3.4.5", b"Doe^Janet"))
    with pytest.raises(ScanError, match="damaged") as caught:
        read(path)
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize("size", [{"Rows": 65535, "Columns": 65535}, {"NumberOfFrames": 10**7}])
def test_a_forged_size_is_refused_before_memory_is_taken(tmp_path, size):
    with pytest.raises(ScanError, match=r"the header claims .* GB of pixels, the file holds"):
        read(write_dicom(tmp_path / "a.dcm", GREY, **size))


def test_a_forged_size_of_a_compressed_file_is_refused(tmp_path):
    dataset = dicom_dataset(GREY)
    dataset.compress(RLELossless)
    dataset.Rows = dataset.Columns = 65535
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(ScanError, match=r"at most 2\.1 GB are read at once"):
        read(tmp_path / "a.dcm")


def test_an_element_that_claims_4_gb_is_refused(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", GREY)
    data = bytearray(path.read_bytes())
    start = data.rindex(b"\xe0\x7f\x10\x00OB\x00\x00") + 8
    data[start : start + 4] = (0xFFFFFFFE).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ScanError, match=r"claims 4\.3 GB of pixels"):
        read(path)


def test_a_deflated_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("halescan.io.pixels.LARGEST_BYTES", 1 << 20)
    pixels = np.zeros((1, 2 << 20), np.uint8).reshape(1024, 2048)
    path = write_dicom(tmp_path / "a.dcm", pixels, syntax=DeflatedExplicitVRLittleEndian)
    assert path.stat().st_size < 1 << 14
    with pytest.raises(ScanError, match=r"at most 1\.0 MB are read at once"):
        read(path)


def test_one_bad_slice_is_a_problem_and_the_others_are_found(tmp_path):
    folder = write_series(tmp_path, small_volume(), positions=along_z(4))
    (folder / "bad.dcm").write_text("not a slice")
    found = find(folder)
    assert len(found.sources[0].files) == 4
    assert [problem.path.name for problem in found.problems] == ["bad.dcm"]


class TestRealSeries:
    pytestmark = real

    def test_it_is_a_ct_of_30_slices(self):
        scan = read(SERIES)
        assert scan.pixels.shape == (30, 512, 512)
        assert (scan.modality, scan.unit, scan.directions) == ("CT", "HU", ("S", "P", "L"))
        assert scan.spacing_mm == pytest.approx((8.0, 0.646484375, 0.646484375))
        assert scan.pixels.min() == -1024

    def test_shuffled_file_names_give_the_same_volume(self, tmp_path):
        files = sorted(SERIES.iterdir())
        for file, place in zip(files, np.random.default_rng(0).permutation(len(files)), strict=True):
            os.symlink(file.resolve(), tmp_path / f"{place:02d}.dcm")
        shuffled, scan = read(tmp_path), read(SERIES)
        np.testing.assert_array_equal(shuffled.pixels, scan.pixels)
        np.testing.assert_array_equal(shuffled.affine_lps, scan.affine_lps)

    def test_it_agrees_with_its_nifti_twin(self):
        twin = read(DATA / "volumes" / "nifti" / "Lung_Dx-A0002_B40f_hu256.nii.gz")
        scan = read(SERIES)
        halved = scan.pixels.reshape(30, 256, 2, 256, 2).mean(axis=(2, 4))
        assert np.abs(halved - twin.pixels).mean() < 1.0
        assert twin.spacing_mm == pytest.approx((8.0, 2 * 0.646484375, 2 * 0.646484375))

    def test_taking_a_slice_out_is_noticed(self, tmp_path):
        for number, file in enumerate(sorted(SERIES.iterdir())):
            if number != 11:
                os.symlink(file.resolve(), tmp_path / file.name)
        with pytest.raises(ScanError, match="1 slice missing"):
            read(tmp_path)
