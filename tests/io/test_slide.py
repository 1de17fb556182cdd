"""Slides are opened without being read, and a region is the same whichever way it is stored."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from halescan.errors import BlankScan, MissingExtra, ScanError
from halescan.io import find, identity_of, is_slide, open_slide, read, source_of
from halescan.io.slide_tiff import TiffPyramid
from tests.slides import GLASS, MadeSlide, write_dicom_slide, write_slide

SIDE = 2000
DRAWN = MadeSlide.of(SIDE, red=((900, 1000, 120),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One slide, stored in six ways."""
    folder = tmp_path_factory.mktemp("slides")
    write_slide(folder / "pages.tiff", DRAWN)
    write_slide(folder / "within.tif", DRAWN, within=True)
    write_slide(folder / "aperio.svs", DRAWN, aperio=True)
    write_dicom_slide(folder / "packed", DRAWN)
    write_dicom_slide(folder / "plain", DRAWN, packed=False)
    write_dicom_slide(folder / "sparse", DRAWN, sparse=True)
    return folder


WAYS = ["pages.tiff", "within.tif", "aperio.svs", "packed", "plain", "sparse"]


@pytest.mark.parametrize("way", WAYS)
def test_a_slide_is_one_source_with_its_size_its_levels_and_its_scale(folder: Path, way: str) -> None:
    if way == "aperio.svs":
        pytest.importorskip("openslide")
    found = find(folder / way)
    assert len(found.sources) == 1
    assert not found.problems
    assert is_slide(found.sources[0])
    with open_slide(found.sources[0]) as slide:
        assert slide.shape == (SIDE, SIDE)
        assert slide.levels[:2] == ((2000, 2000), (500, 500))
        assert slide.um_per_px == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_storing_shows_the_same_region(folder: Path, way: str) -> None:
    with open_slide(find(folder / way).sources[0]) as slide:
        shown = slide.region(((700, 1101), (801, 1203)), (401, 402)).astype(int)
    drawn = DRAWN.pixels(1, 700, 801, 401, 402).astype(int)
    glass = (drawn == GLASS).all(axis=-1)
    assert np.abs(shown[glass] - drawn[glass]).max() <= 60  # JPEG rings at the rim
    middle = (shown[200:, 150:250, 1] < 100).mean()  # the red disc lies around (900, 1000)
    assert middle == pytest.approx((drawn[200:, 150:250, 1] < 100).mean(), abs=0.02)


def test_our_reader_and_openslide_agree_to_the_pixel(folder: Path) -> None:
    openslide = pytest.importorskip("openslide")
    with openslide.OpenSlide(folder / "packed" / "level-0.dcm") as theirs:
        expected = np.asarray(theirs.read_region((801, 700), 0, (402, 401)).convert("RGB"))
    with open_slide(folder / "packed" / "level-0.dcm") as ours:
        np.testing.assert_array_equal(ours.region(((700, 1101), (801, 1203)), (401, 402)), expected)
    svs = TiffPyramid(folder / "aperio.svs")
    with open_slide(folder / "aperio.svs") as slide:
        np.testing.assert_array_equal(svs.read(0, 700, 801, 300, 300), slide.pyramid.read(0, 700, 801, 300, 300))
    svs.close()


@pytest.mark.parametrize("scale", [1.0, 2.0, 4.0, 7.3, 16.0])
def test_a_place_stays_at_its_place_at_every_scale(folder: Path, scale: float) -> None:
    rows, columns = (560.0, 1240.0), (660.0, 1340.0)  # 680 pixels around the red disc's middle
    pixels = round(680 / scale)
    with open_slide(folder / "pages.tiff") as slide:
        shown = slide.region((rows, columns), (pixels, pixels)).astype(float)
    red = shown[..., 1] < 90
    y, x = (np.argwhere(red).mean(axis=0) + 0.5) * (680 / pixels) + (rows[0], columns[0])
    assert (y, x) == pytest.approx((900, 1000), abs=0.3 * scale + 0.5)


def test_the_level_read_is_the_coarsest_that_is_fine_enough(folder: Path) -> None:
    with open_slide(folder / "pages.tiff") as slide:
        assert [slide.level_for(factor) for factor in (0.5, 1, 3.9, 4, 15, 16, 100)] == [0, 0, 0, 1, 1, 2, 2]


def test_beyond_its_edge_a_slide_is_white(folder: Path) -> None:
    with open_slide(folder / "pages.tiff") as slide:
        shown = slide.region(((1900, 2100), (1900, 2100)), (200, 200))
        assert (shown[100:] == 255).all()
        assert (shown[:, 100:] == 255).all()
        assert (slide.region(((5000, 5010), (0, 10)), (10, 10)) == 255).all()


def test_the_overview_is_the_whole_slide_whatever_the_bands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_slide(folder / "pages.tiff") as slide:
        whole = slide.overview((8.0, 8.0))
        monkeypatch.setattr("halescan.io.slide._BAND_BYTES", 20_000)
        banded = slide.overview((8.0, 8.0))
    assert whole.shape == (250, 250, 3)
    assert np.abs(whole.astype(int) - banded).max() <= 1


def test_reading_a_slide_gives_its_overview_as_a_scan(folder: Path) -> None:
    scan = read(folder / "pages.tiff")
    assert scan.shape == (1024, 1024)
    assert scan.colour
    assert scan.modality == "SM"
    assert scan.spacing_mm == pytest.approx((SIDE / 1024 * 0.0005,) * 2)


def test_a_dicom_slide_knows_its_patient_and_shows_nobody_else(folder: Path) -> None:
    source = find(folder / "packed").sources[0]
    assert identity_of(source).patient == "secret-77"
    with open_slide(source) as slide:
        assert slide.levels == ((2000, 2000), (500, 500))  # the label is as large as a level, and is none


def test_a_dicom_file_named_alone_brings_its_levels_along(folder: Path) -> None:
    source = source_of(folder / "packed" / "level-1.dcm")
    assert is_slide(source)
    with open_slide(source) as slide:
        assert len(slide.levels) == 2


def test_a_label_alone_is_no_slide(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "label.dcm").write_bytes((folder / "packed" / "label.dcm").read_bytes())
    with pytest.raises(ScanError, match="label or overview only"):
        open_slide(tmp_path / "label.dcm")


def test_a_small_tiled_picture_is_no_slide(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "tiled.tif", DRAWN.pixels(1, 700, 800, 256, 256), tile=(128, 128), photometric="rgb")
    assert not is_slide(source_of(tmp_path / "tiled.tif"))
    assert read(tmp_path / "tiled.tif").shape == (256, 256)


def test_a_resolution_of_a_printer_is_none(tmp_path: Path) -> None:
    write_slide(tmp_path / "a.tiff", DRAWN, um_per_px=352.8)  # 72 dpi, which nobody meant
    with open_slide(tmp_path / "a.tiff") as slide:
        assert slide.um_per_px is None
    with open_slide(tmp_path / "a.tiff", um_per_px=0.25) as slide:
        assert slide.um_per_px == (0.25, 0.25)
        assert slide.resolution_given


def test_a_slide_that_says_its_resolution_is_believed(folder: Path) -> None:
    with open_slide(folder / "pages.tiff", um_per_px=3.0) as slide:
        assert slide.um_per_px == pytest.approx((0.5, 0.5))
        assert not slide.resolution_given


@pytest.mark.parametrize("way", ["pages.tiff", "aperio.svs", "packed/level-0.dcm", "plain/level-0.dcm"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_a_truncated_slide_is_one_clear_sentence(folder: Path, tmp_path: Path, way: str, share: float) -> None:
    whole = (folder / way).read_bytes()
    path = tmp_path / Path(way).name
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ScanError) as caught, open_slide(path) as slide:
        slide.region(((0, SIDE), (0, SIDE)), (500, 500))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.svs", "a.ndpi", "a.mrxs"])
def test_what_is_no_slide_is_refused(tmp_path: Path, name: str) -> None:
    pytest.importorskip("openslide")
    (tmp_path / name).write_text("a report, nothing to see\n" * 50)
    with pytest.raises(ScanError, match="is not a slide that can be read"):
        read(tmp_path / name)


def test_without_openslide_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openslide", None)
    (tmp_path / "a.ndpi").write_bytes(b"II*\x00" + bytes(100))
    with pytest.raises(MissingExtra, match=r"pip install 'halescan\[slides\]'"):
        open_slide(tmp_path / "a.ndpi")


def test_without_openslide_an_aperio_slide_is_read_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openslide", None)
    with open_slide(folder / "aperio.svs") as slide:
        assert slide.um_per_px == pytest.approx((0.5, 0.5))
        assert len(slide.levels) == 3


def test_a_slide_of_one_colour_is_blank(tmp_path: Path) -> None:
    write_slide(tmp_path / "blank.tiff", MadeSlide(1024, ()))
    with pytest.raises(BlankScan, match="blank"):
        read(tmp_path / "blank.tiff")
