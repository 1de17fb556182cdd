"""The commands of `halescan`, in the order in which its help lists them."""

from typing import Annotated

import typer

from halescan import __version__
from halescan.cli.lists import backbones_get, backbones_list, detectors, doctor, profiles
from halescan.cli.models import demo, examine, recalibrate, train
from halescan.cli.studies import compare, evaluate, leaks, patients

app = typer.Typer(
    help="Learns what healthy looks like from healthy scans alone, and says where a new scan departs from it. "
    "Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
backbones = typer.Typer(help="Pretrained encoders: what is at hand, and fetching one.", no_args_is_help=True)


def root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Halescan: unsupervised anomaly detection in medical images. Research use only."""
    if version:
        typer.echo(f"halescan {__version__}")
        raise typer.Exit


COMMANDS = (demo, train, examine, evaluate, compare, leaks, patients, recalibrate, detectors, profiles, doctor)

app.callback(invoke_without_command=True)(root)
for command in COMMANDS:
    app.command()(command)
app.add_typer(backbones, name="backbones")
backbones.command("list")(backbones_list)
backbones.command("get")(backbones_get)
