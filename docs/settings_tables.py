"""Write the values and ranges of all settings into the tables of reference/detectors.md; what they mean stays.

`python docs/settings_tables.py` after a setting, its default or its range has changed; a test says when.
"""

import re
from pathlib import Path

from halescan.workflows.detector_settings import Setting, settings_of

PAGE = Path(__file__).parent / "reference" / "detectors.md"
HEAD = ["| setting | cpu | paper | range | meaning |", "|---|---|---|---|---|"]


def filled(section: str, settings: list[Setting]) -> str:
    """A section with its table in the order of the constructor; a new setting gets the meaning its class tells."""
    lines = section.splitlines()
    where = [place for place, line in enumerate(lines) if line.startswith("|")]
    known = {}
    for place in where[2:]:
        cells = lines[place].strip("| ").split(" | ")
        known[cells[0].strip("`")] = cells[-1]
    rows = [row(one, known.get(one.name, one.meaning)) for one in settings]
    return "\n".join([*lines[: where[0]], *HEAD, *rows, *lines[where[-1] + 1 :]])


def row(setting: Setting, meaning: str) -> str:
    """One line of a table."""
    words = setting.words()
    return f"| `{setting.name}` | `{words['cpu']}` | `{words['paper']}` | {words['range'] or '–'} | {meaning} |"


def main() -> None:
    """Rewrite the page."""
    parts = re.split(r"^(?=## )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    told = [parts[0]]
    for part in parts[1:]:
        name = part.partition("\n")[0].removeprefix("## ")
        told.append(filled(part, settings_of(name)) + "\n" if "| setting |" in part else part)
    PAGE.write_text("".join(told), encoding="utf-8")


if __name__ == "__main__":
    main()
