"""The command line: one command per workflow, and the only place that prints and exits."""

import errno
import json
import logging
import os
import re
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator
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
Split = Annotated[str | None, typer.Option(help="Take only this split of the table, e.g. train.")]


BadCall: Any = typer.BadParameter.__base__  # UsageError: of click, or of the copy of click inside newer typers
STOPPED = (
    "stopped; nothing is left half written. Run the same command again; train goes on where it stopped with --resume"
)


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
    except BrokenPipeError:
        _hush()  # whoever read our lines has gone: `halescan detectors | head`
        code = 1
    except BadCall as error:
        code = _fail(*_usage(error))
    except Exception as error:
        code = _fail(*_explain(error))
    if code == 130:
        _fail(STOPPED, 130)
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
            healthy,
            profile=profile,
            out=out,
            detector=detector,
            size=size,
            detector_settings=changes["detector"],
            profile_settings=changes["profile"],
            table=table,
            split=split,
            seed=seed,
            resume=resume,
            overwrite=overwrite,
            weights=weights,
            device=device,
            jobs=jobs,
            listen=listen,
        )
    _say(model.summary(), model.lines(), as_json)


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
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    test: Annotated[Path, typer.Argument(help="Folder with healthy/ abnormal/ [masks/], or a table.")],
    out: Annotated[Path, typer.Option(help="Folder for metrics.json, scores.csv and plots.")],
    false_alarms: FalseAlarms = 0.05,
    table: Table = None,
    split: Split = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    device: Device = "auto",
    jobs: Jobs = None,
    as_json: AsJson = False,
    log_file: LogFile = None,
) -> None:
    """Measure a model on labelled scans, beside the trivial baselines."""
    from halescan.workflows.evaluate import evaluate as run

    _log_to(log_file)
    with _listening(quiet=as_json) as listen:
        done = run(
            model,
            test,
            out=out,
            false_alarms=false_alarms,
            table=table,
            split=split,
            seed=seed,
            overwrite=overwrite,
            device=device,
            jobs=jobs,
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
            healthy,
            out=out,
            table=table,
            split=split,
            overwrite=overwrite,
            device=device,
            jobs=jobs,
            listen=listen,
        )
    _say(new.summary(), new.lines(), as_json)


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


def _settings(pairs: list[str] | None) -> dict[str, dict[str, Any]]:
    """`detector.x=1 profile.y=mean` as two dictionaries of values."""
    found: dict[str, dict[str, Any]] = {"detector": {}, "profile": {}}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        room, dot, key = name.strip().partition(".")
        if not equals or not dot or not key or room not in found:
            raise SettingError(f"--set {pair}: expected detector.NAME=VALUE or profile.NAME=VALUE")
        try:
            found[room][key] = json.loads(text)
        except json.JSONDecodeError:
            found[room][key] = text
    return found


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
def _listening(quiet: bool = False) -> Iterator[Callable[[Any], None]]:
    """A listener for `Progress`, and for what a command has to say when it is stopped by Ctrl-C."""
    try:
        with _progress(quiet) as listen:
            yield listen
    except KeyboardInterrupt as stop:
        for note in getattr(stop, "__notes__", []):  # typer lets go of the exception and what it says
            typer.echo(_plain(note), err=True)
        raise


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[Any], None]]:
    """A bar on a terminal, plain lines in a pipe, nothing when quiet."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Bars(*columns, TextColumn("{task.fields[remark]}"), console=Console(stderr=True)) as bars:
            yield _Bar(bars)
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
