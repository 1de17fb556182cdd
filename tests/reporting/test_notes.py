"""In which order a report says what a person should know."""

from dataclasses import replace

from halescan.reporting.notes import DOUBTS, doubts_of, said_notes, weight_of
from halescan.reporting.words_notes import NOTES
from halescan.types import Note
from tests.reporting.cases import case_of, flat_scan, volume_scan

RULE = Note("quantile-rule-above", {"value": 2.0, "threshold": 1.0, "share": 0.92, "unit": "score"})


def test_doubts_about_validity_come_first_and_information_last():
    notes = (
        RULE,
        Note("own-encoder"),
        Note("cross-conformal"),
        Note("lungs-not-found"),
        Note("differs-from-reference"),
    )
    told, caution = said_notes(case_of(volume_scan(), notes=notes), "en")
    starts = ["These scans differ", "The lungs could not", "There were too few", "No pretrained", "For information"]
    assert [text.startswith(start) for text, start in zip(told, starts, strict=True)] == [True] * 5
    assert caution


def test_information_alone_is_no_caution():
    told, caution = said_notes(case_of(volume_scan(), notes=(RULE,)), "en")
    assert len(told) == 1
    assert not caution


def test_a_note_of_a_scan_takes_its_place_among_those_of_the_case():
    scan = volume_scan()
    scan = replace(scan, scan=replace(scan.scan, notes=(Note("missing-slices"),)))
    told, _ = said_notes(case_of(flat_scan(), scan, notes=(RULE,)), "en")
    assert told[0].startswith("Scan 2: Slices are missing")
    assert told[-1].startswith("For information")


def test_an_impossible_spacing_is_not_called_absent_too():
    scan = flat_scan()
    scan = replace(scan, scan=replace(scan.scan, spacing_mm=None, notes=(Note("bad-spacing"),)))
    told, caution = said_notes(case_of(scan), "en")
    assert [text for text in told if "spacing" in text] == [told[0]]
    assert told[0].startswith("The pixel spacing that the file gives is zero")
    assert caution


def test_the_plain_rule_weighs_least_of_all_notes():
    assert all(weight_of(key) < weight_of("quantile-rule-above") for key in NOTES if not key.startswith("quantile"))


def test_every_note_with_a_weight_of_its_own_has_a_sentence():
    assert set(DOUBTS) <= set(NOTES)
    assert weight_of("other-modality") < weight_of("unlike-training") < weight_of("a-note-nobody-knows")


def test_a_doubt_is_found_on_the_case_and_on_its_scans_and_said_once():
    unlike = Note("unlike-training", {"features": "height"})
    scan = flat_scan()
    scan = replace(scan, scan=replace(scan.scan, notes=(unlike,)))
    assert doubts_of(case_of(scan, notes=(unlike,))) == (unlike,)
    assert doubts_of(case_of()) == ()
