"""Figures by group: each equals the figures of its cases alone."""

import numpy as np
import pytest

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.metrics import image_metrics
from halescan.evaluation.reliability import false_alarm_rate
from halescan.evaluation.subgroups import AGAINST, MISSING, parse_bands, subgroup_metrics, subgroup_rows
from halescan.evaluation.tables import markdown_table

FEW = {"draws": 100}
LABELS = np.arange(120) % 3 == 0
SCORES = np.random.default_rng(0).normal(size=120) + LABELS
SITES = [["oslo", "lyon"][number % 2] for number in range(120)]


def test_each_group_has_the_figures_of_its_cases_alone() -> None:
    above = SCORES > 1
    found = subgroup_metrics(LABELS, SCORES, SITES, decisions=above, **FEW)
    assert list(found) == ["lyon", "oslo"]
    chosen = np.array(SITES) == "oslo"
    alone = image_metrics(LABELS[chosen], SCORES[chosen], **FEW)
    assert found["oslo"]["auroc"] == alone["auroc"]
    assert found["oslo"]["false_alarms"] == false_alarm_rate(above[chosen & ~LABELS])
    assert found["oslo"]["sensitivity"]["value"] == pytest.approx(above[chosen & LABELS].mean())


def test_groups_hold_every_case_once() -> None:
    ages = [str(20 + number % 60) for number in range(120)]
    for column in (SITES, ages, [*ages[:100], *[""] * 20]):
        found = subgroup_metrics(LABELS, SCORES, column, **FEW)
        assert sum(group["n"]["images"] for group in found.values()) == 120


def test_numbers_are_cut_into_quartiles_or_the_bands_asked_for() -> None:
    ages = [str(number) for number in range(120)]
    assert [group["n"]["images"] for group in subgroup_metrics(LABELS, SCORES, ages, **FEW).values()] == [30] * 4
    given = subgroup_metrics(LABELS, SCORES, ages, bands=(18, 65), **FEW)
    assert {name: group["n"]["images"] for name, group in given.items()} == {
        "below 18": 18,
        "18 to below 65": 47,
        "65 and above": 55,
    }


def test_few_numbers_are_names_in_their_own_order() -> None:
    assert list(subgroup_metrics(LABELS, SCORES, [["10", "9"][n % 2] for n in range(120)], **FEW)) == ["9", "10"]


def test_dicom_ages_are_years() -> None:
    found = subgroup_metrics(LABELS, SCORES, [f"{number:03d}Y" for number in range(120)], bands=(40,), **FEW)
    assert list(found) == ["below 40", "40 and above"]


def test_cases_without_a_value_are_a_group_of_their_own_and_come_last() -> None:
    found = subgroup_metrics(LABELS, SCORES, [None, *SITES[1:]], **FEW)
    assert list(found)[-1] == MISSING
    assert found[MISSING]["auroc"]["why"] == "only abnormal cases"


def test_patients_stay_together_within_a_group() -> None:
    patients = [number // 2 for number in range(120)]
    found = subgroup_metrics(LABELS, SCORES, ["a"] * 120, groups=patients, decisions=SCORES > 1, **FEW)["a"]
    assert found["n"]["patients"] == 60
    assert found["auroc"] == image_metrics(LABELS, SCORES, groups=patients, **FEW)["auroc"]


def test_a_column_that_names_everybody_is_refused() -> None:
    with pytest.raises(SettingError, match="120 different words"):
        subgroup_metrics(LABELS, SCORES, [f"person{number}" for number in range(120)], **FEW)
    with pytest.raises(SettingError, match="holds words"):
        subgroup_metrics(LABELS, SCORES, SITES, bands=(3,), **FEW)
    with pytest.raises(ShapeError):
        subgroup_metrics(LABELS, SCORES, SITES[1:], **FEW)


@pytest.mark.parametrize(
    ("text", "meant"), [("Sex", ("sex", None)), ("age=40,60", ("age", (40.0, 60.0))), ("age=40", ("age", (40.0,)))]
)
def test_a_column_and_its_bands_are_one_word(text: str, meant: tuple) -> None:
    assert parse_bands(text) == meant


@pytest.mark.parametrize("text", ["age=", "age=60,40", "age=old", "age=40,40", "age=nan"])
def test_bands_that_do_not_rise_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="ascending"):
        parse_bands(text)


def test_groups_make_a_table() -> None:
    rows = subgroup_rows(subgroup_metrics(LABELS, SCORES, SITES, **FEW))
    table = markdown_table(rows, columns={"group": "site", "healthy": "healthy", "auroc": "AUROC"})
    assert "| lyon " in table


def test_a_column_said_of_abnormal_cases_only_holds_each_group_against_all_healthy_ones() -> None:
    causes = [(["virus", ""][number % 2] if ill else None) for number, ill in enumerate(LABELS)]
    found = subgroup_metrics(LABELS, SCORES, causes, decisions=SCORES > 1, **FEW)
    assert list(found) == ["virus", MISSING]
    chosen = ~LABELS | (np.array([cause or "" for cause in causes]) == "virus")
    assert found["virus"]["auroc"] == image_metrics(LABELS[chosen], SCORES[chosen], **FEW)["auroc"]
    assert found["virus"]["n"] == {"images": 100, "healthy": 80, "abnormal": 20}
    assert {group["against"] for group in found.values()} == {AGAINST}
    assert "false_alarms" not in found["virus"]


def test_a_column_that_one_healthy_case_has_too_keeps_the_groups_apart() -> None:
    sites = ["here" if ill or number == 1 else "" for number, ill in enumerate(LABELS)]
    found = subgroup_metrics(LABELS, SCORES, sites, **FEW)
    assert found["here"]["n"]["healthy"] == 1
    assert "against" not in found["here"]
