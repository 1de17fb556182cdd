"""The page of a comparison: everything inside, nothing hidden, light."""

import re
from typing import Any

import pytest

from halescan.reporting.compare_page import render_compare_page
from tests.reporting.compared import distorted, made, made_curves


def page(record: dict[str, Any], **more: Any) -> str:
    return render_compare_page(record, curves=made_curves(record), pictures=more.get("pictures", {}))


@pytest.mark.parametrize(("sets", "methods"), [(1, 1), (1, 2), (3, 5), (5, 25)])
def test_it_needs_nothing_else_and_stays_light(sets: int, methods: int) -> None:
    text = page(made(sets, methods))
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert "<script" not in text
    assert len(text) < 1_500_000
    for number in range(1, methods + 1):
        assert f"method-{number}" in text


def test_what_scans_differ_in_is_told_in_words() -> None:
    record = made(1, 3)
    record["sets"][0]["differs_from_reference"] = ["mask_share"]
    assert "(how much of the picture the examined body part fills)" in page(record)


def test_a_failed_method_stays_in_the_table_with_its_sentence() -> None:
    assert "failed: not enough memory; use smaller images" in page(made(1, 3))


def test_warnings_stand_at_the_head_of_the_page_in_red() -> None:
    text = page(made(2, 3))
    assert 'class="warn"' in text
    assert text.index("3 patients are in training and test alike") < text.index("Ranking")


def test_published_figures_are_marked_with_their_source_and_split() -> None:
    text = page(made(1, 2))
    row = text[text.index("SomeNet") :][:400]
    assert "[published]" in row
    assert "another split" in row
    assert "doi:10.0000/none" in row


def test_a_set_where_nothing_came_through_has_a_page_too() -> None:
    record = made(1, 2)
    for line in record["sets"][0]["ranking"]:
        line |= dict.fromkeys(("rank", "auroc", "average_precision", "cost", "versus_best", "false_alarms"))
        line |= {"state": "failed", "why": "it broke", "sensitivity_at": {}}
    record["sets"][0] |= {"n": None, "baselines": []}
    assert "no method came through" in render_compare_page(record, curves={}, pictures={})


def test_pictures_lie_inside_the_page() -> None:
    told = {"kind": "miss", "bytes": b"\xff\xd8", "rank": 9, "of": 10, "p_value": 0.9, "decision": "not-above"}
    text = page(made(1, 2), pictures={"set-0": {"method": "method-1", "pictures": [told]}})
    assert "Abnormal cases that method-1 finds least strange" in text
    assert "Worst" not in text
    assert "rank 9 of 10, p = 0.900, below the threshold" in text


def test_a_name_from_outside_cannot_break_the_page() -> None:
    record = made(1, 2)
    record["sets"][0]["published"][0]["method"] = "<script>alert(1)</script>"
    assert "<script>" not in page(record)


def test_a_method_that_learned_from_abnormal_scans_too_is_marked_supervised() -> None:
    plain = made(1, 2)
    assert "(supervised)" not in page(plain)
    marked = {**plain, "methods": [{**one, "supervised": True} for one in plain["methods"]]}
    text = page(marked)
    assert "(supervised)" in text
    assert "but for those marked supervised" in text


def test_title_and_heading_count_the_methods_alike_and_leave_the_baseline_out() -> None:
    text = page(made(1, 3))
    assert "<title>Comparison of 3 anomaly detection methods on set-0 · Halescan</title>" in text
    assert "<h1>Comparison of 3 anomaly detection methods on set-0</h1>" in text


def test_pictures_of_another_method_than_the_first_say_why_it_is_this_one() -> None:
    told = {"kind": "false-alarm", "bytes": b"\xff\xd8", "rank": 9, "of": 10, "p_value": 0.9, "decision": "not-above"}
    text = page(made(1, 2), pictures={"set-0": {"method": "healthy-atlas", "pictures": [told]}})
    assert "the best that is no baseline" not in text
    record = made(1, 2, seeds=1)
    first, second = record["sets"][0]["ranking"][:2]
    first["rank"], second["rank"] = 2, 1
    text = page(record, pictures={"set-0": {"method": "method-1", "pictures": [told]}})
    assert "Of method-1, the best that is no baseline." in text


def test_where_no_method_is_told_from_chance_none_leads() -> None:
    record = made(1, 2)
    record["sets"][0]["above_chance"] = False
    text = page(record)
    assert "set-0: no method is told from chance; the highest is method-1" in text
    assert "leads" not in text
    assert 'class="best"' not in text
    assert "set-0: method-1 leads with" in page(made(1, 2))


def test_each_distortion_begins_with_the_undistorted_scans_at_the_left_and_names_its_unit() -> None:
    record = made(1, 2)
    record["sets"][0]["robustness"] = distorted(["method-1", "healthy-atlas"])
    text = page(record)
    drawing = text[text.index("<h4>JPEG: AUROC</h4>") :].split("</figure>")[0]
    ticks = {words: float(x) for x, words in re.findall(r'<text x="([\d.]+)"[^>]*>(100|50|10)</text>', drawing)}
    assert ticks["100"] < ticks["50"] < ticks["10"]
    assert ">quality</text>" in drawing
    assert drawing.count('fill="#ffffff"') == 2  # a ring a method, on the undistorted scans
    assert text.index('<div class="legend">', text.index("Robustness")) < text.index("<h4>JPEG: AUROC</h4>")


def test_lesions_and_the_test_of_the_p_values_have_their_columns_where_there_are_masks() -> None:
    text = page(made(1, 2))
    assert "0.21 (0.18–0.24)" in text  # false findings a case
    assert "Lesion by lesion" in text
    assert "Lesion by lesion" not in page(made(1, 2, masks=False))
    assert "p = 0.300" in text


def test_p_values_that_break_their_promise_say_in_which_direction_and_few_say_nothing() -> None:
    record = made(1, 2)
    told = record["sets"][0]["ranking"][0]["reliability"]
    told["p_value"] = 0.01
    assert "p = 0.010, too many alarms" in page(record)
    told["tested"] = 12
    assert "too few to tell (12)" in page(record)


def test_a_method_that_gives_the_same_with_every_seed_says_so() -> None:
    record = made(1, 2)
    assert "ran once" not in page(record)
    record["sets"][0]["ranking"][0]["same_in_every_seed"] = True
    text = page(record)
    assert "ran once" in text
    assert "method-1 0, which stands for any" in text


def test_trivial_statistics_say_that_they_are_of_prepared_scans() -> None:
    text = page(made(1, 2))
    assert "strange either way" in text
    assert "as the profile prepares them" in text


def test_patient_figures_say_how_many_patients_they_rest_on_and_that_they_are_too_few() -> None:
    record = made(1, 2)
    assert "(10 healthy, 30 abnormal)" in page(record)
    assert "too few of a class" not in page(record)
    record["sets"][0]["n"] |= {"patients": 42, "patients_with_abnormal": 40}
    for line in record["sets"][0]["ranking"]:
        line["patient_auroc"] = {"value": 0.55, "low": None, "high": None, "why": "few"}
    assert "2 healthy patients and 40 abnormal patients, too few of a class for an interval" in page(record)


def test_groups_of_a_finding_are_said_to_stand_against_all_healthy_cases() -> None:
    record = made(1, 2)
    group = {"n": {"healthy": 9, "abnormal": 5}, "auroc": {"value": 0.7, "low": 0.6, "high": 0.8}}
    told = {"virus": {**group, "against": "all healthy cases"}}
    record["sets"][0]["subgroups"] = {"method": "method-1", "columns": {"cause": told}}
    assert "cause is said of abnormal cases only: each group stands against all healthy cases" in page(record)
