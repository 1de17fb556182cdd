"""Folds of patients: every image of a patient on one side, and each kind of patient spread evenly."""

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np

from halescan.errors import SettingError


def deal_patients(patients: Sequence[str], kinds: Sequence[Hashable], *, folds: int, seed: int) -> np.ndarray:
    """The fold `(p,)` of each patient, 0 to folds - 1: grouped by patient and stratified by kind.

    Within a kind patients stand in the order of a hash of seed and name and are dealt in turn; the next kind goes on
    where the last one stopped. So no kind differs by more than one patient between two folds, nor do the folds in size.

    Args:
        patients: Names, each once.
        kinds: `(p,)` what is to be spread evenly, such as the diagnosis.

    Raises:
        SettingError: for fewer than two folds, fewer patients than folds, or a name that comes twice.
    """
    if len(patients) != len(kinds) or len(set(patients)) != len(patients):
        raise SettingError(f"{len(patients)} patients with {len(kinds)} kinds; expected each patient once, with one")
    if not 2 <= folds <= len(patients):
        raise SettingError(
            f"{len(patients)} patients cannot be dealt into {folds} folds; expected 2 to {len(patients)}"
        )
    order = sorted(range(len(patients)), key=lambda at: (str(kinds[at]), _number(seed, patients[at])))
    fold = np.empty(len(patients), np.intp)
    fold[order] = np.arange(len(patients)) % folds
    return fold


def _number(seed: int, patient: str) -> bytes:
    """What orders the patients of a kind."""
    return hashlib.sha256(f"{seed}\n{patient}".encode()).digest()
