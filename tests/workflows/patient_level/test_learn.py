"""One model of the cross-validation: whom it learns from, whom it is asked about, and its file."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from halescan.classifiers.base import Classifier
from halescan.data.dataset import CohortImages
from halescan.data.profiles import load_profile
from halescan.detectors import Detector
from halescan.errors import TrainingError
from halescan.training.run import Run
from halescan.types import Batch, Images, Scores
from halescan.workflows.patient_level.learn import Answers, Recipe, ask
from halescan.workflows.patient_level.plan import LeftOut, models_to_learn, patient_folds
from halescan.workflows.patient_level.study import Patches, Study, patches_of, read_study
from tests.workflows.patient_studies import cohort, write_table

PROFILE = load_profile("generic", {"size": [16, 16], "channels": 3, "intensity": "range"})
SEEN: dict[str, list[np.ndarray]] = {"detector": [], "classifier": []}


def pictures(images: Images) -> np.ndarray:
    return np.concatenate([batch.images for batch in images])


class Redness(Detector):
    """Knows red from blue, and remembers what it was shown."""

    name = "redness"
    summary = source = ""
    dims: ClassVar[tuple[int, ...]] = (2,)
    channels: ClassVar[tuple[int, ...]] = (3,)
    gives_map: ClassVar[bool] = False

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        SEEN["detector"].append(pictures(normal))

    def _measure(self, batch: Batch) -> Scores:
        return Scores(image=(batch.images[:, 0] - batch.images[:, 2]).max((1, 2)).astype(float))

    def _state(self) -> dict[str, np.ndarray]:
        return {}

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None: ...


class Halves(Classifier):
    """Says a half of everything, and remembers what it was shown."""

    name = "halves"
    summary = source = ""

    def _learn(self, images: Images, labels: np.ndarray, groups: np.ndarray, run: Run) -> None:
        SEEN["classifier"].append(pictures(images))

    def _predict(self, batch: Batch) -> np.ndarray:
        return np.full(len(batch), 0.5)

    def _state(self) -> dict[str, np.ndarray]:
        return {}

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None: ...


RECIPE = Recipe(PROFILE, Redness, Halves, None)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Study, Patches, CohortImages, np.ndarray]:
    SEEN["detector"].clear()
    SEEN["classifier"].clear()
    study = read_study(write_table(tmp_path / "set", cohort(5, 3, 3)))
    images = CohortImages(study.items, PROFILE, folder=tmp_path / "images")
    patches = patches_of(study, images)
    return study, patches, images, patient_folds(study, patches, folds=3, seed=0)


def who(shown: np.ndarray, images: CohortImages, patches: Patches) -> set[int]:
    """The patients whose images were shown, found by their pixels."""
    every = {picture.tobytes(): int(at) for picture, at in zip(pictures(images), patches.patient, strict=True)}
    assert len(every) == len(patches)
    return {every[picture.tobytes()] for picture in shown}


def test_sanity_vii_no_patient_that_is_asked_about_was_shown_to_the_model(made) -> None:
    """No patient on both sides, on the pixels that reach detector and classifier."""
    study, patches, images, fold = made
    for job in models_to_learn(3):
        answers = ask(job, RECIPE, study, patches, images, fold, Run())
        asked = {int(at) for at in patches.patient[answers.where]}
        assert {int(fold[at]) for at in asked} == set(job.folds)
        for kind in SEEN.values():
            shown = who(kind[-1], images, patches)
            assert shown
            assert not shown & asked


def test_the_detector_learns_healthy_patches_alone(made) -> None:
    study, patches, images, fold = made
    ask(LeftOut((0,)), RECIPE, study, patches, images, fold, Run())
    healthy = int(((patches.own == 0) & (fold[patches.patient] != 0)).sum())
    assert len(SEEN["detector"][-1]) == healthy
    assert len(SEEN["classifier"][-1]) == int((fold[patches.patient] != 0).sum())
    assert (SEEN["detector"][-1][:, 0] - SEEN["detector"][-1][:, 2]).max() < 0.2


def test_copies_are_learned_from_and_never_asked_about(made) -> None:
    study, patches, images, fold = made
    patches.augmented[patches.own == 1] = True
    answers = ask(LeftOut((1,)), RECIPE, study, patches, images, fold, Run())
    assert not patches.augmented[answers.where].any()
    assert len(SEEN["classifier"][-1]) == int((fold[patches.patient] != 1).sum())


def test_without_enough_abnormal_labels_there_is_no_classifier(made) -> None:
    study, patches, images, fold = made
    patches.own[patches.own == 1] = -1
    patches.known[patches.known == 1] = -1
    answers = ask(LeftOut((0,)), RECIPE, study, patches, images, fold, Run())
    assert np.isnan(answers.classifier).all()
    assert np.isfinite(answers.detector).all()


def test_without_a_healthy_patch_nothing_can_be_learned(made) -> None:
    study, patches, images, fold = made
    patches.known[:] = 1
    with pytest.raises(TrainingError, match="no healthy patch"):
        ask(LeftOut((0, 1)), RECIPE, study, patches, images, fold, Run())


def test_answers_come_back_from_their_file_and_a_damaged_one_is_learned_again(made, tmp_path: Path) -> None:
    study, patches, images, fold = made
    answers = ask(LeftOut((0,)), RECIPE, study, patches, images, fold, Run())
    answers.save(tmp_path / "a.npz")
    again = Answers.load(tmp_path / "a.npz")
    assert again is not None
    np.testing.assert_array_equal(again.detector, answers.detector)
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:100])
    assert Answers.load(tmp_path / "a.npz") is None
    assert Answers.load(tmp_path / "b.npz") is None
