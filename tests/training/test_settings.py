"""Settings are held against the detector's signature, whoever wrote them."""

import re
from typing import Any

import pytest

from halescan.detectors import CATALOGUE, find_detector
from halescan.errors import SettingError
from halescan.training.run import Run
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
        ("healthy-atlas", {"blur_px": "wide"}, "blur_px must be a finite number, got 'wide'; 1.0 is usual$"),
        ("healthy-atlas", {"blur_px": float("inf")}, "blur_px must be a finite number, got inf; "),
        (
            "autoencoder",
            {"widths": [16, "many"]},
            r"widths must be a list of whole numbers, got \[16, 'many'\]; \[16,32,",
        ),
        ("autoencoder", {"widths": {"a": 1}}, "widths must be a list of whole numbers, got {'a': 1}; "),
        ("autoencoder", {"widths": "16,32"}, r"got '16,32'; write \[16,32\]$"),
        ("autoencoder", {"loss": ["l1"]}, 'loss must be one of l1, l2, .*; "l2" is usual$'),
        ("autoencoder", {"steps": None}, "steps must be a whole number, got None; 1200 is usual$"),
        ("autoencoder", {"side": "huge"}, "side must be a whole number or null, got 'huge'; 64 is usual$"),
        ("riad", {"steps": "many"}, "steps must be a whole number, got 'many'; "),
        ("patchcore", {"grid": "fine"}, "grid must be a whole number or null, got 'fine'; null is usual$"),
        ("ensemble", {"members": "patchcore,autoencoder"}, r'words or tables .*; write \["patchcore","autoencoder"\]$'),
        ("ensemble", {"members": '["patchcore",riad]'}, r'; write \["patchcore","riad"\]$'),
        ("ensemble", {"members": '[{"detector": riad}'}, r'; \["patchcore","denoising-autoencoder","autoencoder"\] is'),
        ("ensemble", {"members": [1]}, r'got \[1\]; \["patchcore"'),
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


def wrong(usual: Any) -> list[Any]:
    """Values that most settings refuse."""
    if isinstance(usual, bool) or usual is None:
        return []
    if isinstance(usual, str):
        return ["nonsense"]
    if isinstance(usual, tuple):
        return [(), ("nonsense",) if isinstance(usual[0], str) else (0,)]
    return [0, -1, 10**9]


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_lies_outside_is_refused_with_its_name_and_a_good_value(name: str) -> None:
    kind = find_detector(name)
    for setting, usual in kind.usual().items():
        for value in wrong(usual):
            try:
                kind.preset("cpu", **{setting: value}).check_run(Run(device="cpu"))
            except SettingError as error:
                said = str(error)
                assert re.search('usual|work|the paper|one of|some of|" or "|there are', said), said
                assert setting in said or name == "ensemble", said
                assert "check_images" not in said


@pytest.mark.parametrize(
    ("size", "settings", "said"),
    [
        ("cpu", {"steps": 0}, r"^steps must lie in \[1, 100000000\], got 0; 1200 is usual$"),
        ("paper", {"steps": 0}, "30000 is usual"),
        ("cpu", {"learning_rate": -1.0}, r"^learning_rate must lie in \(0, 10\), got -1.0; 0.002 is usual$"),
        ("huge", {}, "^size must be cpu or paper, got huge; cpu is usual$"),
    ],
)
def test_the_good_value_is_the_method_s_own(size: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        find_detector("autoencoder").preset(size, **settings).check_run(Run(device="cpu"))
