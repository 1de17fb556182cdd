"""A comparison as Markdown and as lines: every figure, and what is missing by name."""

from typing import Any

from halescan.workflows.comparison.table import markdown, rate_words, terminal_lines
from tests.reporting.compared import distorted, made


def strayed() -> dict[str, Any]:
    row = {"set": "busi", "method": "SomeNet", "metric": "auroc", "value": 0.9, "source": "doi", "note": ""}
    return {**made(1, 2), "published_elsewhere": [{**row, "line": 2}, {**row, "line": 4}]}


def test_published_figures_of_a_set_that_is_not_compared_are_named_by_their_lines() -> None:
    expected = "published figures, lines 2, 4: no set here is called 'busi' (there is set-0), so they are not shown"
    assert expected in terminal_lines(strayed())
    assert expected in markdown(strayed())
    assert not any("published" in line for line in terminal_lines(made(1, 2)))


def test_notes_of_published_figures_stand_in_the_table_where_there_are_any() -> None:
    record = made(1, 2)
    assert "| note" not in markdown(record)
    record["sets"][0]["published"][0]["note"] = "their own split"
    assert "their own split" in markdown(record)


def test_robustness_and_lesions_are_in_the_table_too() -> None:
    record = made(1, 2)
    assert "distorted" not in markdown(record)
    record["sets"][0]["robustness"] = distorted(["method-1", "healthy-atlas"])
    text = markdown(record)
    assert "| JPEG, quality" in text
    assert "0.800 (0.770–0.830)" in text
    assert "Share of 58 lesions found" in text
    assert "at 1/8" in text
    assert "at 8 |" not in text  # nobody makes so many false findings


def test_where_no_method_is_told_from_chance_both_say_so() -> None:
    record = made(1, 2)
    record["sets"][0]["above_chance"] = False
    assert any("no method is told from chance" in line for line in terminal_lines(record))
    assert "No method is told from chance" in markdown(record)
    assert "told from chance" not in markdown(made(1, 2))


def test_a_method_that_learned_from_abnormal_scans_too_is_marked_supervised() -> None:
    record = made(1, 2)
    record["methods"][1]["supervised"] = True
    assert "method-1 (supervised)" in markdown(record)
    assert any("method-1 (supervised)" in line for line in terminal_lines(record))
    assert "supervised" not in markdown(made(1, 2))


def test_a_method_that_ran_once_for_all_seeds_says_so() -> None:
    record = made(1, 2)
    record["sets"][0]["ranking"][0] |= {"same_in_every_seed": True, "seeds": 1}
    assert "1 (any)" in markdown(record)
    assert "same with every seed" in markdown(record)


def test_rates_are_written_as_people_say_them() -> None:
    assert [rate_words(rate) for rate in ("0.125", "0.5", "1", "8")] == ["1/8", "1/2", "1", "8"]
