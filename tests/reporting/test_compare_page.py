"""The page of a comparison: everything inside, nothing hidden, light."""

import re
from typing import Any

import pytest

from halescan.reporting.compare_page import figure, render_compare_page, seconds, seeds_text
from tests.reporting.compared import made, made_curves


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
    assert "Worst misses of method-1" in text
    assert "rank 9 of 10, p = 0.900, below the threshold" in text


def test_a_name_from_outside_cannot_break_the_page() -> None:
    record = made(1, 2)
    record["sets"][0]["published"][0]["method"] = "<script>alert(1)</script>"
    assert "<script>" not in page(record)


def test_figures_are_written_with_what_is_known_of_them() -> None:
    assert figure({"value": 0.9, "low": 0.85, "high": 0.95}) == "0.900 (0.850–0.950)"
    assert figure({"value": 0.9, "low": None, "high": None}) == "0.900"
    assert figure(None) == figure({"value": None}) == "–"
    assert seeds_text({"seeds": {"count": 3, "sd": 0.0041}}) == "3 (SD 0.004)"
    assert seeds_text({"seeds": {"count": 1, "sd": None}}) == "1"
    assert (seconds(None), seconds(3.21), seconds(1234.5)) == ("–", "3.2", "1,234")
