"""Commands about one model: make it, use it, bring it to another site."""

from pathlib import Path
from typing import Annotated

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
    Set,
    Split,
    Table,
    UmPerPx,
    Weights,
)
from halescan.cli.progress import listening
from halescan.cli.telling import log_to, plain, say
from halescan.cli.words import laid_out, settings_of


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the phantoms, the model and the reports.")] = Path("demo"),
    volumes: Annotated[bool, typer.Option("--volumes", help="Phantom volumes (3-D) instead of slices.")] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    lang: Annotated[str, typer.Option(help="Language of the reports: en or fr.")] = "en",
) -> None:
    """Made-up phantoms: train, calibrate, examine five unseen ones, write their reports."""
    from halescan.workflows.demo import demo as run

    with listening() as listen:
        shown = run(out, volumes=volumes, seed=seed, overwrite=overwrite, lang=lang, listen=listen)
    typer.echo("")
    for line in shown.lines:
        typer.echo(plain(line))


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

    log_to(log_file)
    changes = settings_of(set_)
    with listening(quiet=as_json) as listen:
        model = run(
            laid_out(healthy, layout),
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
    say(model.summary(), model.lines(), as_json)
    if model.problems:
        raise typer.Exit(1)


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

    log_to(log_file)
    with listening(quiet=as_json) as listen:
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
    say(done.summary(), done.lines(), as_json)
    if done.problems:
        raise typer.Exit(1)


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

    log_to(log_file)
    with listening(quiet=as_json) as listen:
        new = run(
            model,
            laid_out(healthy, layout),
            out=out,
            table=table,
            split=split,
            um_per_px=um_per_px,
            overwrite=overwrite,
            device=device,
            jobs=jobs,
            listen=listen,
        )
    say(new.summary(), new.lines(), as_json)
    if new.problems:
        raise typer.Exit(1)
