"""Published figures: what a paper says it reached, to stand beside ours and never among them."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from halescan.errors import TableError

COLUMNS = ("set", "method", "metric", "value", "low", "high", "source", "same_split", "note")
METRICS = ("auroc", "average_precision", "pixel_average_precision", "dice", "aupro")
_NEEDED = ("set", "method", "metric", "value", "source", "same_split")
_YES, _NO = {"yes", "true", "1"}, {"no", "false", "0"}


def read_published(path: Path) -> list[dict[str, Any]]:
    """The rows of a table (.csv or .tsv) of figures from elsewhere.

    Columns: `set`, `method`, `metric` (auroc, average_precision, pixel_average_precision, dice or aupro), `value`,
    `source` (a DOI or a reference), `same_split` (yes or no); perhaps `low`, `high` and `note`.

    Raises:
        TableError: if the file cannot be read, lacks a column, or a row is wrong; names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: cannot be read as a table ({error}); expected .csv or .tsv") from error
    if not rows:
        raise TableError(f"{path}: holds no row; expected the columns {', '.join(COLUMNS)}")
    missing = [name for name in _NEEDED if name not in rows[0]]
    if missing:
        raise TableError(f"{path}: has no column {missing[0]}; expected {', '.join(COLUMNS)}")
    return [_row(path, number, row) for number, row in enumerate(rows, start=2)]


def check_published(rows: Sequence[Mapping[str, Any]], names: Sequence[str], path: Path) -> None:
    """Refuse a table none of whose rows is of a set that is compared: the names differ, most likely.

    Raises:
        TableError: then.
    """
    theirs = list(dict.fromkeys(str(row["set"]) for row in rows))
    if rows and not set(theirs) & set(names):
        raise TableError(
            f"{path}: no set is called {' or '.join(map(repr, theirs[:5]))}; there {'are' if len(names) > 1 else 'is'} "
            f"{', '.join(names)}. Name the set as the table does, {theirs[0]}=PATH, or change the column set"
        )


def _row(path: Path, number: int, row: dict[str, str]) -> dict[str, Any]:
    text = {name: (row.get(name) or "").strip() for name in COLUMNS}
    if text["metric"] not in METRICS:
        raise TableError(f"{path}, line {number}: metric is {text['metric']!r}, expected one of {', '.join(METRICS)}")
    same = text["same_split"].lower()
    if same not in _YES | _NO:
        raise TableError(f"{path}, line {number}: same_split is {text['same_split']!r}, expected yes or no")
    if not text["source"]:
        raise TableError(f"{path}, line {number}: a figure needs its source, a DOI or a reference")
    figures = {name: _share(path, number, name, text[name]) for name in ("value", "low", "high")}
    if figures["value"] is None:
        raise TableError(f"{path}, line {number}: value is missing")
    return {**text, **figures, "same_split": same in _YES, "line": number}


def _share(path: Path, number: int, name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise TableError(f"{path}, line {number}: {name} is {text!r}, expected a number from 0 to 1")
    return value
