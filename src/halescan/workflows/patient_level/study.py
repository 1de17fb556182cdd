"""A study of patients: their images, what was said of each, and what each patient was found to have."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from halescan.data.dataset import CohortImages
from halescan.data.item import Item
from halescan.data.layouts import choose, parted
from halescan.data.layouts.hpylori import HpyloriStudy, Patch, read_hpylori
from halescan.data.sheets import ABNORMAL, HEALTHY, lines_of, manifests_near, read_table
from halescan.data.table import Cohort, read_cohort
from halescan.errors import SettingError, TableError
from halescan.io import source_of
from halescan.reporting.words import note_sentence
from halescan.types import Label
from halescan.workflows.healthy import content_digest

LEAST = 3  # patients of each kind: one to learn from, one to choose with, one to test on

NEGATIVE = "NEG"
LEVELS = ("NEG", "LOW", "HIGH")

_HPYLORI = "hpylori"
_PATIENT_COLUMNS = ("patient", "codi", "pat_id")
_DIAGNOSIS_COLUMNS = ("diagnosis", "density", "densitat", "patient_label", "label")
_OWN_DIAGNOSIS = ("diagnosis", "density", "patient_label")  # columns of the table of images
_DIAGNOSES = ("patients.csv", "patients.tsv", "patients.xlsx")
_TOLD = {"not-in-table", "duplicates-with-other-labels"}  # notes on a cohort that say something is wrong here
_SPELLED = {
    "neg": "NEG", "negativa": "NEG", "negatiu": "NEG", "low": "LOW", "baixa": "LOW", "high": "HIGH", "alta": "HIGH",
    "pos": "POS",
    **dict.fromkeys(HEALTHY, "NEG"), **dict.fromkeys(ABNORMAL, "POS"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Study:
    """All that DATA holds. Patients are numbers here; their names stay in `names` and out of every `repr`.

    Args:
        items: The scans; a scan is one image or one volume, whose slices are images.
        patient_of: `(items,)` number of each scan's patient.
        names: `(patients,)`.
        answers: `(patients,)` "NEG", "LOW", "HIGH", "POS", or None where nobody says.
        given_folds: `(patients,)` the fold a table names for each; None where it names none.
        augmented: `(items,)` copies: learned from, never measured.
        judged: `(items,)` whether the patient is judged by this scan.
        problems: What does not fit together, in sentences that name nobody.
        profile: The profile this kind of data is made for; None: the caller must say.
    """

    items: tuple[Item, ...] = field(repr=False)
    patient_of: np.ndarray
    names: tuple[str, ...] = field(repr=False)
    answers: tuple[str | None, ...]
    given_folds: tuple[str, ...] | None
    augmented: np.ndarray
    judged: np.ndarray
    problems: tuple[str, ...]
    layout: str
    profile: str | None = None

    @property
    def positive(self) -> np.ndarray:
        """`(patients,)` True where the answer is anything but NEG; False too where it is not known."""
        return np.array([answer is not None and answer != NEGATIVE for answer in self.answers], bool)

    @property
    def known(self) -> np.ndarray:
        """`(patients,)` whether somebody said what the patient has."""
        return np.array([answer is not None for answer in self.answers], bool)

    @property
    def has_levels(self) -> bool:
        """Whether positive patients are told apart as LOW and HIGH."""
        return {"LOW", "HIGH"} <= set(self.answers) and "POS" not in self.answers


@dataclass(frozen=True, eq=False)
class Patches:
    """The prepared images of a study, n in all, by number.

    Args:
        patient: `(n,)` number of the patient.
        own: `(n,)` what was said of this very image: 1 abnormal, 0 healthy, -1 nothing.
        known: `(n,)` the same, where every image of a negative patient without a word of its own is healthy.
        augmented, judged: `(n,)` as in `Study`.
        item: `(n,)` number of the scan; `slice_index` `(n,)` its slice, -1 for a whole scan.
    """

    patient: np.ndarray
    own: np.ndarray
    known: np.ndarray
    augmented: np.ndarray
    judged: np.ndarray
    item: np.ndarray
    slice_index: np.ndarray

    def __len__(self) -> int:
        return len(self.patient)

    def measured_of(self, patients: int) -> np.ndarray:
        """`(patients,)` whether any image of the patient is measured: one that could be used, and no copy."""
        return np.bincount(self.patient[~self.augmented], minlength=patients) > 0


def read_study(
    data: Path, *, table: Path | None = None, layout: str | None = None, diagnoses: Path | None = None
) -> Study:
    """Read DATA: the H. pylori folders, or any layout or table that names the patient of each image.

    What a patient has comes from `diagnoses` (or `patients.csv` in the folder), else from a column `diagnosis` or
    `density` of the table of images, else from the labels of the patient's images: abnormal if one of them is, negative
    if all are healthy.

    Raises:
        TableError: if no image names its patient, a diagnosis is no known word, or no patient has any.
        SettingError: if too few patients have one: fewer than three negative, or three positive where there are any.
    """
    named, place = parted(data)
    chosen = None if table is not None else choose(place, layout or named)
    if chosen is not None and chosen.layout.name == _HPYLORI:
        if diagnoses is not None:
            raise SettingError("the H. pylori folders hold their own PatientDiagnosis.csv; leave --diagnoses out")
        study = _from_hpylori(chosen.root, read_hpylori(chosen.root), chosen.spelled)
    else:
        study = _from_cohort(place, table, layout or named, diagnoses)
    check_enough(study, np.ones(len(study.names), bool), str(data))
    return study


def patches_of(study: Study, images: CohortImages) -> Patches:
    """What is known of each prepared image; a slice of an abnormal volume has no label of its own."""
    item = np.asarray(images.item_of)
    words = np.array([_number(study.items[at].label) for at in range(len(study.items))], np.int8)
    own = words[item]
    several = np.bincount(item, minlength=len(study.items))[item] > 1
    own[several & (own == 1)] = -1
    patient = study.patient_of[item]
    negative = (study.known & ~study.positive)[patient]
    known = np.where((own < 0) & negative, 0, own).astype(np.int8)
    return Patches(patient, own, known, study.augmented[item], study.judged[item], item, np.asarray(images.slice_of))


def check_enough(study: Study, there: np.ndarray, where: str) -> None:
    """Refuse what cannot be cross-validated.

    Args:
        there: `(patients,)` who counts.

    Raises:
        TableError: if nobody says what any patient has.
        SettingError: for too few patients of a kind.
    """
    positive, known = int((study.positive & there).sum()), int((study.known & there).sum())
    if not study.known.any():
        way_out = (
            "its table of diagnoses is missing or names none of these patients"
            if study.layout.startswith(_HPYLORI)
            else "give --diagnoses FILE with the columns patient and diagnosis, or labels for the images"
        )
        raise TableError(f"{where}: nobody says what any patient has; {way_out}")
    if known - positive < LEAST or 0 < positive < LEAST:
        raise SettingError(
            f"{where}: too few patients: {known - positive} negative and {positive} positive; expected {LEAST} or more "
            "of each, 20 to say anything"
        )


def unseen_remark(study: Study, patches: Patches) -> tuple[str, ...]:
    """A sentence about patients of whom no image could be used."""
    count = int((study.known & ~patches.measured_of(len(study.names))).sum())
    if not count:
        return ()
    return (
        f"{count} of {int(study.known.sum())} patients with a diagnosis are not judged: none of their images could "
        "be used",
    )


def twin_remark(study: Study) -> tuple[str, ...]:
    """A sentence about files that are those of another patient too, byte for byte; none where each has its own."""
    contents = [content_digest(item) for item in study.items]
    owners: dict[str, set[int]] = {}
    for patient, content in zip(study.patient_of, contents, strict=True):
        owners.setdefault(content, set()).add(int(patient))
    count = sum(len(owners[content]) > 1 for content in contents)
    if not count:
        return ()
    return (
        f"{count} images are byte for byte those of another patient: learned from one, they help to judge the other, "
        "and figures are too good",
    )


def size_remark(images: CohortImages) -> tuple[str, ...]:
    """A sentence about images of mixed size; none where all are alike, or their spacing is known."""
    rows = images.rows
    sizes = Counter((int(row.facts["width"]), int(row.facts["height"])) for row in rows if "width" in row.facts)
    if len(sizes) < 2 or not np.isnan(images.spacing_of).any():
        return ()
    (width, height), most = sizes.most_common(1)[0]
    return (
        f"{sizes.total() - most} of {sizes.total()} images are of another size than {width} x {height} and do not say "
        "their scale; all were brought to one size, so that a cell may be larger in one than in another",
    )


def _from_hpylori(place: Path, study: HpyloriStudy, spelled: str) -> Study:
    """The published folders; a patient with crops is judged by these, as their choice does not follow the disease."""
    patches = study.patches
    if not patches:
        raise TableError(f"{place}: no image found that can be opened; copy the folders again from where they came")
    names = tuple(sorted({patch.patient for patch in patches}))
    numbers = {name: number for number, name in enumerate(names)}
    cropped = {patch.patient for patch in study.crops}
    crops = {patch.path for patch in study.crops}
    answers = tuple(study.patients.get(name) for name in names)
    judged = [_judges(patch, patch.path in crops, patch.patient in cropped) for patch in patches]
    problems = [*study.problems, *_crop_remark(answers, [name in cropped for name in names])]
    items = tuple(Item(source_of(patch.path), patient=patch.patient, label=patch.label) for patch in patches)
    return Study(
        items,
        np.array([numbers[patch.patient] for patch in patches], np.intp),
        names,
        answers,
        None,
        np.array([patch.augmented for patch in patches], bool),
        np.array(judged, bool),
        tuple(problems),
        spelled,
        profile="histology",
    )


def _judges(patch: Patch, is_crop: bool, has_crops: bool) -> bool:
    return not patch.augmented and (is_crop or not has_crops)


def _crop_remark(answers: Sequence[str | None], cropped: Sequence[bool]) -> list[str]:
    """A warning where the patches of negative and positive patients were chosen in different ways."""
    shares = []
    for positive in (False, True):
        group = [has for answer, has in zip(answers, cropped, strict=True) if answer and (answer != "NEG") == positive]
        shares.append(sum(group) / len(group) if group else 0.0)
    if abs(shares[0] - shares[1]) < 0.5:
        return []
    return [
        f"{shares[0]:.0%} of the negative and {shares[1]:.0%} of the positive patients have crops from the border of "
        "the tissue; the others are judged by their annotated patches, which were chosen in another way: figures of "
        "patients compare unlike things here"
    ]


def _from_cohort(place: Path, table: Path | None, layout: str | None, diagnoses: Path | None) -> Study:
    """Any layout or table."""
    cohort = read_cohort(place, table=table, layout=layout)
    items = tuple(item for item in cohort.items if item.patient)
    problems = [str(problem) for problem in cohort.problems] + list(cohort.remarks)
    problems += [note_sentence(note, "en") for note in cohort.notes if note.key in _TOLD]
    if not cohort.items:
        raise TableError(f"{place}: no image found that can be read; give a folder of images, or a table of them")
    if not items:
        raise TableError(f"{place}: no image names its patient; give a table with the columns file and patient")
    if len(items) < len(cohort):
        problems.append(f"{len(cohort) - len(items)} of {len(cohort)} images name no patient: left out")
    names = tuple(sorted({str(item.patient) for item in items}))
    numbers = {name: number for number, name in enumerate(names)}
    said = _diagnoses(place, diagnoses)
    answers = tuple(_answers(names, items, said))
    problems += [*_without_file(place), *_unmatched(names, answers, said), *_against(names, answers, items)]
    return Study(
        items,
        np.array([numbers[str(item.patient)] for item in items], np.intp),
        names,
        answers,
        _folds_of(names, items, place),
        np.array([_is_copy(item) for item in items], bool),
        np.array([not _is_copy(item) for item in items], bool),
        tuple(problems),
        cohort.layout,
    )


def _is_copy(item: Item) -> bool:
    return item.extra.get("augmented", "").lower() in {"yes", "true", "1"}


def _diagnoses(place: Path, named: Path | None) -> dict[str, str] | None:
    """What a table of patients says; None where there is none."""
    folder = place if place.is_dir() else place.parent
    table = named or next((folder / name for name in _DIAGNOSES if (folder / name).is_file()), None)
    if table is None:
        return None
    lines = lines_of(table)
    columns = list(lines[0]) if lines else []
    patient = next((name for name in _PATIENT_COLUMNS if name in columns), None)
    answer = next((name for name in _DIAGNOSIS_COLUMNS if name in columns), None)
    if patient is None or answer is None:
        raise TableError(
            f"{table}: has the columns {', '.join(columns) or 'none'}; expected patient and diagnosis (NEG, LOW, HIGH "
            "or negative, positive)"
        )
    found: dict[str, str] = {}
    for line in lines:
        word = _answer(line[answer], table)
        if line[patient] and word and found.setdefault(line[patient], word) != word:
            raise TableError(f"{table}: a patient has two different diagnoses; keep one row a patient")
    return found


def _answer(word: str, table: Path) -> str | None:
    """One of "NEG", "LOW", "HIGH", "POS"; None for an empty cell."""
    plain = word.strip().lower().removesuffix(".0")
    if not plain:
        return None
    if plain not in _SPELLED:
        raise TableError(f"{table}: the diagnosis {word[:40]!r} is none of NEG, LOW, HIGH, negative, positive")
    return _SPELLED[plain]


def _answers(names: Sequence[str], items: Sequence[Item], said: Mapping[str, str] | None) -> list[str | None]:
    """What each patient has."""
    if said is not None:
        return [said.get(name) for name in names]
    column = next((name for name in _OWN_DIAGNOSIS if any(item.extra.get(name) for item in items)), None)
    told: dict[str, set[str]] = {}
    labels: dict[str, set[Label | None]] = {}
    for item in items:
        name = str(item.patient)
        labels.setdefault(name, set()).add(item.label)
        word = _answer(item.extra.get(column, ""), Path("the table of images")) if column else None
        if word:
            told.setdefault(name, set()).add(word)
    if column and any(len(words) > 1 for words in told.values()):
        raise TableError(f"the column {column!r} gives a patient two different diagnoses; it must be one a patient")
    if column:
        return [next(iter(told[name])) if name in told else None for name in names]
    return [_from_labels(labels[name]) for name in names]


def _from_labels(labels: set[Label | None]) -> str | None:
    """Positive with one abnormal image, negative with healthy ones alone."""
    if "abnormal" in labels:
        return "POS"
    return NEGATIVE if labels == {"healthy"} else None


def _unmatched(names: Sequence[str], answers: Sequence[str | None], said: Mapping[str, str] | None) -> list[str]:
    """Patients without images, and images without a patient's diagnosis."""
    found = []
    bare = 0 if said is None else len(said.keys() - set(names))
    if bare:
        found.append(f"{bare} of {len(said or ())} patients with a diagnosis, but without any image")
    silent = sum(answer is None for answer in answers)
    if silent:
        found.append(f"{silent} of {len(names)} patients with images, but without a diagnosis: not counted as patients")
    return found


def _without_file(place: Path) -> list[str]:
    """Rows of a folder's own table whose files are not there: where the folder is read, they would pass in silence."""
    manifest = next(manifests_near(place), None) if place.is_dir() else None
    if manifest is None or manifest.parent != place.resolve():
        return []
    rows = read_table(manifest)
    missing = [row for row in rows if not row.file.exists()]
    if not missing:
        return []
    gone = {row.patient for row in missing} - {row.patient for row in rows if row.file.exists()}
    whole = f", of {len(gone)} patients every one" if gone - {None} else ""
    return [f"{len(missing)} of {len(rows)} images that {manifest.name} names are not there{whole}"]


def _against(names: Sequence[str], answers: Sequence[str | None], items: Sequence[Item]) -> list[str]:
    """Negative patients with an image that was called abnormal."""
    negative = {name for name, answer in zip(names, answers, strict=True) if answer == NEGATIVE}
    torn = len({item.patient for item in items if item.label == "abnormal" and item.patient in negative})
    return [f"{torn} of {len(negative)} negative patients have images labelled abnormal"] if torn else []


def _folds_of(names: Sequence[str], items: Sequence[Item], place: Path) -> tuple[str, ...] | None:
    """The fold that a column `fold` names for every patient; None without one."""
    told: dict[str, set[str]] = {}
    for item in items:
        told.setdefault(str(item.patient), set()).add(item.extra.get("fold", ""))
    if not any("" not in words for words in told.values()):
        return None
    torn = sum(len(words) > 1 or "" in words for words in told.values())
    if torn:
        raise TableError(
            f"{place}: the column 'fold' must name one fold for each patient; {torn} patients have none or several"
        )
    return tuple(next(iter(told[name])) for name in names)


def _number(label: Label | None) -> int:
    return -1 if label is None else int(label == "abnormal")


def as_cohort(study: Study) -> Cohort:
    """The scans as a cohort, for its fingerprint."""
    return Cohort(study.items, layout=study.layout)
