"""Settings: what a person or a model's file asks of a method, checked against the method's own signature."""

import json
import re
from collections.abc import Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from halescan.errors import SettingError
from halescan.training.learner import Learner
from halescan.wanted import in_words

MOST_NUMBERS = 64  # in one setting: a network of more storeys, or a method of more levels, is a slip or an attack

_FINITE = ConfigDict(allow_inf_nan=False)
_PLAIN = re.compile(r"[\w.+-]+")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


def typed_settings(kind: type[Learner], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the constructor's annotations want them: a list becomes a tuple of whole numbers, and so on.

    Raises:
        SettingError: for a setting that does not exist (lists those there are), that is of another type, or that holds
            more than `MOST_NUMBERS` values.
    """
    usual = kind.usual()
    unknown = sorted(str(name)[:40] for name in set(settings) - set(usual))
    if unknown:
        raise SettingError(f"{kind.name} has no setting {', '.join(unknown[:5])}; its settings are {', '.join(usual)}")
    wanted = get_type_hints(kind.__init__)
    return {name: _typed(kind, name, value, wanted.get(name, Any), usual[name]) for name, value in settings.items()}


def _typed(kind: type[Learner], name: str, value: Any, wanted: Any, usual: Any) -> Any:
    """One setting."""
    if isinstance(value, list | tuple) and len(value) > MOST_NUMBERS:
        raise SettingError(f"{kind.name}: {name} cannot hold {len(value)} values; {_as_set(usual)} is usual")
    try:
        return TypeAdapter(wanted, config=_FINITE).validate_python(value)
    except ValidationError as error:
        shown = repr(value)
        shown = shown if len(shown) <= 60 else shown[:60] + " ..."
        meant = _as_list(value) if isinstance(value, str) and "a list" in in_words(wanted) else None
        way_out = f"{_as_set(usual)} is usual" if meant is None else f"write {_as_set(meant)}"
        raise SettingError(f"{kind.name}: {name} must be {in_words(wanted)}, got {shown}; {way_out}") from error


def _as_set(value: Any) -> str:
    """A value as it is written behind `--set NAME=`."""
    return json.dumps(value, separators=(",", ":"), default=list)


def _as_list(text: str) -> list[Any] | None:
    """The list that was meant by words or numbers without brackets or quotes; None where that is not plain."""
    parts = [part.strip(" []()'\"") for part in text.split(",")]
    if not all(_PLAIN.fullmatch(part) for part in parts):
        return None
    return [json.loads(part) if _NUMBER.fullmatch(part) else part for part in parts]
