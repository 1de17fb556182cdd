"""What there is to choose from."""

import pytest

from halescan.data.profiles import PROFILES
from halescan.detectors import CATALOGUE
from halescan.errors import SettingError
from halescan.workflows.catalogue import (
    backbone_facts,
    detector_facts,
    detector_lines,
    detector_record,
    detector_records,
    profile_facts,
    source_of,
)


def test_every_detector_has_its_facts_and_a_source_to_cite() -> None:
    assert [row["name"] for row in detector_facts()] == list(CATALOGUE)
    for name in CATALOGUE:
        assert "http" in source_of(name)


def test_one_detector_is_told_with_its_settings() -> None:
    record = detector_record("padim")
    assert record == next(row for row in detector_records() if row["name"] == "padim")
    shrinkage = next(row for row in record["settings"] if row["name"] == "shrinkage")
    assert (shrinkage["cpu"], shrinkage["paper"], shrinkage["type"]) == ("oas", "none", "one of oas, none")
    assert detector_lines("padim")[2] == "dimensions: 2-D"
    with pytest.raises(SettingError, match="there are healthy-atlas"):
        detector_record("nope")


def test_every_profile_is_listed_with_a_detector_there_is() -> None:
    rows = profile_facts()
    assert [row["name"] for row in rows] == list(PROFILES)
    assert {row["detector"] for row in rows} <= set(CATALOGUE)


def test_an_unknown_detector_names_those_there_are() -> None:
    with pytest.raises(SettingError, match="patchcore"):
        source_of("nonsense")


def test_without_weights_there_is_no_backbone() -> None:
    assert backbone_facts() == []
