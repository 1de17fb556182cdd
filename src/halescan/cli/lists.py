"""Commands that list what is there: detectors, profiles, backbones, and what this installation can do."""

import json
from pathlib import Path
from typing import Annotated

import typer

from halescan.cli.options import AsJson, Weights
from halescan.cli.telling import table_of, wrapped_table


def detectors(
    name: Annotated[str | None, typer.Argument(help="Show one detector and its settings.")] = None,
    as_json: AsJson = False,
    cite: Annotated[str | None, typer.Option(help="Print the source of one detector.")] = None,
) -> None:
    """List the detectors and the facts about them, or show one with all its settings."""
    from halescan.workflows import catalogue

    if cite:
        typer.echo(catalogue.source_of(cite))
    elif name and as_json:
        typer.echo(json.dumps(catalogue.detector_record(name), indent=2, allow_nan=False))
    elif name:
        typer.echo("\n".join([*catalogue.detector_lines(name), ""]))
        wrapped_table(catalogue.setting_rows(name))
    elif as_json:
        table_of(catalogue.detector_records(), as_json)
    else:
        table_of(catalogue.detector_facts(), as_json)


def profiles(as_json: AsJson = False) -> None:
    """List the profiles: how each kind of scan is prepared, and its default detector."""
    from halescan.workflows.catalogue import profile_facts

    table_of(profile_facts(), as_json)


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


def backbones_list(weights: Weights = None, as_json: AsJson = False) -> None:
    """List the backbones at hand."""
    from halescan.workflows.catalogue import backbone_facts

    table_of(backbone_facts(weights), as_json)


def backbones_get(
    name: Annotated[str, typer.Argument(help="Name on the hub, e.g. google/mobilenet_v2_1.0_224.")],
    weights: Annotated[Path | None, typer.Option(help="Folder to store it in; default: HALESCAN_WEIGHTS.")] = None,
) -> None:
    """Fetch a backbone from the hub: the only command that uses the network."""
    from halescan.workflows.catalogue import fetch_backbone

    typer.echo(f"stored in {fetch_backbone(name, weights)}")
