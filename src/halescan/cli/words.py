"""Words of a call: settings, limits and places as values; and the call as it may be published."""

import json
import shlex
from pathlib import Path
from typing import Any

from halescan.errors import SettingError


def laid_out(data: Path, layout: str | None) -> Path:
    """A place with its layout before it, as every workflow reads it."""
    return data if layout is None else Path(f"{layout}@{data}")


def settings_of(pairs: list[str] | None) -> dict[str, dict[str, Any]]:
    """`detector.x=1 profile.y=mean` as two dictionaries of values."""
    found: dict[str, dict[str, Any]] = {"detector": {}, "profile": {}}
    for pair in pairs or []:
        room, key, value = _setting(pair)
        if room not in found:
            raise SettingError(f"--set {pair}: expected detector.NAME=VALUE or profile.NAME=VALUE")
        found[room][key] = value
    return found


def settings_by_name(pairs: list[str] | None) -> dict[str, dict[str, Any]]:
    """`detector.x=1 patchcore.y=2 profile.z=mean` as a dictionary of values for each of the three."""
    found: dict[str, dict[str, Any]] = {}
    for room, key, value in map(_setting, pairs or []):
        found.setdefault(room, {})[key] = value
    return found


def _setting(pair: str) -> tuple[str, str, Any]:
    """`detector.x=1` as its three parts; the value is read as JSON, else as text."""
    name, equals, text = pair.partition("=")
    room, dot, key = name.strip().partition(".")
    if not equals or not dot or not key or not room:
        raise SettingError(f"--set {pair}: expected detector.NAME=VALUE or profile.NAME=VALUE")
    try:
        return room, key, json.loads(text)
    except json.JSONDecodeError:
        return room, key, text


def limits_of(text: str) -> tuple[float, ...]:
    """`5,10,20` as ascending numbers."""
    try:
        limits = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        limits = (1.0, 1.0)
    if list(limits) != sorted(set(limits)) or not all(0 < limit < float("inf") for limit in limits):
        raise SettingError(f"--lesion-sizes {text}: expected ascending numbers, as 5,10,20")
    return limits


def as_called(words: list[str]) -> str:
    """The call, fit to be published: of folders only their last names."""
    return shlex.join(["halescan", *(_last_name(word) for word in words)])


def _last_name(word: str) -> str:
    name, equals, rest = word.partition("=")
    if equals and not set(name) & set("/\\"):
        return f"{name}={_last_name(rest)}"
    return word.rstrip("/\\").replace("\\", "/").rpartition("/")[2] or word
