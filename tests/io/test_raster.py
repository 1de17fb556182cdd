import struct
import zlib

import numpy as np
import pytest
import tifffile
from imagecodecs import png_encode
from PIL import Image, ImageOps

from halescan.errors import ScanError
from halescan.io import read
from tests.io.made import GREY

RGB = np.stack([GREY, GREY + 20, 255 - GREY], axis=-1)
DEEP = GREY.astype(np.uint16) * 800


def save(path, pixels, **settings):
    Image.fromarray(pixels).save(path, **settings)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_colour_stays_colour(tmp_path, name):
    scan = read(save(tmp_path / name, RGB))
    assert scan.colour
    np.testing.assert_array_equal(scan.pixels, RGB)
    assert (scan.spacing_mm, scan.affine_lps, scan.modality) == (None, None, "")


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bits_stay_16_bits(tmp_path, name):
    scan = read(save(tmp_path / name, DEEP))
    assert scan.pixels.dtype == np.uint16
    np.testing.assert_array_equal(scan.pixels, DEEP)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_deep_colour_stays_16_bits_in_png(tmp_path, channels):
    deep = np.stack([DEEP, DEEP + 1, DEEP + 2, DEEP + 3], axis=-1)[..., :channels]
    (tmp_path / "a.png").write_bytes(png_encode(np.ascontiguousarray(deep)))
    scan = read(tmp_path / "a.png")
    assert scan.pixels.dtype == np.uint16
    np.testing.assert_array_equal(scan.pixels, deep[..., 0] if channels == 2 else deep[..., :3])


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, np.int16, np.uint32, np.int8])
def test_tiff_keeps_its_number_type(tmp_path, kind):
    tifffile.imwrite(tmp_path / "a.tif", (GREY / 2).astype(kind))
    scan = read(tmp_path / "a.tif")
    assert scan.pixels.dtype == (np.float32 if np.dtype(kind).kind == "f" else kind)
    np.testing.assert_array_equal(scan.pixels, (GREY / 2).astype(kind))


def test_three_equal_channels_are_grey(tmp_path):
    scan = read(save(tmp_path / "a.png", np.stack([GREY] * 3, axis=-1)))
    assert not scan.colour
    np.testing.assert_array_equal(scan.pixels, GREY)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_alpha_is_dropped_and_noted_only_where_it_hid_something(tmp_path, name):
    opaque = np.dstack([RGB, np.full_like(GREY, 255)])
    scan = read(save(tmp_path / name, opaque))
    np.testing.assert_array_equal(scan.pixels, RGB)
    assert not scan.notes
    opaque[0, 0, 3] = 7
    assert [note.key for note in read(save(tmp_path / name, opaque)).notes] == ["alpha-dropped"]


def test_grey_with_alpha_is_grey(tmp_path):
    Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(255 - GREY)]).save(tmp_path / "a.png")
    scan = read(tmp_path / "a.png")
    np.testing.assert_array_equal(scan.pixels, GREY)
    assert scan.notes[0].key == "alpha-dropped"


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_a_palette_is_looked_up(tmp_path, name):
    image = Image.fromarray(GREY % 4)
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9] + [0] * 756)
    image.save(tmp_path / name)
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], np.uint8)
    np.testing.assert_array_equal(read(tmp_path / name).pixels, colours[GREY % 4])


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_one_bit_is_black_and_white(tmp_path, name):
    Image.fromarray(GREY > 20).save(tmp_path / name)
    np.testing.assert_array_equal(read(tmp_path / name).pixels, (GREY > 20) * np.uint8(255))


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_printers_colours_become_rgb(tmp_path, name):
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / name)
    scan = read(tmp_path / name)
    assert scan.pixels.shape == RGB.shape
    assert np.abs(scan.pixels.astype(int) - RGB).mean() < 25


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_a_turned_picture_stands_upright(tmp_path, name, orientation):
    image = Image.fromarray(GREY)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / name, exif=exif)
    image.save(tmp_path / "twin.png", exif=exif)  # Pillow scrambles such TIFFs: PNG is the reference
    with Image.open(tmp_path / (name if name == "a.jpg" else "twin.png")) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    np.testing.assert_array_equal(read(tmp_path / name).pixels, expected)


def test_a_tiff_in_printers_colours_is_turned_too(tmp_path):
    cmyk = np.asarray(Image.fromarray(RGB).convert("CMYK"))
    tifffile.imwrite(tmp_path / "a.tif", cmyk, photometric="separated", extratags=[(274, "H", 1, 6, True)])
    tifffile.imwrite(tmp_path / "upright.tif", cmyk, photometric="separated")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, np.rot90(read(tmp_path / "upright.tif").pixels, -1))


def test_other_colour_spaces_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="cielab")
    with pytest.raises(ScanError, match="stored as CIELAB, expected grey, RGB or CMYK"):
        read(tmp_path / "a.tif")


def test_pages_of_a_tiff_are_slices(tmp_path):
    volume = np.stack([GREY, GREY + 1, GREY + 2])
    tifffile.imwrite(tmp_path / "a.tif", volume, photometric="minisblack")
    scan = read(tmp_path / "a.tif")
    assert scan.dims == 3
    np.testing.assert_array_equal(scan.pixels, volume)


def test_pages_written_one_by_one_are_slices(tmp_path):
    pages = [Image.fromarray(GREY + step) for step in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, np.stack([GREY, GREY + 1, GREY + 2]))


def test_colour_pages_are_colour_slices(tmp_path):
    volume = np.stack([RGB, RGB + 1])
    tifffile.imwrite(tmp_path / "a.tif", volume, photometric="rgb")
    scan = read(tmp_path / "a.tif")
    assert (scan.dims, scan.colour) == (3, True)
    np.testing.assert_array_equal(scan.pixels, volume)


def test_planar_colour_is_colour(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RGB.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, RGB)


def test_pages_of_different_size_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(GREY)
        tiff.write(GREY[:5])
    with pytest.raises(ScanError, match="2 pages differ in size or type"):
        read(tmp_path / "a.tif")


def test_white_is_zero_is_turned(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="miniswhite")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, 255 - GREY)


@pytest.mark.parametrize("compression", ["zlib", "lzw", "packbits"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_compressed_tiff_in_either_byte_order_reads(tmp_path, compression, byteorder):
    tifffile.imwrite(tmp_path / "a.tif", DEEP, compression=compression, byteorder=byteorder)
    scan = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(scan.pixels, DEEP)
    assert scan.pixels.dtype.isnative


def forged_png(width, height):
    """A valid PNG header that claims a size, and hardly any data."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def test_a_picture_larger_than_its_file_can_hold_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(forged_png(30000, 30000))
    with pytest.raises(ScanError, match=r"claims 900\.0 MB of pixels"):
        read(tmp_path / "a.png")


def test_a_picture_nobody_can_want_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(forged_png(60000, 60000))
    with pytest.raises(ScanError, match=r"at most 2\.1 GB"):
        read(tmp_path / "a.png")


def test_a_large_honest_picture_reads_without_a_warning(tmp_path):
    pixels = np.zeros((9500, 9500), np.uint8)  # beyond Pillow's own limit of 89 million pixels
    pixels[0, 0] = 1
    save(tmp_path / "a.png", pixels, compress_level=1)
    assert read(tmp_path / "a.png").pixels.shape == (9500, 9500)
