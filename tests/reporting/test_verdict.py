"""The verdict in words and numbers."""

from dataclasses import replace

import pytest

from halescan.reporting.verdict import headline, verdict_facts, verdict_kind, verdict_sentences
from halescan.types import Note
from tests.reporting.cases import case_of, uncalibrated_case, verdict_of, volume_scan, withheld_case

UNLIKE = (Note("unlike-training", {"features": "height"}),)


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("decision", ["above", "not-above"])
def test_a_doubt_outweighs_the_decision_but_does_not_hide_it(decision, lang):
    result = case_of(notes=UNLIKE, verdict=verdict_of(decision=decision))
    assert verdict_kind(result) == "doubtful"
    assert headline(result, lang) != headline(replace(result, notes=()), lang)
    assert any("threshold" in said or "seuil" in said for said in verdict_sentences(result, lang))


def test_a_doubtful_score_is_not_said_to_stand():
    doubted = replace(withheld_case(), notes=UNLIKE)
    assert any("stand" in said for said in verdict_sentences(withheld_case(), "en"))
    assert not any("stand;" in said for said in verdict_sentences(doubted, "en"))


def test_a_volume_before_a_model_of_images_is_told_so_and_not_the_other_way_round():
    volume = replace(uncalibrated_case(), scans=(volume_scan(),))
    assert "this is a volume read slice by slice" in verdict_sentences(volume, "en")[0]
    assert "this is a single image" in verdict_sentences(uncalibrated_case(), "en")[0]


def test_a_model_without_any_calibration_says_that_rather_than_a_rate_of_100_percent():
    why = Note("not-calibrated", {"asked": 0.05, "needed": 19})
    bare = verdict_of(p_value=None, decision="withheld", why_withheld=why, threshold=None, units=0, guarantee="none")
    said = verdict_sentences(case_of(verdict=bare), "en")
    assert said == (
        "This model was calibrated on no healthy case, so there is neither p-value nor decision; score and map are "
        "shown as they are. A false-alarm rate of 5\u202f% needs 19 healthy cases.",
    )


@pytest.mark.parametrize(("lang", "shown"), [("en", ["146.2", "146.3"]), ("fr", ["146,2", "146,3"])])
def test_score_and_threshold_are_told_apart(lang, shown):
    near = verdict_of(score=146.21, threshold=146.34, decision="not-above")
    facts = verdict_facts(near, lang)
    assert [facts[0].value, facts[2].value] == shown


def test_the_numbers_of_a_decision_stand_beside_it():
    labels = [fact.label for fact in verdict_facts(verdict_of(), "en")]
    assert labels == ["Score", "p-value", "Threshold", "False-alarm rate", "Calibrated on"]
