"""Every sentence a report may print, by key, in English and French side by side."""

import string
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from halescan.errors import SettingError
from halescan.reporting.numerals import Lang, apart, number, percent
from halescan.reporting.words_clinical import CLINICAL
from halescan.reporting.words_frame import FRAME
from halescan.reporting.words_notes import NOTES
from halescan.types import Note

LANGUAGES: tuple[Lang, ...] = get_args(Lang)

MOST_FEATURES = 5

#: key -> (English, French). A place for a value is `{name}`; `{name:%}` prints a share as a percentage.
SENTENCES: dict[str, tuple[str, str]] = {**FRAME, **NOTES, **CLINICAL}


def language(lang: str) -> Lang:
    """The language by its two letters.

    Raises:
        SettingError: if reports are not written in it.
    """
    for known in LANGUAGES:
        if lang == known:
            return known
    raise SettingError(f"lang must be one of {list(LANGUAGES)}, got {lang!r}")


def sentence(key: str, lang: str, /, **values: Any) -> str:
    """The sentence of this key with its values; numbers are written as the language writes them.

    A key nobody has written a sentence for is still shown, as words: `blank-slices` with 3 becomes
    "Blank slices (count: 3)". A value that was not given prints as "?".
    """
    chosen = language(lang)
    if key not in SENTENCES:
        return _readable(key, values, chosen)
    return _Formatter(chosen).vformat(SENTENCES[key][LANGUAGES.index(chosen)], (), values)


def note_sentence(note: Note, lang: str) -> str:
    """The sentence of a note; a list of features, separated by commas, is told in words."""
    values = {name.replace("-", "_"): value for name, value in note.values.items()}
    if isinstance(features := values.get("features"), str):
        values["features"] = features_words([name.strip() for name in features.split(",")], lang)
    value, threshold = values.get("value"), values.get("threshold")
    if isinstance(value, float) and isinstance(threshold, float):
        values["value"], values["threshold"] = apart(value, threshold, language(lang))
    if f"format-{values.get('format')}" in SENTENCES:
        values["format"] = sentence(f"format-{values['format']}", lang)
    if f"unit-{values.get('unit')}" in SENTENCES:
        values["unit"] = sentence(f"unit-{values['unit']}", lang)
    return sentence(note.key, lang, **values)


def features_words(names: Sequence[str], lang: str) -> str:
    """What scans differ in, in words; of many the first few and how many more: eleven say no more than four do."""
    told = names if len(names) <= MOST_FEATURES else names[: MOST_FEATURES - 1]
    words = ", ".join(_feature(name, lang) for name in told)
    rest = len(names) - len(told)
    return sentence("features-more", lang, features=words, count=rest) if rest else words


def _feature(name: str, lang: str) -> str:
    return sentence(f"feature-{name}", lang) if f"feature-{name}" in SENTENCES else name


class _Formatter(string.Formatter):
    """`str.format` that knows the language's numbers and never fails on a missing value."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return kwargs.get(str(key), "?")

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return str(value)
        return percent(value, self.lang) if format_spec == "%" else number(value, self.lang)


def _readable(key: str, values: Mapping[str, Any], lang: Lang) -> str:
    """An unknown key as words, its values in brackets."""
    text = key.replace("-", " ").replace("_", " ").strip() or "?"
    text = text[0].upper() + text[1:]
    shown = [f"{name.replace('_', ' ')}: {_Formatter(lang).format_field(value, '')}" for name, value in values.items()]
    return f"{text} ({', '.join(shown)})" if shown else text
