"""Leaks: how well things that know nothing of disease tell abnormal from healthy, one by one and together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from halescan.evaluation.baselines import either_direction
from halescan.evaluation.metrics import check_labels, image_metrics
from halescan.evaluation.resampling import number_groups, strata_of, without_interval

NEAR = 0.03
"""A model whose AUROC is not this much above that of a trivial statistic may be no more than this statistic."""

_FOLDS = 5
_FEWEST = 10  # cases of a class below which nothing is learned from the labels
_MOST_LEVELS = 30
_MANY = 5_000  # cases from which fewer bootstrap draws give intervals just as steady
_PRIOR = 1.0  # cases of either class added to each level of a word


@dataclass(frozen=True)
class Shortcut:
    """A trivial statistic that does nearly as well as the model, or better."""

    name: str
    auroc: float
    model_auroc: float

    @property
    def sentence(self) -> str:
        """What a reader of the figures must know."""
        than = "above" if self.auroc > self.model_auroc else "within 0.03 of"
        return (
            f"{self.name} alone reaches an AUROC of {self.auroc:.2f}, {than} the model's {self.model_auroc:.2f}: "
            "on these data the model's figure does not show that it sees disease"
        )

    def record(self) -> dict[str, Any]:
        """For metrics.json."""
        return {"statistic": self.name, "auroc": self.auroc, "model_auroc": self.model_auroc, "sentence": self.sentence}


def shortcut_sentence(shortcuts: Sequence[Shortcut]) -> str:
    """All of them in one sentence, the best first; "" without any."""
    if len(shortcuts) < 2:
        return "".join(one.sentence for one in shortcuts)
    reached = ", ".join(f"{one.name} {one.auroc:.2f}" for one in shortcuts)
    return (
        f"the model's AUROC of {shortcuts[0].model_auroc:.2f} is not clearly above what trivial statistics reach alone "
        f"({reached}): on these data it does not show that it sees disease"
    )


def shortcut_warnings(
    model_auroc: float | None, baselines: Mapping[str, Any], *, near: float = NEAR
) -> tuple[Shortcut, ...]:
    """The trivial statistics that come within `near` of the model's AUROC or exceed it, best first.

    One whose own interval holds 0.5 is left out: it may be chance, and explains nothing.

    Args:
        model_auroc: Image AUROC of the model; None (it could not be told) warns of nothing.
        baselines: By name what `baselines.baseline_metrics` or `statistic_figures` gives, a figure, or a number. A
            statistic counts in whichever direction is better.
    """
    if model_auroc is None:
        return ()
    reached = {name: _reached(figures) for name, figures in baselines.items() if not _by_chance(figures)}
    close = [(name, value) for name, value in reached.items() if value is not None and value >= model_auroc - near]
    close.sort(key=lambda pair: (-pair[1], pair[0]))
    return tuple(Shortcut(name, value, model_auroc) for name, value in close)


def statistic_figures(
    labels: Sequence[Any] | np.ndarray,
    numbers: Mapping[str, np.ndarray],
    words: Mapping[str, Sequence[str]] | None = None,
    *,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, dict[str, Any]]:
    """How well each statistic alone tells abnormal from healthy.

    Args:
        labels: `(n,)` True is abnormal.
        numbers: `(n,)` by name; NaN where unknown: these cases are left out, and `cases` says how many were used.
        words: `(n,)` by name, "" where unknown. A word's score is the log odds of abnormal among the other four fifths
            of the patients; with more than 30 different words a column is left out, as it may name patients.
        groups: `(n,)` patients.

    Returns:
        By name: `auroc_either_direction` as a figure marked optimistic, `direction` ("larger" or "smaller" is abnormal;
        "by value" for words), `cases`. What is the same everywhere is left out.
    """
    truth = check_labels(labels)
    members = number_groups(groups, len(truth))
    found: dict[str, dict[str, Any]] = {}
    for name, values in numbers.items():
        known = np.isfinite(values)
        if known.any() and np.ptp(values[known]) > 0:
            figure = _auroc(truth[known], np.asarray(values, float)[known], members[known], seed, draws)
            found[name] = _row(figure, known.sum())
    for name, column in (words or {}).items():
        if 2 <= len(set(column)) <= _MOST_LEVELS:
            scores = held_out_odds(column, truth, members, seed=seed)
            figure = {**_auroc(truth, scores, members, seed, draws), "optimistic": False}
            found[name] = {"auroc_either_direction": figure, "direction": "by value", "cases": len(truth)}
    return found


def held_out_odds(
    column: Sequence[str], labels: np.ndarray, members: np.ndarray, *, seed: int = 0, folds: int = _FOLDS
) -> np.ndarray:
    """`(n,)` log odds of abnormal with the same word among patients of other folds, against their odds in all."""
    truth = np.asarray(labels, bool)
    _, level = np.unique(np.asarray(column, dtype=str), return_inverse=True)
    scores = np.zeros(len(truth))
    for fold in _folds(truth, members, seed, folds):
        rest = ~fold
        share = min(max(float(truth[rest].mean()), 1e-6), 1 - 1e-6) if rest.any() else 0.5
        abnormal = np.bincount(level[rest & truth], minlength=level.max() + 1) + _PRIOR * share
        healthy = np.bincount(level[rest & ~truth], minlength=level.max() + 1) + _PRIOR * (1 - share)
        odds = np.log(abnormal / healthy) - np.log(share / (1 - share))
        scores[fold] = np.round(odds, 9)[level[fold]]
    return scores


def together(
    labels: Sequence[Any] | np.ndarray,
    numbers: Mapping[str, np.ndarray],
    words: Mapping[str, Sequence[str]] | None = None,
    *,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> dict[str, Any]:
    """The AUROC of all statistics together: logistic regression on their ranks, learned on other patients.

    Five folds by patient. Unlike the model under test it has seen labels, so it bounds what these statistics can give
    away from above. None with fewer than ten patients of a class.
    """
    truth = check_labels(labels)
    members = number_groups(groups, len(truth))
    columns = [_ranks(np.asarray(values, float)) for values in numbers.values()]
    columns += [
        held_out_odds(column, truth, members, seed=seed)
        for column in (words or {}).values()
        if 2 <= len(set(column)) <= _MOST_LEVELS
    ]
    columns = [column for column in columns if np.ptp(column) > 0]
    fewest = min((len(np.unique(members[truth == kind])) for kind in (True, False)), default=0)
    if fewest < _FEWEST or not columns:
        return without_interval(None, f"needs {_FEWEST} patients of either class and a statistic that varies")
    scores = _held_out_scores(np.stack(columns, axis=1), truth, members, seed)
    return _auroc(truth, scores, members, seed, draws)


def _reached(figures: Any) -> float | None:
    """The best AUROC behind an entry, in either direction."""
    found = _figure(figures)
    value = found.get("value") if isinstance(found, Mapping) else found
    return None if value is None else max(float(value), 1 - float(value))


def _by_chance(figures: Any) -> bool:
    """Whether the interval of an entry's AUROC is known and holds 0.5."""
    found = _figure(figures)
    ends = (found.get("low"), found.get("high")) if isinstance(found, Mapping) else (None, None)
    return ends[0] is not None and ends[1] is not None and ends[0] <= 0.5 <= ends[1]


def _figure(figures: Any) -> Any:
    """An AUROC, as a figure or a number, out of what an entry may be."""
    if not isinstance(figures, Mapping):
        return figures
    return figures.get("auroc_either_direction") or figures.get("auroc") or figures


def _auroc(truth: np.ndarray, values: np.ndarray, members: np.ndarray, seed: int, draws: int) -> dict[str, Any]:
    draws = draws if len(truth) <= _MANY else min(draws, 200)
    _, numbered = np.unique(members, return_inverse=True)
    return dict(image_metrics(truth, values, groups=numbered.tolist(), seed=seed, draws=draws)["auroc"])


def _row(figure: Mapping[str, Any], cases: int) -> dict[str, Any]:
    smaller = figure["value"] is not None and figure["value"] < 0.5
    return {
        "auroc_either_direction": either_direction(figure),
        "direction": "smaller" if smaller else "larger",
        "cases": int(cases),
    }


def _folds(truth: np.ndarray, members: np.ndarray, seed: int, folds: int) -> list[np.ndarray]:
    """Masks `(n,)` of the cases of each fold: patients of each kind are dealt out in turn, shuffled."""
    random = np.random.default_rng(seed)
    fold_of = np.zeros(int(members.max()) + 1 if len(members) else 0, np.intp)
    for part in strata_of(truth, members):
        fold_of[random.permutation(part)] = np.arange(len(part)) % folds
    return [fold_of[members] == fold for fold in range(folds)]


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks in [-1, 1] among the known; unknown is 0, the middle."""
    known = np.isfinite(values)
    ranks = np.zeros(len(values))
    if known.sum() > 1:
        ranks[known] = 2 * (rankdata(values[known]) - 0.5) / known.sum() - 1
    return ranks


def _held_out_scores(columns: np.ndarray, truth: np.ndarray, members: np.ndarray, seed: int) -> np.ndarray:
    """`(n,)` log odds from the other folds; squares are added, as both ends of a range can mean abnormal."""
    from sklearn.linear_model import LogisticRegression

    wide = np.concatenate([columns, columns**2], axis=1)
    scores = np.zeros(len(truth))
    for fold in _folds(truth, members, seed, _FOLDS):
        rest = ~fold
        if fold.any() and truth[rest].any() and not truth[rest].all():
            learned = LogisticRegression(C=1.0, max_iter=500).fit(wide[rest], truth[rest])
            share = float(truth[rest].mean())  # folds differ a little in their share of abnormal cases
            scores[fold] = learned.decision_function(wide[fold]) - np.log(share / (1 - share))
    return scores
