"""Figures, settings and counts of the page as a person writes them."""

from halescan.reporting.comparison.words import counted, figure, seconds, seeds_text, sentence, setting


def test_figures_are_written_with_what_is_known_of_them() -> None:
    assert figure({"value": 0.9, "low": 0.85, "high": 0.95}) == "0.900 (0.850–0.950)"
    assert figure({"value": 0.9, "low": None, "high": None}) == "0.900"
    assert figure(None) == figure({"value": None}) == "–"
    assert seeds_text({"seeds": {"count": 3, "sd": 0.0041}}) == "3 (SD 0.004)"
    assert seeds_text({"seeds": {"count": 1, "sd": None}}) == "1"
    assert (seconds(None), seconds(3.21), seconds(1234.5)) == ("–", "3.2", "1,234")


def test_settings_are_in_words_and_counts_agree_with_their_noun() -> None:
    assert (setting(True), setting(None), setting([6, 10]), setting({"side": 64})) == (
        "yes",
        "none",
        "(6, 10)",
        "side 64",
    )
    assert (counted(1, "case"), counted(1200, "case")) == ("1 case", "1,200 cases")
    assert (sentence("the patients"), sentence("file-size alone."), sentence("")) == (
        "The patients.",
        "file-size alone.",
        ".",
    )
