"""What a command said, as the tests of the command line read it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

QUICK = ["--profile", "lung-ct", "--set", "profile.size=[64,64]", "--detector", "healthy-atlas"]
RAMP = np.arange(64 * 64, dtype=np.int16).reshape(64, 64) % 999


@dataclass(frozen=True)
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line that names the trouble."""
        lines = [line for line in self.err.splitlines() if line.startswith("halescan: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        assert "This is a bug" not in self.err
        return lines[0]


Say = Callable[..., Said]


def examine(say: Say, model: Path, scans: Path, *more: object) -> Said:
    return say("examine", model, scans, "--out", "out", "--reports", "json", *more)
