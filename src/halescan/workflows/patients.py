"""Patients: from patches, slices or single images to a word on each patient, cross-validated by patient."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from halescan import __version__
from halescan.classifiers import BagClassifier, Classifier, find_bag_classifier, find_classifier
from halescan.data.dataset import CohortImages
from halescan.data.profiles import Profile, load_profile
from halescan.detectors import Detector
from halescan.errors import OutputError, ScanError, SettingError
from halescan.io import Problem
from halescan.io.identity import case_name, remember
from halescan.training.run import Progress, Run, say_nothing
from halescan.training.settings import typed_settings
from halescan.types import Identity
from halescan.workflows.clock import Clock
from halescan.workflows.evaluation import figure_words
from halescan.workflows.healthy import cohort_fingerprint, prepared
from halescan.workflows.patient_level.baseline import RED, judge_untaught, red_of_patches
from halescan.workflows.patient_level.decide import CLASSIFIER, DETECTOR, Pooling, Rules, judge
from halescan.workflows.patient_level.files import write_all
from halescan.workflows.patient_level.learn import MIL, Answers, Recipe, ask
from halescan.workflows.patient_level.plan import LeftOut, check_folds, models_to_learn, patient_folds
from halescan.workflows.patient_level.record import SCHEMA, patients_record
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
from halescan.workflows.train import digest, new_detector

NO_CLASSIFIER = "none"
_STAINED = "SM"  # DICOM's word for slides: where colour alone may tell all
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
    out = Path(out)
    rules = Rules(pooling, top_share, false_alarms)
    check_folds(folds)
    study = read_study(Path(data), table=table, layout=layout, diagnoses=diagnoses)
    fields = _profile(study, profile, profile_settings)
    settings = {
        DETECTOR: dict(detector_settings or {}),
        CLASSIFIER: dict(classifier_settings or {}),
        MIL: dict(mil_settings or {}),
    }
    recipe, about = _recipe(fields, detector, classifier, size, settings, bags=pooling == MIL)
    run = Run(seed, device, weights=weights, resume=True, listen=listen)
    fingerprint = cohort_fingerprint(as_cohort(study))
    learned = {
        **about,
        "size": size,
        "profile_fields": recipe.profile.model_dump(mode="json"),
        "encoder": recipe.detector().check_run(run),
        "folds_asked": folds,
        "seed": seed,
        "version": __version__,
        "data": fingerprint,
        "answers": digest([list(study.answers), list(study.given_folds or ()), *_parts_played(study)]),
    }
    request = digest([learned, asdict(rules), shown, made_up])
    names = [case_name(f"patient:{name}") for name in study.names]
    done = _done_already(out, request, overwrite=overwrite)
    if done is not None:
        if identity:
            _remember(study, names)
        return done
    work = _claim(out, overwrite=overwrite) / digest(learned)[:12]
    try:
        images = prepared(as_cohort(study), recipe.profile, work / "images", jobs=jobs, listen=listen)
    except ScanError as error:  # no image at all; it names the first file
        first = Problem(study.items[0].source.path, str(error))
        raise ScanError(_unnamed(first, study, names)) from None
    patches = patches_of(study, images)
    try:
        fold = patient_folds(study, patches, folds=folds, seed=seed)
        answers = _learn_all(recipe, study, patches, images, fold, run, work)
    except BaseException:
        if images.problems:  # they name files, which may be called after patients
            shutil.rmtree(work / "images", ignore_errors=True)
        raise
    judgements, problems, notes = judge(study, patches, fold, answers, rules)
    baselines = {}
    if _STAINED in recipe.profile.modalities:
        red = red_of_patches(study.items, patches, work, jobs=jobs or os.cpu_count() or 1)
        if red is not None:
            baselines[RED] = judge_untaught(RED, red, study, patches, fold, answers, rules)
    problems = (
        *study.problems,
        *(_unnamed(problem, study, names) for problem in images.problems),
        *unseen_remark(study, patches),
        *twin_remark(study),
        *size_remark(images),
        *problems,
    )
    about |= {
        "version": __version__,
        "folds": int(fold.max()) + 1,
        "models": len(answers),
        "pooling": asdict(rules),
        "pooling_words": _POOLING_WORDS[pooling],
        "false_alarms": false_alarms,
        "seed": seed,
        "layout": study.layout,
        "fingerprint": fingerprint,
        "command": command,
        "made_up": made_up,
        "notes": list(notes),
        "request_sha256": request,
        "problems": len(problems),
    }
    record = patients_record(
        study,
        patches,
        fold,
        judgements,
        baselines,
        names=names,
        about=about,
        remarks=_nameless(problems, study),
        seed=seed,
    )
    write_all(
        out,
        record,
        study,
        patches,
        fold,
        judgements,
        baselines,
        names=names,
        shown=shown,
        window=recipe.profile.window_hu,
    )
    if identity:
        _remember(study, names)
    shutil.rmtree(work / "images", ignore_errors=True)  # as large as the data, and made again when needed
    return PatientsDone(out, record, problems)


def _profile(study: Study, profile: str | Path | None, changes: Mapping[str, Any] | None) -> Profile:
    named = profile or study.profile
    if named is None:
        raise SettingError("name the --profile that fits these images, as histology or lung-ct (halescan profiles)")
    return load_profile(named, changes)


def _recipe(
    fields: Profile,
    detector: str | None,
    classifier: str,
    size: str,
    settings: Mapping[str, dict[str, Any]],
    *,
    bags: bool,
) -> tuple[Recipe, dict[str, Any]]:
    """What is learned, checked now, and what is said about it."""

    def new() -> Detector:
        return new_detector(fields, detector, size, settings[DETECTOR])

    first = new()
    if first.needs_abnormal:
        raise SettingError(f"{first.name} learns from abnormal examples; the detector here must learn healthy alone")
    kind: Any = None if classifier == NO_CLASSIFIER else find_classifier(classifier)
    typed = {} if kind is None else typed_settings(kind, settings[CLASSIFIER])

    def fresh() -> Classifier:
        return kind.preset(size, **typed)

    about = {
        "profile": fields.name,
        "detector": first.name,
        "detector_settings": first.settings,
        "classifier": None if kind is None else kind.name,
        "classifier_settings": None if kind is None else fresh().settings,
    }
    if not bags:
        return Recipe(fields, new, None if kind is None else fresh, None), about
    mil: Any = find_bag_classifier(MIL)
    own = typed_settings(mil, settings[MIL])
    about["mil_settings"] = mil.preset(size, **own).settings

    def joint() -> BagClassifier:
        return mil.preset(size, **own)

    return Recipe(fields, new, None if kind is None else fresh, joint), about


def _learn_all(
    recipe: Recipe, study: Study, patches: Patches, images: CohortImages, fold: np.ndarray, run: Run, work: Path
) -> dict[LeftOut, Answers]:
    """Every model's answers: those on disk, and the others now, each kept as soon as it is there."""
    jobs = models_to_learn(int(fold.max()) + 1)
    found = {job: answers for job in jobs if (answers := Answers.load(work / f"{job.name}.npz")) is not None}
    clock = Clock(len(jobs), "models", run.listen, done=len(found))
    with _saying_what_is_kept(found, len(jobs)):
        for job in jobs:
            if job in found:
                continue
            clock.begin(f"model without fold {job.words}")
            clock.work()
            folder = work / job.name
            answers = ask(job, recipe, study, patches, images, fold, replace(run, folder=folder, listen=clock.tell))
            answers.save(work / f"{job.name}.npz")
            shutil.rmtree(folder, ignore_errors=True)
            found[job] = answers
            clock.finish()
    return {job: found[job] for job in jobs}


@contextmanager
def _saying_what_is_kept(found: Mapping[LeftOut, Answers], total: int) -> Iterator[None]:
    """Add to a person's Ctrl-C how far it was."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note(f"{len(found)} of {total} models are learned and kept; the same command goes on from there")
        raise


def _done_already(out: Path, request: str, *, overwrite: bool) -> PatientsDone | None:
    """The results of the same request, which need not be made twice.

    Raises:
        OutputError: if there are results of another request.
    """
    try:
        record = json.loads((out / "patients.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if overwrite or not isinstance(record, dict) or record.get("schema") != SCHEMA:
        return None
    if record["about"].get("request_sha256") == request:
        return PatientsDone(out, record, tuple(record["remarks"]))
    raise OutputError(
        f"{out} holds results of other data or settings; choose another --out, or --overwrite to replace them (what "
        "was learned is kept and used again)"
    )


def _claim(out: Path, *, overwrite: bool) -> Path:
    """The folder of what is learned, in one of ours or a new one."""
    work = out / "work"
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not work.is_dir())):
        raise OutputError(f"{out} holds something else than patients' results; choose another --out")
    try:
        work.mkdir(parents=True, exist_ok=True)
        if overwrite:
            shutil.rmtree(out / "patients", ignore_errors=True)
            (out / "patients.json").unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    return work


def _parts_played(study: Study) -> list[list[int]]:
    """Which scans are copies and by which a patient is judged, where that is not the same for all."""
    if not study.augmented.any() and study.judged.all():
        return []
    return [np.flatnonzero(which).tolist() for which in (study.augmented, study.judged)]


def _unnamed(problem: Problem, study: Study, names: Sequence[str]) -> str:
    """A problem with the patient's case name where the file, or a folder it lies in, has the patient's own."""
    for item, patient in zip(study.items, study.patient_of, strict=True):
        if item.source.path == problem.path:
            own = re.compile(re.escape(study.names[int(patient)]), re.IGNORECASE)
            place = own.sub(names[int(patient)], str(Path(*problem.path.parts[-3:])))
            return problem.message.replace(str(problem.path), place)
    return problem.message


def _nameless(problems: tuple[str, ...], study: Study) -> list[str]:
    """The problems as they may travel: a file that could not be read is counted, not named."""
    words = [problem for problem in problems if "/" not in problem and "\\" not in problem]
    files = len(problems) - len(words)
    return [*words, *([f"{files} file{'s' * (files != 1)} could not be used"] if files else [])]


def _remember(study: Study, names: list[str]) -> None:
    """Note which patient each case is, once a patient, with the folder of the first scan."""
    first: dict[int, Path] = {}
    for item, patient in zip(study.items, study.patient_of, strict=True):
        first.setdefault(int(patient), item.source.path.parent)
    for at, folder in first.items():
        remember(names[at], Identity(patient=study.names[at]), source=folder)


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
