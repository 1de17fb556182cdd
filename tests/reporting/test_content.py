"""What a report says."""

from dataclasses import replace

import pytest

from halescan.errors import SettingError
from halescan.reporting.content import MOST_SCANS, build_content
from halescan.types import Note
from tests.reporting.cases import (
    ALL_CASES,
    case_of,
    flat_scan,
    model_of,
    no_map_case,
    noted_case,
    rich_case,
    uncalibrated_case,
    verdict_of,
    volume_scan,
    withheld_case,
)


def _all_text(content) -> str:
    return " ".join((content.headline, *content.sentences, *content.notes))


def test_the_p_value_is_said_in_words():
    assert (
        "Of 200 healthy patients, 3 looked at least this strange: p\u00a0=\u00a00.020."
        in build_content(case_of()).sentences
    )


@pytest.mark.parametrize(("p", "words"), [(1 / 201, "none looked"), (2 / 201, "one looked"), (1.0, "All 200 healthy")])
def test_none_one_and_all_have_their_own_words(p, words):
    content = build_content(case_of(verdict=verdict_of(p_value=p, bound=p == 1 / 201)))
    assert words in " ".join(content.sentences)


def test_the_bound_prints_as_at_most():
    content = build_content(case_of(verdict=verdict_of(p_value=1 / 201, bound=True)))
    assert "p\u00a0≤\u00a00.005" in " ".join(content.sentences)
    assert {fact.label: fact.value for fact in content.verdict_facts}["p-value"] == "≤\u00a00.005"


@pytest.mark.parametrize(("p", "shown"), [(1 / 201, "≤\u00a00.005"), (0.02, "0.020")])
def test_the_bound_of_a_finding_prints_as_at_most(p, shown):
    scan = flat_scan()
    scan = replace(scan, findings=(replace(scan.findings[0], p_value=p),))
    facts = {fact.label: fact.value for fact in build_content(case_of(scan)).scans[0].findings[0].facts}
    assert facts["p-value of the region"] == shown


def test_it_says_that_p_is_not_the_probability_of_disease():
    assert "not the probability of disease" in " ".join(build_content(case_of()).sentences)


def test_a_case_below_the_threshold_is_not_called_healthy():
    content = build_content(case_of(verdict=verdict_of(decision="not-above")))
    assert content.headline == "No deviation above the set threshold"
    assert "does not rule out disease" in _all_text(content)


def test_three_healthy_scans_withhold_only_the_decision():
    content = build_content(withheld_case())
    assert content.kind == "withheld"
    assert "needs 19 healthy cases" in content.sentences[0]
    assert content.histogram_svg
    assert len(content.scans[0].findings) == 2


def test_an_uncalibrated_score_has_no_p_value_and_no_histogram():
    content = build_content(uncalibrated_case())
    assert content.histogram_svg == ""
    assert "no p-value" in content.histogram_missing
    assert {fact.label: fact.value for fact in content.verdict_facts}["p-value"] == "–"


def test_all_notes_are_said_once():
    assert len(build_content(noted_case()).notes) == 9  # eight, and that the spacing is unknown


def test_what_is_true_of_all_scans_is_said_once_and_else_names_the_scan():
    blank = Note("blank-slices", {"count": 2})
    volume = volume_scan()
    volume = replace(volume, scan=replace(volume.scan, notes=(blank,)))
    notes = build_content(case_of(flat_scan(), volume)).notes
    assert "Scan 2: Slices without anything to examine were skipped (2)." in notes
    same = replace(flat_scan(), scan=replace(flat_scan().scan, notes=(blank,)))
    assert "Slices without anything to examine were skipped (2)." in build_content(case_of(same, same)).notes


def test_without_a_map_it_says_so_and_shows_no_legend():
    content = build_content(no_map_case())
    assert any("gives no location" in note for note in content.notes)
    assert content.legend_svg == ""
    assert [picture.over for picture in content.scans[0].pictures] == [None]


def test_a_map_that_is_not_calibrated_shows_outlines_but_no_colours():
    section = build_content(case_of(flat_scan(tail=None))).scans[0]
    assert not section.has_map
    assert section.pictures[1].caption == "With the outlined regions"
    assert any("not calibrated" in remark for remark in section.remarks)


def test_a_volume_has_slices_millimetres_and_orientation():
    content = build_content(case_of(volume_scan(), model=model_of(window=(-1000.0, 400.0))))
    section = content.scans[0]
    assert section.montage is not None
    assert section.slice_scores_svg
    assert "slice 5" in section.findings[0].place
    assert "11.5 mm" in section.findings[0].facts[0].value
    assert "Window −1,000 … 400 HU" in section.facts
    assert any("Radiological convention" in remark for remark in section.remarks)


def test_sides_named_without_known_orientation_are_called_assumed():
    assert any("named as if" in remark for remark in build_content(case_of()).scans[0].remarks)


def test_reconstruction_and_neighbours_are_shown_where_there_are_any():
    section = build_content(rich_case()).scans[0]
    assert len(section.panels) == 3
    assert section.neighbours is not None
    assert build_content(case_of()).scans[0].panels == ()


def test_the_strangest_scans_are_pictured_and_all_are_listed():
    content = build_content(ALL_CASES["many scans"]())
    assert [section.title for section in content.scans] == [f"Scan {number} of 7" for number in (4, 5, 6, 7)]
    assert len(content.scans) == MOST_SCANS
    assert [row[0] for row in content.all_scans] == ["7", "6", "5", "4", "3", "2", "1"]


@pytest.mark.parametrize("name", sorted(ALL_CASES))
def test_french_reports_are_french_throughout(name):
    english, french = (build_content(ALL_CASES[name](), lang) for lang in ("en", "fr"))
    assert french.headline != english.headline
    assert all(a != b for a, b in zip(french.sentences, english.sentences, strict=True))
    assert all(a != b for a, b in zip(french.notes, english.notes, strict=True))
    assert all(a != b for a, b in zip(french.blind_spots, english.blind_spots, strict=True))


@pytest.mark.parametrize("name", sorted(ALL_CASES))
def test_no_value_is_left_open(name):
    content = build_content(ALL_CASES[name]())
    assert "?" not in _all_text(content)
    assert "nan" not in _all_text(content).lower().split()


def test_a_language_nobody_wrote_is_refused():
    with pytest.raises(SettingError):
        build_content(case_of(), "de")
