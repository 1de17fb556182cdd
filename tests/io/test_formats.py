"""Promises of every format, tested once over the table."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import halescan
from halescan.errors import AmbiguousScan, ScanError
from halescan.io import FORMATS, Source, find, formats, identity_of, read
from halescan.io.search import format_by_ending
from tests.io.made import GREY, WRITERS, write, write_dicom, write_series

LOSSLESS = [name for name in WRITERS if not name.endswith(".jpg")]


def test_every_format_is_tested_here():
    covered = {format_by_ending(formats(), path) for path in map(Path, WRITERS)}
    assert covered | {"slide"} >= set(FORMATS)  # slides are read region by region: tests/io/test_slide.py


@pytest.mark.parametrize("name", LOSSLESS)
def test_pixels_come_back_as_they_were_written(tmp_path, name):
    scan = read(write(tmp_path, name))
    assert scan.dims == 2
    assert scan.pixels.dtype == np.uint8
    np.testing.assert_array_equal(scan.pixels, GREY)


def test_a_jpeg_comes_back_nearly_as_it_was_written(tmp_path):
    scan = read(write(tmp_path, "a.jpg"))
    assert np.abs(scan.pixels.astype(int) - GREY).max() <= 6


@pytest.mark.parametrize("name", WRITERS)
def test_finding_and_reading_agree(tmp_path, name):
    path = write(tmp_path, name)
    found = find(tmp_path)
    assert [source.path for source in found.sources] == [path]
    assert not found.problems
    np.testing.assert_array_equal(read(found.sources[0]).pixels, read(path).pixels)
    np.testing.assert_array_equal(read(tmp_path).pixels, read(path).pixels)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_file_cut_short_is_one_clear_sentence(tmp_path, name, share):
    path = write(tmp_path, name, np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8))
    data = path.with_suffix(".raw") if name.endswith((".mhd", ".nhdr")) else path
    data.write_bytes(data.read_bytes()[: int(share * data.stat().st_size)])
    with pytest.raises(ScanError) as caught:
        read(path)
    assert str(caught.value).startswith(str(data.parent))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", WRITERS)
def test_a_text_in_disguise_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_text("patient report, nothing to see\n" * 50)
    with pytest.raises(ScanError, match="holds something else"):
        read(path)


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("a.dcm", "DICOM"),
        ("a.nii.gz", "NIfTI"),
        ("a.mha", "MetaImage or NRRD"),
        ("a.tif", "a picture (PNG, JPEG, TIFF or BMP)"),
        ("a.npz", "NumPy arrays"),
    ],
)
def test_a_file_of_another_kind_is_told_in_words_that_a_user_knows(tmp_path, name, called):
    (tmp_path / name).write_text("nothing to see\n" * 50)
    with pytest.raises(ScanError) as caught:
        read(tmp_path / name)
    assert f"{name}: is named like {called} but holds something else" in str(caught.value)


@pytest.mark.parametrize("name", WRITERS)
def test_a_constant_image_is_refused(tmp_path, name):
    with pytest.raises(ScanError, match="every pixel has the value 7: nothing to examine"):
        read(write(tmp_path, name, np.full((12, 16), 7, np.uint8)))


@pytest.mark.parametrize("name", [n for n in WRITERS if n not in ("a.mhd", "a.nhdr")])
def test_a_mislabelled_file_is_read_with_a_note(tmp_path, name):
    wrong = tmp_path / ("wrong.png" if format_by_ending(formats(), Path(name)) != "raster" else "wrong.dcm")
    write(tmp_path, name).rename(wrong)
    scan = read(wrong)
    assert scan.pixels.shape == GREY.shape
    note = scan.notes[0]
    assert note.key == "mislabelled"
    assert note.values == {"ending": wrong.suffix, "format": format_by_ending(formats(), Path(name))}


@pytest.mark.parametrize("name", ["a.dcm", "a.png", "a.nii.gz", "a.npy"])
def test_a_file_without_an_ending_is_recognised_by_its_content(tmp_path, name):
    write(tmp_path, name).rename(tmp_path / "IM0001")
    assert read(tmp_path / "IM0001").pixels.shape == GREY.shape
    assert [source.path.name for source in find(tmp_path).sources] == ["IM0001"]
    assert not read(tmp_path / "IM0001").notes


@pytest.mark.parametrize("name", WRITERS)
def test_random_damage_never_escapes_the_family_of_errors(tmp_path, name):
    path = write(tmp_path, name)
    whole = bytearray(path.read_bytes())
    rng = np.random.default_rng(1)
    for _ in range(12):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 8):
            damaged[place] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            scan = read(path)
        except ScanError:
            continue
        assert np.isfinite(scan.pixels).all()


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "a.nii", "a.mha"])
def test_non_finite_pixels_become_the_smallest_value(tmp_path, name):
    pixels = GREY.astype(np.float32) + 5
    pixels[0, :4] = [np.nan, np.inf, -np.inf, np.nan]
    scan = read(write(tmp_path, name, pixels))
    assert scan.pixels[0, :4].tolist() == [6.0] * 4  # the smallest finite value of all
    assert scan.notes[-1].key == "non-finite-pixels"
    assert scan.notes[-1].values["share"] == pytest.approx(4 / pixels.size)


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "a.nii", "a.mha"])
def test_mostly_non_finite_pixels_are_refused(tmp_path, name):
    pixels = np.full((12, 16), np.nan, np.float32)
    pixels[0] = np.arange(16)
    with pytest.raises(ScanError, match="not finite numbers"):
        read(write(tmp_path, name, pixels))


def test_a_path_to_nothing_says_so(tmp_path):
    for ask in (read, find):
        with pytest.raises(ScanError, match="no such file or folder"):
            ask(tmp_path / "gone.png")


def test_an_empty_folder_says_what_can_be_read(tmp_path):
    with pytest.raises(ScanError, match=r"holds no image.*DICOM, NIfTI"):
        read(tmp_path)


def test_several_pictures_in_a_folder_are_a_question(tmp_path):
    write(tmp_path, "a.png")
    write(tmp_path, "a.bmp")
    with pytest.raises(AmbiguousScan, match=r"a\.bmp; a\.png\. Name one"):
        read(tmp_path)


def test_several_series_are_a_question_that_names_no_person(tmp_path):
    volume = np.random.default_rng(0).integers(0, 99, (3, 5, 6)).astype(np.int16)
    positions = [(0, 0, z) for z in range(3)]
    for number in (4, 5):
        uid = f"1.2.3.{number}.123456"
        names = [f"{number}-{z}.dcm" for z in range(3)]
        write_series(
            tmp_path, volume + number, positions=positions, names=names, SeriesInstanceUID=uid, SeriesNumber=number
        )
    with pytest.raises(AmbiguousScan) as caught:
        read(tmp_path)
    message = str(caught.value)
    assert "series 4: CT, 3 slices of 5 x 6, uid ...2.3.4.123456" in message
    assert "series=" in message
    assert not any(secret in message for secret in ("Doe", "Jane", "secret-77", "thorax"))
    np.testing.assert_array_equal(read(tmp_path, series="5").pixels, volume + 5)
    np.testing.assert_array_equal(read(tmp_path, series="4.123456").pixels, volume + 4)
    with pytest.raises(AmbiguousScan, match="no series that '6' names"):
        read(tmp_path, series="6")


def test_identity_comes_from_the_header_and_stays_out_of_reprs(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", GREY)
    identity = identity_of(find(path).sources[0])
    assert identity == read(path).identity
    assert identity.patient == "secret-77"
    assert "secret-77" not in repr(read(path))
    assert identity_of(find(write(tmp_path, "a.png")).sources[0]).patient is None


def test_a_source_is_hashable_and_the_shelf_reads_it(tmp_path):
    path = write(tmp_path, "a.png")
    source = Source(path, "raster", (path,))
    assert {source: 1}[find(path).sources[0]] == 1
    assert halescan.read(source).source == path


def test_memory_that_runs_out_is_a_clear_sentence(tmp_path, monkeypatch):
    path = write(tmp_path, "a.npy")

    def starve(*_args, **_settings):
        raise MemoryError

    monkeypatch.setattr(np, "load", starve)
    with pytest.raises(ScanError, match="too large for the memory"):
        read(path)


def test_a_picture_cut_short_is_told_in_words_and_without_the_name_of_a_class(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ScanError, match="damaged or cut short") as refused:
        read(path)
    assert "Error" not in str(refused.value)
    assert str(refused.value).count("cut.jpg") == 1
