"""Patients: from patches, slices or single images to a word on each patient, cross-validated by patient."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from halescan import __version__
from halescan.data.dataset import CohortImages
from halescan.errors import ScanError
from halescan.io import Problem
from halescan.training.run import Progress, Run, say_nothing
from halescan.workflows.evaluation import figure_words
from halescan.workflows.healthy import cohort_fingerprint, prepared
from halescan.workflows.patient_level.baseline import RED, judge_untaught, red_of_patches
from halescan.workflows.patient_level.case_names import case_names, remember_patients, unnamed
from halescan.workflows.patient_level.decide import CLASSIFIER, DETECTOR, Pooling, Rules, judge
from halescan.workflows.patient_level.files import write_all
from halescan.workflows.patient_level.judged_study import JudgedStudy
from halescan.workflows.patient_level.learn import MIL, Answers, Recipe
from halescan.workflows.patient_level.models import learn_all
from halescan.workflows.patient_level.plan import LeftOut, check_folds, models_to_learn, patient_folds
from halescan.workflows.patient_level.recipe import new_recipe, profile_for
from halescan.workflows.patient_level.record import patients_record
from halescan.workflows.patient_level.results_folder import claim, done_already
from halescan.workflows.patient_level.study import (
    Patches,
    Study,
    as_cohort,
    patches_of,
    read_study,
    size_remark,
    twin_remark,
    unseen_remark,
)
from halescan.workflows.train import digest

_STAINED = "SM"  # DICOM's word for slides: where colour alone may tell all
_METHOD_FACTS = ("detector", "detector_settings", "classifier", "classifier_settings", "mil_settings")
_POOLING_WORDS = {
    "share": "the share of patches above the cut",
    "max": "their strangest patch",
    "top": "the mean of their strangest patches",
    "mean": "the mean of all patches",
    "noisy-or": "noisy-or: the probability that any patch is positive",
    "attention-mil": "attention MIL for the classifier, the share of patches above the cut for the detector",
}


@dataclass(frozen=True)
class PatientsDone:
    """What came of it: the content of `patients.json`, where it lies, and what does not fit together in the data."""

    out: Path
    record: dict[str, Any]
    problems: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """For a program."""
        return {**self.record, "out": str(self.out), "problems": list(self.problems)}

    def lines(self) -> list[str]:
        """For a person."""
        n = self.record["n"]
        lines = [
            f"{n['negative']} negative and {n['positive']} positive patients, {n['patches']} patches "
            f"({n['labelled_abnormal']} labelled abnormal, {n['labelled_healthy']} healthy)"
        ]
        for name, found in (*self.record.get("baselines", {}).items(), *self.record["methods"].items()):
            for level in ("patch", "patient"):
                if found[level] is not None:
                    lines.append(f"{level} {name}: {_figures(found[level])}")
        lines += [f"note: {note}" for note in self.record["about"]["notes"]]
        lines += ["", *(f"problem: {problem}" for problem in self.problems)] if self.problems else []
        return [*lines, f"page, tables and figures: {self.out / 'report.html'}"]


def patients(
    data: Path | str,
    *,
    out: Path | str,
    profile: str | Path | None = None,
    detector: str | None = None,
    classifier: str = "frozen-head",
    size: str = "cpu",
    detector_settings: Mapping[str, Any] | None = None,
    profile_settings: Mapping[str, Any] | None = None,
    classifier_settings: Mapping[str, Any] | None = None,
    mil_settings: Mapping[str, Any] | None = None,
    pooling: Pooling = "share",
    top_share: float = 0.1,
    folds: int = 5,
    false_alarms: float = 0.05,
    diagnoses: Path | None = None,
    table: Path | None = None,
    layout: str | None = None,
    shown: int = 12,
    made_up: str = "",
    identity: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    weights: Path | None = None,
    device: str = "auto",
    jobs: int | None = None,
    command: str = "",
    listen: Callable[[Progress], None] = say_nothing,
) -> PatientsDone:
    """Learn, cross-validate by patient, decide on each patient, and write `report.html` with a page for each.

    A detector learns healthy patches, a classifier labelled ones, and their fusion is the mean of both on the scale of
    healthy patches. Patches become a patient's score, patients are called above or not above a cut, with the share of
    negative patients that lie as high. Every patient is judged by models and cuts that other patients alone have made:
    K folds cost K (K + 1) / 2 models. What is learned stays on disk, so that the same call goes on where it was
    stopped, and another pooling costs nothing.

    Args:
        data: The H. pylori folders, another layout, or a table with the columns file and patient; slices of a volume
            and several images of a patient are patches as well.
        out: Folder of the results.
        profile: Name or TOML file; None takes "histology" for the H. pylori folders.
        detector: Name in `CATALOGUE`; None takes the profile's own.
        classifier: Name in `CLASSIFIERS`, or "none".
        pooling: From patches to a patient; see `Rules`.
        folds: 3 or more; no more are taken than there are patients of the rarer kind. A column `fold` of the table
            comes first.
        false_alarms: Rate of the conformal cut, where no positive is labelled.
        diagnoses: Table with the columns patient and diagnosis, where DATA does not say.
        shown: Patches shown on a patient's page.
        made_up: A sentence that says so, for a cohort that is made up; it stands on every page.
        identity: Note in the owner-only `identity.csv` at home which patient each case is.
        command: The call, to be shown.

    Raises:
        TableError: if no image names its patient, or nobody says what any patient has.
        SettingError: if there are too few patients, or for a method, setting or pooling that does not exist.
        TrainingError: if no healthy patch is left to learn from.
        OutputError: if `out` holds something else and `overwrite` is not set, or cannot be written.
        KeyboardInterrupt: passed on, with a note of what is kept.
    """
    rules = Rules(pooling, top_share, false_alarms)
    check_folds(folds)
    study = read_study(Path(data), table=table, layout=layout, diagnoses=diagnoses)
    settings = {
        DETECTOR: dict(detector_settings or {}),
        CLASSIFIER: dict(classifier_settings or {}),
        MIL: dict(mil_settings or {}),
    }
    fields = profile_for(study, profile, profile_settings)
    recipe, facts = new_recipe(fields, detector, classifier, size, settings, bags=pooling == MIL)
    run = Run(seed, device, weights=weights, resume=True, listen=listen)
    learned = _what_is_learned(study, recipe, {**facts, "size": size}, run, folds)
    asked = _Asked(
        study=study,
        names=tuple(case_names(study)),
        recipe=recipe,
        rules=rules,
        run=run,
        learned=learned,
        folds=folds,
        shown=shown,
        made_up=made_up,
        command=command,
        jobs=jobs,
    )
    done = _done_before(asked, Path(out), overwrite=overwrite) or _carried_out(asked, Path(out), overwrite=overwrite)
    if identity:
        remember_patients(study, asked.names)
    return done


def _what_is_learned(study: Study, recipe: Recipe, facts: Mapping[str, Any], run: Run, folds: int) -> dict[str, Any]:
    """All on which the models depend."""
    return {
        **facts,
        "profile_fields": recipe.profile.model_dump(mode="json"),
        "encoder": recipe.detector().check_run(run),
        "folds_asked": folds,
        "seed": run.seed,
        "version": __version__,
        "data": cohort_fingerprint(as_cohort(study)),
        "answers": digest([list(study.answers), list(study.given_folds or ()), *_parts_played(study)]),
    }


def _parts_played(study: Study) -> list[list[int]]:
    """Which scans are copies and by which a patient is judged, where that is not the same for all."""
    if not study.augmented.any() and study.judged.all():
        return []
    return [np.flatnonzero(which).tolist() for which in (study.augmented, study.judged)]


@dataclass(frozen=True, eq=False)
class _Asked:
    """What was asked for, read and checked.

    Args:
        names: `(patients,)` the keyed case name of each.
        learned: All on which the models depend.
    """

    study: Study
    names: tuple[str, ...]
    recipe: Recipe
    rules: Rules
    run: Run
    learned: Mapping[str, Any]
    folds: int
    shown: int
    made_up: str
    command: str
    jobs: int | None

    @property
    def models(self) -> str:
        """The folder of these models, which another pooling shares."""
        return digest(self.learned)[:12]

    @property
    def request(self) -> str:
        """SHA-256 of all on which the results depend."""
        return digest([self.learned, asdict(self.rules), self.shown, self.made_up])


def _done_before(asked: _Asked, out: Path, *, overwrite: bool) -> PatientsDone | None:
    """The results of the same request, which need not be made twice."""
    record = done_already(out, asked.request, overwrite=overwrite)
    return None if record is None else PatientsDone(out, record, tuple(record["remarks"]))


def _carried_out(asked: _Asked, out: Path, *, overwrite: bool) -> PatientsDone:
    """Prepare, learn, judge, write."""
    work = claim(out, overwrite=overwrite) / asked.models
    images = _prepared(asked, work / "images")
    told = _judged(asked, images, work)
    record = patients_record(told, about=_about(asked, told))
    write_all(out, record, told, shown=asked.shown, window=asked.recipe.profile.window_hu)
    shutil.rmtree(work / "images", ignore_errors=True)  # as large as the data, and made again when needed
    return PatientsDone(out, record, told.problems)


def _prepared(asked: _Asked, folder: Path) -> CohortImages:
    """All images, as the profile prepares them."""
    study = asked.study
    try:
        return prepared(as_cohort(study), asked.recipe.profile, folder, jobs=asked.jobs, listen=asked.run.listen)
    except ScanError as error:  # no image at all; it names the first file
        first = Problem(study.items[0].source.path, str(error))
        raise ScanError(unnamed(first, study, asked.names)) from None


def _judged(asked: _Asked, images: CohortImages, work: Path) -> JudgedStudy:
    """Every method's word on every patch and patient."""
    study, rules = asked.study, asked.rules
    patches = patches_of(study, images)
    fold, answers = _learned(asked, patches, images, work)
    methods, problems, notes = judge(study, patches, fold, answers, rules)
    red = _red(asked, patches, work)
    baselines = {} if red is None else {RED: judge_untaught(RED, red, study, patches, fold, answers, rules)}
    problems = (*_problems(asked, patches, images), *problems)
    return JudgedStudy(study, asked.names, patches, fold, methods, baselines, problems, notes)


def _learned(
    asked: _Asked, patches: Patches, images: CohortImages, work: Path
) -> tuple[np.ndarray, dict[LeftOut, Answers]]:
    """The fold `(patients,)` of each patient, and what every model answers."""
    study, run = asked.study, asked.run
    try:
        fold = patient_folds(study, patches, folds=asked.folds, seed=run.seed)
        return fold, learn_all(asked.recipe, study, patches, images, fold, run, work)
    except BaseException:
        if images.problems:  # they name files, which may be called after patients
            shutil.rmtree(work / "images", ignore_errors=True)
        raise


def _red(asked: _Asked, patches: Patches, work: Path) -> np.ndarray | None:
    """`(n,)` share of red pixels of each patch, where slides are in colour."""
    if _STAINED not in asked.recipe.profile.modalities:
        return None
    return red_of_patches(asked.study.items, patches, work, jobs=asked.jobs or os.cpu_count() or 1)


def _problems(asked: _Asked, patches: Patches, images: CohortImages) -> tuple[str, ...]:
    """What does not fit together in the data."""
    study = asked.study
    return (
        *study.problems,
        *(unnamed(problem, study, asked.names) for problem in images.problems),
        *unseen_remark(study, patches),
        *twin_remark(study),
        *size_remark(images),
    )


def _about(asked: _Asked, told: JudgedStudy) -> dict[str, Any]:
    """By what means the results came about."""
    folds = int(told.fold.max()) + 1
    return {
        **{key: asked.learned[key] for key in ("profile", *_METHOD_FACTS, "version") if key in asked.learned},
        "folds": folds,
        "models": len(models_to_learn(folds)),
        "pooling": asdict(asked.rules),
        "pooling_words": _POOLING_WORDS[asked.rules.pooling],
        "false_alarms": asked.rules.false_alarms,
        "seed": asked.run.seed,
        "layout": asked.study.layout,
        "fingerprint": asked.learned["data"],
        "command": asked.command,
        "made_up": asked.made_up,
        "notes": list(told.notes),
        "request_sha256": asked.request,
        "problems": len(told.problems),
    }


def _figures(found: Mapping[str, Any]) -> str:
    """The figures of a level in one line."""
    decisions = found["decisions"]
    told = ", ".join(
        f"{words} {_short(decisions[key])}"
        for key, words in (
            ("precision", "precision"),
            ("recall", "recall"),
            ("f1", "F1"),
            ("specificity", "specificity"),
        )
    )
    return f"AUROC {figure_words(found['auroc'])}; at the cut {told}"


def _short(figure: Mapping[str, Any]) -> str:
    return "none" if figure["value"] is None else f"{figure['value']:.2f}"
