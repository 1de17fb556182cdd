"""H. pylori: patches of stained gastric biopsies, a table of annotated windows, and a diagnosis for each patient.

Source: Cano et al., arXiv:2309.16053, and the repository IAM-CVC/HelicoBacterDetection, whose folders these are.
"""

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from PIL import Image

from halescan.data.item import Item
from halescan.data.layouts.base import Layout, Listing, Option
from halescan.data.layouts.matching import dealt
from halescan.data.layouts.pairs import folders_of, pictures_of, stem
from halescan.data.sheets import lines_of
from halescan.errors import LayoutError
from halescan.io import source_of
from halescan.types import Label

Density = Literal["NEG", "LOW", "HIGH"]
"""How many bacteria a patient's biopsy holds, as the pathologist wrote it, in order."""

DENSITIES: tuple[Density, ...] = ("NEG", "LOW", "HIGH")

_ANNOTATED = ("AnnotatedPatches", "Annotated")
_CROPPED = ("CroppedPatches", "Cropped")
_WITHIN = "SubImage"  # the repository has one more folder between these and the patients'
_DIAGNOSES = ("PatientDiagnosis.csv", "PatientDiagnosis.xlsx", "metadata.csv")
_WINDOWS = (
    "HP_WSI-CoordAnnotatedWindows.xlsx", "HP_WSI-CoordAnnotatedWindows.csv", "HP_WSI-CoordAnnotatedPatches.xlsx",
    "HP_WSI-CoordAnnotatedPatches.csv", "CoordAnnotatedAllPatches.xlsx", "CoordAnnotatedAllPatches.csv",
    "window_metadata.csv",
)  # fmt: skip
_SPELLED: dict[str, Density] = {
    "NEGATIVA": "NEG", "NEGATIVE": "NEG", "NEG": "NEG", "BAIXA": "LOW", "LOW": "LOW", "ALTA": "HIGH", "HIGH": "HIGH",
}  # fmt: skip
_LABELS: dict[str, Label | None] = {"-1": "healthy", "0": None, "1": "abnormal"}  # 0: the pathologist was not sure
_COPY = re.compile(r"_aug\w*$", re.IGNORECASE)

Window = tuple[str, str, str]
"""Patient, section and window, the numbers among them without leading zeros."""


@dataclass(frozen=True)
class Patch:
    """One window of a slide, cut out.

    Args:
        path: Its file.
        patient: Whose biopsy it is: the id of the tables, already without a name.
        section: Which section of the biopsy.
        window: Its number on the section without leading zeros; an augmented copy has that of its original.
        label: What the pathologist saw in this window; None where nobody said, as for all crops.
        augmented: Whether it is a copy, turned or mirrored: it may be learned from, together with its original's
            patient, but says nothing new where something is measured.
    """

    path: Path
    patient: str = field(repr=False)
    section: str
    window: str
    label: Label | None = None
    augmented: bool = False


@dataclass(frozen=True)
class HpyloriStudy:
    """All that such a folder holds.

    Args:
        annotated: Patches that were chosen to be looked at one by one, but for the uncertain ones; those without a row
            in the table have no label.
        crops: Patches cut from the border of the tissue, of which only the patient's diagnosis is known.
        patients: The diagnosis of each patient of the table, with images or without.
        problems: What does not fit together, each a sentence of counts; no patient is named.
    """

    annotated: tuple[Patch, ...]
    crops: tuple[Patch, ...]
    patients: Mapping[str, Density] = field(repr=False)
    problems: tuple[str, ...] = ()

    @property
    def patches(self) -> tuple[Patch, ...]:
        """Annotated patches, then crops."""
        return self.annotated + self.crops


def read_hpylori(root: Path | str) -> HpyloriStudy:
    """Everything below the root of such a study, with what does not fit together in sentences.

    Read are `AnnotatedPatches/` and `CroppedPatches/` with folders `<patient>_<section>` of `<window>.png`, of which
    `_AugN` are copies; `PatientDiagnosis.csv` (or `metadata.csv`: CODI, DENSITAT); and the table of windows as .xlsx or
    .csv (Pat_ID, WSI_ID or Section_ID, Window_ID, Presence), or in its older form (`<folder>.<patch>`, Presence).
    Presence is -1 (healthy), 1 (abnormal) or 0 (uncertain: the patch is left out, and never counted as healthy). A
    window that its rows call both is uncertain.

    Raises:
        LayoutError: if there is neither folder of patches, or a table lacks a column.
        TableError: if a table cannot be read.
    """
    root = Path(root)
    problems: list[str] = []
    annotated_in, cropped_in = _folder(root, _ANNOTATED), _folder(root, _CROPPED)
    if annotated_in is None and cropped_in is None:
        raise LayoutError(f"{root}: has neither {_ANNOTATED[0]}/ nor {_CROPPED[0]}/, where the patches lie")
    for place, names in ((annotated_in, _ANNOTATED), (cropped_in, _CROPPED)):
        if place is None:
            problems.append(f"the folder {names[0]} is missing")
    diagnoses = _diagnoses(root, problems)
    presence, uncertain = _presence(root, problems)
    annotated = _patches(annotated_in, _ANNOTATED[0], problems)
    crops = _patches(cropped_in, _CROPPED[0], problems)
    annotated, crops = _of_one_size(annotated, crops, problems)
    windows = presence.keys() | uncertain
    seen = [_labelled(patch, presence) for patch in annotated if _row_of(patch, windows) not in uncertain]
    if len(seen) < len(annotated):
        problems.append(f"{_many(len(annotated) - len(seen), 'annotated image')} left out as uncertain")
    lost = len(windows - {window for patch in annotated for window in _names(patch)})
    if lost:
        problems.append(f"{_many(lost, 'window')} of the table without an image")
    problems += _disagreements(seen, crops, diagnoses)
    return HpyloriStudy(tuple(seen), tuple(crops), MappingProxyType(diagnoses), tuple(problems))


def read(root: Path, options: Mapping[str, str]) -> Listing:
    """The patches as scans: annotated ones to test on, those of patients without bacteria to learn from.

    Patients whose diagnosis is negative are the part "train", if none of their patches has a row; where every one has,
    half of the negative patients are, by a hash of their names. All their patches count as healthy. All other patients
    are the part "test", with the patches that have a label of their own, and without augmented copies. Of a patch
    without a row nobody knows what it shows: it is left out, or kept without a label.

    Raises:
        LayoutError, TableError: as `read_hpylori`.
    """
    study = read_hpylori(root)
    keep = options["unlabelled"] == "keep"
    learned = _learned_from(study)
    items, counts = [], Counter[str]()
    for patch in study.patches:
        density = study.patients.get(patch.patient)
        split = "train" if patch.patient in learned else "test"
        # the diagnosis of a patient is good enough to learn from, and not to measure by
        label = patch.label or ("healthy" if split == "train" else None)
        if label is None and not keep:
            counts["without a label"] += 1
        elif patch.augmented and split == "test" and not keep:
            counts["augmented copies in the test part"] += 1
        else:
            items.append(_item(patch, label, split, density))
    left_out = tuple(f"{count} {why}" for why, count in sorted(counts.items()))
    remarks = (f"H. pylori: patches left out: {', '.join(left_out)}",) if left_out else ()
    return Listing(tuple(items), remarks=remarks + tuple(f"H. pylori: {problem}" for problem in study.problems))


def _item(patch: Patch, label: Label | None, split: str, density: Density | None) -> Item:
    """One patch as a scan."""
    extra = {"section": patch.section}
    if density is not None:
        extra["density"] = density
    if patch.augmented:
        extra["augmented"] = "yes"
    return Item(source_of(patch.path), patient=patch.patient, label=label, split=split, extra=extra)


def _learned_from(study: HpyloriStudy) -> set[str]:
    """The patients of the part "train"."""
    negative = {patch.patient for patch in study.patches if study.patients.get(patch.patient) == "NEG"}
    abnormal = {patch.patient for patch in study.annotated if patch.label == "abnormal"}
    annotated = {patch.patient for patch in study.annotated if patch.label is not None}
    return (negative - annotated) or dealt(sorted(negative - abnormal), 0.5)


def _folder(root: Path, names: Sequence[str]) -> Path | None:
    """The folder of patients' folders with one of these names."""
    place = next((root / name for name in names if (root / name).is_dir()), None)
    return place / _WITHIN if place is not None and (place / _WITHIN).is_dir() else place


def _table(root: Path, names: Sequence[str]) -> Path | None:
    """The first table there is of these names."""
    return next((root / name for name in names if (root / name).is_file()), None)


def _diagnoses(root: Path, problems: list[str]) -> dict[str, Density]:
    """The diagnosis of each patient."""
    table = _table(root, _DIAGNOSES)
    if table is None:
        problems.append(f"the table of diagnoses is missing ({_DIAGNOSES[0]}): no patient is known to be negative")
        return {}
    lines = _checked(table, lines_of(table), ("codi", "densitat"))
    found: dict[str, set[Density | None]] = {}
    for line in lines:
        found.setdefault(line["codi"], set()).add(_SPELLED.get(line["densitat"].upper()))
    strange = sum(None in said for said in found.values())
    torn = sum(len(said) > 1 and None not in said for said in found.values())
    if strange:
        problems.append(f"{_many(strange, 'patient')} of {table.name} without NEGATIVA, BAIXA or ALTA: no diagnosis")
    if torn:
        problems.append(f"{_many(torn, 'patient')} of {table.name} with several diagnoses: none of them is taken")
    kept = {name: next(iter(said)) for name, said in found.items() if len(said) == 1}
    return {name: density for name, density in kept.items() if density is not None}


def _presence(root: Path, problems: list[str]) -> tuple[dict[Window, Label], set[Window]]:
    """The label of each window of the table, and the windows that have a row but no certain label."""
    table = _table(root, _WINDOWS)
    if table is None:
        problems.append(f"the table of windows is missing ({_WINDOWS[0]}): no patch has a label of its own")
        return {}, set()
    said: dict[Window, set[str]] = {}
    unread = 0
    for window, presence in _rows(table):
        if window is None:
            unread += 1
        else:
            said.setdefault(window, set()).add(presence)
    strange = {window for window, words in said.items() if not words <= _LABELS.keys()}
    torn = {window for window, words in said.items() if len(words) > 1} - strange
    for count, why in (
        (unread, "that name no window"),
        (sum(len(said[window] - _LABELS.keys()) for window in strange), "with a Presence outside -1, 0 and 1"),
    ):
        if count:
            problems.append(f"{_many(count, 'row')} of {table.name} {why}; what they name is left out")
    if torn:
        problems.append(f"{_many(len(torn), 'window')} of {table.name} with rows that disagree: taken as uncertain")
    certain: dict[Window, Label] = {}
    for window in said.keys() - strange - torn:
        label = _LABELS[next(iter(said[window]))]
        if label is not None:
            certain[window] = label
    return certain, said.keys() - certain.keys()


def _rows(table: Path) -> Iterator[tuple[Window | None, str]]:
    """Window and Presence of each row, in the table's newer or older form; None for a window that cannot be read."""
    lines = lines_of(table)
    names = set(lines[0]) if lines else set()
    section = next((name for name in ("wsi_id", "section_id") if name in names), "wsi_id")
    if lines and "pat_id" not in names:
        yield from _older(table, lines)
        return
    for line in _checked(table, lines, ("pat_id", section, "window_id", "presence")):
        window = (line["pat_id"], _plain(line[section]), _plain(line["window_id"]))
        yield (window if all(window) else None), _plain(line["presence"])


def _older(table: Path, lines: list[dict[str, str]]) -> Iterator[tuple[Window | None, str]]:
    """Rows of `<patient>_<section>.<window>` and a label."""
    names = list(lines[0])
    label = next((name for name in ("presence", "label") if name in names), None)
    named = next((name for name in ("id", "patch", "window") if name in names), names[0])
    if label is None or named == label:
        raise LayoutError(f"{table}: has the columns {', '.join(names)}; expected Pat_ID, WSI_ID, Window_ID, Presence")
    for line in lines:
        folder, dot, window = line[named].removesuffix(".png").partition(".")
        patient, section = _patient_and_section(folder)
        yield ((patient, section, _plain(window)) if dot and patient and window else None), _plain(line[label])


def _checked(table: Path, lines: list[dict[str, str]], columns: Sequence[str]) -> list[dict[str, str]]:
    """The lines, if they have these columns."""
    missing = [name for name in columns if lines and name not in lines[0]]
    if missing or not lines:
        raise LayoutError(f"{table}: has no column {missing[0]!r}" if missing else f"{table}: holds no rows")
    return lines


def _plain(cell: str) -> str:
    """A number without leading zeros and a spreadsheet's ".0"; any other text as it is, without a file's ending."""
    text = cell.strip().removesuffix(".png").removesuffix(".0")
    copy = _COPY.search(text)
    number, rest = (text[: copy.start()], copy.group()) if copy else (text, "")
    return (str(int(number)) if number.removeprefix("-").isdecimal() else number) + rest


def _patient_and_section(folder: str) -> tuple[str, str]:
    """Both from a folder's name; the section is empty where the name has none."""
    patient, _, section = folder.rpartition("_")
    return (patient, _plain(section)) if patient else (folder, "")


def _patches(place: Path | None, called: str, problems: list[str]) -> list[Patch]:
    """Every picture below a folder of patients' folders."""
    if place is None:
        return []
    found, empty = [], 0
    for folder in folders_of(place):
        patient, section = _patient_and_section(folder.name)
        pictures = pictures_of(folder)
        empty += not pictures
        for path in pictures:
            window = _plain(stem(path))
            original = _COPY.sub("", window)
            found.append(Patch(path, patient, section, original, augmented=original != window))
    if empty:
        problems.append(f"{_many(empty, 'folder')} of {called} without any image")
    stray = len(pictures_of(place))
    if stray:
        problems.append(f"{_many(stray, 'image')} of {called} outside the patients' folders: left out")
    return found


def _of_one_size(annotated: list[Patch], crops: list[Patch], problems: list[str]) -> tuple[list[Patch], list[Patch]]:
    """The patches of the size that most have; another was cut at a slide's edge or at another scale."""
    sizes = {patch.path: _size(patch.path) for patch in (*annotated, *crops)}
    known = Counter(size for size in sizes.values() if size is not None)
    damaged = len(sizes) - known.total()
    if damaged:
        problems.append(f"{_many(damaged, 'image file')} that cannot be opened: left out")
    if not known:
        return [], []
    usual = known.most_common(1)[0][0]
    others = known.total() - known[usual]
    if others:
        problems.append(f"{_many(others, 'patch')} of another size than {usual[0]} x {usual[1]}: left out")
    fits = [[patch for patch in patches if sizes[patch.path] == usual] for patches in (annotated, crops)]
    return fits[0], fits[1]


def _size(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture from its header; None for a damaged one."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _row_of(patch: Patch, windows: Container[Window]) -> Window | None:
    """What names a patch among these windows: its own name, or for a copy that of its original."""
    return next((window for window in _names(patch) if window in windows), None)


def _names(patch: Patch) -> tuple[Window, Window]:
    """What a table may call a patch: by its own name, or a copy by its original's."""
    own = (patch.patient, patch.section, _plain(stem(patch.path)))
    return own, (patch.patient, patch.section, patch.window)


def _labelled(patch: Patch, presence: Mapping[Window, Label]) -> Patch:
    """A patch with the label of its window."""
    window = _row_of(patch, presence)
    return patch if window is None else replace(patch, label=presence[window])


def _disagreements(
    annotated: Sequence[Patch], crops: Sequence[Patch], diagnoses: Mapping[str, Density]
) -> Iterator[str]:
    """Where tables, images and diagnoses do not fit together."""
    bare = sum(patch.label is None for patch in annotated)
    if bare:
        yield f"{_many(bare, 'annotated image')} without a row in the table of windows"
    patients = {patch.patient for patch in (*annotated, *crops)}
    unseen, undiagnosed = len(diagnoses.keys() - patients), len(patients - diagnoses.keys())
    if unseen:
        yield f"{_many(unseen, 'patient')} of {len(diagnoses)} with a diagnosis, but without any image"
    if undiagnosed and diagnoses:
        yield f"{_many(undiagnosed, 'patient')} with images, but without a diagnosis"
    against = {patch.patient for patch in annotated if patch.label == "abnormal"}
    against = {patient for patient in against if diagnoses.get(patient) == "NEG"}
    if against:
        yield f"{_many(len(against), 'patient')} diagnosed as negative with windows that show bacteria"


def _many(count: int, what: str) -> str:
    """A number and a noun."""
    plural = f"{what}es" if what.endswith("ch") else f"{what}s"
    return f"{count} {what if count == 1 else plural}"


def _recognises(place: Path) -> bool:
    """Whether there is a folder of patches and a table beside it."""
    patches = any((place / name).is_dir() for name in (_ANNOTATED[0], _CROPPED[0]))
    return patches and (_table(place, _DIAGNOSES) or _table(place, _WINDOWS)) is not None


HPYLORI = Layout(
    name="hpylori",
    title="H. pylori: AnnotatedPatches/, CroppedPatches/, PatientDiagnosis.csv",
    recognises=_recognises,
    read=read,
    options={
        "unlabelled": Option(
            "patches without a label, and augmented copies in the test part", "leave", ("leave", "keep"), "keep"
        ),
    },
)
