"""Patients: from slices to a case and from images to a patient, remembering which one a reader should look at first."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.scoring.pooling import How, pool_slices

PatientHow = Literal["mean", "max", "top", "share", "noisy-or"]


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
    scores: Sequence[float] | np.ndarray,
    patients: Sequence[Hashable],
    *,
    how: PatientHow = "max",
    share: float = 0.1,
    threshold: float | None = None,
) -> tuple[PatientScore, ...]:
    """One score a patient from the scores `(n,)` of their cases, slices or patches, in the order of first appearance.

    Neither the order of the images nor a copy of every one of them changes the mean, the largest, the share or, where
    the share takes whole images, the top; noisy-or grows with every image, as one is enough for it.

    Args:
        how: "mean", "max", "top" (the mean of the strangest `share`), "share" (the share of images above `threshold`)
            or "noisy-or" (the probability that any is positive, 1 - prod(1 - p), of probabilities p that are taken to
            be independent).
        share: In (0, 1], for "top".
        threshold: For "share".

    Raises:
        ShapeError: if scores and patients differ in number, or a score is not finite.
        SettingError: for another `how`, for "share" without a threshold, or "noisy-or" of what is no probability.
    """
    values = np.asarray(scores, np.float64)
    if values.shape != (len(patients),):
        raise ShapeError(f"{values.shape} scores for {len(patients)} patient entries; expected one each")
    _check_how(how, values, threshold)
    rows: dict[Hashable, list[int]] = {}
    for row, patient in enumerate(patients):
        rows.setdefault(patient, []).append(row)
    return tuple(
        PatientScore(patient, _pooled(values[own], how, share, threshold), own[int(np.argmax(values[own]))], tuple(own))
        for patient, own in rows.items()
    )


def _check_how(how: str, values: np.ndarray, threshold: float | None) -> None:
    if how not in get_args(PatientHow):
        raise SettingError(f"patients are pooled by one of {', '.join(get_args(PatientHow))}, got {how!r}")
    if how == "share" and (threshold is None or not np.isfinite(threshold)):
        raise SettingError('pooling by "share" counts the images above a threshold; give one')
    if how == "noisy-or" and values.size and not ((values >= 0) & (values <= 1)).all():
        raise SettingError('pooling by "noisy-or" takes probabilities in [0, 1]; these scores are none')


def _pooled(values: np.ndarray, how: PatientHow, share: float, threshold: float | None) -> float:
    """One number from the scores `(k,)` of one patient."""
    if how == "share":
        if not np.isfinite(values).all():
            raise ShapeError("a score is not finite; leave that image out")
        return float(np.mean(values > threshold))
    if how == "noisy-or":
        with np.errstate(divide="ignore"):  # a certain image makes a certain patient
            return float(-np.expm1(np.sort(np.log1p(-values)).sum()))
    return pool_slices(values, how=how, share=share)
