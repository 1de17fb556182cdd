"""Lesions and findings matched on small maps where everything can be counted by eye."""

import numpy as np
import pytest

from halescan.workflows.lesions import CaseLesions, LesionCounts


def made() -> tuple[np.ndarray, np.ndarray]:
    """Two lesions; a finding on the first (peak outside it), one beside both."""
    truth, strangeness = np.zeros((30, 30), bool), np.zeros((30, 30))
    truth[2:8, 2:8] = truth[20:24, 20:24] = True
    strangeness[6:12, 6:12] = 2
    strangeness[10, 10] = 5
    strangeness[2:4, 25:28] = 3
    return strangeness, truth


def record_of(*cases: CaseLesions) -> dict:
    counts = LesionCounts()
    for number, case in enumerate(cases):
        counts.add(case, patient=number)
    return counts.record(draws=100)


def test_a_finding_that_overlaps_hits_and_one_whose_peak_lies_beside_hits_by_overlap_alone() -> None:
    case = CaseLesions()
    case.add(*made(), threshold=1.0)
    assert case.overlap.found == [5.0, None]
    assert case.overlap.false == [3.0]
    assert case.peak.found == [None, None]
    assert sorted(case.peak.false) == [3.0, 5.0]


def test_sizes_are_longest_diameters_in_the_unit_that_is_known() -> None:
    case = CaseLesions()
    case.add(*made(), threshold=1.0, spacing_mm=(0.5, 0.5))
    assert case.sizes_mm == pytest.approx([(5 * np.sqrt(2) + 1) / 2, (3 * np.sqrt(2) + 1) / 2])
    assert record_of(case)["size_unit"] == "mm"
    unknown = CaseLesions()
    unknown.add(*made(), threshold=1.0)
    mixed = record_of(case, unknown)
    assert mixed["size_unit"] == "pixels"
    assert mixed["lesions"] == 4


def test_specks_and_places_outside_the_mask_are_no_findings() -> None:
    strangeness, truth = made()
    case = CaseLesions()
    case.add(strangeness, truth, threshold=1.0, min_diameter_px=5)
    assert case.overlap.false == []
    inside = np.zeros(truth.shape, bool)
    inside[:, :15] = True
    masked = CaseLesions()
    masked.add(strangeness, truth, threshold=1.0, mask=inside)
    assert masked.overlap.false == []
    assert masked.overlap.found == [5.0, None]


def test_a_finding_as_large_as_the_scan_hits_everything_and_the_record_says_what_it_covers() -> None:
    _, truth = made()
    flooded = np.ones(truth.shape)
    flooded[0, 0] = 2
    case = CaseLesions()
    case.add(flooded, truth, threshold=0.5)
    found = record_of(case)
    assert found["sensitivity_at"]["0.125"]["value"] == 1
    assert found["covered"] == 1
    assert found["by_peak"]["sensitivity_at"]["0.125"]["value"] == 0


def test_the_best_of_several_findings_on_a_lesion_counts_and_none_of_them_is_false() -> None:
    truth = np.zeros((20, 20), bool)
    truth[5:15, 5:15] = True
    strangeness = np.zeros((20, 20))
    strangeness[6, 6], strangeness[12, 12] = 2, 4
    case = CaseLesions()
    case.add(strangeness, truth, threshold=1.0)
    assert case.overlap.found == [4.0]
    assert case.overlap.false == case.peak.false == []


def test_a_healthy_volume_has_false_findings_only() -> None:
    strangeness = np.zeros((5, 10, 10))
    strangeness[2, 3:6, 3:6] = 2
    case = CaseLesions()
    case.add(strangeness, np.zeros(strangeness.shape, bool), threshold=1.0, spacing_mm=(2.0, 1.0, 1.0))
    found = record_of(case)
    assert (found["cases"], found["lesions"], found["false_findings"]) == (1, 0, 1)
    assert found["froc_score"]["why"] == "no lesions"
