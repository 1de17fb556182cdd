"""Steps: a budget of steps reaches the method that learns in steps; such members of an ensemble share it."""

from collections.abc import Mapping, Sequence
from typing import Any

STEPS = "steps"
MEMBERS = "members"  # the setting in which an ensemble holds the methods it asks


def has_steps(settings: Mapping[str, Any]) -> bool:
    """Whether a method with these settings learns in steps, by itself or in one of its members."""
    return any(_learns_in_steps(one) for one in [settings, *_members(settings).values()])


def with_steps(settings: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """The settings with so many steps of learning in all; members that learn in steps get equal shares of them.

    Args:
        settings: As a detector tells them, members with settings of their own.
        steps: 1 or more; a member gets one at least.
    """
    if _learns_in_steps(settings):
        return {**settings, STEPS: steps}
    learning = [place for place, one in _members(settings).items() if _learns_in_steps(one)]
    return laid_back(settings, {_long(place, STEPS): max(1, steps // len(learning)) for place in learning})


def laid_out(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings and those of all members in one row, a member's as `members.0.steps`."""
    row = {name: value for name, value in settings.items() if name != MEMBERS}
    for place, one in _members(settings).items():
        row |= {_long(place, name): value for name, value in one.items()}
    return row


def laid_back(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with changes named as `laid_out` names them."""
    changed = {**settings, **{name: value for name, value in changes.items() if name in settings}}
    members = []
    for place, own in _members(settings).items():
        new = {name: changes[_long(place, name)] for name in own if _long(place, name) in changes}
        members.append({**settings[MEMBERS][place], "settings": {**own, **new}})
    return {**changed, MEMBERS: members} if members else changed


def _learns_in_steps(settings: Mapping[str, Any]) -> bool:
    return isinstance(settings.get(STEPS), int)


def _members(settings: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """The settings of each member by its place; none where the method is no ensemble."""
    members = settings.get(MEMBERS)
    if not isinstance(members, Sequence) or not all(isinstance(one, Mapping) for one in members):
        return {}
    return {place: one["settings"] for place, one in enumerate(members)}


def _long(place: int, name: str) -> str:
    return f"{MEMBERS}.{place}.{name}"
