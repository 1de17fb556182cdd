"""What counts as a leak, how bad it is, and the way out: the rules behind `halescan leaks`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from halescan.data.table import Item
from halescan.evaluation.results import plain

TELLING = {"minor": 0.60, "serious": 0.65, "grave": 0.80}
"""AUROC from which a statistic is worth a warning, if its 95 % interval leaves 0.5 out; many a published detector does
no better than the last."""

Level = Literal["grave", "serious", "minor"]
Same = Literal["bytes", "pixels", "look"]
TRAIN, TEST, VALID = 0, 1, 2
SIDES = ("train", "test", "valid")

_SITES = (
    "site",
    "centre",
    "center",
    "hospital",
    "institution",
    "scanner",
    "manufacturer",
    "machine",
    "device",
    "model",
)
_FEW = 0.01  # share of the test scans with copies in training up to which that is serious rather than grave
_SEPARATED = 0.99
_TOGETHER = {"serious": 0.75, "grave": 0.90}  # it has seen labels, so it must do better than one statistic alone

_PATHS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "file",
        ("file-size", "bytes-per-pixel", "file-ending", "stored-as", "pixel-type", "jpeg-", "png-"),
        "take both classes from one export, or save all scans anew in one format and quality and see whether the "
        "figures stay; a detector reads no file sizes, but it sees the noise and texture that make files larger",
    ),
    (
        "frame",
        ("height", "width", "aspect", "pixels", "slices", "spacing", "colour", "modality", "header:"),
        "compare within one device and protocol, or bring all scans to one spacing and field of view; say by device",
    ),
    (
        "marks",
        ("even-border", "bright-marks", "colourfulness", "corners"),
        "look at the borders: crop frames, and mask letters, rulers and calipers, in both classes alike",
    ),
    (
        "slice position",
        ("slice-position",),
        "draw healthy and abnormal slices from the same positions: match the classes in bins of position",
    ),
    (
        "shades",
        ("brightness", "contrast", "entropy", "black-share", "white-share", "sharpness", "asymmetry", "left-right",
         "top-bottom", "healthy-mean"),
        "print this statistic beside every result and ask of a model that it beats it; a profile that takes grey "
        "values inside the body takes part of it away. It may be disease itself, as dense lungs are brighter",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Leak:
    """One thing found: how bad it is, in a sentence with its numbers, and what to do about it.

    Args:
        key: What kind of thing, for a program: "copies", "patients", "statistic" ...
        level: "grave" (figures on this split mean little), "serious" (say it beside every figure) or "minor".
        values: The numbers of the sentence; `weight` in [0, 1] orders leaks of one level.
    """

    key: str
    level: Level
    sentence: str
    way_out: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.sentence

    def record(self) -> dict[str, Any]:
        """For a program."""
        return {
            "key": self.key,
            "level": self.level,
            "sentence": self.sentence,
            "way_out": self.way_out,
            "values": plain(self.values),
        }


@dataclass(frozen=True)
class Pair:
    """Two scans of the same picture, by their numbers in the list of all; `same` says how much is the same."""

    first: int
    second: int
    same: Same
    likeness: float
    mirrored: bool = False


def copies_found(items: Sequence[Item], sides: np.ndarray, pairs: Sequence[Pair]) -> Iterator[Leak]:
    """Copies on two sides of the split, copies with two labels, and repeats within the test part."""
    across = [pair for pair in pairs if sides[pair.first] != sides[pair.second]]
    tested = {n for pair in across for n in (pair.first, pair.second) if sides[n] != TRAIN}
    if tested:
        yield _copies_across(items, sides, across, tested)
    within = [pair for pair in pairs if sides[pair.first] == sides[pair.second] != TRAIN]
    two_labels = [pair for pair in within if _labels(items, pair) == {"healthy", "abnormal"}]
    if two_labels:
        yield Leak(
            "copies-with-two-labels",
            "serious",
            f"{_many(len(two_labels), 'pair')} of test scans {_shows(len(two_labels))} the same picture, labelled "
            f"healthy once and abnormal once{_how(two_labels)}",
            "look at them (halescan leaks --out lists them) and keep one of each pair, with the label that is right",
            {"pairs": len(two_labels), "weight": 1.0},
        )
    learned = {pair.second for pair in pairs if sides[pair.first] == sides[pair.second] == TRAIN}
    if learned:
        yield Leak(
            "repeats-in-training",
            "minor",
            f"{_many(len(learned), 'training scan')} {_shows(len(learned))} the same pixels as another one",
            "keep one of each: a picture on both the learning and the calibrating side makes false alarms look rarer",
            {"scans": len(learned), "weight": 0.4},
        )
    repeats = {pair.second for pair in within if len(_labels(items, pair)) == 1}
    if repeats:
        yield Leak(
            "repeats",
            "minor",
            f"{_many(len(repeats), 'test scan')} {_shows(len(repeats))} the same picture as another one of the same "
            "label: they count twice, and intervals come out too narrow",
            "keep one of each, or name the patients in a table, so that intervals are drawn over patients",
            {"scans": len(repeats), "weight": 0.4},
        )


def shared_found(items: Sequence[Item], sides: np.ndarray) -> Iterator[Leak]:
    """Patients, studies and series on both sides; and that nobody says who the patients are."""
    if not {TRAIN} < set(sides.tolist()):
        return
    told = False
    for what, many, names in (
        ("patient", "patients", [item.patient for item in items]),
        ("study", "studies", [item.study for item in items]),
        ("series", "series", [item.source.series for item in items]),
    ):
        learned = {name for name, side in zip(names, sides, strict=True) if side == TRAIN} - {None}
        theirs = [n for n, name in enumerate(names) if sides[n] != TRAIN and name in learned]
        if theirs and not told:
            told = True  # a shared patient's study and series say no more
            count = len({names[n] for n in theirs})
            of_whom = f"of {f'that {what}' if count == 1 else f'those {many}'}"
            yield Leak(
                f"shared-{many}",
                "grave",
                f"{count} {what if count == 1 else many} {'lies' if count == 1 else 'lie'} on both sides of the split: "
                f"{len(theirs)} of {int((sides != TRAIN).sum())} test scans "
                f"{'is' if len(theirs) == 1 else 'are'} {of_whom}",
                "split by patient: all scans of one belong on one side",
                {"shared": count, "test_scans": len(theirs), "weight": 1.0},
            )
    unknown = sum(item.patient is None for item in items)
    if unknown:
        yield Leak(
            "patients-unknown",
            "minor",
            f"the patients of {unknown} of {len(items)} scans are unknown: any may be on both sides",
            "give a table with a column patient (--table); until then only copies can be looked for",
            {"unknown": unknown, "weight": 0.3},
        )


def mislaid_found(items: Sequence[Item], sides: np.ndarray) -> Iterator[Leak]:
    """Scans labelled abnormal among those that are learned from."""
    count = sum(item.label == "abnormal" for item, side in zip(items, sides, strict=True) if side == TRAIN)
    if count:
        yield Leak(
            "abnormal-in-training",
            "minor",
            f"{count} of {int((sides == TRAIN).sum())} training scans are labelled abnormal",
            "halescan train leaves them out; any other program must be told to, or it learns disease as healthy",
            {"scans": count, "weight": 0.5},
        )


def statistics_found(record: Mapping[str, Any], *, patients_known: bool) -> Iterator[Leak]:
    """One leak for each kind of statistic that tells the labels: the best of its kind, the others named."""
    known = {name: row["auroc_either_direction"] for name, row in record["statistics"].items()}
    for kind, starts, way_out in _PATHS:
        telling = [name for name in known if name.startswith(starts) and _tells(known[name])]
        telling.sort(key=lambda name: -known[name]["value"])
        if telling:
            yield _statistic(kind, telling, known, record["statistics"], way_out)
    figure = record["together"]
    value = figure["value"]
    if value is not None and value >= _TOGETHER["serious"]:
        whom = (
            "patients they were not fitted to"
            if patients_known
            else ("scans they were not fitted to (nobody names their patients, so some are on both sides: too high)")
        )
        yield Leak(
            "statistics-together",
            "grave" if patients_known and value >= _TOGETHER["grave"] else "serious",
            f"all trivial statistics together reach an AUROC of {_interval(figure)} on {whom}",
            "print it beside a model's AUROC. It has seen labels, which a method that learns from healthy scans alone "
            "has not: it bounds what these statistics can give away",
            {"auroc": value, "weight": 0.5},
        )


def columns_found(columns: Mapping[str, Any]) -> Iterator[Leak]:
    """Columns of the table that go with the label: sites, scanners, ages."""
    for name, row in columns.items():
        figure = row.get("auroc_either_direction")
        if figure is None or not _tells(figure):
            continue
        site = any(word in name.lower() for word in _SITES)
        if figure["value"] >= _SEPARATED and not site:
            yield Leak(
                "column-is-the-label",
                "minor",
                f"the column {name} tells the label by itself (AUROC {_interval(figure)})",
                "if it names the finding, all is well; if it names where a scan comes from, the classes have different "
                "origins and no figure on them means anything",
                {"column": name, "auroc": figure["value"], "weight": 0.6},
            )
            continue
        yield Leak(
            "column",
            _level(figure) if site or figure["value"] < TELLING["serious"] else "serious",
            f"the column {name} alone reaches an AUROC of {_interval(figure)}: the classes differ in it",
            f"match the classes by {name}, or give the figures within each of its values",
            {"column": name, "auroc": figure["value"], "weight": _weight(figure)},
        )


def drift_found(drift: Mapping[str, Any]) -> Iterator[Leak]:
    """A statistic in which healthy test scans differ from the healthy training scans."""
    known = {name: row["auroc_either_direction"] for name, row in drift.items()}
    telling = sorted((name for name in known if _tells(known[name])), key=lambda name: -known[name]["value"])
    if telling:
        best = known[telling[0]]
        yield Leak(
            "healthy-differ",
            "serious" if best["value"] >= TELLING["grave"] else "minor",
            f"healthy test scans differ from healthy training scans: {telling[0]} tells them apart with an AUROC of "
            f"{_interval(best)}{_others(telling[1:], known)}",
            "split one source at random by patient; else expect more false alarms than asked, or calibrate on healthy "
            "scans of the test's source (halescan recalibrate)",
            {"statistic": telling[0], "auroc": best["value"], "weight": _weight(best)},
        )


def not_found(items: Sequence[Item], sides: np.ndarray, leaks: Sequence[Leak], labelled: bool) -> list[str]:
    """What was looked for in vain, so that silence is not taken for it; what could not be looked for is not in it."""
    keys = {leak.key for leak in leaks}
    two_sides = {TRAIN} < set(sides.tolist())
    tested = {item.label for item, side in zip(items, sides, strict=True) if side != TRAIN}
    found = ["copies on both sides of the split"] if two_sides and "copies" not in keys else []
    if two_sides and not keys & {"shared-patients", "patients-unknown"}:
        found.append("patients on both sides of the split")
    if {"healthy", "abnormal"} <= tested and "copies-with-two-labels" not in keys:
        found.append("one picture with two labels")
    if labelled and "statistic" not in keys:
        found.append(f"a statistic that tells the labels with an AUROC of {TELLING['minor']:.2f} or more")
    return found


def not_checked(items: Sequence[Item], sides: np.ndarray) -> list[str]:
    """What could not be looked for, and why: of that, silence says nothing."""
    tested = {item.label for item, side in zip(items, sides, strict=True) if side != TRAIN}
    found = []
    if TRAIN not in sides:
        found.append("copies and patients on both sides of the split (no training scans)")
    if not {"healthy", "abnormal"} <= tested:
        lacking = " or ".join(label for label in ("healthy", "abnormal") if label not in tested)
        found.append(f"what tells the labels without seeing disease (no test scan is labelled {lacking})")
    return found


def _copies_across(items: Sequence[Item], sides: np.ndarray, across: Sequence[Pair], tested: set[int]) -> Leak:
    labels = Counter(items[n].label for n in tested)
    count = int((sides != TRAIN).sum())
    grave = len(tested) > _FEW * count or labels["abnormal"] > 0
    other = (
        "a training scan" if all(TRAIN in (sides[p.first], sides[p.second]) for p in across) else "one of another part"
    )
    split = f" ({labels['healthy']} healthy, {labels['abnormal']} abnormal)"
    return Leak(
        "copies",
        "grave" if grave else "serious",
        f"{len(tested)} of {count} test scans{split} {_as(across)} {other}{_how(across)}",
        "split by patient, or take these out of one side (halescan leaks --out lists them): a learned picture tests "
        "nothing",
        {
            "test_scans": len(tested),
            "healthy": labels["healthy"],
            "abnormal": labels["abnormal"],
            "weight": 0.9,
        },
    )


def _labels(items: Sequence[Item], pair: Pair) -> set[str | None]:
    return {items[pair.first].label, items[pair.second].label}


def _as(pairs: Sequence[Pair]) -> str:
    """What is said of copies; of those found by their look, that they may be neighbours."""
    exact = all(pair.same != "look" for pair in pairs)
    return "show the same picture as" if exact else "are copies, or neighbouring slices or frames of one person, of"


def _how(pairs: Sequence[Pair]) -> str:
    """How much is the same, in words."""
    kinds = Counter(pair.same for pair in pairs)
    names: dict[Same, str] = {
        "bytes": "the same bytes",
        "pixels": "the same pixels in another file",
        "look": "alike",
    }
    told = [f"{kinds[kind]} {words}" for kind, words in names.items() if kinds[kind]]
    mirrored = sum(pair.mirrored for pair in pairs)
    return f"; pairs: {', '.join(told)}" + (f", {mirrored} of them mirrored" if mirrored else "")


def _statistic(
    kind: str, telling: Sequence[str], known: Mapping[str, Any], rows: Mapping[str, Any], way_out: str
) -> Leak:
    best = known[telling[0]]
    direction = rows[telling[0]]["direction"]
    which = "" if direction == "by value" else f" ({direction} is abnormal)"
    return Leak(
        "statistic",
        _level(best),
        f"in the files as stored, {telling[0]} alone reaches an AUROC of {_interval(best)}{which}"
        f"{_others(telling[1:], known)}",
        way_out,
        {"kind": kind, "statistic": telling[0], "auroc": best["value"], "weight": _weight(best)},
    )


def _tells(figure: Mapping[str, Any]) -> bool:
    """Whether a figure is large enough, and not by chance."""
    value, low = figure["value"], figure.get("low")
    return value is not None and value >= TELLING["minor"] and (low is None or low > 0.5)


def _level(figure: Mapping[str, Any]) -> Level:
    """How bad it is that a statistic reaches this."""
    if figure["value"] < TELLING["serious"]:
        return "minor"
    return "grave" if figure["value"] >= TELLING["grave"] else "serious"


def _weight(figure: Mapping[str, Any]) -> float:
    return float(2 * figure["value"] - 1)


def _interval(figure: Mapping[str, Any]) -> str:
    if figure["low"] is None:
        return f"{figure['value']:.2f}"
    return f"{figure['value']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})"


def _others(names: Sequence[str], known: Mapping[str, Any]) -> str:
    """The further statistics of the same kind, the best three."""
    told = [f"{name} {known[name]['value']:.2f}" for name in names[:3]]
    return f"; also {', '.join(told)}" if told else ""


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _shows(count: int) -> str:
    return "shows" if count == 1 else "show"
