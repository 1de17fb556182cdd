from pathlib import Path

import numpy as np
import pytest

from halescan.errors import ScanError
from halescan.io.dicom_pixels import check_size, frames_of, grey_values, has_image, stored_bytes
from tests.io.made import GREY, dicom_dataset, item

HERE = Path("a.dcm")


def test_values_come_out_frame_first():
    values, rescaled = grey_values(dicom_dataset(GREY), where=HERE)
    np.testing.assert_array_equal(values, GREY[None])
    assert not rescaled


def test_colour_comes_out_colour_last():
    colour = np.stack([GREY, GREY + 1, GREY + 2], axis=-1)
    values, _ = grey_values(dicom_dataset(colour, Modality="OT"), where=HERE)
    np.testing.assert_array_equal(values, colour[None])


def test_a_modality_table_is_looked_up():
    table = item(LUTDescriptor=[256, 0, 16], LUTData=[3 * value for value in range(256)], ModalityLUTType="US")
    values, rescaled = grey_values(dicom_dataset(GREY, Modality="DX", ModalityLUTSequence=[table]), where=HERE)
    np.testing.assert_array_equal(values[0], 3.0 * GREY)
    assert rescaled
    assert values.dtype == np.float32


def test_monochrome1_is_turned_before_it_is_rescaled():
    dataset = dicom_dataset(GREY, PhotometricInterpretation="MONOCHROME1", RescaleSlope=2, RescaleIntercept=-10)
    values, _ = grey_values(dataset, where=HERE)
    np.testing.assert_array_equal(values[0], 2.0 * (255 - GREY) - 10)


def test_a_range_of_padding_is_all_padding():
    pixels = GREY.astype(np.int16)
    pixels[0, :2] = (-2000, -1990)
    dataset = dicom_dataset(pixels, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1980)
    values, _ = grey_values(dataset, where=HERE)
    assert values.min() == pixels.ravel()[2:].min()


def test_padding_in_the_wrong_sign_is_understood():
    pixels = GREY.astype(np.int16)
    pixels[0] = -2000
    dataset = dicom_dataset(pixels)
    dataset.add_new(0x00280120, "US", 63536)  # -2000 as an unsigned number, as some scanners write it
    assert grey_values(dataset, where=HERE)[0].min() == GREY[1:].min()


@pytest.mark.parametrize("slope", [0, np.nan, np.inf])
def test_a_slope_that_would_erase_the_image_is_refused(slope):
    dataset = dicom_dataset(GREY, RescaleSlope=slope, RescaleIntercept=5)
    with pytest.raises(ScanError, match=r"a\.dcm: its RescaleSlope is .*, expected a number other than 0.*set it to 1"):
        grey_values(dataset, where=HERE)


def test_an_empty_slice_may_have_a_slope_of_zero():
    dataset = dicom_dataset(0 * GREY, RescaleSlope=0, RescaleIntercept=5)
    assert (grey_values(dataset, where=HERE)[0] == 5).all()


def test_palette_colours_are_looked_up():
    ramp = np.arange(256, dtype=np.uint16) << 8
    tables = {
        f"{name}PaletteColorLookupTable{part}": value
        for name, data in (("Red", ramp), ("Green", ramp[::-1]), ("Blue", ramp * 0))
        for part, value in (("Descriptor", [256, 0, 16]), ("Data", data.tobytes()))
    }
    dataset = dicom_dataset(GREY, PhotometricInterpretation="PALETTE COLOR", **tables)
    values, _ = grey_values(dataset, where=HERE)
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(values[0], np.stack([GREY, 255 - GREY, 0 * GREY], axis=-1))


def test_sizes_are_counted_from_the_header():
    dataset = dicom_dataset(np.zeros((5, 4, 6), np.uint16))
    assert frames_of(dataset) == 5
    assert stored_bytes(dataset) == 5 * 4 * 6 * 2
    assert has_image(dataset)
    check_size(dataset, where=HERE, file_bytes=240)
    with pytest.raises(ScanError, match="claims 240 bytes of pixels, the file holds 239 bytes"):
        check_size(dataset, where=HERE, file_bytes=239)


def test_an_object_without_pixels_has_no_image():
    assert not has_image(dicom_dataset(GREY, PixelData=None))
