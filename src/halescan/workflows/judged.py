"""Judged: what an evaluation gathers while labelled cases pass, whoever gave their scores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from halescan.data.table import Cohort, read_cohort
from halescan.errors import SettingError, TableError
from halescan.evaluation.pixels import PixelTally
from halescan.evaluation.subgroups import check_groups, parse_bands
from halescan.types import Label
from halescan.workflows.cases import Case, case_keys, cases_of
from halescan.workflows.healthy import unreadable
from halescan.workflows.lesions import CaseLesions, LesionCounts
from halescan.workflows.mask_check import MaskFaults
from halescan.workflows.scan_names import shown_scan

TEST_FIRST = ("test", "valid")  # parts of a data set that are evaluated where none is named


@dataclass(frozen=True, eq=False)
class Mapped:
    """A map on its scan's voxels `(*grid)`, where the scan is abnormal, and where the method looked."""

    strangeness: np.ndarray
    truth: np.ndarray
    mask: np.ndarray | None = None
    spacing_mm: tuple[float, ...] | None = None


@dataclass
class Judged:
    """One entry a case in every list.

    Args:
        trivial: Trivial statistics of each case.
        p_values: None where nobody gave one.
        decisions: "above", "not-above" or "withheld".
        pixels: The maps, counted.
        lesions: The same lesion by lesion; only cases with maps.
        threshold: Score above which the decision is "above"; None where it was withheld.
        by_rate: Whether the decisions follow from an asked false-alarm rate, and not from a threshold or from decisions
            that somebody brought.
        masks: Scans with a map whose mask does not fit their label.
        left_out: Labels of the scans that could not be judged.
    """

    pixels: PixelTally
    cases: list[Case] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    p_values: list[float | None] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    trivial: list[dict[str, float]] = field(default_factory=list)
    lesions: LesionCounts = field(default_factory=LesionCounts)
    problems: list[str] = field(default_factory=list)
    threshold: float | None = None
    by_rate: bool = True
    masks: MaskFaults = field(default_factory=MaskFaults)
    left_out: list[Label | None] = field(default_factory=list)

    @property
    def labels(self) -> np.ndarray:
        """`(cases,)` True is abnormal."""
        return np.array([label_of(case) == "abnormal" for case in self.cases], bool)

    @property
    def patients(self) -> list[str | None]:
        """`(cases,)` None where nobody says."""
        return [patient_of(case) for case in self.cases]

    @property
    def groups(self) -> list[str | None] | None:
        """Patients for the bootstrap; None, each case one of its own, where any is unknown."""
        patients = self.patients
        return patients if all(patients) else None

    @property
    def above(self) -> np.ndarray | None:
        """`(cases,)` whether each lies above the threshold; None where a decision was withheld."""
        if "withheld" in self.decisions:
            return None
        return np.array([decision == "above" for decision in self.decisions], bool)

    @property
    def outlined(self) -> bool:
        """Whether anybody has drawn where any scan is abnormal."""
        return any(item.outlined for case in self.cases for item in case.items)

    def unit(self, case: Case) -> str:
        """What is redrawn together: the patient, or the case where nobody says."""
        return patient_of(case) or case.key

    def count_maps(
        self,
        case: Case,
        maps: Iterable[Mapped],
        *,
        threshold: float | None,
        min_diameter_mm: float = 0.0,
        min_diameter_px: float = 0.0,
    ) -> None:
        """Count the maps of the next case, pixel by pixel and, with a threshold for findings, lesion by lesion."""
        lesions = CaseLesions()
        for one in maps:
            self.pixels.add(one.strangeness, one.truth, patient=self.unit(case))
            if threshold is not None:
                lesions.add(
                    one.strangeness,
                    one.truth,
                    threshold=threshold,
                    mask=one.mask,
                    spacing_mm=one.spacing_mm,
                    min_diameter_mm=min_diameter_mm,
                    min_diameter_px=min_diameter_px,
                )
        if lesions.covered:
            self.lesions.add(lesions, patient=self.unit(case))

    def add(self, case: Case, *, score: float, p_value: float | None, decision: str, trivial: dict[str, float]) -> None:
        """Keep what is known of one case."""
        if {"healthy", "abnormal"} <= {item.label for item in case.items}:
            name = shown_scan(case.items[0].source)
            self.problems.append(f"{name}: scans of its study are labelled healthy and abnormal; it counts as abnormal")
        self.cases.append(case)
        self.scores.append(score)
        self.p_values.append(p_value)
        self.decisions.append(decision)
        self.trivial.append(trivial)

    def column(self, name: str) -> list[str | None]:
        """`(cases,)` what the table says of each case in a column."""
        return _column(self.cases, name)


def labelled(test: Path, *, table: Path | None, split: str | None, layout: str | None) -> Cohort:
    """The scans of the cases with a label: as in `examine`, all scans of a study have their say.

    Raises:
        TableError: if no scan has one.
        LayoutError: if the data set has parts, and none is for testing.
    """
    cohort = read_cohort(test, table=table, layout=layout, split=split, prefer=TEST_FIRST)
    keys = case_keys(cohort)
    known = {key for key, item in zip(keys, cohort.items, strict=True) if item.label is not None}
    if not known:
        raise TableError(
            f"{test}: no scan has a label{unreadable(cohort)}. Put them into healthy/ and abnormal/, or give a table "
            "with a label column"
        )
    return replace(cohort, items=tuple(item for key, item in zip(keys, cohort.items, strict=True) if key in known))


def check_columns(cohort: Cohort, by: Iterable[str]) -> None:
    """Refuse columns that no scan has, or that make no groups, before anything is measured.

    Args:
        by: Columns, perhaps with bands: `sex`, `age=40,60`.

    Raises:
        SettingError: naming the column, and those there are.
    """
    known = {key for item in cohort.items for key in item.extra}
    cases = cases_of(cohort)
    for name, bands in map(parse_bands, by):
        if name not in known:
            there = f"there are {', '.join(sorted(known))}" if known else "the table has no further column"
            raise SettingError(f"no scan has a column {name!r}; {there}")
        try:
            check_groups(_column(cases, name), bands)
        except SettingError as error:
            raise SettingError(f"column {name!r}: {error}") from error


def label_of(case: Case) -> Label:
    """A case is abnormal if one of its scans is."""
    return "abnormal" if any(item.label == "abnormal" for item in case.items) else "healthy"


def _column(cases: Sequence[Case], name: str) -> list[str | None]:
    """`(cases,)` what the table says of each case in a column."""
    return [next((item.extra[name] for item in case.items if item.extra.get(name)), None) for case in cases]


def patient_of(case: Case) -> str | None:
    """The patient of a case, where a scan of it names one."""
    return next((item.patient for item in case.items if item.patient), None)


def drawn_part(values: Sequence[str | None] | None, chosen: np.ndarray) -> list[str | None] | None:
    """The patients of some cases."""
    return None if values is None else [value for value, taken in zip(values, chosen, strict=True) if taken]
