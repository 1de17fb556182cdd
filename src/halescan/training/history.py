"""The history: one line an epoch, in memory and in `history.jsonl`."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from halescan.errors import ModelError, OutputError, way_out

Row = dict[str, Any]


@dataclass
class History:
    """What happened in one stage of learning.

    Args:
        stage: Name of the stage.
        rows: One an epoch: stage, epoch, step, loss, named losses, check_loss, seconds, learning_rate.
        path: `history.jsonl`, or None to keep it in memory alone.
    """

    stage: str
    rows: list[Row] = field(default_factory=list)
    path: Path | None = None

    def begin(self, *, step: int) -> None:
        """Take up the stage's lines up to a step, and drop what lies behind it (written, but never saved)."""
        if self.path is None or not self.path.is_file():
            return
        lines = read_history(self.path)
        self.rows = [row for row in lines if row["stage"] == self.stage and row["step"] <= step]
        others = [row for row in lines if row["stage"] != self.stage]
        self._write("w", others + self.rows)

    def add(self, row: Row) -> None:
        """One more epoch; what is not a number becomes null."""
        clean = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()
        }
        self.rows.append(clean)
        if self.path is not None:
            self._write("a", [clean])

    @property
    def loss(self) -> float | None:
        """The last epoch's loss."""
        return self.rows[-1]["loss"] if self.rows else None

    @property
    def seconds(self) -> float:
        """Seconds of learning so far, those before an interruption included."""
        return float(sum(row["seconds"] for row in self.rows))

    def _write(self, mode: str, rows: list[Row]) -> None:
        assert self.path is not None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open(mode, encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written ({error.strerror}); {way_out(error)}") from error


def read_history(path: Path) -> list[Row]:
    """The lines of a `history.jsonl`; a last line cut short by a crash is left out.

    Raises:
        ModelError: if a line in the middle is damaged.
    """
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            rows.append({**row, "stage": str(row["stage"]), "step": int(row["step"])})
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break
            raise ModelError(
                f"{path}: line {number} is damaged; delete the file to go on without its history"
            ) from error
    return rows
