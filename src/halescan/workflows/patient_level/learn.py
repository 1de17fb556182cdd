"""One model of the cross-validation: learned on the patients that are left in, asked about those that are left out."""

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from halescan.classifiers import BagClassifier, Classifier
from halescan.classifiers.labels import LEAST as LEAST_LABELS
from halescan.data.dataset import CohortImages
from halescan.data.profiles import Profile
from halescan.detectors import Detector
from halescan.errors import OutputError, TrainingError
from halescan.training.run import Progress, Run
from halescan.workflows.calibrate import chunks
from halescan.workflows.measure import Measure
from halescan.workflows.patient_level.plan import LeftOut
from halescan.workflows.patient_level.study import Patches, Study
from halescan.workflows.train import learn_places, sets_aside

MOST_HEALTHY = 2000  # healthy patches a classifier learns from: more would only slow it down
MIL = "attention-mil"
_CHOOSE_LEAST = 20  # healthy patients from which some may be set aside to learn how healthy maps vary
_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Recipe:
    """What is learned without each fold.

    Args:
        detector: Makes a fresh detector.
        classifier: Makes a fresh classifier of patches; None for none.
        bags: Makes a fresh attention MIL, which learns from the patients' diagnoses; None for none.
    """

    profile: Profile
    detector: Callable[[], Detector]
    classifier: Callable[[], Classifier] | None
    bags: Callable[[], BagClassifier] | None


@dataclass(frozen=True, eq=False)
class Answers:
    """What one model says of the patients it has not seen.

    Args:
        where: `(k,)` numbers of the images.
        detector: `(k,)` strangeness.
        classifier: `(k,)` probability of abnormal; NaN where no classifier could be learned.
        patients: `(p,)` numbers of the patients asked as a whole; empty without attention MIL.
        bags: `(p,)` probability of positive.
        learned: How many healthy patches and patients, labelled abnormal patches it learned from.
    """

    where: np.ndarray
    detector: np.ndarray
    classifier: np.ndarray
    patients: np.ndarray
    bags: np.ndarray
    learned: np.ndarray

    def save(self, path: Path) -> None:
        """Write the file whole or not at all.

        Raises:
            OutputError: if it cannot be written.
        """
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with draft.open("xb") as sink:
                np.savez(sink, **vars(self))
            draft.replace(path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error
        finally:
            draft.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> "Answers | None":
        """Back from `save`; None where there is no such file, or one that is damaged."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None


def ask(
    job: LeftOut, recipe: Recipe, study: Study, patches: Patches, images: CohortImages, fold: np.ndarray, run: Run
) -> Answers:
    """Learn without some folds and score their images.

    Args:
        fold: `(patients,)`.

    Raises:
        TrainingError: if no healthy patch is left to learn from.
    """
    out = np.isin(fold[patches.patient], job.folds)
    asked = np.flatnonzero(out & ~patches.augmented)
    healthy = np.flatnonzero(~out & (patches.known == 0) & ~patches.augmented)
    if not len(healthy):
        raise TrainingError(
            f"no healthy patch is left to learn from without fold {job.words}; fewer folds, or labels for more "
            "patches, would help"
        )
    strange = _strangeness(recipe, images, patches, healthy, asked, run)
    labelled = _labelled(patches, out)
    probability = np.full(len(asked), np.nan)
    if len(asked) and recipe.classifier is not None and _enough(patches.known[labelled]):
        learned = recipe.classifier().fit(
            images.subset(labelled),
            patches.known[labelled].astype(np.int64),
            groups=patches.patient[labelled],
            run=_within(run, "classifier"),
        )
        probability = np.concatenate(
            [learned.predict(images.take(asked[at : at + _AT_ONCE])) for at in range(0, len(asked), _AT_ONCE)]
        )
    patients, bags = _judged_as_bags(recipe, study, patches, images, fold, job, run)
    counts = [len(healthy), len(np.unique(patches.patient[healthy])), int((patches.own[labelled] == 1).sum())]
    return Answers(asked, strange, probability, patients, bags, np.array(counts))


def _strangeness(
    recipe: Recipe, images: CohortImages, patches: Patches, healthy: np.ndarray, asked: np.ndarray, run: Run
) -> np.ndarray:
    """The detector's score of each image asked about."""
    detector = recipe.detector()
    learned, choose = _set_aside(detector, recipe.profile, healthy, patches.patient)
    check = images.subset(choose) if len(choose) else None
    detector.fit(images.subset(learned), check=check, run=_within(run, "detector"))
    profile = recipe.profile.model_copy(update={"sought": "any"})  # maps point nowhere here: scores alone are asked for
    places = learn_places(detector, profile, images, learned, choose, patches.patient)
    measure = Measure(detector, profile, places)
    scores = np.full(len(images), np.nan)
    done = 0
    for chunk, ordered in chunks(asked, images):
        scores[chunk] = measure(images.take(chunk.tolist()), ordered=ordered).scores
        done += len(chunk)
        run.listen(Progress("measuring", done, len(asked)))
    return scores[asked]


def _set_aside(
    detector: Detector, profile: Profile, healthy: np.ndarray, patient: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What the detector learns from, and what it is watched with: the images of every tenth healthy patient."""
    people = np.unique(patient[healthy])
    if not sets_aside(detector, profile) or len(people) < _CHOOSE_LEAST:
        return healthy, healthy[:0]
    apart = np.isin(patient[healthy], people[::10])
    return healthy[~apart], healthy[apart]


def _labelled(patches: Patches, out: np.ndarray) -> np.ndarray:
    """The images a classifier learns from: all abnormal ones with their copies, and no more healthy ones than needed.

    Patches with a word of their own come before those that are healthy because their patient is negative.
    """
    ill = np.flatnonzero(~out & (patches.own == 1))
    said, rest = (
        np.flatnonzero(~out & ~patches.augmented & (patches.known == 0) & which)
        for which in (patches.own == 0, patches.own < 0)
    )
    room = max(0, MOST_HEALTHY - len(said))
    thinned = rest if len(rest) <= room else rest[np.unique(np.linspace(0, len(rest) - 1, room).astype(np.intp))]
    return np.sort(np.concatenate([ill, said, thinned]))


def _enough(labels: np.ndarray) -> bool:
    return min(int((labels == 1).sum()), int((labels == 0).sum())) >= LEAST_LABELS


def _judged_as_bags(
    recipe: Recipe,
    study: Study,
    patches: Patches,
    images: CohortImages,
    fold: np.ndarray,
    job: LeftOut,
    run: Run,
) -> tuple[np.ndarray, np.ndarray]:
    """Attention MIL's probability for each patient left out; nothing where it was not asked for or cannot learn."""
    nobody = np.empty(0, np.intp), np.empty(0)
    if recipe.bags is None:
        return nobody
    seen = np.unique(patches.patient[patches.judged])
    inside = [at for at in seen if study.known[at] and fold[at] not in job.folds]
    outside = [at for at in seen if fold[at] in job.folds]
    labels = study.positive[inside].astype(np.int64)
    if not outside or not _enough(labels):
        return nobody
    learned = recipe.bags()
    learned.fit(_bags(inside, patches, images), labels, run=_within(run, MIL))
    return np.array(outside, np.intp), learned.predict(_bags(outside, patches, images)).probability


def _bags(people: Sequence[int], patches: Patches, images: CohortImages) -> list[Any]:
    return [images.subset(np.flatnonzero((patches.patient == at) & patches.judged)) for at in people]


def _within(run: Run, part: str) -> Run:
    """The same run with a folder of its own for checkpoints."""
    return run if run.folder is None else replace(run, folder=_made(run.folder / part))


def _made(folder: Path) -> Path:
    os.makedirs(folder, exist_ok=True)
    return folder
