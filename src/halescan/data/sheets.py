"""Tables of scans: which patient, which label, which part; as text or as a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path

from halescan.data.item import Row, split_called
from halescan.errors import TableError
from halescan.types import Label

HEALTHY = frozenset({"healthy", "normal", "good", "negative", "benign-control", "control", "0"})
ABNORMAL = frozenset({"abnormal", "anomalous", "anomaly", "bad", "positive", "disease", "diseased", "1"})
_FILE_COLUMNS = ("file", "path")
_OWN_COLUMNS = ("patient", "study", "label", "split", "mask")
_MANIFESTS = ("manifest.tsv", "manifest.csv")
_LISTED = 5


def read_table(path: Path) -> tuple[Row, ...]:
    """The rows of a .tsv, .csv or .xlsx file; paths are relative to its folder.

    A column `file` (or `path`) is needed; `patient`, `study`, `label`, `split`, `mask` are used, others are kept.

    Raises:
        TableError: if it cannot be read, has no such column, or uses labels that mean neither healthy nor abnormal.
    """
    numbered = numbered_lines_of(path)
    lines = [line for _, line in numbered]
    if not lines:
        raise TableError(f"{path}: holds no rows; expected a heading line with a column 'file' and a line a scan")
    column = next((name for name in _FILE_COLUMNS if name in lines[0]), None)
    if column is None:
        names = ", ".join(lines[0]) or "none"
        raise TableError(f"{path}: has the columns {names}; one must be called 'file' (or 'path') and name the scans")
    labels = _labels(path, (line.get("label", "") for line in lines))
    return tuple(_row(line, number, column, labels, path.parent) for number, line in numbered if line[column])


def manifests_near(path: Path) -> Iterator[Path]:
    """Manifests with a column of files: in the path's folder, then up to two folders above, nearest first."""
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    for place in (folder, *list(folder.parents)[:2]):
        for name in _MANIFESTS:
            if (place / name).is_file() and _names_files(place / name):
                yield place / name


def check_present(path: Path, named: Sequence[Path]) -> None:
    """Refuse a table that names files which are not there.

    Raises:
        TableError: listing the first few, and how many.
    """
    missing = [file for file in named if not file.exists()]
    if missing:
        first = ", ".join(str(file) for file in missing[:_LISTED])
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        raise TableError(
            f"{path}: {len(missing)} of {len(named)} files it names are not there: {first}{more}; "
            "paths are taken from the folder of the table"
        )


def check_once(path: Path, rows: Sequence[Row]) -> None:
    """Refuse a table with two lines for one file: which of them holds is not for us to guess.

    Raises:
        TableError: naming the lines of the first such pair, and how many there are.
    """
    first: dict[Path, Row] = {}
    again = [(first.setdefault(row.file.resolve(), row), row) for row in rows]
    pairs = [(one, other) for one, other in again if one is not other]
    if pairs:
        one, other = pairs[0]
        more = f", and {len(pairs) - 1} more lines repeat others" if len(pairs) > 1 else ""
        raise TableError(f"{path}: lines {one.line} and {other.line} name the same file{more}; keep one line a scan")


def _names_files(path: Path) -> bool:
    """Whether a table has a column of files; a list of checksums of the same name has none."""
    try:
        cells = _cells_of(path)
    except TableError:
        return False
    return len(cells) > 1 and any(name in _head(cells) for name in _FILE_COLUMNS)


def lines_of(path: Path) -> list[dict[str, str]]:
    """Every line of a table by its lower-case column names, blanks stripped; empty lines left out.

    Raises:
        TableError: if it cannot be read.
    """
    return [line for _, line in numbered_lines_of(path)]


def numbered_lines_of(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The same, each with its number in the file; the heading is line 1.

    Raises:
        TableError: if it cannot be read, or a line of text has more or fewer cells than the heading: which cell stands
            in which column would be a guess. Empty cells behind the last column are none.
    """
    cells = _cells_of(path)
    head = _head(cells)
    lines = [(number, row) for number, row in enumerate(cells[1:], start=2) if any(cell.strip() for cell in row)]
    if path.suffix.lower() != ".xlsx":  # where every cell knows its column
        _check_even(path, cells[0] if cells else [], lines)
    return [
        (number, {name: row[at].strip() if at < len(row) else "" for at, name in enumerate(head) if name})
        for number, row in lines
    ]


def _cells_of(path: Path) -> list[list[str]]:
    """All cells, row by row."""
    try:
        return _spreadsheet(path) if path.suffix.lower() == ".xlsx" else _text(path)
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or 'not a table'})") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: is not UTF-8 text; save it as .csv in UTF-8 or as .xlsx") from error
    except csv.Error as error:
        raise TableError(f"{path}: is not a table: {error}") from error


def _head(cells: list[list[str]]) -> list[str]:
    """The names of the columns."""
    return [cell.strip().lower() for cell in cells[0]] if cells else []


def _check_even(path: Path, head: list[str], lines: list[tuple[int, list[str]]]) -> None:
    """Refuse lines whose cells are not those of the heading."""
    least = _filled(head)
    uneven = [(number, row) for number, row in lines if len(row) < least or _filled(row) > len(head)]
    if not uneven:
        return
    number, row = uneven[0]
    found = max(_filled(row), min(len(row), least))
    more = len(uneven) - 1
    also = f"; {more} more line{'s do' if more > 1 else ' does'} not fit" if more else ""
    sign = {",": "comma", ";": "semicolon", "\t": "tab"}[separator_of(path) or ","]
    raise TableError(
        f"{path}: line {number} has {found} cell{'s' * (found != 1)}, expected {least} as in the heading{also}. Put a "
        f"cell that holds a {sign} into quotes, and leave the {sign} beside a cell that is empty"
    )


def _filled(row: list[str]) -> int:
    """How many cells a row has up to its last one that is not empty: spreadsheets add empty ones behind it."""
    return max((at for at, cell in enumerate(row, start=1) if cell.strip()), default=0)


def separator_of(path: Path) -> str | None:
    """What parts the columns of a text table: a comma, a semicolon or a tab; None for a spreadsheet."""
    if path.suffix.lower() == ".xlsx":
        return None
    with path.open(encoding="utf-8-sig") as file:
        return _separator(path, file.readline())


def _text(path: Path) -> list[list[str]]:
    """Cells of a text table; tabs in .tsv, else whichever of tab, semicolon and comma the heading holds most."""
    text = path.read_text(encoding="utf-8-sig")
    return list(csv.reader(StringIO(text), delimiter=_separator(path, text.partition("\n")[0])))


def _separator(path: Path, heading: str) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=heading.count)


def _spreadsheet(path: Path) -> list[list[str]]:
    """Cells of the first sheet, as text."""
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise TableError(f"{path}: is not a spreadsheet; save it as .xlsx or .csv") from error
    try:
        rows = book.worksheets[0].iter_rows(values_only=True) if book.worksheets else iter(())
        return [["" if cell is None else str(cell) for cell in row] for row in rows]
    finally:
        book.close()


def _labels(path: Path, spelled: Iterable[str]) -> dict[str, Label | None]:
    """What each spelling of a label means."""
    meaning: dict[str, Label | None] = {"": None}
    strange = []
    for word in sorted(set(spelled)):
        plain = word.lower().removesuffix(".0")
        if plain in HEALTHY:
            meaning[word] = "healthy"
        elif plain in ABNORMAL:
            meaning[word] = "abnormal"
        elif word:
            strange.append(word)
    if strange:
        listed = ", ".join(repr(word[:40]) for word in strange[:_LISTED])
        more = f" and {len(strange) - _LISTED} more" if len(strange) > _LISTED else ""
        raise TableError(
            f"{path}: the labels {listed}{more} mean neither healthy ({', '.join(sorted(HEALTHY))}) "
            f"nor abnormal ({', '.join(sorted(ABNORMAL))})"
        )
    return meaning


def _row(line: dict[str, str], number: int, column: str, labels: dict[str, Label | None], folder: Path) -> Row:
    """One line as a row."""
    mask = line.get("mask", "")
    extra = {name: text for name, text in line.items() if text and name not in (*_OWN_COLUMNS, column)}
    return Row(
        folder / line[column],
        number,
        patient=line.get("patient") or None,
        study=line.get("study") or None,
        label=labels[line.get("label", "")],
        split=split_called(line.get("split")),
        mask=folder / mask if mask else None,
        extra=extra,
    )
