"""Scores of another program: a table with a row a scan, or a folder with a map a scan."""

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from halescan.data.sheets import numbered_lines_of, separator_of
from halescan.data.table import Item
from halescan.errors import TableError
from halescan.workflows.name_matching import match_names
from halescan.workflows.scan_names import listed_lines, listed_names, shown_name, shown_scan

_NAMES = ("file", "path", "image", "filename", "name", "id")
_MAPS = (".nii", ".nii.gz", ".npy", ".png", ".tif", ".tiff", ".mha", ".nrrd")
_BESIDE = ("scores.csv", "scores.tsv", "scores.xlsx")  # a table of scores in a folder of maps
_DECISIONS = {"above": True, "not-above": False, "withheld": None, "": None}
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)

Line = tuple[int, dict[str, str]]


@dataclass(frozen=True)
class Given:
    """What another program says of one scan."""

    score: float | None = None
    p_value: float | None = None
    above: bool | None = None
    map: Path | None = None


@dataclass(frozen=True)
class FromElsewhere:
    """What another program says of our scans, by their place; and how many names mean none of them, and which.

    `unknown` has lines of a table, or names of maps: never names in a table, which may be patients'.
    """

    given: dict[int, Given] = field(default_factory=dict)
    unknown_count: int = 0
    unknown: str = ""


def read_scores(place: Path, items: Sequence[Item]) -> FromElsewhere:
    """A table of scores, or a folder of maps with perhaps a `scores.csv` in it, matched to our scans by name.

    A table (.csv, .tsv, .xlsx) needs a column `file` (or path, image, filename, name, id) and a column `score`;
    `p_value` and `decision` (above, not-above, withheld or nothing) are used, and `index` is the number of an image in
    a file of several. Where semicolons or tabs part the columns, decimal commas are read. A map is a NIfTI, NRRD,
    MetaImage, PNG, TIFF or .npy file called like its scan.

    Raises:
        TableError: if there is nothing to read, a column is missing, a score is no number, a decision none of ours, or
            no name fits a scan.
    """
    if place.is_dir():
        return _from_maps(place, items)
    return _from_table(place, items)


def _from_table(path: Path, items: Sequence[Item]) -> FromElsewhere:
    lines = numbered_lines_of(path)
    if not lines:
        raise TableError(f"{path}: holds no rows; expected a heading with 'file' and 'score', and a row a scan")
    head = lines[0][1]
    column = next((name for name in _NAMES if name in head), None)
    if column is None or "score" not in head:
        raise TableError(
            f"{path}: has the columns {', '.join(head)}; expected 'file' and 'score'. Rename the column with the "
            f"scans to file (or {', '.join(_NAMES[1:])}) and the one with the scores to score"
        )
    names = [_name(line, column) for _, line in lines]
    numbers = [number for number, _ in lines]
    found = match_names(names, items, where=path, called=[f"line {number}" for number in numbers])
    _refuse_none(path, found, listed_lines(numbers), items)
    read = _reader(path, lines)
    given = {scan: _given(path, line, read) for scan, line in zip(found, lines, strict=True) if scan is not None}
    unknown = [number for scan, number in zip(found, numbers, strict=True) if scan is None]
    return FromElsewhere(given, len(unknown), listed_lines(unknown))


def _from_maps(folder: Path, items: Sequence[Item]) -> FromElsewhere:
    maps = sorted(_maps_below(folder))
    if not maps:
        raise TableError(f"{folder}: holds no map; expected NIfTI, PNG, TIFF or .npy files called like their scans")
    shown = [shown_name(path) for path in maps]
    found = match_names([path.relative_to(folder).as_posix() for path in maps], items, where=folder, called=shown)
    _refuse_none(folder, found, listed_names(shown), items)
    table = next((folder / name for name in _BESIDE if (folder / name).is_file()), None)
    scores = _from_table(table, items).given if table is not None else {}
    given = {
        scan: Given(score.score, score.p_value, score.above, path)
        for path, scan in zip(maps, found, strict=True)
        if scan is not None
        for score in [scores.get(scan, Given())]
    }
    unknown = [name for name, scan in zip(shown, found, strict=True) if scan is None]
    alone = {scan: score for scan, score in scores.items() if scan not in given}
    return FromElsewhere({**alone, **given}, len(unknown), listed_names(unknown))


def _maps_below(folder: Path) -> Iterator[Path]:
    for root, _, files in os.walk(folder):
        yield from (Path(root) / name for name in files if name.lower().endswith(_MAPS) and not name.startswith("."))


def _name(line: dict[str, str], column: str) -> str:
    number = (line.get("index", "") or line.get("slice", "")).removesuffix(".0")
    return f"{line[column]}#{number}" if number else line[column]


def _given(path: Path, line: Line, read: Callable[[int, str, str], float]) -> Given:
    number, cells = line
    p_value = read(number, "p_value", cells["p_value"]) if cells.get("p_value") else None
    if p_value is not None and not 0 < p_value <= 1:
        raise TableError(
            f"{path}: line {number}: p_value is {p_value}, expected above 0 and at most 1; leave the cell empty where "
            "there is none"
        )
    decision = cells.get("decision", "").lower()
    if decision not in _DECISIONS:
        raise TableError(
            f"{path}: line {number}: decision is {decision!r}, expected above or not-above; leave the cell empty where "
            "none was made, or leave the column out and give --threshold"
        )
    return Given(read(number, "score", cells["score"]), p_value, _DECISIONS[decision])


def _reader(path: Path, lines: Sequence[Line]) -> Callable[[int, str, str], float]:
    """How the numbers of a table are read: with decimal commas where any has one and commas part no columns.

    Raises:
        TableError: if some numbers have a decimal comma and others a point: 1.234 may then be a thousand and more.
    """
    cells = [(number, name, line.get(name, "")) for number, line in lines for name in ("score", "p_value")]
    commas = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell[2])] if separator_of(path) in (";", "\t") else []
    points = [cell for cell in cells if "." in cell[2]] if commas else []
    if points:
        (first, _, comma), (second, name, point) = commas[0], points[0]
        raise TableError(
            f"{path}: line {first} has the decimal comma {comma!r}, line {second} the {name} {point!r}: a point may "
            "part thousands. Write all numbers in one way"
        )

    def read(number: int, name: str, text: str) -> float:
        return _number(path, number, name, text.replace(",", ".") if commas else text)

    return read


def _number(path: Path, number: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TableError(
            f"{path}: line {number}: {column} is {text!r}, expected a finite number, as 12.5 (or 12,5 where semicolons "
            "part the columns). Where there is none, leave the line out: its scan is then counted as left out"
        )
    return value


def _refuse_none(place: Path, found: Sequence[int | None], shown: str, items: Sequence[Item]) -> None:
    if all(scan is None for scan in found):
        example = f"; the first scan's is {shown_scan(items[0].source)}" if items else ""
        raise TableError(
            f"{place}: none of its {len(found)} names ({shown}) is that of a labelled scan. Names must end like the "
            f"paths of the scans, as abnormal/0101{example}"
        )
