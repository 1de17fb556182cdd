"""MedMNIST: one .npz file with `train_images`, `train_labels` and so on; which class is healthy is a choice.

Source: Yang et al., MedMNIST v2, Scientific Data 10, 2023, doi:10.1038/s41597-022-01721-8.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from halescan.data.item import Item, split_called
from halescan.data.layouts.base import Layout, Listing, Option
from halescan.data.layouts.pairs import folders_of, images_of
from halescan.errors import LayoutError
from halescan.io import Source, find
from halescan.types import Label

_HEALTHY = {"pneumoniamnist": "0", "octmnist": "3", "chestmnist": "none"}
"""The classes that are called normal, or without finding, in the sets that have one."""

_NONE, _UNSAID = "none", "unsaid"


def read(root: Path, options: Mapping[str, str]) -> Listing:
    """Every image of the healthy and of the abnormal classes; `extra["class"]` is its class.

    Raises:
        LayoutError: if the set needs a choice of what is healthy, or its labels are no class numbers.
    """
    file = _file(root)
    if file is None:
        raise LayoutError(f"{root}: is no MedMNIST file; expected an .npz with train_images and train_labels")
    found = find(file)
    if options.get("healthy") == _UNSAID:
        return Listing(tuple(_unlabelled(source) for source in found.sources), found.problems)
    healthy, abnormal = _choice(file, options)
    labels = _labels(file)
    items = [_item(source, labels, healthy, abnormal, file) for source in found.sources]
    kept = tuple(item for item in items if item.label is not None)
    said = "+".join(sorted(healthy))
    remarks = [f"MedMNIST: class {said} is taken to be healthy{_rest(abnormal)}"]
    if len(kept) < len(items):
        remarks.append(f"{len(items) - len(kept)} images of other classes are left out")
    for label, classes in (("healthy", healthy), ("abnormal", abnormal)):
        if all(item.label != label for item in kept):
            what = "+".join(sorted(classes)) or "other"
            raise LayoutError(f"{file}: has no image of class {what}, which is to be {label}; see its list of classes")
    return Listing(kept, found.problems, tuple(remarks))


def _rest(abnormal: set[str]) -> str:
    return f", class {'+'.join(sorted(abnormal))} abnormal" if abnormal else ", every other class abnormal"


def _choice(file: Path, options: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """Healthy and abnormal classes; no abnormal ones stands for all others."""
    name = file.stem.partition("_")[0].lower()
    healthy = options.get("healthy", _HEALTHY.get(name))
    if healthy is None:
        raise LayoutError(
            f"{file}: which class of it is healthy? Say so with layout='medmnist:healthy=0', "
            "several as healthy=0+5, and which are abnormal, if not all others, with abnormal=8"
        )
    return _classes(healthy), _classes(options.get("abnormal", ""))


def _classes(text: str) -> set[str]:
    """The class numbers of "0+5"."""
    classes = {word.strip() for word in text.split("+") if word.strip()}
    wrong = sorted(word for word in classes if word != _NONE and not word.isdecimal())
    if wrong:
        raise LayoutError(f"medmnist: {wrong[0]!r} is no class; give numbers as 0+5, or {_NONE} for no finding at all")
    return classes


def _labels(file: Path) -> dict[str, np.ndarray]:
    """Labels by the name of the array of images that they belong to, `(n,)` or `(n, findings)`."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files if name.endswith("_labels")}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, MemoryError) as error:
        raise LayoutError(f"{file}: damaged, or its labels are no numbers. Fetch it again") from error
    if any(labels.dtype.kind not in "iub" or labels.ndim not in (1, 2) for labels in found.values()):
        raise LayoutError(f"{file}: its labels are no class numbers, one row an image")
    return {f"{name.removesuffix('_labels')}_images": labels for name, labels in found.items()}


def _item(source: Source, labels: Mapping[str, np.ndarray], healthy: set[str], abnormal: set[str], file: Path) -> Item:
    """One image with its label, None for a class that is neither."""
    part, index = source.part or "", source.index or 0
    if part not in labels or index >= len(labels[part]):
        raise LayoutError(
            f"{file}: image {index} of {part} has no label; expected as many labels as images. Fetch it again"
        )
    found = _found(labels[part][index])
    label: Label | None = None
    if found <= healthy:
        label = "healthy"
    elif found & abnormal or not abnormal:
        label = "abnormal"
    return replace(_unlabelled(source), label=label, extra={"class": "+".join(sorted(found))})


def _unlabelled(source: Source) -> Item:
    """One image of which only its part is known."""
    return Item(source, split=split_called((source.part or "").removesuffix("_images")))


def _found(label: np.ndarray) -> set[str]:
    """The classes of one image: its number, or of several findings those that are set; "none" for no finding."""
    values = np.atleast_1d(label)
    if len(values) == 1:
        return {str(int(values[0]))}
    return {str(number) for number in np.flatnonzero(values)} or {_NONE}


def _file(place: Path) -> Path | None:
    """The MedMNIST file that a place is, or that lies in it alone."""
    if place.is_dir():
        files = images_of(place)
        return _file(files[0]) if len(files) == 1 and not folders_of(place) else None
    if place.suffix.lower() != ".npz" or not zipfile.is_zipfile(place):
        return None
    with zipfile.ZipFile(place) as archive:
        names = set(archive.namelist())
    return place if {"train_images.npy", "train_labels.npy"} <= names else None


MEDMNIST = Layout(
    name="medmnist",
    title="MedMNIST: an .npz of images and class numbers",
    recognises=lambda place: _file(place) is not None,
    read=read,
    options={
        "healthy": Option("the healthy classes, as 0 or 0+5; none: no finding; unsaid: no labels", examined=_UNSAID),
        "abnormal": Option("the abnormal classes; otherwise all others"),
    },
)
