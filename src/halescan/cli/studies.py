"""Commands about a labelled data set: evaluate, compare, look for leaks, go from patches to patients."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from halescan.cli.options import (
    AsJson,
    Device,
    FalseAlarms,
    Jobs,
    Layout,
    LogFile,
    Overwrite,
    Seed,
    Split,
    Table,
    Weights,
)
from halescan.cli.progress import listening
from halescan.cli.telling import log_to, say, warn
from halescan.cli.words import as_called, limits_of, settings_by_name
from halescan.errors import SettingError


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model folder; left out with --scores.")],
    out: Annotated[Path, typer.Option(help="Folder for metrics.json, scores.csv and plots.")],
    test: Annotated[
        Path | None, typer.Argument(help="Folder with healthy/ abnormal/ [masks/], another layout, or a table.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Scores (CSV) or a folder of maps that another program made, instead of MODEL.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="With --scores: score above which it is abnormal.")] = None,
    map_threshold: Annotated[
        float | None, typer.Option(help="With --scores: map value from which a place is a finding.")
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="Column to tell the figures by, as sex or age=40,60; may be repeated.")
    ] = None,
    lesion_sizes: Annotated[
        str, typer.Option(help="Limits between bands of lesion size, e.g. 5,10,20; default: terciles.")
    ] = "",
    false_alarms: FalseAlarms = 0.05,
    table: Table = None,
    split: Split = None,
    layout: Layout = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    device: Device = "auto",
    jobs: Jobs = None,
    as_json: AsJson = False,
    log_file: LogFile = None,
) -> None:
    """Measure a model, or scores made elsewhere, on labelled scans, beside the trivial baselines."""
    log_to(log_file)
    how: dict[str, Any] = {
        "out": out,
        "false_alarms": false_alarms,
        "by": tuple(by or ()),
        "lesion_sizes": limits_of(lesion_sizes),
        "table": table,
        "split": split,
        "layout": layout,
        "seed": seed,
        "overwrite": overwrite,
        "jobs": jobs,
    }
    with listening(quiet=as_json) as listen:
        if scores is None:
            from halescan.workflows.evaluate import evaluate as run

            if test is None:
                raise SettingError("evaluate needs MODEL and TEST; without a model give TEST and --scores FILE")
            if threshold is not None or map_threshold is not None:
                raise SettingError("--threshold and --map-threshold go with --scores; a model brings its own")
            done = run(model, test, **how, device=device, listen=listen)
        else:
            from halescan.workflows.score_files import evaluate_scores

            if test is not None:
                raise SettingError("with --scores there is no MODEL: halescan evaluate TEST --scores FILE --out DIR")
            done = evaluate_scores(
                scores, model, **how, threshold=threshold, map_threshold=map_threshold, listen=listen
            )
    say(done.summary(), done.lines(), as_json)
    warn(done.warnings)
    if done.problems:
        raise typer.Exit(1)


def compare(
    data: Annotated[list[str], typer.Argument(help="Sets, each [NAME=]PATH[:PROFILE], with train and test parts.")],
    detectors: Annotated[str, typer.Option(help="Names with commas between, default, or all; NAME:1 for one seed.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html, table.md and comparison.json.")],
    test: Annotated[Path | None, typer.Option(help="Labelled test scans, where the one set holds none.")] = None,
    profile: Annotated[str | None, typer.Option(help="For sets that name none; default: by looking at them.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Trainings of each method on each set.")] = 3,
    size: Annotated[str, typer.Option(help="Preset of the detectors: cpu or paper.")] = "cpu",
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Steps of each training, where there are any; an ensemble's members share them."),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Or minutes of each training, measured once as steps.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="As detector.steps=500, patchcore.grid=28, profile.pooling=mean; may be repeated."),
    ] = None,
    false_alarms: FalseAlarms = 0.05,
    by: Annotated[list[str] | None, typer.Option(help="Figures by the values of this column; may be repeated.")] = None,
    robustness: Annotated[bool, typer.Option("--robustness", help="Distort the test scans, too.")] = False,
    published: Annotated[Path | None, typer.Option(help="Table of published figures to stand beside ours.")] = None,
    no_pictures: Annotated[bool, typer.Option("--no-pictures", help="No scan is shown on the page.")] = False,
    keep_models: Annotated[bool, typer.Option("--keep-models", help="Keep the trained models.")] = False,
    cell_minutes: Annotated[float, typer.Option(help="Stop a training and evaluation that takes longer.")] = 240.0,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed before.")] = False,
    weights: Weights = None,
    device: Device = "auto",
    jobs: Jobs = None,
    as_json: AsJson = False,
    log_file: LogFile = None,
) -> None:
    """Compare detectors on data sets: one page and one table; run again, it goes on where it was."""
    from halescan.workflows.compare import compare as run

    log_to(log_file)
    changes = settings_by_name(set_)
    with listening(quiet=as_json, one_bar=True) as listen:
        done = run(
            data,
            detectors=detectors,
            out=out,
            test=test,
            profile=profile,
            seeds=seeds,
            size=size,
            steps=steps,
            minutes=minutes,
            settings={name: own for name, own in changes.items() if name != "profile"},
            profile_settings=changes.get("profile", {}),
            false_alarms=false_alarms,
            by=by or (),
            robustness=robustness,
            published=published,
            pictures=not no_pictures,
            keep_models=keep_models,
            cell_minutes=cell_minutes,
            retry=retry,
            weights=weights,
            device=device,
            jobs=jobs,
            command=as_called(sys.argv[1:]),
            listen=listen,
        )
    say(done.summary(), done.lines(), as_json)
    if done.failed:
        raise typer.Exit(1)


def leaks(
    data: Annotated[Path, typer.Argument(help="Folder, file or table of the test scans, and of the training scans.")],
    train: Annotated[Path | None, typer.Option(help="The training scans, where they lie elsewhere.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for leaks.md, leaks.json and pairs.csv.")] = None,
    table: Table = None,
    layout: Layout = None,
    split: Split = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    jobs: Jobs = None,
    as_json: AsJson = False,
    log_file: LogFile = None,
) -> None:
    """Check a data set: copies and patients on both sides of a split, and what tells the labels without disease."""
    from halescan.workflows.leaks import leaks as run

    log_to(log_file)
    with listening(quiet=as_json) as listen:
        found = run(
            data,
            train=train,
            out=out,
            table=table,
            layout=layout,
            split=split,
            seed=seed,
            overwrite=overwrite,
            jobs=jobs,
            listen=listen,
        )
    say(found.summary(), found.lines(), as_json)
    if found.record["problems"]:
        raise typer.Exit(1)


def patients(
    data: Annotated[Path, typer.Argument(help="H. pylori folders, another layout, or a table with patient ids.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html, a page a patient, and the tables.")],
    profile: Annotated[str | None, typer.Option(help="Name or TOML file; default for H. pylori: histology.")] = None,
    detector: Annotated[str | None, typer.Option(help="Name (halescan detectors); default: the profile's.")] = None,
    classifier: Annotated[
        str, typer.Option(help="frozen-head, fine-tuned, small-cnn, firefly-svm or none.")
    ] = "frozen-head",
    pooling: Annotated[
        str, typer.Option(help="From patches to a patient: share, max, top, mean, noisy-or or attention-mil.")
    ] = "share",
    top_share: Annotated[float, typer.Option(help="Share of the patches that --pooling top takes.")] = 0.1,
    folds: Annotated[int, typer.Option(min=3, max=50, help="Folds of patients.")] = 5,
    diagnoses: Annotated[
        Path | None, typer.Option(help="Table with patient and diagnosis, where DATA does not say.")
    ] = None,
    false_alarms: FalseAlarms = 0.05,
    shown: Annotated[int, typer.Option(min=0, max=200, help="Patches shown on a patient's page.")] = 12,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="As detector.steps=500, classifier.folds=3, profile.pooling=max; may be repeated."),
    ] = None,
    size: Annotated[str, typer.Option(help="Preset of detector and classifier: cpu or paper.")] = "cpu",
    table: Table = None,
    layout: Layout = None,
    identity: Annotated[
        bool, typer.Option("--identity", help="Join case names with patients in an owner-only identity.csv at home.")
    ] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    weights: Weights = None,
    device: Device = "auto",
    jobs: Jobs = None,
    as_json: AsJson = False,
    log_file: LogFile = None,
) -> None:
    """From patches or slices to patients: train, cross-validate by patient, decide, report; goes on where it was."""
    from halescan.workflows.patients import patients as run

    log_to(log_file)
    changes = settings_by_name(set_)
    strange = sorted(set(changes) - {"detector", "classifier", "attention-mil", "profile"})
    if strange:
        raise SettingError(f"--set {strange[0]}...: expected detector.NAME=, classifier.NAME= or profile.NAME=VALUE")
    with listening(quiet=as_json, one_bar=True) as listen:
        done = run(
            data,
            out=out,
            profile=profile,
            detector=detector,
            classifier=classifier,
            size=size,
            detector_settings=changes.get("detector"),
            classifier_settings=changes.get("classifier"),
            mil_settings=changes.get("attention-mil"),
            profile_settings=changes.get("profile"),
            pooling=pooling,  # type: ignore[arg-type]  # checked there
            top_share=top_share,
            folds=folds,
            false_alarms=false_alarms,
            diagnoses=diagnoses,
            table=table,
            layout=layout,
            shown=shown,
            identity=identity,
            seed=seed,
            overwrite=overwrite,
            weights=weights,
            device=device,
            jobs=jobs,
            command=as_called(sys.argv[1:]),
            listen=listen,
        )
    say(done.summary(), done.lines(), as_json)
    if done.problems:
        raise typer.Exit(1)
