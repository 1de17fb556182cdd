"""Shift: do the new scans look like those the model knows? Asked first, so that every report can say it."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from halescan.scoring.shift import Difference
from halescan.training.run import Progress
from halescan.workflows.cases import Case, Kept, opened
from halescan.workflows.healthy import embedding
from halescan.workflows.model import Model

LEAST = 20  # cases; below, a difference cannot be told from chance
MOST = 100  # cases looked at: enough to notice a medium effect, and a bounded price


def one_a_patient(cases: Sequence[Case]) -> list[Case]:
    """The first case of each patient, and every case of nobody in particular: scans of one person are one witness."""
    first: dict[str, Case] = {}
    for case in cases:
        first.setdefault(case.items[0].patient or case.key, case)
    return list(first.values())


def shift_of(
    model: Model, cases: Sequence[Case], *, jobs: int, kept: Kept, listen: Callable[[Progress], None]
) -> tuple[Difference, ...]:
    """In what these cases differ from the healthy reference; empty when there are fewer than 20 of them.

    Args:
        kept: Gets the cases that were read.
    """
    cases = one_a_patient(cases)
    if len(cases) < LEAST:
        return ()
    chosen = sorted(cases, key=lambda case: hashlib.sha256(case.key.encode()).digest())[:MOST]
    facts, views = [], []
    for number, (case, scans) in enumerate(opened(chosen, model.profile, jobs=jobs, detector=model.detector), 1):
        kept.put(case, scans)
        images = [image for scan in scans for image in scan.images]
        if images:
            facts.append(images[0].facts)
            views.append(embedding(np.stack([image.image for image in images])))
        listen(Progress("comparing with the reference", number, len(chosen)))
    if len(facts) < LEAST:
        return ()
    return model.healthy.reference.compare(facts, np.stack(views), least=LEAST).differences
