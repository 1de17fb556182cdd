"""Training: healthy scans in, a calibrated model folder out."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halescan.errors import LayoutError, OutputError, ScanError, SettingError, ShapeError, TrainingError
from halescan.synthesis.cohort import PhantomFolders
from halescan.training.run import Progress
from halescan.workflows.interpret import model_notes
from halescan.workflows.model import load_model
from halescan.workflows.train import train
from tests.detectors.bodies import healthy

ATLAS = {"profile": "lung-ct", "detector": "healthy-atlas", "profile_settings": {"size": [64, 64]}}
LEARNED = {
    "profile": "lung-ct",
    "detector": "denoising-autoencoder",
    "profile_settings": {"size": [32, 32]},
    "detector_settings": {"steps": 120, "width": 4, "depth": 2, "batch_size": 4},
}


def some(folder: Path, count: int, target: Path) -> Path:
    target.mkdir(parents=True)
    for path in sorted(folder.iterdir())[:count]:
        shutil.copy(path, target)
    return target


def test_a_model_is_calibrated_on_twenty_people_it_has_not_learned_from(model_folder: Path) -> None:
    model = load_model(model_folder)
    learned = model.record["training_set"]
    assert model.healthy.calibration.units == 20
    assert learned["learn"] + learned["choose"] + learned["calibrate"] == learned["images"] == 44


def test_the_model_folder_is_self_contained_and_names_nobody(model_folder: Path, phantoms: PhantomFolders) -> None:
    names = {path.name for path in model_folder.iterdir()}
    assert {"model.json", "weights.safetensors", "calibration.json", "card.md"} <= names
    text = "".join((model_folder / name).read_text() for name in ("model.json", "calibration.json", "card.md"))
    import pydicom

    header = pydicom.dcmread(sorted(phantoms.healthy.iterdir())[0])
    secrets = ["healthy-0001", str(header.PatientID), str(header.PatientName), str(header.StudyInstanceUID)]
    assert not [secret for secret in secrets if secret in text]


def test_a_saved_model_scores_as_it_did_before(model_folder: Path) -> None:
    model = load_model(model_folder)
    again = load_model(model_folder)
    images = np.random.default_rng(0).random((3, 1, 64, 64), np.float32)
    np.testing.assert_array_equal(model.detector.score(images).map, again.detector.score(images).map)


def test_three_healthy_scans_still_give_a_model_that_says_it_cannot_decide(
    phantoms: PhantomFolders, tmp_path: Path
) -> None:
    model = train(some(phantoms.healthy, 3, tmp_path / "three"), out=tmp_path / "model", **ATLAS)
    verdict = model.healthy.calibration.verdict(1.0, 0.05, level="image")
    assert model.healthy.calibration.guarantee == "cross"
    assert verdict.decision == "withheld"
    assert verdict.why_withheld is not None
    assert verdict.why_withheld.values["needed"] == 19


def test_without_folds_few_scans_calibrate_nothing_and_the_detector_is_the_same(
    phantoms: PhantomFolders, tmp_path: Path
) -> None:
    healthy = some(phantoms.healthy, 3, tmp_path / "three")
    with_folds = train(healthy, out=tmp_path / "with", **ATLAS)
    without = train(healthy, out=tmp_path / "without", folds=False, **ATLAS)
    assert without.healthy.calibration.units == 0
    assert without.record["training_set"]["calibrate"] == 0
    images = np.random.default_rng(0).random((3, 1, 64, 64), np.float32)
    np.testing.assert_array_equal(with_folds.detector.score(images).map, without.detector.score(images).map)


def test_one_healthy_scan_gives_scores_without_p_values(phantoms: PhantomFolders, tmp_path: Path) -> None:
    model = train(some(phantoms.healthy, 1, tmp_path / "one"), out=tmp_path / "model", **ATLAS)
    assert model.healthy.calibration.units == 0
    assert model.healthy.calibration.verdict(1.0, 0.05, level="image").p_value is None
    notes = [note.key for note in model_notes(model, model.healthy.calibration, np.ones(1))]
    assert "measured-on-learned" in notes


@pytest.mark.parametrize(
    ("count", "said"), [(1, "learned from 1 scan only"), (3, "learned from 3 scans only"), (6, "")]
)
def test_what_was_learned_from_next_to_nothing_says_so(
    phantoms: PhantomFolders, tmp_path: Path, count: int, said: str
) -> None:
    model = train(some(phantoms.healthy, count, tmp_path / "few"), out=tmp_path / "model", **ATLAS)
    found = [note for note in model.record["training_set"]["notes"] if note.startswith("learned from")]
    assert [note.split(":")[0] for note in found] == ([said] if said else [])
    assert said in (tmp_path / "model" / "card.md").read_text()


def test_what_was_made_says_how_many_images_the_calibrating_units_are_and_names_no_empty_part(tmp_path: Path) -> None:
    (tmp_path / "healthy").mkdir()
    rows = ["file,patient"]
    for number, image in enumerate(healthy(30, grid=(32, 32))):
        np.save(tmp_path / "healthy" / f"{number}.npy", image[0])
        rows.append(f"{number}.npy,{number // 2}")
    (tmp_path / "healthy" / "manifest.csv").write_text("\n".join(rows))
    model = train(tmp_path / "healthy", out=tmp_path / "model", profile="generic", detector="healthy-atlas")
    units, images = model.healthy.calibration.units, model.record["training_set"]["calibrate"]
    learned = model.record["training_set"]
    chosen = f"chose with {learned['choose']}, " if learned["choose"] else ""
    assert images > units
    assert model.lines()[1].startswith(
        f"learned from {learned['learn']} images, {chosen}calibrated on all {units} healthy patients ({images} images)"
    )


@pytest.mark.parametrize(("side", "said"), [(8, True), (16, True), (40, False), (64, False)])
def test_scans_enlarged_to_what_they_do_not_show_are_told(tmp_path: Path, side: int, said: bool) -> None:
    (tmp_path / "healthy").mkdir()
    for number, image in enumerate(healthy(6, grid=(side, side))):
        np.save(tmp_path / "healthy" / f"{number}.npy", image[0])
    model = train(
        tmp_path / "healthy",
        profile="generic",
        profile_settings={"size": [64, 64]},
        detector="healthy-atlas",
        out=tmp_path / "model",
    )
    told = [note for note in model.lines() if f"{side} × {side} pixels were enlarged to images of 64 × 64" in note]
    assert bool(told) == said


def test_a_model_in_the_way_is_never_replaced_unasked(phantoms: PhantomFolders, model_folder: Path) -> None:
    before = (model_folder / "model.json").read_bytes()
    with pytest.raises(OutputError, match="--overwrite"):
        train(phantoms.healthy, out=model_folder, seed=9, **ATLAS)
    assert train(phantoms.healthy, out=model_folder, **ATLAS).folder == model_folder
    assert (model_folder / "model.json").read_bytes() == before


def test_a_folder_without_images_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.txt").write_text("nothing here")
    with pytest.raises((TrainingError, ScanError), match="no healthy scan"):
        train(tmp_path / "empty", out=tmp_path / "model", **ATLAS)


def test_a_set_without_a_training_part_is_refused_with_the_way_out(phantoms: PhantomFolders, tmp_path: Path) -> None:
    some(phantoms.healthy, 4, tmp_path / "set" / "test" / "healthy")
    with pytest.raises(LayoutError, match=r"holds no training part, only test, .* --split test takes it all the same"):
        train(tmp_path / "set", out=tmp_path / "model", **ATLAS)
    assert train(tmp_path / "set", split="test", out=tmp_path / "model", **ATLAS).record["training_set"]["scans"] == 4


def test_a_model_keeps_a_short_digest_of_every_scan_and_no_name(model_folder: Path) -> None:
    learned = json.loads((model_folder / "model.json").read_text())["training_set"]
    assert len(learned["contents"]) == len(learned["pixels"]) == learned["scans"]
    assert {len(digest) for digest in learned["pixels"]} == {32}


def test_a_bad_file_among_good_ones_is_named_and_left_out(phantoms: PhantomFolders, tmp_path: Path) -> None:
    folder = some(phantoms.healthy, 6, tmp_path / "mixed")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    model = train(folder, out=tmp_path / "model", **ATLAS)
    assert model.record["training_set"]["images"] == 6
    assert any("broken.png" in problem for problem in model.problems)
    assert "broken" not in (tmp_path / "model" / "model.json").read_text()


@pytest.mark.parametrize(
    ("detector", "named"), [("patchcore", "patchcore"), ("ensemble", "ensemble: its member patchc")]
)
def test_volumes_that_a_detector_cannot_take_are_refused_with_those_that_can(
    tmp_path: Path, detector: str, named: str
) -> None:
    said = rf"{named}.*got images of 3 .* Set profile.dims=2, .* 3 dimensions: healthy-atlas, symmetry, (?!.*ensemble)"
    recipe = {"profile": "lung-ct", "profile_settings": {"dims": 3, "size": [16, 24, 24], "spacing_mm": None}}
    with pytest.raises(ShapeError, match=said):
        train(tmp_path, out=tmp_path / "m", detector=detector, **recipe)


def test_an_unknown_setting_names_those_there_are(phantoms: PhantomFolders, tmp_path: Path) -> None:
    for value, match in (("abc", "blur_px must be a finite number, got 'abc'"), (float("nan"), "blur_px")):
        with pytest.raises(SettingError, match=match):
            train(phantoms.healthy, out=tmp_path / "m", **{**ATLAS, "detector_settings": {"blur_px": value}})
    with pytest.raises(SettingError, match="its settings are"):
        train(phantoms.healthy, out=tmp_path / "m", **{**ATLAS, "detector_settings": {"nonsense": 1}})


def test_interrupted_and_resumed_training_equals_the_uninterrupted_one(
    phantoms: PhantomFolders, tmp_path: Path
) -> None:
    whole = train(phantoms.healthy, out=tmp_path / "whole", **LEARNED)

    def stop(progress: Progress) -> None:
        if progress.loss is not None and 100 <= progress.done < progress.total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(phantoms.healthy, out=tmp_path / "cut", listen=stop, **LEARNED)
    assert not (tmp_path / "cut").exists()
    resumed = train(phantoms.healthy, out=tmp_path / "cut", resume=True, **LEARNED)
    for name, value in whole.detector.state().items():
        np.testing.assert_allclose(resumed.detector.state()[name], value, atol=1e-5)


def test_corrected_patient_ids_are_another_request(phantoms: PhantomFolders, tmp_path: Path) -> None:
    rows = sorted(path.name for path in phantoms.healthy.iterdir())

    def table(patients: list[str]) -> Path:
        path = phantoms.healthy.parent / "table.csv"
        path.write_text("file,patient\n" + "".join(f"healthy/{f},{p}\n" for f, p in zip(rows, patients, strict=True)))
        return path

    try:
        train(phantoms.healthy, out=tmp_path / "m", table=table([f"p{n}" for n in range(44)]), **ATLAS)
        with pytest.raises(OutputError, match="not made by this request"):
            train(phantoms.healthy, out=tmp_path / "m", table=table([f"p{n // 2}" for n in range(44)]), **ATLAS)
    finally:
        (phantoms.healthy.parent / "table.csv").unlink(missing_ok=True)


def cut_short(healthy: Path, out: Path) -> None:
    """A training stopped at a checkpoint."""

    def stop(progress: Progress) -> None:
        if progress.loss is not None and progress.done == 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(healthy, out=out, listen=stop, **LEARNED)


def changed(**settings: Any) -> dict[str, Any]:
    """The recipe with other settings of the detector."""
    return LEARNED | {"detector_settings": LEARNED["detector_settings"] | settings}


def test_resuming_with_another_request_says_what_differs(phantoms: PhantomFolders, tmp_path: Path) -> None:
    cut_short(phantoms.healthy, tmp_path / "cut")
    with pytest.raises(SettingError, match=r"another training: seed 0, now 5\. Repeat its settings, or .*--overwrite"):
        train(phantoms.healthy, out=tmp_path / "cut", resume=True, seed=5, **LEARNED)
    with pytest.raises(SettingError, match=r"training: detector.width 4, now 8\. "):
        train(phantoms.healthy, out=tmp_path / "cut", resume=True, **changed(width=8, learning_rate=0.5))
    other = LEARNED | {"detector": "vae", "detector_settings": {}}
    with pytest.raises(SettingError, match=r"training: detector denoising-autoencoder, now vae\. "):
        train(phantoms.healthy, out=tmp_path / "cut", resume=True, **other)
    with pytest.raises(SettingError, match=r"training: the healthy scans or what is said of them\. "):
        train(some(phantoms.healthy, 20, tmp_path / "some"), out=tmp_path / "cut", resume=True, **LEARNED)


def test_a_second_training_of_the_same_model_is_refused_before_it_reads_a_scan(
    phantoms: PhantomFolders, tmp_path: Path
) -> None:
    heard: list[str] = []

    def second(progress: Progress) -> None:
        if not heard:
            heard.append(progress.stage)
            for more in ({}, {"overwrite": True}, {"resume": True}):
                with pytest.raises(OutputError, match=r"m\.partial is being written by another training \(process"):
                    train(tmp_path / "nothing", out=tmp_path / "m", **more, **ATLAS)

    train(phantoms.healthy, out=tmp_path / "m", listen=second, **ATLAS)
    assert heard
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_an_unfinished_training_is_never_thrown_away_unasked(phantoms: PhantomFolders, tmp_path: Path) -> None:
    cut_short(phantoms.healthy, tmp_path / "cut")
    with pytest.raises(
        OutputError, match=r"after 100 of 120 steps\. Go on with it by --resume, start anew with --overwrite"
    ):
        train(phantoms.healthy, out=tmp_path / "cut", **LEARNED)
    with pytest.raises(OutputError, match=r"another request \(seed 0, now 5\).*--resume and its own settings"):
        train(phantoms.healthy, out=tmp_path / "cut", seed=5, **LEARNED)
    heard: list[Progress] = []
    train(phantoms.healthy, out=tmp_path / "cut", overwrite=True, listen=heard.append, **LEARNED)
    assert next(one.done for one in heard if one.loss is not None) < 100
    assert any(one.stage == "preparing scans" for one in heard)


def test_where_nothing_was_learned_the_prepared_scans_are_used_again(phantoms: PhantomFolders, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(phantoms.healthy, out=tmp_path / "cut", listen=stopping("measuring healthy scans"), **ATLAS)
    heard: list[str] = []
    train(phantoms.healthy, out=tmp_path / "cut", listen=lambda progress: heard.append(progress.stage), **ATLAS)
    assert "preparing scans" not in heard
    assert "measuring healthy scans" in heard


def test_learning_may_go_on_more_slowly_and_the_model_says_so(phantoms: PhantomFolders, tmp_path: Path) -> None:
    cut_short(phantoms.healthy, tmp_path / "cut")
    slower = changed(learning_rate=1e-4)
    heard: list[Progress] = []
    model = train(phantoms.healthy, out=tmp_path / "cut", resume=True, listen=heard.append, **slower)
    assert next(one.done for one in heard if one.loss is not None) > 100
    assert model.record["settings"]["learning_rate"] == 1e-4
    said = "the learning rate was changed on the way, after the denoising-autoencoder after 100 of 120 steps"
    assert any(note.startswith(said) for note in model.record["training_set"]["notes"])
    assert "detector.learning_rate 0.002, now 0.0001" in (tmp_path / "cut" / "card.md").read_text()
    rates = [
        json.loads(line)["learning_rate"] for line in (tmp_path / "cut" / "history.jsonl").read_text().splitlines()
    ]
    assert max(rates[:2]) > 1e-4 >= rates[-1]


def test_training_leaves_history_and_its_picture(phantoms: PhantomFolders, tmp_path: Path) -> None:
    train(phantoms.healthy, out=tmp_path / "model", **LEARNED)
    lines = [json.loads(line) for line in (tmp_path / "model" / "history.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [50, 100, 120]
    assert (tmp_path / "model" / "training.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "model.partial").exists()


def test_a_method_that_draws_leaves_pictures_of_healthy_images(phantoms: PhantomFolders, tmp_path: Path) -> None:
    small = {"side": 32, "widths": [4, 8, 8], "squeezed": 4, "slots": 8, "critic_widths": [4, 8], "steps": 4}
    drawing = LEARNED | {"detector": "squid", "detector_settings": small}
    train(phantoms.healthy, out=tmp_path / "squid", **drawing)
    assert (tmp_path / "squid" / "pictures.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads((tmp_path / "squid" / "history.jsonl").read_text().splitlines()[0])
    assert {"student_mse", "teacher_mse", "student_kl", "teacher_kl", "distillation"} <= set(told)
    train(phantoms.healthy, out=tmp_path / "plain", **LEARNED)
    assert not (tmp_path / "plain" / "pictures.png").exists()


def stopping(stage: str) -> Callable[[Progress], None]:
    """Ctrl-C at the first word of a stage."""

    def listen(progress: Progress) -> None:
        if progress.stage == stage:
            raise KeyboardInterrupt

    return listen


FEATURES = {"backbone": "own", "encoder_steps": 10, "levels": [2, 3], "grid": 8, "components": 4}
SMALL = {
    "padim": FEATURES,
    "patchcore": FEATURES,
    "autoencoder": {"steps": 20, "widths": [4, 4]},
}


def small(detector: str) -> dict[str, Any]:
    """A recipe that is learned in a second."""
    return {
        "profile": "lung-ct",
        "detector": detector,
        "profile_settings": {"size": [32, 32]},
        "detector_settings": SMALL[detector],
    }


def test_what_an_own_encoder_stands_in_for_is_said_before_training_and_in_the_card(
    phantoms: PhantomFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "weights").mkdir()
    heard: list[Progress] = []
    recipe = small("padim")
    recipe["detector_settings"] = {**FEATURES, "encoder_steps": 2, "backbone": "mobilenet_v2"}
    model = train(phantoms.healthy, out=tmp_path / "m", weights=tmp_path / "weights", listen=heard.append, **recipe)
    assert "weights of mobilenet_v2 are not on this machine" in heard[0].note
    assert "as the weights of mobilenet_v2 were not at hand" in (tmp_path / "m" / "card.md").read_text()
    assert any("no weights of mobilenet_v2 were found" in line for line in model.lines())


@pytest.fixture(scope="module")
def whole(phantoms: PhantomFolders, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, np.ndarray]]:
    """What each detector learns when nobody stops it."""
    folder = tmp_path_factory.mktemp("whole")
    return {name: train(phantoms.healthy, out=folder / name, **small(name)).detector.state() for name in SMALL}


@pytest.mark.parametrize(
    ("detector", "stage", "kept"),
    [
        ("padim", "preparing scans", "Nothing is kept"),
        ("padim", "encoder", "the encoder after 1 of 10 steps"),
        ("padim", "gaussians", "the encoder after 10 of 10 steps"),
        ("patchcore", "patches", "the encoder after 10 of 10 steps"),
        ("patchcore", "measuring healthy scans", "the encoder after 10 of 10 steps"),
        ("autoencoder", "autoencoder", "the autoencoder after 1 of 20 steps"),
    ],
)
def test_stopped_anywhere_it_says_what_is_kept_and_resumes_to_the_same_model(
    phantoms: PhantomFolders, tmp_path: Path, whole: dict[str, Any], detector: str, stage: str, kept: str
) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        train(phantoms.healthy, out=tmp_path / "cut", listen=stopping(stage), **small(detector))
    assert kept in caught.value.__notes__[0]
    resumed = train(phantoms.healthy, out=tmp_path / "cut", resume=True, **small(detector)).detector.state()
    for name, value in whole[detector].items():
        np.testing.assert_allclose(resumed[name], value, atol=1e-5, err_msg=name)


def test_a_note_cut_short_by_a_crash_begins_anew(phantoms: PhantomFolders, tmp_path: Path) -> None:
    (tmp_path / "m.partial").mkdir()
    (tmp_path / "m.partial" / "request.json").write_text('{"profile": {"na')
    assert train(phantoms.healthy, out=tmp_path / "m", resume=True, **ATLAS).folder == tmp_path / "m"
