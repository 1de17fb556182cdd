"""Settings are held against the detector's signature, whoever wrote them."""

import pytest

from halescan.detectors import CATALOGUE, find_detector
from halescan.errors import SettingError
from halescan.training.settings import MOST_NUMBERS, typed_settings


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_settings_a_detector_gives_are_those_it_takes(name: str) -> None:
    kind = find_detector(name)
    for size in kind.presets:
        made = kind.preset(size)
        assert kind(**typed_settings(kind, made.settings)).settings == made.settings


@pytest.mark.parametrize(
    ("name", "settings", "match"),
    [
        ("healthy-atlas", {"nonsense": 1}, "no setting nonsense; its settings are blur_px"),
        ("healthy-atlas", {"blur_px": "wide"}, "blur_px cannot be 'wide'"),
        ("healthy-atlas", {"blur_px": float("inf")}, "blur_px"),
        ("autoencoder", {"widths": [16, "many"]}, "widths"),
        ("autoencoder", {"widths": {"a": 1}}, "widths"),
        ("autoencoder", {"loss": ["l1"]}, "loss"),
        ("autoencoder", {"steps": None}, "steps"),
        ("patchcore", {"levels": [1] * (MOST_NUMBERS + 1)}, "levels cannot hold 65 values"),
    ],
)
def test_what_does_not_belong_is_named_with_what_does(name: str, settings: dict[str, object], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        typed_settings(find_detector(name), settings)


def test_a_long_value_does_not_fill_the_message() -> None:
    with pytest.raises(SettingError) as caught:
        typed_settings(find_detector("healthy-atlas"), {"blur_px": "wide" * 10_000})
    assert len(str(caught.value)) < 300
