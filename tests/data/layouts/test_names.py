"""Patients in published file names."""

import pytest

from halescan.data.layouts.names import patient_of


@pytest.mark.parametrize(
    ("stem", "patient"),
    [
        ("00124_60", "00124"),
        ("BraTS2021_00002_flair_60", "BraTS2021_00002"),
        ("person100_bacteria_475", "person100_bacteria"),
        ("person447_virus_921_1", "person447_virus"),
        ("NORMAL2-IM-0013-0001", "NORMAL2-IM-0013"),
        ("IM-0115-0001", "IM-0115"),
        ("IM-0433-0001-0002", "IM-0433"),
        ("BACTERIA-1008087-0001", "1008087"),
        ("CNV-1016042-1", "1016042"),
        ("DRUSEN-1016042-7", "1016042"),
    ],
)
def test_a_published_name_names_its_patient(stem: str, patient: str) -> None:
    assert patient_of(stem) == patient


@pytest.mark.parametrize("stem", ["1000", "image", "0012_60", "person", "00124_60_copy", "2024_1"])
def test_any_other_name_says_nothing(stem: str) -> None:
    assert patient_of(stem) is None
