"""Done: a cell with what came of it, and the scores of a method on a set over its seeds."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from halescan.workflows.comparison.plan import Cell
from halescan.workflows.comparison.run import Outcome


@dataclass(frozen=True, eq=False)
class Done:
    """A cell, its folder (None where it never ran), and what came of it."""

    cell: Cell
    folder: Path | None
    outcome: Outcome

    def file(self, name: str) -> dict[str, Any]:
        """A record in the cell's folder; empty without one."""
        try:
            found = json.loads((self.folder / name).read_text(encoding="utf-8")) if self.folder else {}
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, eq=False)
class Scored:
    """The cases of one method on one set, `scores (seeds, n)`; `p_values` are NaN where there are none."""

    labels: np.ndarray
    patients: tuple[str | None, ...]
    scores: np.ndarray
    p_values: np.ndarray


def by_row(done: Sequence[Done]) -> dict[tuple[str, str], list[Done]]:
    """Cells by set and method, seeds in order."""
    rows: dict[tuple[str, str], list[Done]] = {}
    for one in done:
        rows.setdefault((one.cell.dataset.name, one.cell.method.name), []).append(one)
    return {key: sorted(cells, key=lambda one: one.cell.seed) for key, cells in rows.items()}


def scored_by(cells: Sequence[Done]) -> Scored | None:
    """The scores of all seeds on the same cases; None where no seed came through."""
    tables = [_read_scores(cell.folder / "scores.csv") for cell in cells if cell.outcome.result and cell.folder]
    if not tables:
        return None
    keys = [[(row["file"], row["index"], row["label"], row["patient"]) for row in table] for table in tables]
    same = [table for table, key in zip(tables, keys, strict=True) if key == keys[0]]
    first = same[0]
    patients = tuple(row["patient"] or None for row in first)
    return Scored(
        labels=np.array([row["label"] == "abnormal" for row in first]),
        patients=patients if all(patients) else tuple(None for _ in first),
        scores=np.array([[float(row["score"]) for row in table] for table in same]),
        p_values=np.array([[float(row["p_value"] or "nan") for row in table] for table in same]),
    )


def _read_scores(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
