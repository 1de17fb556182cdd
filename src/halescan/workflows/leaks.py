"""Leaks: what in a data set lets a method look good without seeing disease, ranked, each with the way out."""

import csv
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from halescan.data.copies import find_copies
from halescan.data.likeness import duplicates, joined
from halescan.data.table import Cohort, Item, read_cohort
from halescan.errors import OutputError, TableError
from halescan.evaluation.baselines import HealthyMean
from halescan.evaluation.leaks import statistic_figures, together
from halescan.evaluation.resampling import without_interval
from halescan.evaluation.results import plain
from halescan.reporting.json_out import write_atomically, write_json
from halescan.training.run import Progress, say_nothing
from halescan.workflows.healthy import unreadable
from halescan.workflows.leak_findings import (
    SIDES,
    TEST,
    TRAIN,
    VALID,
    Leak,
    Pair,
    columns_found,
    copies_found,
    drift_found,
    mislaid_found,
    not_checked,
    not_found,
    shared_found,
    statistics_found,
)
from halescan.workflows.leak_reading import Looks, look_at_all

SCHEMA = "halescan.leaks/1"
SURE = 0.95
"""Likeness from which scans count as alike although a table says that their patients differ."""

_LEVELS = {"grave": 0, "serious": 1, "minor": 2}
_COLUMN = "column:"
_BATCH = 256
_SHOWN = 12
_DRIFT_DRAWS = 200
_SAYS_NO_NAME = {"healthy", "abnormal", "images", "train", "valid", "test", "good", "ungood", "img", "normal"}
_FILES = ("leaks.json", "leaks.md", "pairs.csv")


@dataclass(frozen=True)
class LeakReport:
    """What was found: `warnings`, worst first; `record` as JSON; `pairs` of copies among `items`, train before test."""

    warnings: tuple[Leak, ...]
    record: dict[str, Any]
    pairs: tuple[Pair, ...] = field(default=(), repr=False)
    items: tuple[Item, ...] = field(default=(), repr=False)
    sides: tuple[int, ...] = field(default=(), repr=False)

    def summary(self) -> dict[str, Any]:
        """For a program."""
        return self.record

    def lines(self) -> list[str]:
        """For a person: what was found, worst first, the statistics, and what was looked for in vain."""
        lines = [_counted(self.record["n"]), ""]
        for leak in self.warnings:
            lines += [f"[{leak.level}] {leak.sentence}", f"    way out: {leak.way_out}"]
        lines += [] if self.warnings else [_all_clear(self.record)]
        lines += ["", *_statistic_lines(self.record), ""]
        lines += [f"looked for and not found: {name}" for name in self.record["not_found"]]
        lines += [f"could not be checked: {name}" for name in self.record["not_checked"]]
        return [*lines, *(f"problem: {problem}" for problem in self.record["problems"])]

    def markdown(self) -> str:
        """The same as a page."""
        lines = ["# Leaks", "", _counted(self.record["n"]), ""]
        for number, leak in enumerate(self.warnings, start=1):
            lines += [f"{number}. **{leak.level}**: {leak.sentence}.  ", f"   Way out: {leak.way_out}."]
        clear = _all_clear(self.record)
        lines += [] if self.warnings else [f"{clear[0].upper()}{clear[1:]}."]
        lines += ["", *_statistic_table(self.record)]
        lines += ["", *(f"- Looked for and not found: {name}." for name in self.record["not_found"])]
        lines += [f"- Could not be checked: {name}." for name in self.record["not_checked"]]
        return "\n".join(lines) + "\n"


def leaks(
    data: Path | str,
    *,
    train: Path | str | None = None,
    table: Path | None = None,
    layout: str | None = None,
    split: str | None = None,
    out: Path | str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    jobs: int | None = None,
    listen: Callable[[Progress], None] = say_nothing,
) -> LeakReport:
    """Check a data set on disk; with `out`, write `leaks.json`, `leaks.md` and `pairs.csv` there.

    Args:
        data: Folder, file or table of the test scans, and of the training scans if it has both.
        train: The training scans, where they lie elsewhere.
        split: Look at this part of `data` alone.
        seed: Of the bootstrap and of the folds.

    Raises:
        TableError: if there is no scan.
        OutputError: if `out` holds another check and `overwrite` is not set, or cannot be written.
    """
    folder = None if out is None else _free(Path(out), overwrite)
    whole = _scans_of(data, read_cohort(data, table=table, layout=layout, split=split))
    learned = None if train is None else _scans_of(train, read_cohort(train))
    if learned is None:
        learned, whole = _parted(whole)
    report = check_data(learned, whole, seed=seed, jobs=jobs, listen=listen)
    if folder is not None:
        _write(folder, report)
    return report


def check_data(
    train: Cohort | None,
    test: Cohort,
    *,
    seed: int = 0,
    jobs: int | None = None,
    listen: Callable[[Progress], None] = say_nothing,
) -> LeakReport:
    """Look for copies and patients on both sides of a split, and for what tells the labels without seeing disease.

    Every scan is read once. In memory stay a few kB a scan; small pictures wait in a temporary file.

    Args:
        train: What is learned from; None where the test scans alone are checked.
        test: Scans with labels; those without one take part in the search for copies only.
        jobs: Threads that read; default: the cores at hand.
    """
    learned = () if train is None else train.items
    items = (*learned, *test.items)
    sides = np.array(
        [TRAIN] * len(learned) + [VALID if item.split == "valid" else TEST for item in test.items], np.intp
    )
    with tempfile.TemporaryDirectory(prefix="halescan-leaks-") as folder:
        looks = look_at_all(items, Path(folder), jobs=jobs or os.cpu_count() or 1, listen=listen)
        listen(Progress("comparing", 0, len(items)))
        pairs = _pairs(items, looks, sides)
        _add_healthy_mean(items, looks, sides)
        looks.let_go()
    listen(Progress("comparing", len(items), len(items)))
    figures = _figures(items, looks, sides, _units(items, pairs), seed)
    named = all(item.patient is not None for item, side in zip(items, sides, strict=True) if side != TRAIN)
    found = [*copies_found(items, sides, pairs), *shared_found(items, sides), *mislaid_found(items, sides)]
    found += [
        *statistics_found(figures, patients_known=named),
        *columns_found(figures["columns"]),
        *drift_found(figures["drift"]),
    ]
    found.sort(key=lambda leak: (_LEVELS[leak.level], -leak.values.get("weight", 0.0)))
    problems = [str(one) for cohort in (train, test) if cohort is not None for one in cohort.problems]
    record = {
        "schema": SCHEMA,
        "n": _counts(items, sides),
        "warnings": [leak.record() for leak in found],
        "copies": _pair_counts(sides, pairs),
        **figures,
        "not_found": not_found(items, sides, found, bool(figures["statistics"])),
        "not_checked": not_checked(items, sides),
        "problems": problems + looks.problems,
    }
    return LeakReport(tuple(found), plain(record), tuple(pairs), items, tuple(int(side) for side in sides))


def _scans_of(place: Path | str, cohort: Cohort) -> Cohort:
    """A cohort with scans in it.

    Raises:
        TableError: if there is none: nothing found in nothing is no all-clear.
    """
    if not cohort.items:
        raise TableError(
            f"{place}: no scan found{unreadable(cohort)}. Expected train/ and test/ with healthy/ and abnormal/, "
            "another layout, or a table"
        )
    return cohort


def _parted(whole: Cohort) -> tuple[Cohort | None, Cohort]:
    """The training part and all others; None where the cohort is not split."""
    taught = [number for number, item in enumerate(whole.items) if item.split == "train"]
    if not 0 < len(taught) < len(whole):
        return None, whole
    others = sorted(set(range(len(whole))) - set(taught))
    return whole.subset(taught), whole.subset(others)


def _pairs(items: Sequence[Item], looks: Looks, sides: np.ndarray) -> list[Pair]:
    """Pairs of the same bytes, the same pixels or the same look.

    Of the last those within one patient on one side are left out, as neighbouring slices are; and where a table names
    two patients, as that speaks against a copy, it takes more than where nobody knows.
    """
    pairs = {pair: Pair(*pair, "bytes", 1.0) for pair in duplicates([item.source for item in items])}
    first_with: dict[tuple[bytes, int], int] = {}
    for number, digest in enumerate(looks.digests):
        if digest is None:
            continue
        for side in range(len(SIDES)):
            first = first_with.get((digest, side))
            if first is not None:
                pairs.setdefault((first, number), Pair(first, number, "pixels", 1.0))
        first_with.setdefault((digest, int(sides[number])), number)
    for copy in find_copies(looks.pictures, sides, of=np.flatnonzero(sides != TRAIN)):
        one, other = items[copy.first].patient, items[copy.second].patient
        named = one is not None and other is not None
        if named and (copy.likeness < SURE if one != other else sides[copy.first] == sides[copy.second]):
            continue
        key = (copy.first, copy.second)
        pairs.setdefault(key, Pair(*key, "look", copy.likeness, copy.mirrored))
    return sorted(pairs.values(), key=lambda pair: (-pair.likeness, pair.first, pair.second))


def _add_healthy_mean(items: Sequence[Item], looks: Looks, sides: np.ndarray) -> None:
    """How far each small picture lies from the mean of the healthy training pictures, as one more number."""
    healthy = [n for n, item in enumerate(items) if sides[n] == TRAIN and item.label != "abnormal"]
    if len(healthy) < 2:
        return
    places = [healthy[start : start + _BATCH] for start in range(0, len(healthy), _BATCH)]
    mean = HealthyMean().fit(np.asarray(looks.pictures[some], np.float32)[:, None] for some in places)
    looks.numbers["healthy-mean"] = np.concatenate(
        [
            mean.score(np.asarray(looks.pictures[start : start + _BATCH], np.float32)[:, None])
            for start in range(0, len(items), _BATCH)
        ]
    )


def _units(items: Sequence[Item], pairs: Sequence[Pair]) -> list[str]:
    """What counts as one person: the patient, and where nobody says, the scans of one picture."""
    alike = joined(len(items), [(pair.first, pair.second) for pair in pairs])
    return [
        f"alike {unit}" if item.patient is None else f"patient {item.patient}"
        for item, unit in zip(items, alike, strict=True)
    ]


def _figures(items: Sequence[Item], looks: Looks, sides: np.ndarray, units: Sequence[str], seed: int) -> dict[str, Any]:
    """What each statistic, each column and all statistics together reach; and how healthy test and training differ."""
    read = np.array([digest is not None for digest in looks.digests], bool)
    side = TEST if (sides == TEST).any() else VALID
    judged = np.array([item.label is not None for item in items], bool) & (sides == side) & read
    truth = np.array([item.label == "abnormal" for item in items], bool)
    healthy = (judged & ~truth) | ((sides == TRAIN) & ~truth & read)
    found: dict[str, Any] = {"statistics": {}, "columns": {}, "drift": {}, "together": without_interval(None, "")}
    if (judged & truth).any() and (judged & ~truth).any():
        numbers, words = _columns(looks, judged, of_table=False)
        groups = _at(units, judged)
        found["statistics"] = _ranked(statistic_figures(truth[judged], numbers, words, groups=groups, seed=seed))
        found["together"] = together(truth[judged], numbers, words, groups=groups, seed=seed)
        found["columns"] = _column_figures(looks, judged, truth, groups, seed)
    else:
        found["why"] = "needs labelled healthy and abnormal test scans"
        found["together"] = without_interval(None, found["why"])
    if (healthy & (sides == TRAIN)).any() and (healthy & (sides == side)).any():
        numbers, words = _columns(looks, healthy, of_table=False)
        rows = statistic_figures(
            sides[healthy] == side, numbers, words, groups=_at(units, healthy), seed=seed, draws=_DRIFT_DRAWS
        )
        found["drift"] = _ranked({name: row for name, row in rows.items() if name != "healthy-mean"})
    return found


def _columns(looks: Looks, where: np.ndarray, *, of_table: bool) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """Numbers and words of some scans: the table's own columns, or all else."""
    numbers = {name: column[where] for name, column in looks.numbers.items() if name.startswith(_COLUMN) == of_table}
    words = {name: _at(column, where) for name, column in looks.words.items() if name.startswith(_COLUMN) == of_table}
    return numbers, words


def _column_figures(
    looks: Looks, judged: np.ndarray, truth: np.ndarray, groups: Sequence[str], seed: int
) -> dict[str, Any]:
    """The table's columns. One filled in for a single class describes what was found there: it is named, no more."""
    numbers, words = _columns(looks, judged, of_table=True)
    filled = {name: np.isfinite(column) for name, column in numbers.items()}
    for name, column in words.items():
        filled[name] = np.array([text != "" for text in column], bool) | filled.get(name, False)
    both = {name for name, known in filled.items() if 0 < truth[judged][known].mean() < 1} if filled else set()
    # a column of numbers and words is read as words, else half of it would go unseen
    words = {name: _spelled(column, numbers.get(name)) for name, column in words.items()}
    numbers = {name: column for name, column in numbers.items() if name not in words}
    rows = statistic_figures(
        truth[judged],
        {name: column for name, column in numbers.items() if name in both},
        {name: column for name, column in words.items() if name in both},
        groups=groups,
        seed=seed,
    )
    rows |= {name: {"why": "filled in for one class only"} for name in filled if name not in both}
    return {name.removeprefix(_COLUMN): row for name, row in rows.items()}


def _spelled(column: Sequence[str], numbers: np.ndarray | None) -> list[str]:
    """Words, with numbers where there is no word."""
    if numbers is None:
        return list(column)
    return [
        text or ("" if np.isnan(number) else format(number, "g")) for text, number in zip(column, numbers, strict=True)
    ]


def _at(column: Sequence[Any], where: np.ndarray) -> list[Any]:
    return [column[n] for n in np.flatnonzero(where).tolist()]


def _ranked(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The best first."""
    return dict(sorted(rows.items(), key=lambda row: -(row[1]["auroc_either_direction"]["value"] or 0.0)))


def _counts(items: Sequence[Item], sides: np.ndarray) -> dict[str, int]:
    """Scans of each part and label."""
    labels = [item.label or "unlabelled" for item in items]
    counts = {"scans": len(items)}
    for side, name in enumerate(SIDES):
        for label in ("healthy", "abnormal", "unlabelled"):
            count = sum(one == label and where == side for one, where in zip(labels, sides, strict=True))
            counts |= {f"{name}_{label}": count} if count else {}
    return counts


def _pair_counts(sides: np.ndarray, pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """Pairs by the parts they lie in, and how much is the same."""
    counts: dict[str, dict[str, int]] = {}
    for pair in pairs:
        where = " and ".join(SIDES[side] for side in sorted((int(sides[pair.first]), int(sides[pair.second]))))
        kind = counts.setdefault(where, {})
        kind[pair.same] = kind.get(pair.same, 0) + 1
    return counts


def _all_clear(record: dict[str, Any]) -> str:
    """What to say where no leak was found, which is no more than what could be looked for."""
    n, missing = record["n"], record["not_checked"]
    if not missing:
        return "no leak found"
    lacks = [] if any(name.startswith("train") for name in n) else ["training scans"]
    lacks += ["labels"] if len(missing) > 1 or not lacks else []
    expected = "expected train/ and test/ with healthy/ and abnormal/, or a table with the columns split and label"
    what = "nothing could be checked" if len(lacks) > 1 else "nothing found, but not all could be checked"
    return f"{what}: there are no {' and no '.join(lacks)}; {expected}"


def _counted(n: dict[str, int]) -> str:
    parts = [f"{count} {name.replace('_', ' ')}" for name, count in n.items() if name != "scans"]
    return f"{n['scans']} scans: {', '.join(parts)}"


def _statistic_lines(record: dict[str, Any]) -> list[str]:
    if not record["statistics"]:
        return [f"trivial statistics: {record.get('why', 'none vary')}"]
    lines = ["trivial statistics of the files as stored, alone (AUROC, in whichever direction is better):"]
    lines += [f"  {name:<20} {figure}" for name, figure in list(_told(record))[:_SHOWN]]
    more = len(record["statistics"]) - _SHOWN
    return [*lines, f"  and {more} weaker ones"] if more > 0 else lines


def _statistic_table(record: dict[str, Any]) -> list[str]:
    if not record["statistics"]:
        return [f"Trivial statistics: {record.get('why', 'none vary')}."]
    head = ["| trivial statistic | AUROC (95 %), better direction | abnormal is |", "|---|---|---|"]
    rows = [f"| {name} | {figure} | {_direction(record, name)} |" for name, figure in _told(record)]
    tried = len(record["statistics"])
    note = f"Each interval by itself; {tried} statistics were tried, so a few exceed 0.5 by chance. "
    note += "All together: a logistic regression on their ranks, five folds by patient."
    return [*head, *rows, "", note]


def _told(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and figure of each statistic, and of all together first."""
    if record["together"]["value"] is not None:
        yield "all together", _written(record["together"])
    for name, row in record["statistics"].items():
        yield name, _written(row["auroc_either_direction"])


def _direction(record: dict[str, Any], name: str) -> str:
    return record["statistics"].get(name, {}).get("direction", "fitted to labels of other patients")


def _written(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "–"
    low, high = figure["low"], figure["high"]
    return f"{figure['value']:.3f}" + ("" if low is None else f" ({low:.3f} to {high:.3f})")


def _free(out: Path, overwrite: bool) -> Path:
    """The folder to write to.

    Raises:
        OutputError: if it holds another check, or cannot be made.
    """
    if (out / _FILES[0]).exists() and not overwrite:
        raise OutputError(f"{out} holds another check; choose another --out, or --overwrite to replace it")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    return out


def _write(out: Path, report: LeakReport) -> None:
    write_json(report.record, out / "leaks.json")
    write_atomically(report.markdown(), out / "leaks.md")
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["part", "file", "other_part", "other_file", "same", "likeness", "mirrored"])
    for pair in report.pairs:
        one, other = (
            (SIDES[report.sides[number]], _file_name(report.items[number], number))
            for number in (pair.first, pair.second)
        )
        table.writerow([*one, *other, pair.same, f"{pair.likeness:.3f}", "yes" if pair.mirrored else "no"])
    write_atomically(text.getvalue(), out / "pairs.csv")


def _file_name(item: Item, number: int) -> str:
    """What a scan is called in `pairs.csv`: folders' names stay out unless they are known to be nobody's."""
    place = item.source.path
    if place.is_dir():
        return f"series-{number}"
    folder = place.parent.name
    name = f"{folder}/{place.name}" if folder.lower() in _SAYS_NO_NAME else place.name
    return f"{name}#{item.source.within}" if item.source.within and item.source.series is None else name
