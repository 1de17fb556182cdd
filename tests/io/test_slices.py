"""One slice of a volume as a scan of its own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halescan.errors import BlankScan, ScanError
from halescan.io import read, source_of
from tests.io.made import write


def test_a_slice_has_the_pixels_and_the_place_it_has_in_the_volume(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).integers(0, 500, (7, 9, 11), dtype=np.int16)
    source = source_of(write(tmp_path, "a.nii.gz", volume))
    whole = read(source)
    assert whole.affine_lps is not None
    for z in (0, 3, 6):
        cut = read(replace(source, slice_index=z))
        np.testing.assert_array_equal(cut.pixels, whole.pixels[z])
        assert (cut.dims, cut.spacing_mm) == (2, (whole.spacing_mm or ())[1:])
        assert cut.affine_lps is not None
        np.testing.assert_allclose(cut.affine_lps @ [0, 2, 5, 1], whole.affine_lps @ [z, 2, 5, 1])
        assert cut.directions == (whole.directions or ())[1:]


def test_a_slice_that_is_not_there_is_refused(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, "a.nii.gz", np.arange(60, dtype=np.int16).reshape(3, 4, 5)))
    with pytest.raises(ScanError, match="holds slices 0 to 2, slice 3 was asked for"):
        read(replace(source, slice_index=3))
    with pytest.raises(ScanError, match="holds a single image, slice 0 was asked for"):
        read(replace(source_of(write(tmp_path, "a.png")), slice_index=0))
    with pytest.raises(ScanError):
        read(replace(source_of(tmp_path / "none.nii.gz"), slice_index=0))


def test_an_empty_slice_is_refused_like_an_empty_scan(tmp_path: Path) -> None:
    volume = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    volume[1] = 4
    with pytest.raises(BlankScan, match="slice 1: every pixel has the value 4") as refused:
        read(replace(source_of(write(tmp_path, "a.nii.gz", volume)), slice_index=1))
    assert refused.value.value == 4


def test_a_volume_that_changed_is_read_again(tmp_path: Path) -> None:
    volume = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    source = replace(source_of(write(tmp_path, "a.nii.gz", volume)), slice_index=2)
    first = read(source).pixels
    write(tmp_path, "a.nii.gz", volume[:, ::-1].copy())
    assert (read(source).pixels != first).any()


def test_every_scan_of_a_file_has_a_word_of_its_own(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, "a.nii.gz", np.arange(60, dtype=np.int16).reshape(3, 4, 5)))
    ways = [source, replace(source, slice_index=1), replace(source, index=1), replace(source, part="x", index=1)]
    assert [way.within for way in ways] == ["", "z1", "1", "x:1"]
