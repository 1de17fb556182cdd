"""Every sentence in both languages."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halescan.data.profiles import PROFILES
from halescan.errors import SettingError
from halescan.io import FORMATS, formats
from halescan.reporting.words import SENTENCES, features_words, language, note_sentence, sentence
from halescan.reporting.words_clinical import CLINICAL
from halescan.reporting.words_frame import FRAME
from halescan.reporting.words_notes import NOTES
from halescan.types import Note


def _holes(text: str) -> set[tuple[str, str]]:
    return {(name, spec or "") for _, name, spec, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", sorted(SENTENCES))
def test_both_languages_say_it_with_the_same_values(key):
    english, french = SENTENCES[key]
    assert english.strip()
    assert french.strip()
    assert _holes(english) == _holes(french)


def test_no_key_is_written_twice():
    assert len(SENTENCES) == len(FRAME) + len(NOTES) + len(CLINICAL)


@pytest.mark.parametrize("key", sorted({*CLINICAL, *NOTES}))
def test_clinical_sentences_and_notes_are_truly_translated(key):
    english, french = SENTENCES[key]
    assert english != french
    assert english.endswith(".")
    assert french.endswith(".")


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_each_profile_has_its_blind_spots_and_advice_in_words(profile):
    keys = (*PROFILES[profile].blind_spots, *PROFILES[profile].look_next)
    assert [key for key in keys if key not in SENTENCES] == []
    assert f"profile-{profile}" in SENTENCES


@pytest.mark.parametrize("lang", [0, 1])
def test_no_sentence_says_normal_or_names_a_diagnosis(lang):
    banned = (" normal", "abnormal", "anormal", "malignan", "is healthy", "est sain ")
    said = [text[lang].lower() for text in SENTENCES.values()]
    assert [text for text in said if any(word in f" {text}" for word in banned)] == []


def test_a_value_and_its_threshold_are_told_apart():
    rule = Note("quantile-rule-below", {"value": 146.21, "threshold": 146.34, "share": 0.95, "unit": "score"})
    assert "146.2 " in note_sentence(rule, "en")
    assert "(146,3)" in note_sentence(rule, "fr")


def test_what_scans_differ_in_is_told_in_plain_words():
    note = Note("unlike-training", {"features": "mask_share, p95"})
    assert "how much of the picture the examined body part fills, how bright its bright parts are" in note_sentence(
        note, "en"
    )
    assert features_words(["height"], "fr") == "hauteur en pixels"


def test_one_region_left_out_reads_as_well_as_many():
    for count in (1, 12):
        assert note_sentence(Note("more-findings", {"count": count}), "en").startswith(
            f"Weaker regions left out of the list: {count}. A place as strange as these occurs in"
        )


def test_values_are_written_in_the_language():
    assert "3.1\u202f%" in note_sentence(Note("non-finite-pixels", {"share": 0.031}), "en")
    assert "3,1\u00a0%" in note_sentence(Note("non-finite-pixels", {"share": 0.031}), "fr")


def test_of_many_features_the_first_four_are_named():
    said = note_sentence(Note("unlike-training", {"features": "height, width, std, mean, p05, p95"}), "en")
    assert "in: height in pixels, width in pixels, contrast, overall brightness and 2 more." in said


def test_names_of_values_may_carry_dashes():
    assert "(lungs)" in note_sentence(Note("mask-everything", {"looked-for": "lungs"}), "en")


def test_an_unknown_key_is_shown_as_words():
    assert sentence("some-new-note", "en", count=3) == "Some new note (count: 3)"
    assert sentence("some-new-note", "fr") == "Some new note"


def test_a_value_that_was_not_given_prints_as_a_question_mark():
    assert ": ?." in sentence("duplicates", "en")


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=8), st.one_of(st.text(), st.floats(), st.integers())))
def test_no_note_can_break_a_report(key, values):
    assert isinstance(note_sentence(Note(key, values), "fr"), str)


def test_a_language_nobody_wrote_is_refused():
    with pytest.raises(SettingError, match="'de'"):
        language("de")


@pytest.mark.parametrize("name", FORMATS)
def test_a_mislabelled_file_is_told_without_the_name_of_our_format(name):
    note = Note("mislabelled", {"ending": ".bin", "format": name})
    assert f"holds {formats()[name].title}; it was" in note_sentence(note, "en")
    assert "contient" in note_sentence(note, "fr")
    assert not any(f" {word} " in note_sentence(note, lang) for word in ("raster", "arrays") for lang in ("en", "fr"))
