"""All models of the cross-validation: those on disk, and the others learned now, each kept as soon as it is there."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from halescan.data.dataset import CohortImages
from halescan.training.run import Run
from halescan.workflows.clock import Clock
from halescan.workflows.patient_level.learn import Answers, Recipe, ask
from halescan.workflows.patient_level.plan import LeftOut, models_to_learn
from halescan.workflows.patient_level.study import Patches, Study


def learn_all(
    recipe: Recipe, study: Study, patches: Patches, images: CohortImages, fold: np.ndarray, run: Run, work: Path
) -> dict[LeftOut, Answers]:
    """Every model's answers.

    Args:
        fold: `(patients,)`.
        work: Folder they are kept in.

    Raises:
        TrainingError: if no healthy patch is left to learn from.
        KeyboardInterrupt: passed on, with a note of what is kept.
    """
    jobs = models_to_learn(int(fold.max()) + 1)
    found = {job: answers for job in jobs if (answers := Answers.load(_kept(work, job))) is not None}
    clock = Clock(len(jobs), "models", run.listen, done=len(found))
    with _saying_what_is_kept(found, len(jobs)):
        for job in jobs:
            if job in found:
                continue
            clock.begin(f"model without fold {job.words}")
            clock.work()
            folder = work / job.name
            answers = ask(job, recipe, study, patches, images, fold, replace(run, folder=folder, listen=clock.tell))
            answers.save(_kept(work, job))
            shutil.rmtree(folder, ignore_errors=True)
            found[job] = answers
            clock.finish()
    return {job: found[job] for job in jobs}


def _kept(work: Path, job: LeftOut) -> Path:
    return work / f"{job.name}.npz"


@contextmanager
def _saying_what_is_kept(found: Mapping[LeftOut, Answers], total: int) -> Iterator[None]:
    """Add to a person's Ctrl-C how far it was."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note(f"{len(found)} of {total} models are learned and kept; the same command goes on from there")
        raise
