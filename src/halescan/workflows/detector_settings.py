"""Settings of a detector: of what type each is, its value at either size, what it takes, and what it means."""

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from halescan.detectors import Detector, find_detector
from halescan.training.run import Run

FAR = 10**7  # a number beyond it is no limit that anybody meets
HALVINGS = 60
_ROOM = 64  # a whole number that is sure to be taken, where none is usual
_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false", NoneType: "null", dict: "object"}


@dataclass(frozen=True)
class Setting:
    """One argument of a detector's constructor.

    Args:
        type: In words; choices by name.
        cpu, paper: Its value at either size, ready for JSON.
        range: What it takes while the others are as at size cpu, as "[0, 100]" or "8 or more"; "" where that is no
            range. Of a list, what each of its numbers may be where all are alike.
        meaning: As the class tells it.
    """

    name: str
    type: str
    cpu: Any
    paper: Any
    range: str
    meaning: str

    def record(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self)

    def words(self) -> dict[str, str]:
        """For a person: values as `--set` takes them."""
        return {**asdict(self), "cpu": as_given(self.cpu), "paper": as_given(self.paper)}


def settings_of(name: str) -> list[Setting]:
    """The settings of a detector, in the order of its constructor.

    Raises:
        SettingError: if there is no such detector.
    """
    kind = find_detector(name)
    types, meanings = get_type_hints(kind.__init__), meanings_of(kind)
    usual = {key: part.default for key, part in inspect.signature(kind.__init__).parameters.items() if key != "self"}
    return [
        Setting(
            key,
            type_words(types.get(key, Any)),
            cpu=_plain(kind.presets["cpu"].get(key, default)),
            paper=_plain(kind.presets["paper"].get(key, default)),
            range=range_of(kind, key, types.get(key, Any)),
            meaning=meanings.get(key, ""),
        )
        for key, default in usual.items()
    ]


def as_given(value: Any) -> str:
    """A value as one writes it after `--set detector.NAME=`; text that is no JSON stays as it is."""
    return value if isinstance(value, str) else json.dumps(value)


def meanings_of(kind: type[Detector]) -> dict[str, str]:
    """What the class says of each argument, or the class it derives from."""
    found: dict[str, str] = {}
    for one in reversed(inspect.getmro(kind)):
        told = inspect.cleandoc(one.__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0]
        for names, meaning in re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", told, re.MULTILINE):
            said = re.sub(r"\bNone\b", "null", " ".join(meaning.split()))  # as --set writes it
            found |= dict.fromkeys(names.split(", "), said)
    return found


def type_words(wanted: Any) -> str:
    """`int | None` as "whole number or null"; choices by name."""
    parts = get_args(wanted)
    if get_origin(wanted) in (Union, UnionType):
        return " or ".join(type_words(part) for part in parts)
    if get_origin(wanted) is Literal:
        return "one of " + ", ".join(map(str, parts))
    if parts and get_origin(wanted) is not dict:
        return "list of " + type_words(parts[0]).replace("number", "numbers")
    return _NAMES.get(get_origin(wanted) or wanted, "any")


def range_of(kind: type[Detector], name: str, wanted: Any) -> str:
    """What a setting of one number, or of several, takes, found by trying: so it says what the class does."""
    usual = kind.preset("cpu").settings[name]
    several = isinstance(usual, list)
    kinds = get_args(wanted) if several or get_origin(wanted) in (Union, UnionType) else (wanted,)
    number = next((one for one in (int, float) if one in kinds), None)
    if number is None or usual == []:
        return ""

    def takes(value: float) -> bool:
        try:
            learner = kind.preset("cpu", **{name: [value] * len(usual) if several else value})
            Detector.check_run(learner, Run(device="cpu"))  # of a method's own checks some read weights
        except (ValueError, ArithmeticError):  # those of other packages need not raise ours
            return False
        return True

    start = number(_ROOM if usual is None else usual[0] if several else usual)
    if not takes(start) or takes(number(-FAR)):
        return ""
    low = _limit(takes, number(-FAR), start)
    high = None if takes(number(FAR)) else _limit(takes, number(FAR), start)
    found = _whole(takes, int(low), high) if number is int else _real(takes, low, high)
    return f"each {found}" if several and found else found


def _limit(takes: Callable[[float], bool], refused: float, taken: float) -> float:
    """The last number that is taken on the way to one that is refused."""
    for _ in range(HALVINGS):
        middle = (refused + taken) // 2 if isinstance(taken, int) else (refused + taken) / 2
        if middle in (refused, taken):
            break  # neighbours
        refused, taken = (refused, middle) if takes(middle) else (middle, taken)
    return taken


def _whole(takes: Callable[[float], bool], low: int, high: float | None) -> str:
    """A range of whole numbers; "" where some in it are refused, as of a setting that must be odd."""
    top = int(high) if high is not None else low + _ROOM
    if not all(takes(value) for value in {*range(low, min(low + 8, top)), (low + top) // 2, top}):
        return ""
    return f"{low} or more" if high is None else f"[{low}, {int(high)}]"


def _real(takes: Callable[[float], bool], low: float, high: float | None) -> str:
    """A range of real numbers; a round bracket where the end itself is refused."""
    first = _round(low)
    closed = takes(first)
    if high is None:
        return f"{first:g} or more" if closed else f"above {first:g}"
    last = _round(high)
    return f"{'[' if closed else '('}{first:g}, {last:g}{']' if takes(last) else ')'}"


def _round(value: float) -> float:
    return round(value, 6) + 0.0  # no -0


def _plain(value: Any) -> Any:
    """Ready for JSON."""
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value
