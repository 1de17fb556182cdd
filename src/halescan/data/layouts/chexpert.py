"""CheXpert: train.csv and valid.csv name the images and what their reports say; uncertain findings are a choice.

Source: Irvin et al., CheXpert: A Large Chest Radiograph Dataset with Uncertainty Labels and Expert Comparison, AAAI
2019, doi:10.1609/aaai.v33i01.3301590.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from halescan.data.item import Item
from halescan.data.layouts.base import Layout, Listing, Option
from halescan.data.sheets import check_present, lines_of
from halescan.errors import LayoutError
from halescan.io import source_of
from halescan.types import Label

_PARTS = ("train", "valid", "test")
_NO_FINDING = "no finding"
_FINDINGS = (
    "enlarged cardiomediastinum", "cardiomegaly", "lung opacity", "lung lesion", "edema", "consolidation", "pneumonia",
    "atelectasis", "pneumothorax", "pleural effusion", "pleural other", "fracture",
)  # fmt: skip
_SAID = ("", "0", "1", "-1")
_EXTRA = ("sex", "age", "ap/pa")
_PLACE = re.compile(r"(?P<patient>patient\d+)/(?P<study>study\d+)/")


def read(root: Path, options: Mapping[str, str]) -> Listing:
    """The frontal images that the tables name: healthy with "No Finding", abnormal with any of twelve findings.

    "Support Devices" is no disease and counts for nothing. An image whose findings are uncertain (-1) at most is left
    out, counted as chosen, or kept without a label; one without any statement is left out or kept. Patient and study
    stand in the path; `extra` keeps sex, age and view.

    Raises:
        LayoutError: if a table is missing or a column, or a label is none of 1, 0, -1 and blank.
        TableError: if a table cannot be read, or images it names are not there.
    """
    tables = [(part, root / f"{part}.csv") for part in _PARTS if (root / f"{part}.csv").is_file()]
    if not tables:
        raise LayoutError(f"{root}: has neither train.csv nor valid.csv, where CheXpert says what the images show")
    counts: Counter[str] = Counter()
    items = [item for part, table in tables for item in _part(root, part, table, options, counts)]
    left_out = ", ".join(f"{count} {why}" for why, count in sorted(counts.items()))
    return Listing(tuple(items), remarks=(f"CheXpert: images left out: {left_out}",) if left_out else ())


def _part(root: Path, part: str, table: Path, options: Mapping[str, str], counts: Counter[str]) -> list[Item]:
    """The images of one table; `counts` gathers what is left out, and why."""
    lines = lines_of(table)
    missing = [name for name in ("path", "frontal/lateral", _NO_FINDING, *_FINDINGS) if lines and name not in lines[0]]
    if missing or not lines:
        raise LayoutError(f"{table}: has no column {missing[0]!r}, as CheXpert's" if missing else f"{table}: is empty")
    above = _above(root, lines[0]["path"])
    items = []
    for line in lines:
        label = _label(line, options["uncertain"], table)
        if options["view"] == "frontal" and line["frontal/lateral"].lower() != "frontal":
            counts["not frontal"] += 1
        elif label is None and options["uncertain"] != "keep":
            counts["uncertain or without any statement"] += 1
        else:
            items.append(_item(line, label, part, above))
    check_present(table, [item.source.path for item in items])
    return items


def _item(line: Mapping[str, str], label: Label | None, part: str, above: tuple[Path, int]) -> Item:
    """One image."""
    folder, dropped = above
    place = _PLACE.search(line["path"])
    return Item(
        source_of(folder.joinpath(*PurePosixPath(line["path"]).parts[dropped:])),
        patient=place["patient"] if place else None,
        study=place["study"] if place else None,
        label=label,
        split=part,
        extra={name: line[name] for name in _EXTRA if line.get(name)},
    )


def _above(root: Path, named: str) -> tuple[Path, int]:
    """From which folder the paths count, and how many of their first folders to leave away.

    The tables begin with the name of the whole set, "CheXpert-v1.0-small/train/...", whatever the folder is called now.
    """
    parts = PurePosixPath(named).parts
    ways = [(root, dropped) for dropped in range(len(parts))]
    return next((way for way in ways if root.joinpath(*parts[way[1] :]).is_file()), (root, 1))


def _label(line: Mapping[str, str], uncertain: str, table: Path) -> Label | None:
    """What the findings of one image make it."""
    said = {name: line[name].removesuffix(".0") for name in (_NO_FINDING, *_FINDINGS)}
    strange = next((f"{value!r} under {name!r}" for name, value in said.items() if value not in _SAID), None)
    if strange is not None:
        raise LayoutError(f"{table}: holds {strange}, which is none of 1, 0, -1 and blank")
    findings = {said[name] for name in _FINDINGS}
    if "1" in findings:
        return "abnormal"
    if "-1" in findings:
        meanings: dict[str, Label] = {"abnormal": "abnormal", "healthy": "healthy"}
        return meanings.get(uncertain)
    return "healthy" if said[_NO_FINDING] == "1" else None


def _recognises(place: Path) -> bool:
    """Whether one of the tables has CheXpert's heading."""
    for part in _PARTS:
        table = place / f"{part}.csv"
        if table.is_file():
            with table.open("rb") as file:
                heading = file.readline(4096).lower()
            return b"frontal/lateral" in heading and b"no finding" in heading
    return False


CHEXPERT = Layout(
    name="chexpert",
    title="CheXpert: train.csv, valid.csv and their images",
    recognises=_recognises,
    read=read,
    options={
        "uncertain": Option(
            "images whose findings are uncertain at most", "leave", ("leave", "abnormal", "healthy", "keep"), "keep"
        ),
        "view": Option("frontal images only, or all", "frontal", ("frontal", "all")),
    },
)
