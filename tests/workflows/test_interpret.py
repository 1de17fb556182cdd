"""Interpreting: what waits together, and what a case's score stands for."""

from pathlib import Path

import numpy as np
import pytest

from halescan.data.profiles import load_profile
from halescan.data.table import read_cohort
from halescan.synthesis.cohort import PhantomFolders
from halescan.types import Scan
from halescan.workflows import interpret
from halescan.workflows.cases import Opened, cases_of, open_item
from halescan.workflows.interpret import level_of, measure_scans, place_back, together
from halescan.workflows.model import load_model

SMALL = load_profile("lung-ct", {"size": [64, 64]})


def test_large_scans_do_not_wait_for_many_others(phantoms: PhantomFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = cases_of(read_cohort(phantoms.healthy))[:6]
    stream = [(case, [open_item(item, SMALL) for item in case.items]) for case in cases]
    assert [len(group) for group in together(stream)] == [6]
    monkeypatch.setattr(interpret, "HELD_BYTES", 1)
    assert [len(group) for group in together(stream)] == [1] * 6


def test_a_volume_of_slices_is_a_volume_and_two_views_of_a_study_are_images(model_folder: Path) -> None:
    from halescan.data.prepare import prepare

    model = load_model(model_folder)
    rng = np.random.default_rng(0)
    item = None
    volume = Scan(rng.normal(0, 300, (4, 70, 70)).astype(np.float32), 3, (5.0, 1.0, 1.0), unit="HU", modality="CT")
    view = Scan(rng.normal(0, 300, (70, 70)).astype(np.float32), 2, (1.0, 1.0), unit="HU", modality="CT")
    read = [
        measure_scans(model, [Opened(item, scan, tuple(prepare(scan, model.profile)))])[0]  # type: ignore[arg-type]
        for scan in (volume, view, view)
    ]
    assert level_of(read[:1]) == "volume"
    assert level_of(read[1:]) == "image"
    strangeness, mask = place_back(read[0])
    assert strangeness is not None
    assert strangeness.shape == mask.shape == volume.shape
