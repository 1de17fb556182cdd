"""Pneumonia X-rays: NORMAL/ and PNEUMONIA/ below train/, val/ and test/; the patient stands in the file name.

Source: Kermany et al., Cell 172, 2018, doi:10.1016/j.cell.2018.02.010; data doi:10.17632/rscbjbr9sj.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from halescan.data.item import SPLITS, Item
from halescan.data.layouts.base import Layout, Listing
from halescan.data.layouts.names import patient_of
from halescan.data.layouts.pairs import pictures_of, stem, subfolder
from halescan.errors import LayoutError
from halescan.io import source_of
from halescan.types import Label

_FOLDERS: dict[str, Label] = {"normal": "healthy", "pneumonia": "abnormal"}


def read(root: Path, options: Mapping[str, str]) -> Listing:
    """All images below the two folders; `extra["cause"]` says virus or bacteria where the file name does.

    Raises:
        LayoutError: if no NORMAL/ or no PNEUMONIA/ holds an image.
    """
    items = [item for split, folder in _parts(root) for item in _part(split, folder)]
    for name, label in _FOLDERS.items():
        if all(item.label != label for item in items):
            raise LayoutError(f"{root}: has no image in a folder {name.upper()}/, as the pneumonia X-rays have")
    return Listing(tuple(items))


def _parts(root: Path) -> list[tuple[str | None, Path]]:
    """The parts of the set; the root itself, of no part, where it holds the two folders."""
    if subfolder(root, "normal") is not None:
        return [(SPLITS.get(root.resolve().name.lower()), root)]
    found = [(split, subfolder(root, name)) for name, split in SPLITS.items()]
    return [(split, folder) for split, folder in found if folder is not None]


def _part(split: str | None, folder: Path) -> list[Item]:
    """The images of one part."""
    return [
        Item(source_of(image), patient=patient_of(stem(image)), label=label, split=split, extra=_cause(image.name))
        for name, label in _FOLDERS.items()
        for image in pictures_of(subfolder(folder, name) or folder / name)
    ]


def _cause(name: str) -> dict[str, str]:
    """What a file name says of the germ."""
    found = re.search(r"virus|bacteria", name, re.IGNORECASE)
    return {"cause": found.group().lower()} if found else {}


def _recognises(place: Path) -> bool:
    held = [(subfolder(folder, "normal"), subfolder(folder, "pneumonia")) for _, folder in _parts(place)]
    return any(healthy and abnormal and pictures_of(healthy) and pictures_of(abnormal) for healthy, abnormal in held)


PNEUMONIA = Layout(
    name="pneumonia", title="pneumonia X-rays: NORMAL/ and PNEUMONIA/", recognises=_recognises, read=read
)
