"""Profiles by name, from files, with changes; wrong ones are refused with the way out."""

from pathlib import Path

import pytest

from halescan.data.masks import MASKS
from halescan.data.profiles import PROFILES, Profile, load_profile, profile_names
from halescan.errors import SettingError


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_found_by_its_name_and_says_what_it_misses(name: str) -> None:
    profile = load_profile(name)
    assert profile == PROFILES[name]
    assert profile.name == name
    assert profile.mask in MASKS
    assert profile.blind_spots
    assert profile.look_next


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_survives_json(name: str) -> None:
    assert Profile.model_validate_json(PROFILES[name].model_dump_json()) == PROFILES[name]


def test_changes_lie_on_top() -> None:
    profile = load_profile("chest-xray", {"pooling": "max", "size": [64, 64], "detector_settings": {"levels": [3]}})
    assert (profile.pooling, profile.size) == ("max", (64, 64))
    assert profile.detector_settings["levels"] == [3]
    assert profile.detector_settings["backbone"] == "mobilenet_v2"
    assert PROFILES["chest-xray"].detector_settings["levels"] != [3]


def test_another_detector_does_not_inherit_settings_that_it_would_not_understand() -> None:
    assert load_profile("chest-xray", {"detector": "autoencoder"}).detector_settings == {}


def test_a_file_may_hold_only_what_differs_from_a_base(tmp_path: Path) -> None:
    file = tmp_path / "children.toml"
    file.write_text('base = "chest-xray"\ntitle = "Children"\nsize = [96, 96]\n')
    profile = load_profile(file)
    assert (profile.title, profile.size, profile.pooling) == ("Children", (96, 96), "mean")


def test_a_file_may_stand_alone(tmp_path: Path) -> None:
    file = tmp_path / "knee.toml"
    file.write_text('dims = 3\nsize = [32, 64, 64]\nmask = "body"\n')
    assert load_profile(str(file)).name == "knee"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pooling": "median"}, "pooling must be 'mean', 'max' or 'top', got 'median'"),
        ({"poolin": "mean"}, "there is no setting 'poolin'; there are name, title"),
        ({"erode": 0.5}, "erode must be at least 0 and at most 0.2, got 0.5; 0.0 is usual"),
        ({"top_share": 3}, "top_share must be above 0 and at most 1, got 3; 0.01 is usual"),
        ({"map_quantile": 1}, "map_quantile must be above 0 and below 1, got 1; 0.995 is usual"),
        ({"smooth_mm": "much"}, "smooth_mm must be a finite number, got 'much'; 0.0 is usual"),
        ({"tiles": 2.5}, "tiles must be a whole number, got 2.5; 64 is usual"),
        ({"standardise": 7}, "standardise must be true or false, got 7; false is usual"),
        ({"modalities": "MR"}, "modalities must be a list of words, got 'MR'; [] is usual"),
        ({"size": ["wide", 64]}, "size must be a list of whole numbers, got 'wide'; [224, 224] is usual"),
        ({"detector_settings": 3}, "detector_settings must be a table of names and values, got 3; {} is usual"),
        ({"window_hu": [1]}, "window_hu must hold more values, got 1"),
        ({"window_hu": [1, 2, 3]}, "window_hu must hold 2 values, got 3"),
        ({"title": 3}, "title must be a word, got 3"),
        ({"name": ""}, "name must not be empty"),
        ({"dims": 3}, "size must be 3 numbers"),
        ({"size": [4, 4]}, "between 8 and 4096"),
        ({"size": [224]}, "profile generic: size must be 2 numbers between 8 and 4096, as dims is 2; got [224]"),
        ({"window_hu": [400, -1000]}, "the lower one first; got [400.0, -1000.0]"),
        ({"intensity": "window"}, "needs window_hu"),
        ({"median_slices": 2}, "must be odd, or 0 for none; got 2"),
        ({"slice_pooling": ["top", 0]}, 'a share in (0, 1], as ["top", 0.1]; got ["top", 0.0]'),
        ({"slice_pooling": ["top", "much"]}, "a list of one of mean, max, top, then a finite number, got 'much'"),
        ({"spacing_mm": [1.0]}, "spacing_mm must be 2 numbers"),
        ({"mask": "tissue"}, "needs channels 3"),
        ({"stain": "macenko"}, 'stain "macenko" needs channels 3'),
        ({"stain_like": [1.0] * 6}, "stain_like needs a stain"),
        ({"channels": 3, "stain": "reinhard", "stain_like": [1.0] * 5}, "a Reinhard look is 6 numbers"),
        ({"channels": 3, "stain": "vahadane"}, "stain must be 'as-is', 'macenko', 'macenko-marker' or 'reinhard'"),
        ({"top_share": 0}, "top_share"),
    ],
)
def test_a_wrong_setting_is_refused_by_name_with_what_it_may_be(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_profile("generic", changes)
    assert said in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(SettingError, match=r"no profile is called 'chest'; choose one of chest-xray, lung-ct"):
        load_profile("chest")


@pytest.mark.parametrize("base", ["", 'base = "lung-ct"\n'])
def test_settings_of_the_detector_that_are_no_table_are_refused_in_a_file_too(tmp_path: Path, base: str) -> None:
    (tmp_path / "own.toml").write_text(f"{base}detector_settings = 3\n")
    with pytest.raises(SettingError, match="detector_settings must be a table of names and values, got 3"):
        load_profile(tmp_path / "own.toml")


def test_a_file_that_is_absent_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be read"):
        load_profile(tmp_path / "none.toml")
    bad = tmp_path / "bad.toml"
    bad.write_text("size = [")
    with pytest.raises(SettingError, match="is not TOML"):
        load_profile(bad)
    bad.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingError, match="is not TOML"):
        load_profile(bad)


def test_installed_packages_may_bring_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "knee-mri"

        def load(self) -> dict[str, object]:
            return {"name": "knee-mri", "title": "Knee", "size": (64, 64)}

    monkeypatch.setattr(
        "halescan.data.profiles.entry_points", lambda group, name=None: [Point()] if name in (None, "knee-mri") else []
    )
    assert load_profile("knee-mri").size == (64, 64)
    assert profile_names() == (*PROFILES, "knee-mri")
