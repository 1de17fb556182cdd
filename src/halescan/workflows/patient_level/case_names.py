"""Case names: how problems are told without a patient's name, and where it is noted which patient each case is."""

import re
from collections.abc import Sequence
from pathlib import Path

from halescan.io import Problem
from halescan.io.identity import case_name, remember
from halescan.types import Identity
from halescan.workflows.patient_level.study import Study


def case_names(study: Study) -> list[str]:
    """`(patients,)` the keyed case name of each."""
    return [case_name(f"patient:{name}") for name in study.names]


def unnamed(problem: Problem, study: Study, names: Sequence[str]) -> str:
    """A problem with the patient's case name where the file, or a folder it lies in, has the patient's own."""
    for item, patient in zip(study.items, study.patient_of, strict=True):
        if item.source.path == problem.path:
            own = re.compile(re.escape(study.names[int(patient)]), re.IGNORECASE)
            place = own.sub(names[int(patient)], str(Path(*problem.path.parts[-3:])))
            return problem.message.replace(str(problem.path), place)
    return problem.message


def without_files(problems: Sequence[str]) -> list[str]:
    """The problems as they may travel: a file that could not be read is counted, not named."""
    words = [problem for problem in problems if "/" not in problem and "\\" not in problem]
    files = len(problems) - len(words)
    return [*words, *([f"{files} file{'s' * (files != 1)} could not be used"] if files else [])]


def remember_patients(study: Study, names: Sequence[str]) -> None:
    """Note which patient each case is, once a patient, with the folder of the first scan."""
    first: dict[int, Path] = {}
    for item, patient in zip(study.items, study.patient_of, strict=True):
        first.setdefault(int(patient), item.source.path.parent)
    for at, folder in first.items():
        remember(names[at], Identity(patient=study.names[at]), source=folder)
