"""LUNA16: chest CT as .mhd in subset0 to subset9, and tables of nodules by place and diameter in world millimetres.

Source: Setio et al., Medical Image Analysis 42, 2017, doi:10.1016/j.media.2017.06.015.
"""

import math
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from halescan.data.item import Item
from halescan.data.layouts.base import Layout, Listing, Option
from halescan.data.layouts.pairs import folders_of
from halescan.data.lesions import Lesion
from halescan.data.sheets import lines_of
from halescan.errors import LayoutError, SettingError
from halescan.io import source_of
from halescan.types import Label

_TABLES = {"annotations": ("annotations.csv",), "candidates": ("candidates_V2.csv", "candidates.csv")}
_SEGMENTED = "seg-lungs"  # a folder of lung masks under the same names as the scans


def read(root: Path, options: Mapping[str, str]) -> Listing:
    """Every scan: abnormal with its nodules where the table lists any, else healthy, which here means no nodule.

    `annotations` holds nodules of 3 mm or more that three of four readers marked, with their diameters; `candidates`
    holds places only, and those of class 1 are nodules. World coordinates of MetaImage are LPS, as ours. Scans of the
    subsets named by the option `test` are of the part "test", the others "train"; without subsets there are no parts.
    A scan may be a patient's second: the set does not say who is who.

    Raises:
        LayoutError: if the table or the scans are missing, or the table names scans in a way it should not.
    """
    table = _table(root, options["nodules"])
    nodules = _nodules(table)
    scans = _scans(root)
    if not scans:
        raise LayoutError(f"{root}: holds no .mhd scan. Unpack subset0 to subset9 beside {table.name}")
    tested = _subsets(options["test"])
    items = []
    for scan in scans:
        lesions = tuple(nodules.pop(scan.stem, ()))
        subset = next((part for part in scan.parts[::-1] if part.lower().startswith("subset")), None)
        split = None if subset is None else "test" if subset[len("subset") :] in tested else "train"
        label: Label = "abnormal" if lesions else "healthy"
        items.append(Item(source_of(scan), label=label, split=split, lesions=lesions))
    remarks = ["LUNA16: a healthy scan is one without an annotated nodule; it may show any other disease"]
    if nodules:
        remarks.append(f"LUNA16: {len(nodules)} scans of {table.name} are not here")
    return Listing(tuple(items), remarks=tuple(remarks))


def _table(root: Path, kind: str) -> Path:
    """The table of nodules: in the root, or one folder below."""
    places = [folder / name for name in _TABLES[kind] for folder in (root, *folders_of(root))]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        other = next(one for one in _TABLES if one != kind)
        raise LayoutError(f"{root}: has no {_TABLES[kind][-1]}. Fetch it, or choose luna16:nodules={other}")
    return found


def _nodules(table: Path) -> dict[str, list[Lesion]]:
    """Nodules by the name of their scan."""
    found: dict[str, list[Lesion]] = defaultdict(list)
    lines = lines_of(table)
    missing = [name for name in ("seriesuid", "coordx", "coordy", "coordz") if lines and name not in lines[0]]
    if missing:
        raise LayoutError(f"{table}: has no column {missing[0]!r}, as LUNA16's tables have")
    for number, line in enumerate(lines, 2):
        if line.get("class", "1").removesuffix(".0") not in ("0", "1"):
            raise LayoutError(f"{table}: line {number} is of class {line['class']!r}, expected 0 or 1")
        if line.get("class", "1").startswith("1"):
            found[line["seriesuid"]].append(_lesion(line, table, number))
    return found


def _lesion(line: Mapping[str, str], table: Path, number: int) -> Lesion:
    """The nodule of one line."""
    try:
        x, y, z = (float(line[name]) for name in ("coordx", "coordy", "coordz"))
        diameter = float(line.get("diameter_mm") or 0)
    except ValueError:
        raise LayoutError(f"{table}: line {number} holds no numbers for the place of a nodule") from None
    if not all(map(math.isfinite, (x, y, z, diameter))) or not 0 <= diameter < 1000:
        raise LayoutError(f"{table}: line {number} holds no place and diameter in millimetres")
    return Lesion((x, y, z), diameter)


def _scans(root: Path) -> list[Path]:
    """All .mhd files but the lung masks, in order."""
    found = []
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.startswith(_SEGMENTED))
        found += [Path(place, name) for name in sorted(names) if name.endswith(".mhd") and not name.startswith(".")]
    return found


def _subsets(text: str) -> set[str]:
    """The numbers of "8+9"."""
    numbers = set(text.split("+"))
    if not all(number.isdecimal() for number in numbers):
        raise SettingError(f"luna16: test={text} names no subsets; give numbers, as test=8+9")
    return numbers


def _recognises(place: Path) -> bool:
    """Whether a table with LUNA16's heading lies here or one folder below."""
    names = [name for kind in _TABLES.values() for name in kind]
    tables = [place / name for name in names]
    if any(folder.name.lower().startswith("subset") for folder in folders_of(place)):
        tables += [folder / name for folder in folders_of(place) for name in names]
    return any(_has_heading(table) for table in tables if table.is_file())


def _has_heading(table: Path) -> bool:
    with table.open("rb") as file:
        heading = file.readline(1024).lower()
    return heading.startswith(b"seriesuid") and b"coordx" in heading


LUNA16 = Layout(
    name="luna16",
    title="LUNA16: .mhd scans and annotations.csv",
    recognises=_recognises,
    read=read,
    options={
        "nodules": Option("the table that says where nodules are", "annotations", tuple(_TABLES)),
        "test": Option("the subsets that are the test part, as 9 or 8+9", "9"),
    },
)
