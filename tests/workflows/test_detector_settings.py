"""What a detector's settings are, as its class tells and takes them."""

from typing import Literal

import numpy as np
import pytest

from halescan.detectors import CATALOGUE, find_detector
from halescan.detectors.symmetry import Symmetry
from halescan.errors import SettingError
from halescan.workflows.detector_settings import Setting, range_of, settings_of, type_words


def one(detector: str, name: str) -> Setting:
    return next(setting for setting in settings_of(detector) if setting.name == name)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_setting_has_a_type_a_meaning_and_the_values_that_are_used(name: str) -> None:
    told, kind = settings_of(name), find_detector(name)
    assert [setting.name for setting in told] == list(kind().settings)
    assert not [setting.name for setting in told if not setting.meaning or setting.type == "any"]
    for size in ("cpu", "paper"):
        given = {setting.name: getattr(setting, size) for setting in told}
        assert kind(**given).settings == kind.preset(size).settings


def test_values_differ_between_the_sizes_and_are_written_as_set_takes_them() -> None:
    levels = one("padim", "levels")
    assert (levels.cpu, levels.paper) == ([6, 10, 13], [1, 2, 3])
    assert levels.words()["cpu"] == "[6, 10, 13]"
    assert one("ensemble", "members").words()["cpu"] == '["patchcore", "denoising-autoencoder", "autoencoder"]'
    assert one("ensemble", "weights").words()["paper"] == "null"
    assert one("symmetry", "direction").words()["cpu"] == "both"


@pytest.mark.parametrize(
    ("detector", "name", "says"),
    [
        ("healthy-atlas", "blur_px", "[0, 100]"),
        ("healthy-atlas", "floor", "(0, 1]"),
        ("denoising-autoencoder", "depth", "[1, 7]"),
        ("dinomaly", "easy", "[0, 1)"),
        ("autoencoder", "steps", "1 or more"),
        ("padim", "epsilon", "above 0"),
        ("patchcore", "grid", "1 or more"),  # null at size cpu
        ("padim", "aggregate", ""),  # odd numbers alone
        ("padim", "levels", ""),  # no single number
        ("squid", "widths", "each 1 or more"),
        ("p-net", "scales_px", "each [0.3, 20]"),
    ],
)
def test_the_range_is_what_the_class_takes(detector: str, name: str, says: str) -> None:
    assert one(detector, name).range == says


def test_the_ends_of_a_range_are_taken_and_what_lies_beyond_is_refused() -> None:
    kind = Symmetry
    assert range_of(kind, "tilt_deg", float) == "[0, 45]"
    for taken in (0.0, 45.0):
        kind(tilt_deg=taken)
    for refused in np.nextafter([0.0, 45.0], [-1.0, 46.0]):
        with pytest.raises(SettingError):
            kind(tilt_deg=float(refused))


def test_types_are_told_in_words() -> None:
    assert type_words(int | None) == "whole number or null"
    assert type_words(tuple[float, ...]) == "list of numbers"
    assert type_words(Literal["l1", "l2"]) == "one of l1, l2"
    assert type_words(bool) == "true or false"


def test_a_class_takes_over_what_the_one_above_it_says() -> None:
    assert one("simsid", "slots").meaning == one("squid", "slots").meaning


def test_no_value_is_named_as_python_alone_writes_it() -> None:
    assert not [setting.name for name in CATALOGUE for setting in settings_of(name) if "None" in setting.meaning]
