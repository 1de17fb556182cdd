"""Shift: do these scans differ from the ones the model was trained on, and is this one unlike any of them?"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np

from halescan.errors import SettingError, ShapeError

Row = Mapping[str, float | str | None]

_SCHEMA = "halescan.shift/1"
_ALPHA = 0.01
_MEDIUM = 0.33  # Cliff's delta from which Romano et al. (2006) speak of a medium effect
_FAR = 6.0
_FEWEST = 10  # reference cases below which nobody can say what is usual
_DIRECTIONS = 32
_DRAWS = 9999
_EMBEDDING = "embedding"


@dataclass(frozen=True)
class Difference:
    """One feature in which new scans differ from the reference.

    Args:
        feature: Its name; "embedding" is the distance from the cloud of reference scans as the network sees them.
        effect: Cliff's delta in [-1, 1] for a number (positive: larger in the new scans); Cramér's V in [0, 1] for a
            word.
        p_value: Corrected for the number of features (Holm).
        reference_median: The commonest word, for words.
        new_median: Likewise.
    """

    feature: str
    effect: float
    p_value: float
    reference_median: float | str
    new_median: float | str


@dataclass(frozen=True)
class Comparison:
    """What a comparison found, largest effect first; `reason` says why none was made ("too-few-cases")."""

    differences: tuple[Difference, ...]
    cases: int
    reason: str | None = None

    @property
    def differs(self) -> bool:
        """Whether at least one feature differs."""
        return bool(self.differences)


@dataclass(frozen=True, eq=False)
class Reference:
    """The scans a model knows: how their features are distributed, and where their embeddings lie.

    Features are compared one by one, numbers by the two-sample Kolmogorov-Smirnov test, words by a permutation test
    of chi-square, embeddings by their Mahalanobis distance to the reference cloud. A difference is reported only when
    p < 0.01 after Holm's correction *and* the effect is at least medium (0.33): with a thousand scans any trifle is
    significant, with twenty a large effect may be chance. One row is one case: slices of one volume would count as
    independent witnesses, which they are not.

    Args:
        numbers: Finite values of each numeric feature in the reference, sorted.
        words: How often each word stood in each feature that is a word.
        cloud: The embeddings' distribution, or None.
        cases: Number of rows it was made from.
    """

    numbers: Mapping[str, np.ndarray]
    words: Mapping[str, Mapping[str, int]]
    cloud: "Cloud | None"
    cases: int

    @classmethod
    def fit(cls, rows: Sequence[Row], embeddings: np.ndarray | None = None) -> Self:
        """From the features of the reference cases, one row a case, and their embeddings `(n, d)`.

        A feature is a number if every value of it is one; None and NaN are missing.

        Raises:
            ShapeError: if there is no row, or rows and embeddings differ in number.
        """
        if not rows or (embeddings is not None and len(embeddings) != len(rows)):
            raise ShapeError(f"expected one or more rows and an embedding each, got {len(rows)} rows")
        columns = _columns(rows)
        numbers = {name: np.sort(np.asarray(values, float)) for name, values in columns.items() if _numeric(values)}
        words = {name: Counter(map(str, values)) for name, values in columns.items() if name not in numbers}
        cloud = None if embeddings is None or len(rows) < _FEWEST else Cloud.fit(embeddings)
        return cls(numbers, words, cloud, len(rows))

    def compare(self, rows: Sequence[Row], embeddings: np.ndarray | None = None, *, least: int = 20) -> Comparison:
        """In what new cases differ from the reference.

        Args:
            rows: One a case, with the features of `fit`; others are ignored.
            embeddings: `(m, d)` of the same cases.
            least: Below so many cases, new or in the reference, nothing is compared.
        """
        if embeddings is not None and len(embeddings) != len(rows):
            raise ShapeError(f"{len(embeddings)} embeddings for {len(rows)} rows; expected one each")
        if min(len(rows), self.cases) < least:
            return Comparison((), len(rows), "too-few-cases")
        columns = _columns(rows)
        tested = [
            _compare_numbers(name, known, np.asarray(columns[name], float))
            for name, known in self.numbers.items()
            if min(len(columns.get(name, ())), len(known)) >= least and _numeric(columns[name])
        ]
        tested += [
            _compare_words(name, known, Counter(map(str, columns[name])))
            for name, known in self.words.items()
            if min(len(columns.get(name, ())), sum(known.values())) >= least and not _names_each(known)
        ]
        if self.cloud is not None and embeddings is not None:
            tested.append(_compare_numbers(_EMBEDDING, self.cloud.own, self.cloud.distance(embeddings)))
        found = [d for d in _holm(tested) if d.p_value < _ALPHA and abs(d.effect) >= _MEDIUM]
        return Comparison(tuple(sorted(found, key=lambda d: (-abs(d.effect), d.feature))), len(rows))

    def unlike(self, row: Row, embedding: np.ndarray | None = None) -> list[str]:
        """The features in which one scan lies far outside the reference; empty when it has fewer than 10 cases.

        A number counts when it lies outside the reference's range and more than 6 robust standard deviations from its
        median; a word when it was never seen; an embedding `(d,)` when its distance does as a number. A feature that
        was missing, or exactly 0, in every reference case cannot be judged.
        """
        if self.cases < _FEWEST:
            return []
        columns = _columns([row])
        far = [
            name
            for name, known in self.numbers.items()
            if name in columns and (not _numeric(columns[name]) or _is_far(float(columns[name][0]), known))
        ]
        far += [
            name
            for name, known in self.words.items()
            if name in columns and not _names_each(known) and str(columns[name][0]) not in known
        ]
        if self.cloud is not None and embedding is not None:
            distance = float(self.cloud.distance(np.atleast_2d(embedding))[0])
            if distance > self.cloud.own[-1] and _is_far(distance, self.cloud.own):  # too near is no reason to worry
                far.append(_EMBEDDING)
        return sorted(far)

    def to_json(self) -> dict[str, Any]:
        """All of it, ready for `json.dumps`; a number feature keeps at most 2,000 values, evenly in rank."""
        return {
            "schema": _SCHEMA,
            "cases": self.cases,
            "numbers": {name: _thinned(values).tolist() for name, values in self.numbers.items()},
            "words": {name: dict(counts) for name, counts in self.words.items()},
            "cloud": None if self.cloud is None else self.cloud.to_json(),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Take back what `to_json` gave.

        Raises:
            SettingError: if this is not a reference of this version, or a part of it is missing.
        """
        if not isinstance(record, Mapping) or record.get("schema") != _SCHEMA:
            raise SettingError(f"expected a reference of schema {_SCHEMA!r}; recalibrate the model")
        try:
            numbers = {name: np.sort(np.asarray(known, float)) for name, known in record["numbers"].items() if known}
            words = {name: {word: int(n) for word, n in counts.items()} for name, counts in record["words"].items()}
            cloud = None if record["cloud"] is None else Cloud.from_json(record["cloud"])
            return cls(numbers, words, cloud, int(record["cases"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SettingError("the reference lacks a part or holds something unreadable; recalibrate") from error


@dataclass(frozen=True, eq=False)
class Cloud:
    """Where the embeddings of the reference lie: an ellipsoid in at most 32 directions.

    More directions are first brought to 32 at random: directions learned from the reference would make it too close to
    itself. The covariance is shrunk towards a sphere (Ledoit & Wolf 2004, doi:10.1016/S0047-259X(03)00096-4), and each
    reference scan's own distance is taken as if it had been left out (Sherman-Morrison; the amount of shrinking and the
    sphere's radius alone have seen it).

    Args:
        mean: `(k,)`.
        precision: `(k, k)` inverse of the shrunk covariance.
        own: `(n,)` distances of the reference scans, each left out, sorted.
        size: d, the length of an embedding.
    """

    mean: np.ndarray
    precision: np.ndarray
    own: np.ndarray
    size: int

    @classmethod
    def fit(cls, embeddings: np.ndarray) -> Self:
        """From `(n, d)`, n at least 3.

        Raises:
            ShapeError: if the embeddings are not such an array of finite numbers.
        """
        raw = np.asarray(embeddings, np.float64)
        if raw.ndim != 2 or len(raw) < 3 or not np.isfinite(raw).all():
            raise ShapeError(f"expected finite embeddings (n, d) of 3 or more scans, got shape {raw.shape}")
        points = raw @ _projection(raw.shape[1])
        n = len(points)
        centred = points - points.mean(axis=0)
        scatter = centred.T @ centred
        sphere, share = _shrinkage(centred, scatter)
        # Never quite nothing, so that identical or flat clouds can be inverted.
        least = 1e-12 * (1 + float((points**2).mean()))
        ridge = (share * sphere + least) * np.eye(len(scatter))
        left_out = np.linalg.inv((1 - share) / (n - 1) * scatter + ridge)
        # Leaving x out takes n/(n-1) dd' from the scatter and moves the mean away by d/(n-1).
        q = np.einsum("ni,ij,nj->n", centred, left_out, centred)
        rest = np.maximum(1 - (1 - share) * n / (n - 1) ** 2 * q, 1e-9)
        own = n / (n - 1) * np.sqrt(q / rest)
        precision = np.linalg.inv((1 - share) / n * scatter + ridge)
        return cls(points.mean(axis=0), precision, np.sort(own), raw.shape[1])

    def distance(self, embeddings: np.ndarray) -> np.ndarray:
        """Mahalanobis distance `(m,)` of embeddings `(m, d)`.

        Raises:
            ShapeError: if they are of another length, or not finite.
        """
        raw = np.asarray(embeddings, np.float64)
        if raw.ndim != 2 or raw.shape[1] != self.size or not np.isfinite(raw).all():
            raise ShapeError(f"expected finite embeddings (m, {self.size}), got shape {raw.shape}")
        apart = raw @ _projection(self.size) - self.mean
        return np.sqrt(np.einsum("mi,ij,mj->m", apart, self.precision, apart))

    def to_json(self) -> dict[str, Any]:
        """All of it, ready for `json.dumps`."""
        return {
            "mean": self.mean.tolist(),
            "precision": self.precision.tolist(),
            "own": _thinned(self.own).tolist(),
            "size": self.size,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Take back what `to_json` gave."""
        mean, precision, own = (np.asarray(record[name], np.float64) for name in ("mean", "precision", "own"))
        if precision.shape != (mean.size, mean.size) or mean.size != _projection(int(record["size"])).shape[1]:
            raise SettingError("the embedding cloud's mean and precision do not belong together; recalibrate")
        return cls(mean, precision, own, int(record["size"]))


def _columns(rows: Sequence[Row]) -> dict[str, list[float | str]]:
    """The values of each feature that are not missing."""
    columns: dict[str, list[float | str]] = {}
    for row in rows:
        for name, value in row.items():
            if value is None or value == "" or (not isinstance(value, str) and not math.isfinite(value)):
                continue
            columns.setdefault(name, []).append(value)
    return columns


def _numeric(values: Sequence[float | str]) -> bool:
    return all(not isinstance(value, str) for value in values)


def _names_each(counts: Mapping[str, int]) -> bool:
    """Whether a word is more a name for each case than a kind of case: more words than half the cases."""
    return len(counts) > max(1, sum(counts.values()) / 2)


def _compare_numbers(name: str, known: np.ndarray, new: np.ndarray) -> Difference:
    from scipy import stats  # half a second that looking at a single scan need not pay

    # The exact distribution costs n * m; beyond this the asymptotic one is as good.
    method = "exact" if len(known) * len(new) <= 40_000 else "asymp"
    p_value = float(stats.ks_2samp(known, new, method=method).pvalue)
    return Difference(name, _cliffs_delta(known, new), p_value, float(np.median(known)), float(np.median(new)))


def _cliffs_delta(known: np.ndarray, new: np.ndarray) -> float:
    """Share of pairs in which the new value is larger, less the share in which it is smaller."""
    ordered = np.sort(known)
    below = np.searchsorted(ordered, new, side="left").sum()
    above = (len(ordered) - np.searchsorted(ordered, new, side="right")).sum()
    return float((below - above) / (len(ordered) * len(new)))


def _compare_words(name: str, known: Mapping[str, int], new: Mapping[str, int]) -> Difference:
    kinds = sorted(set(known) | set(new))
    old_counts = np.array([known.get(kind, 0) for kind in kinds])
    new_counts = np.array([new.get(kind, 0) for kind in kinds])
    total = old_counts + new_counts
    # Chi-square against exact draws of the new cases from all: its own tables fail where a word is rare.
    random = np.random.default_rng(0)
    draws = random.multivariate_hypergeometric(total, int(new_counts.sum()), size=_DRAWS, method="marginals")
    expected = total * (new_counts.sum() / total.sum())
    drawn = ((draws - expected) ** 2 / total).sum(axis=1)
    seen = ((new_counts - expected) ** 2 / total).sum()
    p_value = (1 + int((drawn >= seen * (1 - 1e-9)).sum())) / (_DRAWS + 1)
    commonest = (kinds[int(old_counts.argmax())], kinds[int(new_counts.argmax())])
    return Difference(name, _cramers_v(old_counts, new_counts), p_value, *commonest)


def _cramers_v(first: np.ndarray, second: np.ndarray) -> float:
    """Cramér's V of two groups, each weighing one half: a large reference must not hide a small batch."""
    shares = np.stack([first / first.sum(), second / second.sum()])
    middle = shares.mean(axis=0)
    return float(np.sqrt(0.5 * ((shares - middle) ** 2 / middle).sum()))


def _holm(tested: Sequence[Difference]) -> list[Difference]:
    """The same differences with p-values corrected for their number (Holm 1979)."""
    corrected, largest = [], 0.0
    for rank, one in enumerate(sorted(tested, key=lambda d: d.p_value)):
        largest = max(largest, min(1.0, (len(tested) - rank) * one.p_value))
        corrected.append(Difference(one.feature, one.effect, largest, one.reference_median, one.new_median))
    return corrected


def _is_far(value: float, known: np.ndarray) -> bool:
    """Outside the range of the known, and more than 6 robust standard deviations from their median."""
    if known[0] <= value <= known[-1] or not known.any():
        return False
    median = float(np.median(known))
    deviation = 1.4826 * float(np.median(np.abs(known - median)))
    between = float(np.subtract(*np.percentile(known, [75, 25]))) / 1.349
    # One in a hundred of the largest: where all reference scans are alike, 225 pixels instead of 224 is not far.
    spread = max(deviation, between, 0.01 * float(np.abs(known).max()))
    return abs(value - median) > _FAR * spread


def _thinned(values: np.ndarray) -> np.ndarray:
    """At most 2,000 of the sorted values, evenly in rank, both ends kept."""
    if len(values) <= 2000:
        return values
    return values[np.linspace(0, len(values) - 1, 2000).round().astype(int)]


@lru_cache(maxsize=16)
def _projection(size: int) -> np.ndarray:
    """`(d, k)`: the identity up to 32 dimensions, beyond that 32 random directions, always the same ones."""
    if size <= _DIRECTIONS:
        return np.eye(size)
    return np.random.default_rng(size).standard_normal((size, _DIRECTIONS)) / math.sqrt(_DIRECTIONS)


def _shrinkage(centred: np.ndarray, scatter: np.ndarray) -> tuple[float, float]:
    """Radius² of the sphere and the share of it that is mixed in, after Ledoit and Wolf."""
    n, k = centred.shape
    covariance = scatter / n
    sphere = float(np.trace(covariance) / k)
    apart = float(((covariance - sphere * np.eye(k)) ** 2).sum() / k)
    noise = float(((centred**2).sum(axis=1) ** 2).sum() / n - (covariance**2).sum()) / (n * k)
    return sphere, min(1.0, max(0.0, noise / apart)) if apart > 0 else 1.0
