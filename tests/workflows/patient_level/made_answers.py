"""Made-up patients, their patches, and models that know their truth well or not at all."""

from collections.abc import Callable

import numpy as np

from halescan.data.item import Item
from halescan.workflows.patient_level.learn import Answers
from halescan.workflows.patient_level.plan import models_to_learn
from halescan.workflows.patient_level.study import Patches, Study

Scores = Callable[[np.ndarray, np.random.Generator], np.ndarray]
FOLDS = 5


def study_of(answers: list[str]) -> Study:
    """One patient an answer, without a scan."""
    count = len(answers)
    nothing = np.empty(0, np.intp)
    items: tuple[Item, ...] = ()
    return Study(
        items, nothing, tuple(f"p{n}" for n in range(count)), tuple(answers), None, nothing, nothing, (), "made-up"
    )


def patches_for(answers: list[str], *, apiece: int = 10, labelled: bool = True) -> Patches:
    """Patches of each patient: none, two or six of ten are abnormal."""
    ill = {"NEG": 0, "LOW": 2, "HIGH": 6}
    patient = np.repeat(np.arange(len(answers)), apiece)
    own = np.concatenate([np.arange(apiece) < ill[answer] for answer in answers]).astype(np.int8)
    negative = np.array([answer == "NEG" for answer in answers])[patient]
    said = own if labelled else np.full(len(own), -1, np.int8)
    known = own if labelled else np.where(negative, 0, -1).astype(np.int8)
    size = len(patient)
    return Patches(patient, said, known, np.zeros(size, bool), np.ones(size, bool), np.arange(size), np.full(size, -1))


def answered(patches: Patches, fold: np.ndarray, truth: np.ndarray, scores: Scores, *, classifier: bool = True):
    """What every model says: the same law for all, other noise for each."""
    found = {}
    for number, job in enumerate(models_to_learn(FOLDS)):
        random = np.random.default_rng(number)
        where = np.flatnonzero(np.isin(fold[patches.patient], job.folds))
        raw = scores(truth[where], random)
        probability = 1 / (1 + np.exp(-scores(truth[where], random))) if classifier else np.full(len(where), np.nan)
        found[job] = Answers(where, raw, probability, np.empty(0, np.intp), np.empty(0), np.zeros(3, int))
    return found


def good(truth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return random.normal(size=len(truth)) + 6 * truth


def blind(truth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return random.normal(size=len(truth))
