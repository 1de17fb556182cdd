"""The same figures by scanner, site, sex, age ...: a good mean may hide a group for which the method does not work."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.metrics import check_labels, check_scores, count_cases, image_figures, wilson
from halescan.evaluation.reliability import false_alarm_rate

MOST_GROUPS = 20
"""More values than this in a column of words are no groups."""

MISSING = "not given"

AGAINST = "all healthy cases"
"""What a finding's groups are held against: a column that is empty for every healthy case parts the abnormal ones."""

_FEW_NUMBERS = 6  # a column of numbers with more distinct values than this is cut into bands


def subgroup_metrics(
    labels: Sequence[Any] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    column: Sequence[str | None],
    *,
    decisions: Sequence[bool] | np.ndarray | None = None,
    groups: Sequence[Any] | None = None,
    bands: Sequence[float] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, dict[str, Any]]:
    """Figures of the cases of each value of a column, or of each band of a column of numbers.

    A column that is empty for every healthy case tells of the finding (its cause, its size): there each group of
    abnormal cases stands against all healthy ones, `against` says so, and a rate of false alarms would be no group's.

    Args:
        labels: `(n,)` True is abnormal.
        scores: `(n,)` larger is stranger.
        column: `(n,)` what the table says of each case; None or "" is `"not given"`, a group of its own.
        decisions: `(n,)` True is above the threshold; None where it was withheld.
        groups: Patient of each case.
        bands: Inner limits between bands, ascending (from is within, to is not); None takes quartiles of a column of
            more than six different numbers.

    Returns:
        By group: `n`, `auroc`, `average_precision`, `sensitivity_at`, and with decisions `false_alarms` and
        `sensitivity`; or `against`. A group of one class has None, with `"why"`.

    Raises:
        SettingError: on a column of words with more than 20 values, or bands for a column that holds words.
        ShapeError: if the lengths differ.
    """
    truth = check_labels(labels)
    values = check_scores(scores, len(truth))
    if len(column) != len(truth):
        raise ShapeError(f"{len(column)} values of a column for {len(truth)} cases; expected one a case")
    above = None if decisions is None else check_labels(decisions, what="decisions")
    chosen_by, of_finding = _chosen(column, bands), _of_finding(truth, column)
    if of_finding:
        chosen_by = {name: chosen | ~truth for name, chosen in chosen_by.items() if (chosen & truth).any()}
    found: dict[str, dict[str, Any]] = {}
    for name, chosen in chosen_by.items():
        some = _part(groups, chosen)
        options: dict[str, Any] = {"groups": some, "seed": seed, "draws": draws}
        image, at = image_figures(truth[chosen], values[chosen], **options)
        decided = {} if above is None else _decided(truth[chosen], above[chosen], some)
        found[name] = {"n": count_cases(truth[chosen], groups=some), **image, "sensitivity_at": at, **decided}
        if of_finding:
            found[name].pop("false_alarms", None)
            found[name]["against"] = AGAINST
    return found


def check_groups(column: Sequence[str | None], bands: Sequence[float] | None) -> None:
    """Refuse a column that `subgroup_metrics` could not part into groups.

    Raises:
        SettingError: on more than 20 different words, or bands for a column that holds words.
    """
    _chosen(column, bands)


def parse_bands(text: str) -> tuple[str, tuple[float, ...] | None]:
    """`age=40,60,75` as the column and its limits; `sex` as the column alone.

    Raises:
        SettingError: on limits that are not ascending numbers.
    """
    column, equals, limits = text.partition("=")
    if not equals:
        return column.strip().lower(), None
    try:
        numbers = tuple(float(part) for part in limits.split(","))
    except ValueError:
        numbers = ()
    if not numbers or list(numbers) != sorted(set(numbers)) or not all(map(math.isfinite, numbers)):
        raise SettingError(f"{text}: expected a column and ascending limits between its bands, as age=40,60,75")
    return column.strip().lower(), numbers


def _decided(truth: np.ndarray, above: np.ndarray, groups: Sequence[Any] | None) -> dict[str, Any]:
    ill = count_cases(truth[truth], groups=_part(groups, truth))
    return {
        "false_alarms": false_alarm_rate(above[~truth], groups=_part(groups, ~truth)),
        "sensitivity": wilson(int(above[truth].sum()), ill["images"], patients=ill.get("patients")),
    }


def _of_finding(truth: np.ndarray, column: Sequence[str | None]) -> bool:
    """Whether a column says something of abnormal cases only."""
    given = np.array([bool(str(value or "").strip()) for value in column], bool)
    return bool(given.any() and not truth.all() and not given[~truth].any())


def _part(groups: Sequence[Any] | None, chosen: np.ndarray) -> list[Any] | None:
    return None if groups is None else [name for name, taken in zip(groups, chosen, strict=True) if taken]


def _chosen(column: Sequence[str | None], bands: Sequence[float] | None) -> dict[str, np.ndarray]:
    """The cases `(n,)` bool of each group, in an order that reads well, those without a value last."""
    words = ["" if value is None else str(value).strip() for value in column]
    given = np.array([bool(word) for word in words], bool)
    numbers = _numbers(words)
    if bands is not None and numbers is None:
        raise SettingError("bands were given for a column that holds words; leave the limits out")
    if numbers is not None and (bands is not None or len(np.unique(numbers[given])) > _FEW_NUMBERS):
        groups = _in_bands(numbers, given, bands)
    else:
        groups = _by_value(words)
    if not given.all():
        groups[MISSING] = ~given
    return groups


def _by_value(words: Sequence[str]) -> dict[str, np.ndarray]:
    names = sorted({word for word in words if word}, key=_natural)
    if len(names) > MOST_GROUPS:
        raise SettingError(f"the column holds {len(names)} different words, expected at most {MOST_GROUPS} groups")
    spelled = np.array(words, dtype=object)
    return {name: spelled == name for name in names}


def _in_bands(numbers: np.ndarray, given: np.ndarray, bands: Sequence[float] | None) -> dict[str, np.ndarray]:
    limits = np.unique(np.quantile(numbers[given], [0.25, 0.5, 0.75]) if bands is None else np.asarray(bands, float))
    place = np.searchsorted(limits, numbers, side="right")
    names = [f"below {limits[0]:g}"]
    names += [f"{low:g} to below {high:g}" for low, high in pairwise(limits)]
    names.append(f"{limits[-1]:g} and above")
    found = {name: given & (place == number) for number, name in enumerate(names)}
    return {name: chosen for name, chosen in found.items() if chosen.any()}


def _numbers(words: Sequence[str]) -> np.ndarray | None:
    """`(n,)` with NaN where nothing is given; None where one is a word. DICOM ages as 045Y are years."""
    found = []
    for word in words:
        years = word[:-1] if len(word) == 4 and word.endswith("Y") and word[:3].isdigit() else word
        try:
            found.append(float(years) if word else math.nan)
        except ValueError:
            return None
    numbers = np.array(found, float)
    return numbers if np.isfinite(numbers).any() and not np.isinf(numbers).any() else None


def _natural(word: str) -> tuple[int, float, str]:
    """Numbers by size, before words."""
    try:
        return 0, float(word), word
    except ValueError:
        return 1, 0.0, word.lower()


def subgroup_rows(groups: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The record of `subgroup_metrics` as rows for `tables.markdown_table`."""
    return [
        {"group": name, "healthy": found["n"]["healthy"], "abnormal": found["n"]["abnormal"], **found}
        for name, found in groups.items()
    ]
