"""The command line: one command per workflow, and the only place that prints and exits."""

import errno
import json
import logging
import os
import re
import shlex
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from halescan import __version__
from halescan.errors import HalescanError, SettingError

app = typer.Typer(
    help="Learns what healthy looks like from healthy scans alone, and says where a new scan departs from it. "
    "Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
backbones = typer.Typer(help="Pretrained encoders: what is at hand, and fetching one.", no_args_is_help=True)
app.add_typer(backbones, name="backbones")


def _known_device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise typer.BadParameter(f"there is no device {name!r}; choose auto, cpu, cuda, cuda:1 or mps")
    return name


def _a_rate(share: float) -> float:
    if not 0 < share < 1:
        raise typer.BadParameter(f"the false-alarm rate must lie in (0, 1), got {share:g}; 0.05 is usual")
    return share


def _a_folder(path: Path | None) -> Path | None:
    if path is not None and not path.is_dir():
        raise typer.BadParameter(f"there is no folder {path}; give one that holds a sub-folder a backbone")
    return path


Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting, as detector.steps=500 or profile.pooling=mean; may be repeated."),
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same model.")]
Device = Annotated[str, typer.Option(callback=_known_device, help="auto, cpu, cuda, cuda:1 or mps.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Worker threads and processes; default: the cores at hand.")]
Weights = Annotated[
    Path | None,
    typer.Option(callback=_a_folder, help="Folder of backbones, one sub-folder each; default: HALESCAN_WEIGHTS."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for a program to read.")]
LogFile = Annotated[Path | None, typer.Option(help="Write a log here (no patient names or ids in it).")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that lie in the way.")]
Table = Annotated[Path | None, typer.Option(help="Table with path, patient, study, label, split, mask.")]
FalseAlarms = Annotated[
    float,
    typer.Option(callback=_a_rate, help="Share of healthy cases that may be called above the threshold, e.g. 0.05."),
]
UmPerPx = Annotated[
    float | None, typer.Option(help="µm per pixel of whole slides whose files do not say it, e.g. 0.25 for 40 x.")
]
Split = Annotated[str | None, typer.Option(help="Take only this split of the table, e.g. train.")]
Layout = Annotated[
    str | None, typer.Option(help="How the data set is laid out, as brats:contrast=t1; default: recognised.")
]


BadCall: Any = typer.BadParameter.__base__  # UsageError: of click, or of the copy of click inside newer typers
STOPPED = "stopped; nothing is left half written. Run the same command again"
STOPS = (130, 128 + signal.SIGTERM)  # Ctrl-C, and the word of a scheduler


def main() -> None:
    """Run the command line; exit with 0, 1 (a case failed, the others were done), 2 (bad call) or 130 (Ctrl-C)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may hold bytes that are no text
    signal.signal(signal.SIGTERM, _end)
    logging.raiseExceptions = False  # a full disk under the log must not end in a traceback
    logging.getLogger("halescan").addHandler(logging.NullHandler())  # else errors would go to stderr, with all details
    try:
        _check_text(sys.argv[1:])
        code = app(prog_name="halescan", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except SystemExit as end:
        code = end.code
    except BrokenPipeError:
        _hush()  # whoever read our lines has gone: `halescan detectors | head`
        code = 1
    except BadCall as error:
        code = _fail(*_usage(error))
    except Exception as error:
        code = _fail(*_explain(error))
    if code in STOPS:
        resumes = sys.argv[1:2] == ["train"]
        _fail(STOPPED + (" with --resume, and it goes on where it stopped" if resumes else ""), int(code))
    sys.exit(code if isinstance(code, int) else 0)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Halescan: unsupervised anomaly detection in medical images. Research use only."""
    if version:
        typer.echo(f"halescan {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the phantoms, the model and the reports.")] = Path("demo"),
    volumes: Annotated[bool, typer.Option("--volumes", help="Phantom volumes (3-D) instead of slices.")] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    lang: Annotated[str, typer.Option(help="Language of the reports: en or fr.")] = "en",
) -> None:
    """Made-up phantoms: train, calibrate, examine five unseen ones, write their reports."""
    from halescan.workflows.demo import demo as run

    with _listening() as listen:
        shown = run(out, volumes=volumes, seed=seed, overwrite=overwrite, lang=lang, listen=listen)
    typer.echo("")
    for line in shown.lines:
        typer.echo(_plain(line))


@app.command()
def train(
    healthy: Annotated[Path, typer.Argument(help="Folder, file or table of scans that readers called healthy.")],
    profile: Annotated[str, typer.Option(help="Name (halescan profiles) or a TOML file of your own.")],
    out: Annotated[Path, typer.Option(help="Folder of the new model.")],
    detector: Annotated[str | None, typer.Option(help="Name (halescan detectors); default: the profile's.")] = None,
    set_: Set = None,
    size: Annotated[str, typer.Option(help="Preset of the detector: cpu or paper.")] = "cpu",
    table: Table = None,
    split: Split = None,
    layout: Layout = None,
    abnormal: Annotated[
        Path | None, typer.Option(help="Scans called abnormal, for supervised detectors; default: the table's labels.")
    ] = None,
    um_per_px: UmPerPx = None,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    overwrite: Overwrite = False,
    weights: Weights = None,
    device: Device = "auto",
    jobs: Jobs = None,
    as_json: AsJson = False,
    log_file: LogFile = None,
) -> None:
    """Learn from healthy scans and calibrate the false-alarm rate."""
    from halescan.workflows.train import train as run

    _log_to(log_file)
    changes = _settings(set_)
    with _listening(quiet=as_json) as listen:
        model = run(
            _laid_out(healthy, layout),
            profile=profile,
            out=out,
            detector=detector,
            size=size,
            detector_settings=changes["detector"],
            profile_settings=changes["profile"],
            table=table,
            split=split,
            abnormal=abnormal,
            um_per_px=um_per_px,
            seed=seed,
            resume=resume,
            overwrite=overwrite,
            weights=weights,
            device=device,
            jobs=jobs,
            listen=listen,
        )
    _say(model.summary(), model.lines(), as_json)
    if model.problems:
        raise typer.Exit(1)


@app.command()
def examine(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    paths: Annotated[list[Path], typer.Argument(help="Files or folders of new scans.")],
    out: Annotated[Path, typer.Option(help="Folder for the results, one sub-folder a case.")],
    false_alarms: FalseAlarms = 0.05,
    lang: Annotated[str, typer.Option(help="Language of the reports: en or fr.")] = "en",
    reports: Annotated[
        str, typer.Option(help="What to write for each case, of html,pdf,json,overlay,map.")
    ] = "html,pdf,json,overlay,map",
    table: Table = None,
    split: Split = None,
    identity: Annotated[
        bool, typer.Option("--identity", help="Join case names with files in an owner-only identity.csv at home.")
    ] = False,
    um_per_px: UmPerPx = None,
    tile_um_per_px: Annotated[
        float | None, typer.Option(help="µm per pixel at which to look at slides, for a model of images without scale.")
    ] = None,
    overwrite: Overwrite = False,
    device: Device = "auto",
    jobs: Jobs = None,
    as_json: AsJson = False,
    log_file: LogFile = None,
) -> None:
    """Score new scans, find what departs from healthy, and write a report for each case."""
    from halescan.workflows.examine import examine as run

    _log_to(log_file)
    with _listening(quiet=as_json) as listen:
        done = run(
            model,
            paths,
            out=out,
            false_alarms=false_alarms,
            lang=lang,
            formats=tuple(part.strip() for part in reports.split(",") if part.strip()),
            table=table,
            split=split,
            identity=identity,
            um_per_px=um_per_px,
            tile_um_per_px=tile_um_per_px,
            overwrite=overwrite,
            device=device,
            jobs=jobs,
            listen=listen,
        )
    _say(done.summary(), done.lines(), as_json)
    if done.problems:
        raise typer.Exit(1)


@app.command()
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
    _log_to(log_file)
    how: dict[str, Any] = {
        "out": out,
        "false_alarms": false_alarms,
        "by": tuple(by or ()),
        "lesion_sizes": _limits(lesion_sizes),
        "table": table,
        "split": split,
        "layout": layout,
        "seed": seed,
        "overwrite": overwrite,
        "jobs": jobs,
    }
    with _listening(quiet=as_json) as listen:
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
    _say(done.summary(), done.lines(), as_json)
    _warn(done.warnings)
    if done.problems:
        raise typer.Exit(1)


@app.command()
def compare(
    data: Annotated[list[str], typer.Argument(help="Sets, each [NAME=]PATH[:PROFILE], with train and test parts.")],
    detectors: Annotated[str, typer.Option(help="Names with commas between, default, or all; NAME:1 for one seed.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html, table.md and comparison.json.")],
    test: Annotated[Path | None, typer.Option(help="Labelled test scans, where the one set holds none.")] = None,
    profile: Annotated[str | None, typer.Option(help="For sets that name none; default: by looking at them.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Trainings of each method on each set.")] = 3,
    size: Annotated[str, typer.Option(help="Preset of the detectors: cpu or paper.")] = "cpu",
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of each training, where there are any.")] = None,
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

    _log_to(log_file)
    changes = _settings_by_name(set_)
    with _listening(quiet=as_json, one_bar=True) as listen:
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
            command=_as_called(sys.argv[1:]),
            listen=listen,
        )
    _say(done.summary(), done.lines(), as_json)
    if done.failed:
        raise typer.Exit(1)


@app.command()
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

    _log_to(log_file)
    with _listening(quiet=as_json) as listen:
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
    _say(found.summary(), found.lines(), as_json)
    if found.record["problems"]:
        raise typer.Exit(1)


@app.command()
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

    _log_to(log_file)
    changes = _settings_by_name(set_)
    strange = sorted(set(changes) - {"detector", "classifier", "attention-mil", "profile"})
    if strange:
        raise SettingError(f"--set {strange[0]}...: expected detector.NAME=, classifier.NAME= or profile.NAME=VALUE")
    with _listening(quiet=as_json, one_bar=True) as listen:
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
            command=_as_called(sys.argv[1:]),
            listen=listen,
        )
    _say(done.summary(), done.lines(), as_json)
    if done.problems:
        raise typer.Exit(1)


@app.command()
def recalibrate(
    model: Annotated[Path, typer.Argument(help="Model folder; it is left as it is.")],
    healthy: Annotated[Path, typer.Argument(help="Scans of the new site that a person calls healthy.")],
    out: Annotated[Path, typer.Option(help="Folder of the new version.")],
    table: Table = None,
    split: Split = None,
    layout: Layout = None,
    um_per_px: UmPerPx = None,
    overwrite: Overwrite = False,
    device: Device = "auto",
    jobs: Jobs = None,
    as_json: AsJson = False,
    log_file: LogFile = None,
) -> None:
    """Commission a model on a new site: calibrate it again on local healthy scans."""
    from halescan.workflows.recalibrate import recalibrate as run

    _log_to(log_file)
    with _listening(quiet=as_json) as listen:
        new = run(
            model,
            _laid_out(healthy, layout),
            out=out,
            table=table,
            split=split,
            um_per_px=um_per_px,
            overwrite=overwrite,
            device=device,
            jobs=jobs,
            listen=listen,
        )
    _say(new.summary(), new.lines(), as_json)
    if new.problems:
        raise typer.Exit(1)


@app.command()
def detectors(
    as_json: AsJson = False,
    cite: Annotated[str | None, typer.Option(help="Print the source of one detector.")] = None,
) -> None:
    """List the detectors and the facts about them."""
    from halescan.workflows.catalogue import detector_facts, source_of

    if cite:
        typer.echo(source_of(cite))
        return
    _table(detector_facts(), as_json)


@app.command()
def profiles(as_json: AsJson = False) -> None:
    """List the profiles: how each kind of scan is prepared, and its default detector."""
    from halescan.workflows.catalogue import profile_facts

    _table(profile_facts(), as_json)


@app.command()
def doctor(weights: Weights = None, as_json: AsJson = False) -> None:
    """Check this installation: versions, devices, decoders, weights, folders."""
    from halescan.workflows.doctor import examine_installation

    checks = examine_installation(weights)
    if as_json:
        typer.echo(json.dumps([check.record() for check in checks], indent=2))
    else:
        for check in checks:
            typer.echo(f"{'ok ' if check.fine else 'NO ' if check.needed else '-- '} {check.name:<15} {check.found}")
    if not all(check.fine for check in checks if check.needed):
        raise typer.Exit(1)


@backbones.command("list")
def backbones_list(weights: Weights = None, as_json: AsJson = False) -> None:
    """List the backbones at hand."""
    from halescan.workflows.catalogue import backbone_facts

    _table(backbone_facts(weights), as_json)


@backbones.command("get")
def backbones_get(
    name: Annotated[str, typer.Argument(help="Name on the hub, e.g. google/mobilenet_v2_1.0_224.")],
    weights: Annotated[Path | None, typer.Option(help="Folder to store it in; default: HALESCAN_WEIGHTS.")] = None,
) -> None:
    """Fetch a backbone from the hub: the only command that uses the network."""
    from halescan.workflows.catalogue import fetch_backbone

    typer.echo(f"stored in {fetch_backbone(name, weights)}")


def _laid_out(data: Path, layout: str | None) -> Path:
    """A place with its layout before it, as every workflow reads it."""
    return data if layout is None else Path(f"{layout}@{data}")


def _settings(pairs: list[str] | None) -> dict[str, dict[str, Any]]:
    """`detector.x=1 profile.y=mean` as two dictionaries of values."""
    found: dict[str, dict[str, Any]] = {"detector": {}, "profile": {}}
    for pair in pairs or []:
        room, key, value = _setting(pair)
        if room not in found:
            raise SettingError(f"--set {pair}: expected detector.NAME=VALUE or profile.NAME=VALUE")
        found[room][key] = value
    return found


def _settings_by_name(pairs: list[str] | None) -> dict[str, dict[str, Any]]:
    """`detector.x=1 patchcore.y=2 profile.z=mean` as a dictionary of values for each of the three."""
    found: dict[str, dict[str, Any]] = {}
    for room, key, value in map(_setting, pairs or []):
        found.setdefault(room, {})[key] = value
    return found


def _setting(pair: str) -> tuple[str, str, Any]:
    """`detector.x=1` as its three parts; the value is read as JSON, else as text."""
    name, equals, text = pair.partition("=")
    room, dot, key = name.strip().partition(".")
    if not equals or not dot or not key or not room:
        raise SettingError(f"--set {pair}: expected detector.NAME=VALUE or profile.NAME=VALUE")
    try:
        return room, key, json.loads(text)
    except json.JSONDecodeError:
        return room, key, text


def _as_called(words: list[str]) -> str:
    """The call, fit to be published: of folders only their last names."""
    return shlex.join(["halescan", *(_last_name(word) for word in words)])


def _last_name(word: str) -> str:
    name, equals, rest = word.partition("=")
    if equals and not set(name) & set("/\\"):
        return f"{name}={_last_name(rest)}"
    return word.rstrip("/\\").replace("\\", "/").rpartition("/")[2] or word


def _log_to(path: Path | None) -> None:
    if path is None:
        return
    try:
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise SettingError(f"--log-file {path}: cannot be written ({error.strerror}); name another file") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("halescan")
    log.addHandler(handler)
    log.setLevel(logging.INFO)


def _say(record: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(record, indent=2, allow_nan=False))
    else:
        typer.echo("\n".join(_plain(line) for line in lines))


def _warn(sentences: Iterable[str]) -> None:
    """What must not be overlooked, in red where there are colours."""
    for sentence in sentences:
        typer.secho(f"warning: {_plain(sentence)}", fg=typer.colors.RED, err=True)


def _limits(text: str) -> tuple[float, ...]:
    """`5,10,20` as ascending numbers."""
    try:
        limits = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        limits = (1.0, 1.0)
    if list(limits) != sorted(set(limits)) or not all(0 < limit < float("inf") for limit in limits):
        raise SettingError(f"--lesion-sizes {text}: expected ascending numbers, as 5,10,20")
    return limits


def _table(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Rows of the same keys, as JSON or as lines that align."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2, allow_nan=False))
        return
    if not rows:
        typer.echo("none")
        return
    heads = list(rows[0])
    cells = [[_cell(row[head]) for head in heads] for row in rows]
    widths = [max(len(head), *(len(row[i]) for row in cells)) for i, head in enumerate(heads)]
    for row in [heads, *cells]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(part) for part in value)
    return "" if value is None else str(value)


@contextmanager
def _listening(quiet: bool = False, one_bar: bool = False) -> Iterator[Callable[[Any], None]]:
    """A listener for `Progress`, and for what a command has to say when it is stopped by Ctrl-C."""
    try:
        with _progress(quiet, one_bar) as listen:
            yield listen
    except KeyboardInterrupt as stop:
        for note in getattr(stop, "__notes__", []):  # typer lets go of the exception and what it says
            typer.echo(_plain(note), err=True)
        raise


@contextmanager
def _progress(quiet: bool, one_bar: bool = False) -> Iterator[Callable[[Any], None]]:
    """A bar on a terminal, plain lines in a pipe, nothing when quiet."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Bars(*columns, TextColumn("{task.fields[remark]}"), console=Console(stderr=True)) as bars:
            yield _OneBar(bars) if one_bar else _Bar(bars)
    else:
        yield _PlainLines()


class _Bar:
    """One bar a stage, with the loss and the time left beside it."""

    def __init__(self, bars: Any) -> None:
        self.bars = bars
        self.tasks: dict[str, Any] = {}

    def __call__(self, progress: Any) -> None:
        if progress.stage not in self.tasks:
            self.tasks[progress.stage] = self.bars.add_task(progress.stage, total=progress.total, remark="")
        loss = "" if progress.loss is None else f"loss {progress.loss:.4g}"
        left = "" if progress.seconds_left is None else f"{progress.seconds_left:.0f} s left"
        task = self.tasks[progress.stage]
        self.bars.update(task, completed=progress.done, total=progress.total, remark=f"{loss}  {left}".strip())


class _OneBar(_Bar):
    """One bar for all stages, for a command that has hundreds of them."""

    def __call__(self, progress: Any) -> None:
        if not self.tasks:
            self.tasks["all"] = self.bars.add_task(progress.stage, total=progress.total, remark="")
        left = "" if progress.seconds_left is None else f"{_duration(progress.seconds_left)} left"
        task = self.tasks["all"]
        self.bars.update(task, description=progress.stage, completed=progress.done, total=progress.total, remark=left)


def _duration(seconds: float) -> str:
    """`40 s`, `12 min` or `3 h 20 min`."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class _PlainLines:
    """One line when a stage begins, every ten seconds, and when it ends."""

    def __init__(self) -> None:
        self.stage = ""
        self.last = 0.0

    def __call__(self, progress: Any) -> None:
        from time import monotonic

        new = progress.stage != self.stage
        if not new and progress.done < progress.total and monotonic() - self.last < 10:
            return
        self.stage, self.last = progress.stage, monotonic()
        left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
        loss = "" if progress.loss is None else f", loss {progress.loss:.4g}"
        typer.echo(f"{progress.stage}: {progress.done}/{progress.total}{loss}{left}", err=True)


def _check_text(words: list[str]) -> None:
    """Refuse file names that no table, report or log could hold."""
    for word in words:
        if not word.isascii() and word != word.encode(errors="replace").decode():
            raise SettingError(f"{word}: is not UTF-8 text; rename the file or folder")


def _end(number: int, frame: Any) -> None:
    """End on SIGTERM as on Ctrl-C: drafts are removed on the way out."""
    sys.exit(128 + number)


def _usage(error: Any) -> tuple[str, int]:
    """What typer has against a call, as one sentence; without any arguments at all, the help."""
    context = error.ctx
    if context is not None and error.message == context.get_help():
        return error.message, 2
    said = " ".join(error.format_message().split()).rstrip(".")
    return f"{said}. See {context.command_path if context else 'halescan'} --help", 2


def _explain(error: Exception) -> tuple[str, int]:
    """What went wrong, for a person, and the exit code."""
    if isinstance(error, HalescanError):
        return str(error), 2
    if isinstance(error, MemoryError):
        return "not enough memory; use smaller images (--set profile.size=...) or fewer jobs (--jobs 1)", 1
    logging.getLogger("halescan").error("unexpected error", exc_info=error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        way = "free some space there" if error.errno == errno.ENOSPC else "check that it is there and may be used"
        return f"{where}{error.strerror or error}; {way}", 2
    # a bug of ours: no traceback at a reader, but all of it in the log
    return f"unexpected {type(error).__name__}: {error}. This is a bug; --log-file keeps the details", 1


def _fail(message: str, code: int) -> int:
    """Say what is wrong, in one line but for the help, and give back the exit code."""
    line = message if message.startswith("Usage:") else f"halescan: {_plain(' '.join(message.split()))}"
    with suppress(OSError):  # nobody may be listening
        typer.echo(line, err=True)
    return code


def _plain(text: str) -> str:
    """Text in one line and without control characters: a file's name must not steer the terminal."""
    return "".join("?" if unicodedata.category(sign)[0] == "C" else sign for sign in text)


def _hush() -> None:
    """Let the interpreter flush into nothing when it ends, as its reader has gone."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
