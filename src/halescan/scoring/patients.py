"""Patients: from slices to a case and from cases to a patient, remembering which one a reader should look at first."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from halescan.errors import ShapeError
from halescan.scoring.pooling import How, pool_slices


@dataclass(frozen=True, eq=False)
class CaseScore:
    """A volume read slice by slice.

    Args:
        score: The pooled score.
        key_slice: Number of the strangest slice in the volume, 0-based.
        slice_scores: `(z,)`; NaN for a slice that was skipped: nothing on it was examined.
    """

    score: float
    key_slice: int
    slice_scores: np.ndarray


@dataclass(frozen=True)
class PatientScore:
    """A patient's cases, pooled. `key_case` and `cases` are row numbers of what was handed in."""

    patient: Hashable = field(repr=False)
    score: float
    key_case: int
    cases: tuple[int, ...]


def case_from_slices(
    scores: Sequence[float] | np.ndarray,
    *,
    how: How,
    share: float = 0.1,
    indices: Sequence[int] | None = None,
    depth: int | None = None,
) -> CaseScore:
    """Pool the slices of one volume.

    Args:
        scores: `(k,)` of the slices that were read.
        how: "mean", "max" or "top", as `pool_slices`.
        share: Of the slices, for "top".
        indices: `(k,)` where those slices stand in the volume; None: all slices in order.
        depth: Number of slices of the volume; None: as many as were read.

    Raises:
        ShapeError: if scores, indices and depth do not belong together.
    """
    values = np.asarray(scores, np.float64)
    where = np.arange(values.size) if indices is None else np.asarray(indices, np.intp)
    total = int(where.max(initial=-1)) + 1 if depth is None else depth
    score = pool_slices(values, how=how, share=share)
    if where.shape != values.shape or len(set(where.tolist())) != where.size or where.min() < 0 or where.max() >= total:
        raise ShapeError(f"{values.size} slice scores for {where.size} places in a volume of {total} slices")
    whole = np.full(total, np.nan)
    whole[where] = values
    return CaseScore(score, int(where[np.argmax(values)]), whole)


def pool_patients(
    scores: Sequence[float] | np.ndarray, patients: Sequence[Hashable], *, how: How = "max", share: float = 0.1
) -> tuple[PatientScore, ...]:
    """One score a patient from the scores of the cases `(n,)`, patients in the order in which they first appear.

    Raises:
        ShapeError: if scores and patients differ in number, or a score is not finite.
    """
    values = np.asarray(scores, np.float64)
    if values.shape != (len(patients),):
        raise ShapeError(f"{values.shape} scores for {len(patients)} patient entries; expected one each")
    rows: dict[Hashable, list[int]] = {}
    for row, patient in enumerate(patients):
        rows.setdefault(patient, []).append(row)
    return tuple(
        PatientScore(
            patient, pool_slices(values[own], how=how, share=share), own[int(np.argmax(values[own]))], tuple(own)
        )
        for patient, own in rows.items()
    )
