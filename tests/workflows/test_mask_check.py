"""Masks against labels: every contradiction has a name, a count and a sentence."""

from pathlib import Path

import numpy as np
import pytest

from halescan.data.table import Cohort, Item
from halescan.io import Source
from halescan.workflows.mask_check import MaskFaults, fault_of, mask_sentences, spare_masks

DRAWN, EMPTY = np.ones((4, 4), bool), np.zeros((4, 4), bool)


def scan(label: str | None, path: str = "/data/test/abnormal/1.png") -> Item:
    return Item(Source(Path(path), "raster", (Path(path),)), label=label)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("label", "drawn", "fault"),
    [
        ("healthy", None, None),
        ("healthy", EMPTY, None),
        ("healthy", DRAWN, "healthy_drawn"),
        ("abnormal", None, "abnormal_without"),
        ("abnormal", EMPTY, "abnormal_empty"),
        ("abnormal", DRAWN, None),
        (None, DRAWN, None),
    ],
)
def test_a_mask_fits_its_label_or_its_fault_has_a_name(label: str | None, drawn: np.ndarray, fault: str | None) -> None:
    assert fault_of(scan(label), drawn) == fault


def test_each_fault_is_one_sentence_with_its_count_and_names() -> None:
    faults = MaskFaults()
    for fault in ("abnormal_without", "abnormal_without", None):
        faults.note(scan("abnormal"), fault)  # type: ignore[arg-type]
    counts = faults.record(spare=1)
    spare, without = mask_sentences(counts, {**faults.names, "spare": ["masks/x.png"]})
    assert spare.startswith("1 mask belongs to no scan (masks/x.png)")
    assert without.startswith("2 of 3 abnormal scans have no mask")
    assert without.endswith("(abnormal/1.png, abnormal/1.png)")
    assert mask_sentences(None) == []


def test_a_spare_mask_of_another_part_is_not_told() -> None:
    masks = tuple(Path(f"/data/{part}/masks/x.png") for part in ("train", "test"))
    assert spare_masks(Cohort((scan("abnormal"),), spare_masks=masks)) == ["masks/x.png"]
