"""The model card: what a model was made from, what it may be used for, and where it fails, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

#: Headings in their order, each with the key of its facts.
SECTIONS: tuple[tuple[str, str], ...] = (
    ("Intended use", "intended_use"),
    ("Trained on", "trained_on"),
    ("Calibration", "calibration"),
    ("Figures", "figures"),
    ("Blind spots", "blind_spots"),
    ("Limits", "limits"),
    ("How it was made", "made"),
)

_ALWAYS = {
    "intended_use": (
        "Research use only. Not a medical device; not for diagnosis or treatment.",
        "It marks what is unusual relative to its healthy reference, for a reader to judge. It names no disease, and "
        "it never says that a scan is healthy.",
    ),
    "limits": (
        "A p-value is the share of healthy cases at least this strange, the case itself counted among them; it is not "
        "the probability of disease.",
        "The false-alarm rate holds for cases like the reference: after a change of site, scanner, protocol or "
        "patient mix, run `halescan recalibrate` on cases a person calls healthy.",
        "A scan of another kind is scored all the same. The report then opens with “read with caution”: the score may "
        "speak of the kind of scan rather than of the patient.",
        "A score below the threshold does not rule out disease, least of all in the blind spots.",
        "Disease that was common in the supposedly healthy scans has been learned as healthy.",
    ),
}


def model_card(facts: Mapping[str, Any]) -> str:
    """Markdown of a model card.

    Args:
        facts: `title`, an optional `summary`, and any key of `SECTIONS`. A value may be a sentence, a list of
            sentences, or a mapping of names to values (a table). What is always true stands there without being asked.
    """
    parts = [f"# {_one_line(str(facts.get('title', 'Halescan model')))}"]
    if facts.get("summary"):
        summary = _one_line(str(facts["summary"]))
        parts.append(summary[:1].upper() + summary[1:])
    for heading, key in SECTIONS:
        body = [text for text in (_body(_ALWAYS.get(key)), _body(facts.get(key))) if text]
        if body:
            parts.append(f"## {heading}\n\n" + "\n\n".join(body))
    return "\n\n".join(parts) + "\n"


def _body(value: Any) -> str:
    """A sentence as a paragraph, sentences as a list, a mapping as a table."""
    if value is None or value == "" or value == () or value == [] or value == {}:
        return ""
    if isinstance(value, Mapping):
        rows = [f"| {_cell(name)} | {_cell(shown)} |" for name, shown in value.items()]
        return "\n".join(["| what | value |", "|---|---|", *rows])
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(f"- {_one_line(str(item))}" for item in value)
    return _one_line(str(value))


def _cell(value: Any) -> str:
    text = "–" if value is None else str(value)
    return _one_line(text).replace("|", "\\|")


def _one_line(text: str) -> str:
    """Text that cannot break out of its line: a line break would start a heading or a row."""
    return " ".join(text.split())
