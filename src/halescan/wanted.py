"""What an annotation asks for, as a person says it: of settings of methods and of profiles alike."""

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

_WORDS = {
    int: ("a whole number", "whole numbers"),
    float: ("a finite number", "finite numbers"),
    bool: ("true or false", "true or false"),
    str: ("a word", "words"),
    NoneType: ("null", "nulls"),
    Any: ("a value", "values"),
}


def in_words(wanted: Any, *, many: bool = False) -> str:
    """What an annotation asks for, as a person says it; `many` of them."""
    if wanted in _WORDS:
        return _WORDS[wanted][many]
    origin, parts = get_origin(wanted), [part for part in get_args(wanted) if part is not Ellipsis]
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if origin in (Union, UnionType):
        return " or ".join(in_words(part, many=many) for part in parts)
    if origin in (Sequence, tuple, list):
        alike = all(part == parts[0] for part in parts)
        return f"a list of {in_words(parts[0], many=True) if alike else ', then '.join(map(in_words, parts))}"
    return "tables of names and values" if many else "a table of names and values"
