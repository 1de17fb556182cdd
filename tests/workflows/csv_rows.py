"""A table that a workflow wrote, as its readers see it."""

import csv
from pathlib import Path


def csv_rows(path: Path) -> list[dict[str, str]]:
    """One dictionary a row."""
    return list(csv.DictReader(path.read_text().splitlines()))
