"""Scores of another program: a table with a row a scan, or a folder with a map a scan."""

import csv
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from halescan.data.table import Item
from halescan.errors import TableError
from halescan.workflows.name_matching import match_names

_NAMES = ("file", "path", "image", "filename", "name", "id")
_MAPS = (".nii", ".nii.gz", ".npy", ".png", ".tif", ".tiff", ".mha", ".nrrd")
_LISTED = 5


@dataclass(frozen=True)
class Given:
    """What another program says of one scan."""

    score: float | None = None
    p_value: float | None = None
    above: bool | None = None
    map: Path | None = None


@dataclass(frozen=True)
class FromElsewhere:
    """What another program says of our scans: by their place, and the names that mean none of them."""

    given: dict[int, Given] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


def read_scores(place: Path, items: Sequence[Item]) -> FromElsewhere:
    """A CSV of scores, or a folder of maps with perhaps a `scores.csv` in it, matched to our scans by name.

    A table needs a column `file` (or path, image, filename, name, id) and a column `score`; `p_value` and `decision`
    (above or not-above) are used, and `index` is the number of an image in a file of several. A map is a NIfTI, NRRD,
    MetaImage, PNG, TIFF or .npy file called like its scan.

    Raises:
        TableError: if there is nothing to read, a column is missing, a score is no number, or no name fits a scan.
    """
    if place.is_dir():
        return _from_maps(place, items)
    return _from_table(place, items)


def _from_table(path: Path, items: Sequence[Item]) -> FromElsewhere:
    lines = _lines(path)
    column = next((name for name in _NAMES if name in lines[0]), None)
    if column is None or "score" not in lines[0]:
        raise TableError(f"{path}: has the columns {', '.join(lines[0])}; expected 'file' and 'score'")
    names = [_name(line, column) for line in lines]
    found = match_names(names, items, where=path)
    given = {
        scan: _given(path, number, line)
        for number, (scan, line) in enumerate(zip(found, lines, strict=True), start=2)
        if scan is not None
    }
    unknown = tuple(name for name, scan in zip(names, found, strict=True) if scan is None)
    _refuse_none(path, given, names)
    return FromElsewhere(given, unknown)


def _from_maps(folder: Path, items: Sequence[Item]) -> FromElsewhere:
    maps = sorted(_maps_below(folder))
    table = folder / "scores.csv"
    if not maps:
        raise TableError(f"{folder}: holds no map; expected NIfTI, PNG, TIFF or .npy files called like their scans")
    names = [path.relative_to(folder).as_posix() for path in maps]
    found = match_names(names, items, where=folder)
    scores = _from_table(table, items).given if table.is_file() else {}
    given = {
        scan: Given(score.score, score.p_value, score.above, path)
        for path, scan in zip(maps, found, strict=True)
        if scan is not None
        for score in [scores.get(scan, Given())]
    }
    _refuse_none(folder, given, names)
    unknown = tuple(name for name, scan in zip(names, found, strict=True) if scan is None)
    return FromElsewhere({**{scan: score for scan, score in scores.items() if scan not in given}, **given}, unknown)


def _maps_below(folder: Path) -> Iterator[Path]:
    for root, _, files in os.walk(folder):
        yield from (Path(root) / name for name in files if name.lower().endswith(_MAPS) and not name.startswith("."))


def _lines(path: Path) -> list[dict[str, str]]:
    """Rows by their lower-case column names."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror}); expected a CSV of scores") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: is not UTF-8 text; expected a CSV of scores, or a folder of maps") from error
    separator = max(",;\t", key=text.partition("\n")[0].count)
    rows = [row for row in csv.reader(text.splitlines(), delimiter=separator) if any(cell.strip() for cell in row)]
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    if len(rows) < 2:
        raise TableError(f"{path}: holds no rows; expected a heading with 'file' and 'score', and a row a scan")
    return [dict(zip(head, [cell.strip() for cell in row] + [""] * len(head), strict=False)) for row in rows[1:]]


def _name(line: dict[str, str], column: str) -> str:
    number = line.get("index", "") or line.get("slice", "")
    return f"{line[column]}#{number}" if number else line[column]


def _given(path: Path, number: int, line: dict[str, str]) -> Given:
    decision = line.get("decision", "").lower()
    p_value = _number(path, number, "p_value", line["p_value"]) if line.get("p_value") else None
    if p_value is not None and not 0 < p_value <= 1:
        raise TableError(f"{path}: line {number}: p_value is {p_value}, expected above 0 and at most 1")
    return Given(
        score=_number(path, number, "score", line["score"]),
        p_value=p_value,
        above={"above": True, "not-above": False}.get(decision),
    )


def _number(path: Path, number: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TableError(f"{path}: line {number}: {column} is {text!r}, expected a finite number")
    return value


def _refuse_none(place: Path, given: dict[int, Given], names: Sequence[str]) -> None:
    if not given:
        first = ", ".join(names[:_LISTED])
        raise TableError(
            f"{place}: none of its {len(names)} names ({first} ...) is that of a labelled scan; names must end like "
            "the paths of the scans, as abnormal/0101"
        )
