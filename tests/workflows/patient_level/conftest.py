"""A cohort that is judged."""

import numpy as np
import pytest

from halescan.workflows.patient_level.study import Patches, Study
from tests.workflows.patient_level.made_answers import FOLDS, patches_for, study_of


@pytest.fixture
def cohort() -> tuple[Study, Patches, np.ndarray, np.ndarray]:
    """Thirty negative, fifteen low, fifteen high patients in five folds; the last is which patch is abnormal."""
    answers = ["NEG", "NEG", "LOW", "HIGH"] * 15
    patches = patches_for(answers)
    return study_of(answers), patches, np.arange(60) // 4 % FOLDS, patches.own == 1
