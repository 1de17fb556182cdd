"""Lesions and false findings against published worked examples and counting by hand."""

import numpy as np
import pytest

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.froc import RATES, LesionTally

FEW = {"draws": 100}


def tallied(cases: int = 40, seed: int = 0, *, repeat: int = 1, patients: bool = False) -> LesionTally:
    """Cases of which every other has lesions; the larger, the surer they are found."""
    random = np.random.default_rng(seed)
    rows = []
    for case in range(cases):
        sizes = random.uniform(2, 30, size=random.integers(1, 4) if case % 2 else 0)
        found = [None if random.random() > 0.3 + size / 45 else 1 + random.normal() for size in sizes]
        rows.append((sizes.tolist(), found, random.normal(size=random.poisson(1.5)).tolist()))
    tally = LesionTally()
    for _ in range(repeat):
        for case, (sizes, found, false) in enumerate(rows):
            tally.add(sizes=sizes, found=found, false=false, patient=case if patients else None)
    return tally


def by_hand(tally: LesionTally, rate: float) -> float:
    """Points at every threshold, read off with straight lines."""
    found, false = np.array(tally.found), np.array(tally.false)
    best = {0.0: 0.0}
    for threshold in sorted({*found[np.isfinite(found)], *false}, reverse=True):
        best[(false >= threshold).sum() / len(tally.patients)] = (found >= threshold).mean()
    left = max(across for across in best if across <= rate)
    if rate >= max(best):
        return best[left]
    right = min(across for across in best if across > rate)
    first_right = min(
        (found >= t).mean() for t in {*found, *false} if (false >= t).mean() * len(false) / len(tally.patients) == right
    )
    return best[left] + (first_right - best[left]) * (rate - left) / (right - left)


def test_the_worked_example_of_monai_and_camelyon_is_met() -> None:
    tally = LesionTally()  # their false findings 0.8 and 0.6, lesions 1, 1, 0.8, 0.8 of four, two images
    tally.add(sizes=[1, 1], found=[1.0, 1.0], false=[0.8])
    tally.add(sizes=[1, 1], found=[0.8, 0.8], false=[0.6])
    found = tally.figures(**FEW)["sensitivity_at"]
    assert found["0.25"]["value"] == pytest.approx(0.75, abs=1e-9)
    theirs = [found[rate]["value"] for rate in ("0.25", "0.5", "1", "2", "4", "8")]
    assert np.mean(theirs) == pytest.approx(0.9583333333333333, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_every_rate_equals_counting_by_hand(seed: int) -> None:
    tally = tallied(seed=seed)
    found = tally.figures(**FEW)
    for rate in RATES:
        assert found["sensitivity_at"][f"{rate:g}"]["value"] == pytest.approx(by_hand(tally, rate), abs=1e-9)
    score = np.mean([figure["value"] for figure in found["sensitivity_at"].values()])
    assert found["froc_score"]["value"] == pytest.approx(score, abs=1e-9)


def test_what_is_set_on_these_cases_is_marked_and_what_is_not_is_not() -> None:
    found = tallied().figures(**FEW)
    assert all(figure["optimistic"] for figure in found["sensitivity_at"].values())
    at = found["at_threshold"]
    assert "optimistic" not in at["sensitivity"]
    tally = tallied()
    assert at["sensitivity"]["value"] == np.isfinite(tally.found).mean()
    assert at["false_findings_per_case"]["value"] == len(tally.false) / 40


def test_a_rate_beyond_all_findings_is_told_from_one_that_is_reached() -> None:
    found = tallied().figures(**FEW)
    most = found["at_threshold"]["false_findings_per_case"]["value"]
    assert {float(rate): figure["reached"] for rate, figure in found["sensitivity_at"].items()} == {
        rate: rate <= most for rate in RATES
    }
    assert found["sensitivity_at"]["8"]["value"] == found["at_threshold"]["sensitivity"]["value"]


def test_large_lesions_are_told_from_small_ones() -> None:
    found = tallied(200).figures(**FEW)["by_size"]
    assert [band["lesions"] for band in found] == pytest.approx([band["lesions"] for band in found][:1] * 3, abs=1)
    assert found[0]["sensitivity_at"]["1"]["value"] < found[2]["sensitivity_at"]["1"]["value"]
    given = tallied(200).figures(bands=(5, 10, 400), **FEW)["by_size"]
    assert [(band["from"], band["to"]) for band in given] == [(None, 5), (5, 10), (10, 400), (400, None)]
    assert given[3]["sensitivity_at"]["1"]["why"] == "no lesion of this size"


def test_lesions_of_one_size_are_one_band() -> None:
    tally = LesionTally()
    for _ in range(3):
        tally.add(sizes=[4.0, 4.0], found=[1.0, None], false=[])
    (band,) = tally.figures(**FEW)["by_size"]
    assert (band["from"], band["to"], band["lesions"]) == (4.0, None, 6)


def test_a_monotone_change_and_another_order_change_nothing() -> None:
    first, turned = tallied(), LesionTally()
    for case in reversed(range(40)):
        lesions = [n for n, number in enumerate(first.lesion_case) if number == case]
        turned.add(
            sizes=[first.sizes[n] for n in lesions],
            found=[np.exp(first.found[n]) if np.isfinite(first.found[n]) else None for n in lesions],
            false=np.exp([s for s, number in zip(first.false, first.false_case, strict=True) if number == case]),
        )
    for rate, figure in first.figures(**FEW)["sensitivity_at"].items():
        assert turned.figures(**FEW)["sensitivity_at"][rate]["value"] == pytest.approx(figure["value"], abs=1e-9)


def test_repeating_every_patients_cases_does_not_narrow_the_interval() -> None:
    once, tenfold = tallied().figures(), tallied(repeat=10, patients=True).figures()
    loose = tallied(repeat=10).figures()
    widths = [found["froc_score"]["high"] - found["froc_score"]["low"] for found in (once, tenfold, loose)]
    assert widths[1] == pytest.approx(widths[0], rel=0.15)
    assert widths[2] < 0.5 * widths[0]


def test_without_lesions_nothing_is_told_and_the_reason_is() -> None:
    healthy = LesionTally()
    healthy.add(sizes=[], found=[], false=[0.5])
    for tally, why in ((LesionTally(), "no cases"), (healthy, "no lesions")):
        found = tally.figures(**FEW)
        assert found["sensitivity_at"]["1"] == {
            "value": None,
            "low": None,
            "high": None,
            "why": why,
            "optimistic": True,
        }
        assert found["curve"] is None


def test_a_single_patient_has_a_value_but_no_interval() -> None:
    alone = LesionTally()
    alone.add(sizes=[3], found=[None], false=[])
    figure = alone.figures(**FEW)["froc_score"]
    assert (figure["value"], figure["low"]) == (0, None)
    assert "fewer than two patients" in figure["why"]


def test_one_threshold_for_all_gives_two_points() -> None:
    tally = LesionTally()
    for _ in range(4):
        tally.add(sizes=[1], found=[1.0], false=[1.0])
    assert tally.figures(**FEW)["curve"] == {"false_findings_per_case": [0, 1], "sensitivity": [0, 1]}


def test_broken_findings_are_refused() -> None:
    with pytest.raises(ShapeError):
        LesionTally().add(sizes=[1], found=[], false=[])
    with pytest.raises(SettingError, match="finite"):
        LesionTally().add(sizes=[], found=[], false=[np.nan])
