"""MedIAnomaly: images/ and a data.json that deals them into train and test; or BraTS slices in train/ and test/.

Source: Cai et al., MedIAnomaly: A comparative study of anomaly detection in medical images, arXiv:2404.04518.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from halescan.data.item import Item
from halescan.data.layouts.base import Layout, Listing
from halescan.data.layouts.names import patient_of
from halescan.data.layouts.pairs import listed, pair, pictures_of, stem
from halescan.errors import LayoutError
from halescan.io import source_of
from halescan.types import Label

_LABELS: dict[str, Label] = {"0": "healthy", "1": "abnormal"}
_PARTS = ("train", "test")
_LARGEST_JSON = 64 * 2**20  # bytes; a hundred thousand names take ten


def read(root: Path, options: Mapping[str, str]) -> Listing:
    """All images that data.json names, or all of the BraTS slices.

    Images that data.json lists as unlabelled are left out, and so are those it does not name; a remark counts them.

    Raises:
        LayoutError: if data.json is missing, is none, or names images that are not there; if a slice lacks its mask.
    """
    return _by_json(root) if not (root / "test" / "tumor").is_dir() else _slices(root)


def _by_json(root: Path) -> Listing:
    record = _record(root / "data.json")
    items, missing = [], []
    for part in _PARTS:
        for key, label in _LABELS.items():
            for name in _names(record, part, key, root):
                path = root / "images" / name
                source = source_of(path)
                if not path.is_file():
                    missing.append(path)
                items.append(Item(source, patient=patient_of(stem(path)), label=label, split=part))
    if missing:
        raise LayoutError(
            f"{root / 'data.json'}: {len(missing)} of {len(items)} images it names are not in images/: "
            f"{listed(missing, root)}. Unpack the whole set"
        )
    silent = len(pictures_of(root / "images")) - len({item.source.path for item in items})
    left_out = f"{silent} images lie in images/ that data.json does not put into train or test; they are left out"
    return Listing(tuple(items), remarks=(left_out,) if silent > 0 else ())


def _record(path: Path) -> dict[str, Any]:
    """The content of data.json."""
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise LayoutError(f"{path}: is larger than {_LARGEST_JSON >> 20} MB, too large for a list of names")
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LayoutError(
            f"{path}: cannot be read ({error.strerror}); it says which images of a MedIAnomaly set are healthy"
        ) from error
    except ValueError:
        record = None
    if not isinstance(record, dict) or not all(isinstance(record.get(part), dict) for part in _PARTS):
        raise LayoutError(
            f'{path}: is not MedIAnomaly\'s; expected {{"train": {{"0": [names]}}, "test": {{"0": ...}}}}'
        )
    return record


def _names(record: dict[str, Any], part: str, key: str, root: Path) -> list[str]:
    """The file names of one part and label, each that of a file in images/ itself."""
    strange = sorted(set(record[part]) - {*_LABELS, "unlabeled"})
    if strange:
        raise LayoutError(f"{root / 'data.json'}: the label {strange[0]!r} means neither healthy (0) nor abnormal (1)")
    names = record[part].get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise LayoutError(f"{root / 'data.json'}: {part}, {key} is no list of file names")
    outside = next((name for name in names if Path(name).is_absolute() or ".." in Path(name).parts), None)
    if outside is not None:
        raise LayoutError(f"{root / 'data.json'}: names {outside!r}, which lies outside images/")
    return names


def _slices(root: Path) -> Listing:
    """The BraTS 2021 slices: train/, test/normal, test/tumor; test/annotation, where `seg` stands for `flair`."""
    tumours = pictures_of(root / "test" / "tumor")
    drawn = pictures_of(root / "test" / "annotation")
    masks = pair(tumours, drawn, called=lambda name: name.replace("flair", "seg"), where=root)
    folders: list[tuple[Label, str, list[Path]]] = [
        ("healthy", "train", pictures_of(root / "train")),
        ("healthy", "test", pictures_of(root / "test" / "normal")),
        ("abnormal", "test", tumours),
    ]
    return Listing(
        tuple(
            Item(source_of(image), patient=patient_of(stem(image)), label=label, split=split, mask=masks.get(image))
            for label, split, images in folders
            for image in images
        )
    )


def _recognises(place: Path) -> bool:
    if (place / "images").is_dir() and (place / "data.json").is_file():
        try:
            return bool(_record(place / "data.json"))
        except LayoutError:
            return False
    test = place / "test"
    return (place / "train").is_dir() and all((test / name).is_dir() for name in ("normal", "tumor", "annotation"))


MEDIANOMALY = Layout(name="medianomaly", title="MedIAnomaly: images/ and data.json", recognises=_recognises, read=read)
