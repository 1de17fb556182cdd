from pathlib import Path

import numpy as np
import pytest

from halescan.errors import ScanError
from halescan.io.pixels import LARGEST_BYTES, array_bytes, check_affordable, check_claim, finish
from tests.io.made import GREY

HERE = Path("scan.x")


def test_integers_stay_as_stored():
    for kind in (np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32):
        pixels, notes = finish(GREY.astype(kind) // 2, where=HERE, dims=2)
        assert pixels.dtype == kind
        assert notes == ()


def test_wide_numbers_become_32_bits_without_losing_a_value():
    assert finish(GREY.astype(np.int64) - 9, where=HERE, dims=2)[0].dtype == np.int32
    assert finish(GREY.astype(np.uint64) << 26, where=HERE, dims=2)[0].dtype == np.uint32
    assert finish(GREY.astype(np.int64) << 40, where=HERE, dims=2)[0].dtype == np.float32
    assert finish(GREY.astype(np.float64), where=HERE, dims=2)[0].dtype == np.float32


def test_foreign_byte_order_becomes_native():
    pixels, _ = finish(GREY.astype(">u2"), where=HERE, dims=2)
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels, GREY)


def test_truth_values_become_black_and_white():
    pixels, _ = finish(GREY > 20, where=HERE, dims=2)
    assert set(np.unique(pixels)) == {0, 255}


def test_values_beyond_float32_count_as_not_finite():
    values = GREY.astype(np.float64)
    values[0, 0] = 1e300
    pixels, notes = finish(values, where=HERE, dims=2)
    assert pixels[0, 0] == values.ravel()[1:].min()
    assert notes[0].key == "non-finite-pixels"


def test_equal_channels_become_one():
    grey, _ = finish(np.stack([GREY] * 3, axis=-1), where=HERE, dims=2)
    np.testing.assert_array_equal(grey, GREY)


def test_one_coloured_pixel_keeps_the_colour():
    colour = np.stack([GREY] * 3, axis=-1)
    colour[0, 0] = (255, 0, 0)
    pixels, _ = finish(colour, where=HERE, dims=2)
    assert pixels.shape == (12, 16, 3)


def test_a_single_colour_is_constant():
    with pytest.raises(ScanError, match=r"\(9, 8, 7\)"):
        finish(np.tile(np.array([9, 8, 7], np.uint8), (4, 4, 1)), where=HERE, dims=2)


@pytest.mark.parametrize("pixels", [GREY.astype(complex), GREY.astype(object), GREY.astype(str)])
def test_what_is_no_number_is_refused(pixels):
    with pytest.raises(ScanError, match="expected grey or colour values"):
        finish(pixels, where=HERE, dims=2)


def test_no_pixels_are_refused():
    with pytest.raises(ScanError, match="without pixels"):
        finish(np.zeros((0, 5)), where=HERE, dims=2)


def test_claims_are_checked_against_the_file_and_against_reason():
    check_claim(HERE, claimed=100, stored=100)
    check_claim(HERE, claimed=1000, stored=100, ratio=10)
    with pytest.raises(ScanError, match=r"claims 4\.3 GB of pixels, the file holds 1\.0 kB"):
        check_claim(HERE, claimed=1 << 32, stored=1000)
    check_affordable(HERE, claimed=LARGEST_BYTES)
    with pytest.raises(ScanError, match="read at once"):
        check_affordable(HERE, claimed=LARGEST_BYTES + 1)


def test_array_sizes_do_not_overflow():
    assert array_bytes((1 << 40, 1 << 40), np.float64) == 1 << 83
