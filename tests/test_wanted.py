"""Annotations as a person says them."""

from collections.abc import Sequence
from typing import Any, Literal

import pytest

from halescan.wanted import in_words


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (int, "a whole number"),
        (float | None, "a finite number or null"),
        (Sequence[int], "a list of whole numbers"),
        (tuple[float, float] | None, "a list of finite numbers or null"),
        (Literal["mean", "max"], "one of mean, max"),
        (tuple[Literal["mean", "max"], float], "a list of one of mean, max, then a finite number"),
        (dict[str, Any], "a table of names and values"),
        (list[dict[str, Any]], "a list of tables of names and values"),
    ],
)
def test_an_annotation_is_said_in_words(wanted: Any, said: str) -> None:
    assert in_words(wanted) == said
