"""BraTS: a folder a patient with four contrasts and a segmentation; its slices are healthy where nothing is drawn.

Source: Baid et al., The RSNA-ASNR-MICCAI BraTS 2021 Benchmark, arXiv:2107.02314, and the earlier and later sets.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from halescan.data.ahead import ahead
from halescan.data.item import SPLITS, Item
from halescan.data.layouts.base import Layout, Listing, Option
from halescan.data.layouts.matching import dealt, matched
from halescan.data.layouts.pairs import is_image, listed
from halescan.errors import BlankScan, HalescanError, LayoutError, SettingError
from halescan.io import Problem, Source, source_of
from halescan.io import read as read_scan
from halescan.types import Label

_CONTRASTS = {
    "flair": ("flair", "t2f"),
    "t1": ("t1", "t1n"),
    "t1ce": ("t1ce", "t1c", "t1gd"),
    "t2": ("t2", "t2w"),
}
_FILE = re.compile(
    r"(?P<subject>.+)[-_](?P<kind>flair|t2f|t1|t1n|t1ce|t1c|t1gd|t2|t2w|seg)\.nii(?:\.gz)?", re.IGNORECASE
)
_VISIT = re.compile(r"(BraTS-\w+-\d+)-\d+")  # since 2023 a patient may come several times: the last number is the visit
_BRAIN_LEAST = 0.25  # of the brain on the fullest slice: less is the crown or the base, where no two heads are alike
_LOOKED_AT = 60  # folders, before a place is taken to hold no BraTS


@dataclass(frozen=True)
class _Subject:
    """One visit of one patient: its files by kind, "flair" to "seg"."""

    name: str
    patient: str
    split: str | None
    files: Mapping[str, Path]


def read(root: Path, options: Mapping[str, str]) -> Listing:
    """Slices, healthy and abnormal ones matched by height, or whole volumes.

    A slice is abnormal with at least `least` voxels drawn in the segmentation, and healthy if nothing is drawn on it
    nor within `gap` slices; all others are neither. Slices with little brain are left out. Every `every`-th slice is
    taken. Within each part, at every height as many healthy slices stay as abnormal ones. Where the folders name no
    parts, a share `test` of the patients is the test part. Subjects without segmentation stay whole volumes without a
    label; if only some lack it, that is an error.

    Raises:
        LayoutError: if there is no BraTS folder, or a contrast or segmentation is missing.
        SettingError: if an option is no number, or out of range.
    """
    numbers = _numbers(options)
    subjects = _with_parts(_subjects(root), numbers["test"])
    contrasts = _contrasts(options["contrast"])
    _check(root, subjects, contrasts)
    if options["take"] == "volumes" or not any("seg" in one.files for one in subjects):
        return Listing(tuple(_whole(one, contrasts) for one in subjects), remarks=_of_volumes(subjects))
    return _slices(root, subjects, contrasts, numbers)


def _contrasts(words: str) -> tuple[str, ...]:
    """The contrast that is read, or the three that are stacked as channels."""
    names = tuple(words.split("+"))
    if len(names) not in (1, 3) or len(set(names)) < len(names) or not set(names) <= set(_CONTRASTS):
        raise SettingError(
            f"brats: contrast must be one of {', '.join(_CONTRASTS)}, or three of them to be stacked as channels, "
            f"flair+t1+t2; got {words!r}"
        )
    return names


def _image(subject: _Subject, contrasts: tuple[str, ...]) -> Source:
    """The file of a contrast, or three files as one scan."""
    first = source_of(subject.files[contrasts[0]])
    if len(contrasts) == 1:
        return first
    return replace(first, files=tuple(subject.files[name] for name in contrasts), stacked=True)


def _of_volumes(subjects: Sequence[_Subject]) -> tuple[str, ...]:
    """What to say of whole volumes."""
    if all("seg" in one.files for one in subjects):
        return ("BraTS: every whole volume shows a tumour, so there is no healthy one",)
    return ("BraTS: without segmentations nothing says where the tumours are, so the volumes have no label",)


def _numbers(options: Mapping[str, str]) -> dict[str, float]:
    """The options that are numbers."""
    ranges = {"test": (0.0, 1.0), "every": (1, 1000), "gap": (0, 1000), "least": (1, 1_000_000)}
    values = {}
    for name, (low, high) in ranges.items():
        try:
            values[name] = float(options[name])
        except ValueError:
            values[name] = float("nan")
        whole = name == "test" or values[name] == int(values[name]) if np.isfinite(values[name]) else False
        if not whole or not low <= values[name] <= high:
            raise SettingError(f"brats: {name}={options[name]} must be a number from {low:g} to {high:g}")
    return values


def _subjects(root: Path) -> list[_Subject]:
    """Every visit below a root, in order."""
    found = []
    for place, subject, files in _folders(root):
        visit = _VISIT.fullmatch(subject)
        parts = (root.resolve().name, *place.relative_to(root).parts)[:-1]
        split = next((SPLITS[part.lower()] for part in parts if part.lower() in SPLITS), None)
        found.append(_Subject(subject, visit.group(1) if visit else subject, split, files))
    return found


def _folders(root: Path, most: int | None = None) -> Iterator[tuple[Path, str, dict[str, Path]]]:
    """Folders that are called after the subject whose files they hold: place, subject and files by kind."""
    for count, (place, folders, names) in enumerate(os.walk(root)):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        matches = [match for match in map(_FILE.fullmatch, names) if match]
        files = {_kind(match["kind"]): Path(place, match.string) for match in matches}
        if matches and all(match["subject"] == Path(place).resolve().name for match in matches):
            yield Path(place), matches[0]["subject"], files
        if most is not None and count >= most:
            return


def _kind(word: str) -> str:
    """One word for a contrast, whatever the year called it."""
    return next((kind for kind, words in _CONTRASTS.items() if word.lower() in words), word.lower())


def _with_parts(subjects: Sequence[_Subject], share: float) -> list[_Subject]:
    """Subjects with their part, dealt by patient where folders name none."""
    if any(one.split for one in subjects):
        return list(subjects)
    tested = dealt([one.patient for one in subjects], share) if share > 0 else set()
    return [
        _Subject(one.name, one.patient, "test" if one.patient in tested else "train", one.files) for one in subjects
    ]


def _check(root: Path, subjects: Sequence[_Subject], contrasts: tuple[str, ...]) -> None:
    """Refuse a set with gaps."""
    if not subjects:
        raise LayoutError(
            f"{root}: holds no BraTS folder, called as its files: CASE/CASE_flair.nii.gz, CASE_seg.nii.gz"
        )
    for kind in (*contrasts, "seg"):
        without = [one for one in subjects if kind not in one.files]
        if without and not (kind == "seg" and len(without) == len(subjects)):
            names = listed([next(iter(one.files.values())).parent for one in without], root)
            raise LayoutError(
                f"{root}: {len(without)} of {len(subjects)} cases have no {kind}: {names}. Add the file (one is "
                "misnamed in BraTS 2020), or move the folder away"
            )


def _whole(subject: _Subject, contrasts: tuple[str, ...]) -> Item:
    """One volume; it shows a tumour if there is a segmentation."""
    seg = subject.files.get("seg")
    return Item(
        _image(subject, contrasts),
        patient=subject.patient,
        study=subject.name,
        label=None if seg is None else "abnormal",
        split=subject.split,
        mask=seg,
    )


def _slices(
    root: Path, subjects: Sequence[_Subject], contrasts: tuple[str, ...], numbers: Mapping[str, float]
) -> Listing:
    """The matched slices of all subjects."""

    def work(subject: _Subject) -> list[Item] | Problem:
        try:
            return list(_fit_slices(subject, contrasts, numbers))
        except HalescanError as error:
            return Problem(subject.files[contrasts[0]], str(error))

    jobs = min(4, os.cpu_count() or 1)
    results = list(ahead(work, subjects, jobs=jobs, most=2 * jobs))
    problems = tuple(one for one in results if isinstance(one, Problem))
    items = [item for one in results if not isinstance(one, Problem) for item in one]
    kept = [item for split in sorted({item.split or "" for item in items}) for item in _matched(items, split)]
    if not kept and not problems:
        raise LayoutError(
            f"{root}: of {len(items)} slices of {len(subjects)} cases no healthy one lies as high as an abnormal one. "
            "Add cases, or take more slices with brats:every=1"
        )
    remark = (
        f"BraTS: {len(kept)} slices of {'+'.join(contrasts)} from patients with tumours; healthy ones are those "
        "without any drawn tumour, matched by height to abnormal ones "
        f"({len(items) - len(kept)} slices left out for that)"
    )
    return Listing(tuple(kept), problems, (remark, *_empty_parts(kept)))


def _empty_parts(kept: Sequence[Item]) -> tuple[str, ...]:
    """That all slices went to one part, where they did."""
    there = {item.split for item in kept} & {"train", "test"}
    if len(there) != 1:
        return ()
    (full,) = there
    empty = "test" if full == "train" else "train"
    return (f"BraTS: all slices that are left lie in the {full} part, the {empty} part is empty: add cases",)


def _matched(items: Sequence[Item], split: str) -> list[Item]:
    """The slices of one part, as many healthy as abnormal at every height."""
    part = [item for item in items if (item.split or "") == split]
    keep = matched(
        [float(item.extra["height"]) for item in part],
        [item.label == "abnormal" for item in part],
        [f"{item.source.path.name} {item.source.slice_index}" for item in part],
    )
    return [item for item, stays in zip(part, keep, strict=True) if stays]


def _fit_slices(subject: _Subject, contrasts: tuple[str, ...], numbers: Mapping[str, float]) -> Iterator[Item]:
    """Every slice of a subject that is clearly healthy or clearly abnormal."""
    image, seg = _image(subject, contrasts), source_of(subject.files["seg"])
    brain, drawn = _voxels(source_of(subject.files[contrasts[0]])), _voxels(seg)
    if len(brain) != len(drawn):
        raise LayoutError(f"{image.path}: has {len(brain)} slices, its segmentation {len(drawn)}")
    touched = np.flatnonzero(drawn)
    for z in range(0, len(drawn), int(numbers["every"])):
        if brain[z] < _BRAIN_LEAST * brain.max():
            continue
        near = touched.size > 0 and int(np.abs(touched - z).min()) <= numbers["gap"]
        label: Label | None = "abnormal" if drawn[z] >= numbers["least"] else None if near else "healthy"
        if label is not None:
            yield _slice(subject, image, seg if label == "abnormal" else None, z, z / max(1, len(drawn) - 1), label)


def _slice(subject: _Subject, image: Source, seg: Source | None, z: int, height: float, label: Label) -> Item:
    """One slice as an item of its own: not one case with its neighbours, which may be healthy where it is not."""
    return Item(
        _cut(image, z),
        patient=subject.patient,
        label=label,
        split=subject.split,
        mask=None if seg is None else _cut(seg, z),
        extra={"height": f"{height:.4f}"},
    )


def _cut(source: Source, z: int) -> Source:
    return replace(source, slice_index=z)


def _voxels(source: Source) -> np.ndarray:
    """`(z,)` number of voxels above 0 on each slice of a volume."""
    facts = source.files[0].stat()
    return _counted(source, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=8192)
def _counted(source: Source, changed_ns: int, size: int) -> np.ndarray:
    """The same; a changed file is another one."""
    try:
        pixels = read_scan(source).pixels
    except BlankScan:  # a segmentation without tumour
        return np.zeros(_depth(source.path), int)
    if pixels.ndim != 3:
        raise LayoutError(f"{source.path}: is no volume; BraTS holds one volume a file")
    return np.count_nonzero(pixels > 0, axis=(1, 2))


def _depth(path: Path) -> int:
    """Slices of a volume, from its header."""
    import nibabel

    return int(nibabel.load(path).shape[2])  # type: ignore[attr-defined]


def _recognises(place: Path) -> bool:
    """Whether the first folders that hold scans hold those of one BraTS case each, two at least."""
    if not place.is_dir():
        return False
    return any(len(files) > 1 for _, _, files in _folders(place, _LOOKED_AT)) and not _other_scans(place)


def _other_scans(place: Path) -> bool:
    """Whether a folder near the top holds scans, and none of BraTS."""
    for count, (_, folders, names) in enumerate(os.walk(place)):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        scans = [name for name in names if is_image(name)]
        if scans and not any(_FILE.fullmatch(name) for name in scans):
            return True
        if count >= _LOOKED_AT:
            break
    return False


BRATS = Layout(
    name="brats",
    title="BraTS: a folder a patient with flair, t1, t1ce, t2 and seg",
    recognises=_recognises,
    read=read,
    options={
        "contrast": Option("the contrast that is read, or three of them as channels: flair+t1+t2", "flair"),
        "take": Option("matched slices, or whole volumes", "slices", ("slices", "volumes"), examined="volumes"),
        "test": Option("share of the patients that are the test part, where no folder says", "0.4"),
        "every": Option("each how many-th slice is taken", "5"),
        "gap": Option("slices between a healthy slice and the next drawn tumour", "5"),
        "least": Option("drawn voxels that make a slice abnormal", "60"),
    },
)
