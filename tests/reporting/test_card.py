"""The model card."""

from halescan.reporting.card import SECTIONS, model_card


def test_what_is_always_true_stands_on_every_card():
    card = model_card({"title": "Chest"})
    assert card.startswith("# Chest\n")
    assert "Research use only" in card
    assert "not the probability of disease" in card
    assert "read with caution" in card
    assert "never says that a scan is healthy" in card


def test_a_summary_is_a_sentence():
    assert "\n\nDistance to healthy.\n" in model_card({"title": "Chest", "summary": "distance to healthy."})


def test_sentences_lists_and_tables_have_their_form():
    card = model_card({"trained_on": {"images": 1000, "patients": None}, "blind_spots": ["a", "b"], "made": "By hand."})
    assert "| images | 1000 |" in card
    assert "| patients | – |" in card
    assert "- a\n- b" in card
    assert card.rstrip().endswith("By hand.")


def test_sections_come_in_their_order():
    card = model_card({key: "x" for _, key in SECTIONS})
    places = [card.index(f"## {heading}") for heading, _ in SECTIONS]
    assert places == sorted(places)


def test_a_value_cannot_break_out_of_its_line():
    card = model_card({"title": "a\n# b", "trained_on": {"name|x": "y\n## z"}})
    assert "\n# b" not in card
    assert "\n## z" not in card
    assert "name\\|x" in card
