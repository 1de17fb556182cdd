"""A judged study: what was known of its patches and patients, and every method's word on them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from halescan.workflows.patient_level.decide import Judgement
from halescan.workflows.patient_level.study import Patches, Study


@dataclass(frozen=True, eq=False)
class JudgedStudy:
    """All that is told of a study.

    Args:
        names: `(patients,)` the keyed case name of each.
        fold: `(patients,)`.
        methods: What was learned.
        baselines: What numbers say with which nothing was learned, judged as the methods are.
        problems: What does not fit together, for the owner of the files.
        notes: What was done another way.
    """

    study: Study
    names: tuple[str, ...]
    patches: Patches
    fold: np.ndarray
    methods: Mapping[str, Judgement]
    baselines: Mapping[str, Judgement]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def every(self) -> dict[str, Judgement]:
        """Baselines and methods, as the pages show them."""
        return {**self.baselines, **self.methods}

    @property
    def leading(self) -> str:
        """The method that orders patients and patches in the reports: the last, which knows most."""
        return list(self.methods)[-1]
