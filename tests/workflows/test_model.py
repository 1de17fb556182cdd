"""A model's folder may come from a stranger: what does not hold together is refused, in one sentence and at once."""

import json
import resource
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halescan.errors import ModelError
from halescan.scoring.calibration import Calibration
from halescan.synthesis.cohort import PhantomFolders
from halescan.training.model_folder import read_model, write_model
from halescan.workflows.model import card_facts, load_model
from halescan.workflows.train import train

QUICK: dict[str, dict[str, Any]] = {
    "healthy-atlas": {},
    "autoencoder": {"steps": 2, "widths": [4, 4], "latent": 2},
    "denoising-autoencoder": {"steps": 2, "width": 4, "depth": 2},
    "padim": {"backbone": "own", "encoder_steps": 2, "levels": [2, 3], "grid": 8, "components": 4},
    "patchcore": {"backbone": "own", "encoder_steps": 2, "levels": [2, 3], "grid": 8, "components": 4},
}
MOST_MIB, MOST_S = 300, 10.0  # a model of phantoms takes a tenth of it


@pytest.fixture(scope="module")
def models(phantoms: PhantomFolders, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One small model of each kind of method."""
    folder = tmp_path_factory.mktemp("kinds")
    for name in QUICK:
        train(
            phantoms.healthy,
            profile="lung-ct",
            detector=name,
            detector_settings=QUICK[name],
            profile_settings={"size": [32, 32], "standardise": False},
            out=folder / name,
        )
    return {name: folder / name for name in QUICK}


def altered(model: Path, target: Path, change: Callable[[dict[str, Any], dict[str, np.ndarray]], None]) -> Path:
    """A copy of a model with a changed record or changed arrays, its checksums in order."""
    record, tensors, calibration = read_model(model)
    change(record, tensors)
    write_model(target, record=record, tensors=tensors, calibration=calibration)
    return target


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024


def refused(folder: Path) -> str:
    """Why a folder is refused; fails if that took much time or memory."""
    before, begun = peak_mib(), time.monotonic()
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert time.monotonic() - begun < MOST_S
    assert peak_mib() - before < MOST_MIB
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


def test_the_models_are_fine_before_they_are_altered(models: dict[str, Path], tmp_path: Path) -> None:
    for name, folder in models.items():
        images = np.random.default_rng(0).random((2, 1, 32, 32), np.float32)
        maps = [load_model(one).detector.score(images).map for one in (folder, altered(folder, tmp_path / name, _no))]
        np.testing.assert_array_equal(maps[0], maps[1])


def _no(record: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Change nothing."""


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("healthy-atlas", {"blur_px": 1e9}),
        ("healthy-atlas", {"blur_px": "wide"}),
        ("healthy-atlas", {"nonsense": 1}),
        ("healthy-atlas", {"floor": None}),
        ("autoencoder", {"latent": 2_000_000}),
        ("autoencoder", {"latent": 10**18}),
        ("autoencoder", {"latent": 10**40}),
        ("autoencoder", {"latent": 3}),
        ("autoencoder", {"widths": [30_000, 30_000]}),
        ("autoencoder", {"widths": [4] * 60}),
        ("autoencoder", {"widths": [1] * 1_000_000}),
        ("autoencoder", {"residual": "perceptual"}),
        ("denoising-autoencoder", {"width": 20_000}),
        ("denoising-autoencoder", {"depth": 10**9}),
        ("padim", {"grid": 100_000}),
        ("padim", {"levels": []}),
        ("patchcore", {"grid": 100_000}),
        ("patchcore", {"neighbourhood": 20_000}),
        ("patchcore", {"neighbourhood": None}),
    ],
)
def test_settings_a_model_was_not_learned_with_are_refused(
    models: dict[str, Path], tmp_path: Path, name: str, settings: dict[str, Any]
) -> None:
    refused(altered(models[name], tmp_path / "model", lambda record, tensors: record["settings"].update(settings)))


@pytest.mark.parametrize("key", ["detector", "settings", "profile", "name", "packages", "training_set"])
@pytest.mark.parametrize("value", [None, 7, [], "odd", {"odd": 1}])
def test_entries_of_another_kind_are_refused(models: dict[str, Path], tmp_path: Path, key: str, value: Any) -> None:
    if (key, value) == ("name", "odd") or (key == "packages" and isinstance(value, dict)):
        pytest.skip("a name may be any word, and packages any table")
    refused(altered(models["healthy-atlas"], tmp_path / "model", lambda record, tensors: record.update({key: value})))


@pytest.mark.parametrize("key", ["seed", "encoder", "settings", "detector"])
def test_a_missing_entry_is_refused_before_any_scan_is_read(models: dict[str, Path], tmp_path: Path, key: str) -> None:
    refused(altered(models["healthy-atlas"], tmp_path / "model", lambda record, tensors: record.pop(key)))


@pytest.mark.parametrize("size", [[64, 32], [4096, 4096], [32, 32, 32]])
def test_a_profile_of_other_images_is_refused(models: dict[str, Path], tmp_path: Path, size: list[int]) -> None:
    def change(record: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
        record["profile"]["size"] = size
        record["profile"]["dims"] = len(size)

    assert "profile" in refused(altered(models["denoising-autoencoder"], tmp_path / "model", change))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (
            "size",
            [32],
            "its profile cannot be used: size must be 2 numbers between 8 and 4096, as dims is 2; got [32].",
        ),
        ("erode", "x", "erode must be a finite number, got 'x'"),
        ("erode", ["x" * 1000], "erode must be a finite number, got ['xxx"),
        ("of-tomorrow", 1, "there is no setting 'of-tomorrow'"),
    ],
)
def test_a_profile_that_is_wrong_is_refused_in_our_own_words(
    models: dict[str, Path], tmp_path: Path, field: str, value: Any, said: str
) -> None:
    def change(record: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
        record["profile"][field] = value

    message = refused(altered(models["denoising-autoencoder"], tmp_path / "model", change))
    assert said in message
    assert "Value error" not in message


def test_a_learned_shape_without_images_of_it_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    def change(record: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
        record["profile"]["size"] = [4096, 4096]
        tensors["detector/learned_shape"] = np.array([1, 4096, 4096])

    refused(altered(models["denoising-autoencoder"], tmp_path / "model", change))


def test_a_backbone_larger_than_its_weights_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    def change(record: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
        about = json.loads(bytes(tensors["detector/backbone/about"]))
        about["config"]["widths"] = [50_000] * len(about["config"]["widths"])
        tensors["detector/backbone/about"] = np.frombuffer(json.dumps(about).encode(), np.uint8).copy()

    refused(altered(models["padim"], tmp_path / "model", change))


def test_a_model_json_of_nothing_but_brackets_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["healthy-atlas"], folder)
    (folder / "model.json").write_text('{"a":[' + ",".join(["[]"] * 2_000_000) + "]}")
    assert "more tables" in refused(folder)


def test_a_model_calibrated_on_nobody_says_that_it_gives_no_p_values(models: dict[str, Path]) -> None:
    model = load_model(models["healthy-atlas"])
    assert "no p-values" not in "\n".join(model.lines())
    calibration = replace(model.healthy.calibration, guarantee="none")
    said = replace(model, healthy=replace(model.healthy, calibration=calibration)).lines()
    assert any(line.startswith("no p-values and no decisions") and "recalibrate" in line for line in said)


@pytest.mark.parametrize(
    ("facts", "unit", "guarantee", "said"),
    [
        ({}, "image", "split", ["8 images, patients unknown", "learned from 5 images, calibrated on 3 healthy images"]),
        ({"calibrate": 4}, "image", "split", [..., "calibrated on 3 healthy images (4 with near-copies)"]),
        ({"calibrate": 4}, "patient", "split", [..., "calibrated on 3 healthy patients (4 images)"]),
        (
            {"scans": 3, "summary": "3 images of 3 patients", "learn": 8, "calibrate": 8},
            "patient",
            "cross",
            [
                "3 scans of 3 patients, 8 images in all",
                "learned from 8 images, calibrated on all 3 healthy patients (8 images) by cross-conformal folds (a "
                "weaker guarantee)",
            ],
        ),
    ],
)
def test_what_is_said_of_scans_images_and_units_adds_up(
    models: dict[str, Path], facts: dict[str, Any], unit: Any, guarantee: Any, said: list[Any]
) -> None:
    model = load_model(models["healthy-atlas"])
    plain = {"summary": "8 images, patients unknown", "images": 8, "scans": 8, "learn": 5, "choose": 0, "calibrate": 3}
    scores = Calibration(scores=np.arange(3.0), groups=np.arange(3), unit=unit, guarantee=guarantee)
    model = replace(model, record={**model.record, "training_set": {**model.record["training_set"], **plain, **facts}})
    lines = replace(model, healthy=replace(model.healthy, calibration=scores)).lines()
    assert all(words is ... or line.endswith(words) for line, words in zip(lines, said, strict=False))


@pytest.mark.parametrize(
    ("groups", "unit", "said"),
    [
        ([0, 1, 1], "image", "2 (images, as copies count once among 3)"),
        ([0, 1, 2], "image", "3 (images)"),
        ([0, 1, 1], "patient", "2 (patients)"),
    ],
)
def test_the_card_says_why_there_are_fewer_units_than_scores(
    model_folder: Path, groups: list[int], unit: Any, said: str
) -> None:
    model, scores = load_model(model_folder), np.array([1.0, 2.0, 2.0])
    few = replace(model.healthy.calibration, scores=scores, groups=np.array(groups), peaks=None, unit=unit)
    asked = replace(model, healthy=replace(model.healthy, calibration=few))
    assert card_facts(asked)["calibration"]["healthy units"] == said
