"""Many files as one volume: what is at fault is named."""

import shutil

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from halescan.errors import ScanError
from halescan.io import read
from halescan.types import Note
from tests.io.made import write_series


def slices(count):
    return np.random.default_rng(0).integers(-1000, 1000, (count, 40, 50)).astype(np.int16)


def along_z(count):
    return [(-10.0, -20.0, 2.0 * number) for number in range(count)]


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def series_with_bad(folder, *names):
    """A series of four slices of which some are cut off within their pixels."""
    folder = write_series(folder, slices(4), positions=along_z(4))
    for name in names:
        cut(folder / name)
    return folder


def test_the_bad_slice_of_a_series_is_named_with_what_waits_for_it(tmp_path):
    with pytest.raises(ScanError, match=r"002\.dcm: the header claims .* Its series of 4 files is not read without it"):
        read(series_with_bad(tmp_path, "002.dcm"))


def test_every_bad_slice_of_a_series_is_named(tmp_path):
    with pytest.raises(ScanError, match=r"001\.dcm: the .* Nor can 003\.dcm of its series of 4 files be read"):
        read(series_with_bad(tmp_path, "001.dcm", "003.dcm"))


def test_of_many_bad_slices_a_few_are_named(tmp_path):
    folder = write_series(tmp_path, slices(9), positions=along_z(9))
    for path in folder.iterdir():
        cut(path)
    with pytest.raises(ScanError, match=r"Nor can 001\.dcm, 002\.dcm, 003\.dcm and 5 more of its series of 9 files"):
        read(folder)


def copied(folder, *names):
    """A series with copies of its third slice."""
    folder = write_series(folder, slices(4), positions=along_z(4))
    for name in names:
        shutil.copy(folder / "002.dcm", folder / name)
    return folder


def blacken(path):
    data = path.read_bytes()
    path.write_bytes(data[:-600] + bytes(600))


def test_the_damaged_one_of_several_copies_is_named(tmp_path):
    folder = copied(tmp_path, "a.dcm", "b.dcm")
    blacken(folder / "a.dcm")
    with pytest.raises(ScanError, match=r": a\.dcm: damaged: the copies 002\.dcm and b\.dcm of the same slice"):
        read(folder)


def test_two_copies_that_differ_are_both_named(tmp_path):
    folder = copied(tmp_path, "a.dcm")
    blacken(folder / "a.dcm")
    with pytest.raises(ScanError, match=r": 002\.dcm and a\.dcm are copies of one slice .* one of them is damaged"):
        read(folder)


def test_different_slices_at_one_place_are_named(tmp_path):
    folder = write_series(tmp_path, slices(4), positions=[*along_z(3), along_z(3)[1]])
    with pytest.raises(ScanError, match=r"2 different slices lie at the same place \(001\.dcm and 003\.dcm\)"):
        read(folder)


@pytest.mark.parametrize("name", ["000.dcm", "003.dcm"])
def test_a_series_notes_a_file_at_its_end_that_cannot_be_read(tmp_path, name):
    folder = write_series(tmp_path, slices(4), positions=along_z(4))
    (folder / name).write_bytes((folder / name).read_bytes()[:300])
    scan = read(folder)
    assert len(scan.pixels) == 3
    assert Note("unread-files", {"count": 1}) in scan.notes


def test_a_report_beside_a_series_is_no_lost_slice(tmp_path):
    folder = write_series(tmp_path, slices(4), positions=along_z(4))
    shutil.copy(get_testdata_file("rtstruct.dcm", download=False), folder / "plan.dcm")
    assert not read(folder).notes


def test_a_bad_file_in_another_folder_is_no_lost_slice(tmp_path):
    write_series(tmp_path / "one", slices(4), positions=along_z(4))
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.dcm").write_bytes(b"")
    assert not read(tmp_path).notes
