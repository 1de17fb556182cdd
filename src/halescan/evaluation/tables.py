"""Tables for people: rows of figures as Markdown, each with its interval."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_NOTHING = "–"
_FIGURE = re.compile(
    r"[<>]?\s*[-−+]?\d[\d,.]*(e[-+]?\d+)?\s*%?\s*(\(.*\))?\*?"
)  # 0.91 (0.88–0.94), < 0.001, 1,234, 12 %


def figure_text(figure: Mapping[str, Any] | None, *, digits: int = 3) -> str:
    """`0.912 (0.885–0.936)`; an asterisk marks what was chosen with the labels, a dash what cannot be told."""
    if figure is None or figure.get("value") is None:
        return _NOTHING
    text = f"{figure['value']:.{digits}f}"
    if figure.get("low") is not None and figure.get("high") is not None:
        text += f" ({figure['low']:.{digits}f}–{figure['high']:.{digits}f})"
    return text + ("*" if figure.get("optimistic") else "")


def markdown_table(rows: Sequence[Mapping[str, Any]], *, columns: Mapping[str, str], digits: int = 3) -> str:
    """Rows as a Markdown table, padded so that it also reads as plain text; ends on a newline.

    Args:
        rows: A cell is text, a number, a figure (`{"value", "low", "high"}`) or missing.
        columns: Which keys to show, with their headings, in order.
        digits: Decimals of figures and floats.
    """
    cells = [[_cell(row.get(key), digits) for key in columns] for row in rows]
    headings = [_escape(heading) for heading in columns.values()]
    widths = [max(len(row[place]) for row in [headings, *cells]) for place in range(len(headings))]
    widths = [max(width, 3) for width in widths]
    right = [_holds_numbers(rows, key) for key in columns]
    lines = [_line(headings, widths, right), _rule(widths, right), *(_line(row, widths, right) for row in cells)]
    if any(_optimistic(row.get(key)) for row in rows for key in columns):
        lines += ["", "\\* chosen with the labels, so optimistic"]
    return "\n".join(lines) + "\n"


def baseline_rows(baselines: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The record of `baselines.baseline_metrics` as rows for `markdown_table`."""
    return [{"method": name, **figures} for name, figures in baselines.items()]


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, Mapping):
        return figure_text(value, digits=digits).replace("*", "\\*")
    if isinstance(value, float):
        return _NOTHING if value != value else f"{value:.{digits}f}"
    return _escape(str(value))


def _escape(text: str) -> str:
    """A name must not break out of its cell."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r", " ").replace("\n", " ")


def _holds_numbers(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    """Whether a column is to be read from its last digit: numbers and figures, as such or as text."""
    found = [row.get(key) for row in rows if row.get(key) not in (None, _NOTHING)]
    return bool(found) and all(_is_number(value) for value in found)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return _FIGURE.fullmatch(value.strip()) is not None
    return isinstance(value, int | float | Mapping)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if turn else cell.ljust(width) for cell, width, turn in zip(cells, widths, right, strict=True)
    ]
    return "| " + " | ".join(padded) + " |"


def _rule(widths: Sequence[int], right: Sequence[bool]) -> str:
    return (
        "|"
        + "|".join("-" * (width + 1) + (":" if turn else "-") for width, turn in zip(widths, right, strict=True))
        + "|"
    )


def _optimistic(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value.get("optimistic")) and value.get("value") is not None
