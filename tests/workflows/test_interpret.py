"""Interpreting: what waits together, and what a case's score stands for."""

from pathlib import Path

import numpy as np
import pytest

from halescan.data.prepare import prepare
from halescan.data.profiles import load_profile
from halescan.data.table import read_cohort
from halescan.synthesis.cohort import PhantomFolders
from halescan.types import Scan
from halescan.workflows import interpret
from halescan.workflows.cases import Opened, cases_of, open_item
from halescan.workflows.interpret import Read, case_result, level_of, measure_scans, place_back, together
from halescan.workflows.model import Model, load_model

SMALL = load_profile("lung-ct", {"size": [64, 64]})


def test_large_scans_do_not_wait_for_many_others(phantoms: PhantomFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = cases_of(read_cohort(phantoms.healthy))[:6]
    stream = [(case, [open_item(item, SMALL) for item in case.items]) for case in cases]
    assert [len(group) for group in together(stream)] == [6]
    monkeypatch.setattr(interpret, "HELD_BYTES", 1)
    assert [len(group) for group in together(stream)] == [1] * 6


def test_a_volume_of_slices_is_a_volume_and_two_views_of_a_study_are_images(model_folder: Path) -> None:
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


def _read(model: Model, pixels: np.ndarray) -> Read:
    """A noisy CT volume, measured."""
    scan = Scan(pixels.astype(np.float32), 3, (5.0, 1.0, 1.0), unit="HU", modality="CT")
    return measure_scans(model, [Opened(None, scan, tuple(prepare(scan, model.profile)))])[0]  # type: ignore[arg-type]


def test_what_the_method_saw_is_the_slice_that_is_shown(model_folder: Path) -> None:
    model = load_model(model_folder)
    read = _read(model, np.random.default_rng(0).normal(0, 300, (5, 70, 70)))
    found = case_result(model, [read], false_alarms=0.05).scans[0]
    assert found.findings
    assert found.key_slice == found.findings[0].peak_index[0]
    shown = next(image for image in read.images if image.slice_index == found.key_slice)
    assert found.shown is not None
    np.testing.assert_array_equal(found.shown, shown.image)


def test_a_map_strange_nearly_everywhere_is_noted_with_its_share(model_folder: Path) -> None:
    model = load_model(model_folder)
    read = _read(model, np.random.default_rng(0).normal(0, 900, (5, 70, 70)))
    result = case_result(model, [read], false_alarms=0.05)
    assert model.map_threshold is not None
    found = result.scans[0]
    assert found.map is not None
    assert found.mask is not None
    share = float((found.map[found.mask] >= model.map_threshold).mean())
    noted = [note.values["share"] for note in result.notes if note.key == "map-tells-little"]
    assert share > 1 / 3  # the regions have no p-value: the model knows images, and this is a volume
    assert noted == [pytest.approx(share)]
