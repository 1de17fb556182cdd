"""Settings: what a person or a model's file asks of a method, checked against the method's own signature."""

from collections.abc import Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from halescan.errors import SettingError
from halescan.training.learner import Learner

MOST_NUMBERS = 64  # in one setting: a network of more storeys, or a method of more levels, is a slip or an attack

_FINITE = ConfigDict(allow_inf_nan=False)


def typed_settings(kind: type[Learner], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the constructor's annotations want them: a list becomes a tuple of whole numbers, and so on.

    Raises:
        SettingError: for a setting that does not exist (lists those there are), that is of another type, or that holds
            more than `MOST_NUMBERS` values.
    """
    usual = kind().settings
    unknown = sorted(str(name)[:40] for name in set(settings) - set(usual))
    if unknown:
        raise SettingError(f"{kind.name} has no setting {', '.join(unknown[:5])}; its settings are {', '.join(usual)}")
    wanted = get_type_hints(kind.__init__)
    return {name: _typed(kind, name, value, wanted.get(name, Any), usual[name]) for name, value in settings.items()}


def _typed(kind: type[Learner], name: str, value: Any, wanted: Any, usual: Any) -> Any:
    """One setting."""
    if isinstance(value, list | tuple) and len(value) > MOST_NUMBERS:
        raise SettingError(f"{kind.name}: {name} cannot hold {len(value)} values; {usual!r} is usual")
    try:
        return TypeAdapter(wanted, config=_FINITE).validate_python(value)
    except ValidationError as error:
        why = error.errors(include_url=False)[0]["msg"]
        shown = repr(value)
        shown = shown if len(shown) <= 60 else shown[:60] + " ..."
        raise SettingError(f"{kind.name}: {name} cannot be {shown} ({why}); {usual!r} is usual") from error
