"""What a command says: the result for a person or a program, warnings, and the log."""

import json
import logging
import unicodedata
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

import typer

from halescan.errors import SettingError

LEAST_WIDTH = 120  # of a table with long texts, in a pipe or a narrow window


def say(record: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(record, indent=2, allow_nan=False))
    else:
        typer.echo("\n".join(plain(line) for line in lines))


def warn(sentences: Iterable[str]) -> None:
    """What must not be overlooked, in red where there are colours."""
    for sentence in sentences:
        typer.secho(f"warning: {plain(sentence)}", fg=typer.colors.RED, err=True)


def table_of(rows: list[dict[str, Any]], as_json: bool) -> None:
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


def wrapped_table(rows: list[dict[str, str]]) -> None:
    """Rows of the same keys as lines that align; long texts go on in their own column."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in rows[0]:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(value) for value in row.values()))
    told = StringIO()
    Console(file=told, width=max(LEAST_WIDTH, get_terminal_size().columns)).print(table)
    typer.echo("\n".join(line.rstrip() for line in told.getvalue().splitlines()))


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(part) for part in value)
    return "" if value is None else str(value)


def log_to(path: Path | None) -> None:
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


def plain(text: str) -> str:
    """Text in one line and without control characters: a file's name must not steer the terminal."""
    return "".join("?" if unicodedata.category(sign)[0] == "C" else sign for sign in text)
