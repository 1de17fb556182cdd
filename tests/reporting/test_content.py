"""What a report says."""

from dataclasses import replace

import numpy as np
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


@pytest.mark.parametrize(
    ("p", "share"),
    [((1 + 3 / 34) / 201, "0.04 %"), ((1 + 199.6) / 201, "99.8 %")],
)
def test_of_patients_with_several_scans_a_share_looks_so_strange_and_nobody_is_counted_whole(p, share):
    said = " ".join(build_content(case_of(verdict=verdict_of(p_value=p))).sentences)
    assert f"each counted by the share of its scans, {share} looked at least this strange" in said.replace(
        "\u202f", " "
    )


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


def test_a_region_above_its_threshold_is_named_where_the_score_is_below_its_own():
    content = build_content(case_of(verdict=verdict_of(decision="not-above")))
    assert content.headline == "The score is not above the set threshold; a region is above its own"
    assert any("thresholds of their own" in said for said in content.sentences)
    assert not any("thresholds of their own" in said for said in build_content(case_of()).sentences)


def test_a_case_below_the_threshold_is_not_called_healthy():
    calm = replace(flat_scan(), findings=())
    content = build_content(case_of(calm, verdict=verdict_of(decision="not-above")))
    assert content.headline == "No deviation above the set threshold"
    assert "does not rule out disease" in _all_text(content)


def test_three_healthy_scans_withhold_only_the_decision():
    content = build_content(withheld_case())
    assert content.kind == "withheld"
    assert "needs 19 healthy cases" in content.sentences[0]
    assert content.histogram_svg
    assert len(content.scans[0].findings) == 2


def test_a_scan_unlike_the_training_scans_softens_the_headline():
    content = build_content(case_of(notes=(Note("unlike-training", {"features": "height"}),)))
    assert content.kind == "doubtful"
    assert content.headline == "Read with caution: unlike the training scans"
    assert content.sentences[0].startswith("This scan is unlike the training scans in: height in pixels.")


def test_another_modality_is_said_before_anything_else():
    scan = flat_scan()
    other = Note("other-modality", {"found": "CT", "expected": "DX"})
    scan = replace(scan, scan=replace(scan.scan, notes=(Note("unlike-training", {"features": "height"}), other)))
    content = build_content(case_of(scan))
    assert "not the kind of scan this model was made for" in content.headline
    assert "has no business with it" in content.sentences[0]
    assert "hold for scans like the training scans only" in content.sentences[2]


def test_where_nothing_was_decided_no_threshold_and_no_rate_are_shown():
    for case in (withheld_case(), uncalibrated_case()):
        labels = {fact.label for fact in build_content(case).verdict_facts}
        assert not labels & {"Threshold", "False-alarm rate"}


def test_an_uncalibrated_score_is_not_said_to_be_calibrated_on_anything():
    facts = {fact.label: fact.value for fact in build_content(uncalibrated_case()).verdict_facts}
    assert "Calibrated on" not in facts
    assert facts["Calibration"] == "none for this kind of case"


def test_an_uncalibrated_score_has_no_p_value_and_no_histogram():
    content = build_content(uncalibrated_case())
    assert content.histogram_svg == ""
    assert "no p-value" in content.histogram_missing
    assert {fact.label: fact.value for fact in content.verdict_facts}["p-value"] == "–"


def test_all_notes_are_said_once():
    content = build_content(noted_case())
    assert len(content.notes) == 7  # eight, less the two doubts the verdict has said, and that the spacing is unknown
    assert not any("unlike the training" in note or "modality" in note for note in content.notes)


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
    assert "slices 1–13, peak on 5" in section.findings[0].place
    assert "11.5 mm" in section.findings[0].facts[0].value
    assert "Window −1,000 … 400 HU" in section.facts
    assert any("Radiological convention" in remark for remark in section.remarks)


def test_the_picture_says_which_slice_it_shows_and_why():
    scan = volume_scan()
    captions = [
        build_content(case_of(changed)).scans[0].pictures[0].caption
        for changed in (scan, replace(scan, findings=()), replace(scan, findings=(), slice_scores=None))
    ]
    assert captions[0] == "As acquired, slice 5 of 14 (through the peak of region 1)"
    assert captions[1] == "As acquired, slice 5 of 14 (the slice with the highest score)"
    assert captions[2] == "As acquired, slice 5 of 14 (through the strangest place of the map)"


def test_the_slice_shown_and_the_strangest_slice_are_both_named():
    scan = volume_scan()
    scores = np.ones(14)
    scores[9] = 7.0
    drawn = build_content(case_of(replace(scan, slice_scores=scores))).scans[0].slice_scores_svg
    assert "slice 5, shown above" in drawn
    assert "slice 10, highest score" in drawn


def test_a_map_strange_nearly_everywhere_lists_no_region_but_says_its_share():
    wide = flat_scan(map=np.full((96, 80), 3.0, np.float32))
    section = build_content(case_of(wide)).scans[0]
    assert section.findings == ()
    assert "100\u202f% of what was examined lies above the threshold" in section.findings_sentence


def test_when_nothing_is_marked_it_says_what_remains_and_gives_no_advice_about_a_region():
    model = model_of(look_next=("chest-xray-priors", "chest-xray-lines"))
    calm = case_of(flat_scan(findings=()), verdict=verdict_of(decision="not-above"), model=model)
    content = build_content(calm)
    assert content.blind_spots_title.startswith("What remains to be looked at")
    assert (content.look_next_title, len(content.look_next)) == ("In any case", 1)
    marked = build_content(case_of(model=model))
    assert (marked.look_next_title, len(marked.look_next)) == ("What to look at next", 2)


def test_regions_without_p_values_are_not_told_what_a_p_value_is():
    untested = flat_scan(findings=tuple(replace(found, p_value=None) for found in flat_scan().findings))
    assert "p-value" not in build_content(case_of(untested)).scans[0].findings_sentence
    assert "p-value" in build_content(case_of()).scans[0].findings_sentence


def test_the_bars_say_how_many_patients_stand_behind_them():
    drawn = build_content(case_of(verdict=verdict_of(units=150))).histogram_svg
    assert "healthy reference (200 scores of 150 patients)" in drawn


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", "(200 scores; 190 images, as copies count once)"),
        ("fr", "(200 scores ; 190 images saines, les copies comptant une fois)"),
    ],
)
def test_fewer_images_than_scores_are_explained(lang, words):
    drawn = build_content(case_of(verdict=verdict_of(units=190, unit="image")), lang=lang).histogram_svg
    assert words in drawn


def test_score_and_threshold_are_told_apart_beside_the_bars():
    drawn = build_content(case_of(verdict=verdict_of(score=2.8712, threshold=2.8731))).histogram_svg
    assert "this case 2.871" in drawn
    assert "threshold 2.873" in drawn


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
