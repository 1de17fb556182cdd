"""Words of the page: figures, settings and counts as a person writes them."""

from collections.abc import Mapping
from typing import Any

NONE = "–"


def figure(told: Mapping[str, Any] | None, *, digits: int = 3) -> str:
    """`0.912 (0.885–0.936)`, or a dash."""
    if not told or told.get("value") is None:
        return NONE
    text = f"{told['value']:.{digits}f}"
    if told.get("low") is not None and told.get("high") is not None:
        text += f" ({told['low']:.{digits}f}–{told['high']:.{digits}f})"
    return text


def setting(value: Any) -> str:
    """A setting's value in words rather than in Python's."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {setting(one)}" for key, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(setting, value))})"
    return str(value)


def sentence(words: str) -> str:
    """With a capital letter and a full stop; a name that begins it keeps its own letter."""
    first = words[:1].upper() if "-" not in words.split(" ", 1)[0] else words[:1]
    return first + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def counted(count: int, word: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def seeds_text(told: Mapping[str, Any] | None) -> str:
    """`3 (SD 0.004)`; a lone seed has no spread."""
    seeds = (told or {}).get("seeds")
    if not seeds:
        return NONE
    return str(seeds["count"]) if seeds["sd"] is None else f"{seeds['count']} (SD {seeds['sd']:.3f})"


def seconds(value: float | None) -> str:
    """Seconds with the digits that count."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
