"""Options that several commands share."""

import re
from pathlib import Path
from typing import Annotated

import typer


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
