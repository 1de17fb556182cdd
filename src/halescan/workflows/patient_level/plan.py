"""Folds of patients, and the models to learn: one without each fold, and one without each pair of folds.

The model without fold k scores the patients of k. All that is chosen for them, cuts above all, is chosen on the other
patients, each scored by the model that saw neither its own fold nor k: nothing of k's patients, healthy or not, has
had any part in it. The model without j and k serves k's choices and j's alike, so K folds cost K (K + 1) / 2 models.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from halescan.data.folds import deal_patients
from halescan.errors import SettingError
from halescan.workflows.patient_level.study import Patches, Study, check_enough

FEWEST_FOLDS = 3


@dataclass(frozen=True)
class LeftOut:
    """One model to learn: the folds whose patients it must not see."""

    folds: tuple[int, ...]

    @property
    def name(self) -> str:
        """Of its file."""
        return "without-" + "-".join(str(fold + 1) for fold in self.folds)

    @property
    def words(self) -> str:
        """The folds for a person, from 1."""
        return " and ".join(str(fold + 1) for fold in self.folds)


def patient_folds(study: Study, patches: Patches, *, folds: int, seed: int) -> np.ndarray:
    """The fold `(patients,)` of each patient: those a table names, else dealt, spread by diagnosis and labels.

    Patients of whom no image could be used are dealt too, after the others, so that no fold is empty for want of them.

    Raises:
        SettingError: for fewer than three folds, fewer patients than folds, or a fold without any image.
    """
    seen = patches.measured_of(len(study.names))
    if study.given_folds is not None:
        words = sorted(set(study.given_folds))
        if len(words) < FEWEST_FOLDS:
            raise SettingError(f"the column 'fold' names {len(words)} folds; expected {FEWEST_FOLDS} or more")
        fold = np.array([words.index(word) for word in study.given_folds], np.intp)
        empty = len(words) - len(np.unique(fold[seen]))
        if empty:
            raise SettingError(
                f"{empty} of {len(words)} folds that the column 'fold' names hold no image that could be used; give "
                "their patients another fold, or leave them out"
            )
        return fold
    check_folds(folds)
    check_enough(study, seen, "after leaving out what could not be used")
    kinds = [(not here, *kind) for here, kind in zip(seen, _kinds(study, patches), strict=True)]
    return deal_patients(study.names, kinds, folds=min(folds, _most(study, seen)), seed=seed)


def check_folds(folds: int) -> None:
    """Refuse a number of folds that leaves nothing to choose or to learn with.

    Raises:
        SettingError: below three.
    """
    if folds < FEWEST_FOLDS:
        raise SettingError(
            f"folds must be {FEWEST_FOLDS} or more, got {folds}: one to test, one to choose, one to learn"
        )


def models_to_learn(folds: int) -> tuple[LeftOut, ...]:
    """First those without one fold, then those without two."""
    single = [LeftOut((fold,)) for fold in range(folds)]
    return (*single, *(LeftOut(pair) for pair in combinations(range(folds), 2)))


def _kinds(study: Study, patches: Patches) -> list[tuple[Hashable, ...]]:
    """What is spread evenly over the folds: the diagnosis, and whether any patch of the patient is labelled."""
    ill = {int(patient) for patient in patches.patient[patches.own == 1]}
    well = {int(patient) for patient in patches.patient[patches.own == 0]}
    return [(str(answer), at in ill, at in well) for at, answer in enumerate(study.answers)]


def _most(study: Study, seen: np.ndarray) -> int:
    """No more folds than patients of the rarer kind."""
    positive, known = int((study.positive & seen).sum()), int((study.known & seen).sum())
    rarer = min(count for count in (positive, known - positive) if count)
    return max(FEWEST_FOLDS, rarer)
