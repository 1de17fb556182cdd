"""Choose without labels: which epoch, pooling or method finds what was planted in healthy scans, and says it twice."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from halescan.detectors import Detector
from halescan.errors import SettingError, ShapeError
from halescan.evaluation.curves import auroc
from halescan.evaluation.resampling import Ranking, resample, strata_of, with_interval
from halescan.synthesis.anomalies import ANOMALIES, plant_each
from halescan.training.run import Progress, say_nothing
from halescan.types import Batch, Images, Scores, Stack
from halescan.workflows.measure import Measure
from halescan.workflows.model import Model

Figure = dict[str, Any]
# All but the haze: it made no difference (docs/explanation/choosing-without-labels.md).
KINDS = tuple(kind for kind in ANOMALIES if kind != "veil")
MOST_IMAGES = 60  # held-out healthy images; each comes back once with every kind of anomaly
DRAWS = 500
_PLACES = 2000  # of a map, enough for a rank correlation
_DIRECTIONS = 2  # measures needed to speak of agreement


@dataclass(frozen=True, eq=False)
class Candidate:
    """One of the things to choose from.

    Args:
        name: What it is called in the ranking.
        measures: The same recipe, learned with other seeds; one is enough, two tell whether chance decides.
    """

    name: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Scores of held-out healthy images and of their copies with something planted.

    Args:
        planted: `(n,)` bool.
        origin: `(n,)` number of the healthy image each comes from.
        kind: `(n,)` row of `ANOMALIES`, "" for the healthy ones.
        scores: By candidate, `(measures, n)`.
        map_agreement: By candidate, mean rank correlation of the maps of its first two measures; None without maps or
            with one measure.
    """

    planted: np.ndarray
    origin: np.ndarray
    kind: np.ndarray
    scores: Mapping[str, np.ndarray]
    map_agreement: Mapping[str, float | None]


@dataclass(frozen=True)
class Standing:
    """One candidate in the ranking.

    Args:
        name: The candidate's.
        synthetic: AUROC of planted against healthy images, the mean of its measures, with its interval.
        by_kind: The same for each kind of anomaly, without intervals.
        agreement: Rank correlation of the scores of its first two measures; None with one.
        map_agreement: As in `Evidence`.
        behind_best: Synthetic AUROC below that of the first, with the interval of the difference.
        reason: Why it stands where it stands, in one sentence.
    """

    name: str
    synthetic: Figure
    by_kind: dict[str, float]
    agreement: float | None
    map_agreement: float | None
    behind_best: Figure
    reason: str


@dataclass(frozen=True)
class Choice:
    """Candidates, best first, and how far the order can be trusted."""

    ranking: tuple[Standing, ...]
    images: int
    kinds: tuple[str, ...]

    @property
    def best(self) -> Standing:
        """The one to take."""
        return self.ranking[0]

    @property
    def tied(self) -> tuple[str, ...]:
        """Those that these images cannot tell from the best."""
        return tuple(row.name for row in self.ranking[1:] if row.behind_best["low"] <= 0)

    def summary(self) -> dict[str, Any]:
        """For a program."""
        return {
            "schema": "halescan.choice/1",
            "images": self.images,
            "kinds": list(self.kinds),
            "best": self.best.name,
            "tied": list(self.tied),
            "ranking": [vars(row) for row in self.ranking],
        }

    def lines(self) -> list[str]:
        """For a person."""
        return [f"{place}. {row.name}: {row.reason}" for place, row in enumerate(self.ranking, start=1)]


def choose(
    candidates: Sequence[Candidate],
    healthy: Images | Batch,
    *,
    kinds: Sequence[str] | None = None,
    most_images: int = MOST_IMAGES,
    seed: int = 0,
    listen: Callable[[Progress], None] = say_nothing,
) -> Choice:
    """Rank candidates by how well they tell healthy images from copies with planted anomalies.

    Candidates that share a detector (other poolings, other smoothing) share its maps. What the ranking is worth has
    been measured: docs/explanation/choosing-without-labels.md.

    Args:
        healthy: Prepared healthy images that no candidate has learned from.
        kinds: Rows of `ANOMALIES` to plant; None takes `KINDS`.
        most_images: Healthy images used, evenly spread over those given.

    Raises:
        SettingError: without candidates, with two of one name, or on an unknown kind.
        ShapeError: with fewer than two healthy images.
    """
    return rank(gather(candidates, healthy, kinds=kinds, most_images=most_images, seed=seed, listen=listen), seed=seed)


def synthetic_auroc(
    measure: Measure | Model,
    healthy: Images | Batch,
    *,
    kinds: Sequence[str] | None = None,
    most_images: int = MOST_IMAGES,
    seed: int = 0,
) -> Figure:
    """AUROC of healthy images against copies with planted anomalies, with its interval, of one recipe or model."""
    only = Candidate("only", (measure.measure if isinstance(measure, Model) else measure,))
    return choose([only], healthy, kinds=kinds, most_images=most_images, seed=seed).best.synthetic


def gather(
    candidates: Sequence[Candidate],
    healthy: Images | Batch,
    *,
    kinds: Sequence[str] | None = None,
    most_images: int = MOST_IMAGES,
    seed: int = 0,
    listen: Callable[[Progress], None] = say_nothing,
) -> Evidence:
    """Score healthy images and what was planted in them, by every measure of every candidate; raises as `choose`."""
    names = [candidate.name for candidate in candidates]
    wanted = tuple(KINDS if kinds is None else kinds)
    _check(candidates, names, wanted)
    whole = _as_images(healthy)
    chosen = _spread(len(whole), most_images)
    remembering = {id(m.detector): _Remembering(m.detector) for one in candidates for m in one.measures}
    scores: dict[str, list[np.ndarray]] = {name: [] for name in names}
    maps_agree: dict[str, list[float]] = {name: [] for name in names}
    for done, batch in enumerate(_families(whole, chosen, wanted, seed), start=1):
        for candidate in candidates:
            found = [_measured(measure, batch, remembering) for measure in candidate.measures]
            scores[candidate.name].append(np.stack([answer.scores for answer in found]))
            if len(found) >= _DIRECTIONS and found[0].maps is not None and found[1].maps is not None:
                maps_agree[candidate.name].append(_maps_agree(found[0].maps, found[1].maps, found[0].masks))
        for detector in remembering.values():
            detector.forget()
        listen(Progress("finding planted anomalies", done, len(chosen)))
    each = 1 + len(wanted)
    return Evidence(
        planted=np.tile(np.arange(each) > 0, len(chosen)),
        origin=np.repeat(np.arange(len(chosen)), each),
        kind=np.array(["", *wanted] * len(chosen)),
        scores={name: np.concatenate(parts, axis=1) for name, parts in scores.items()},
        map_agreement={name: float(np.mean(parts)) if parts else None for name, parts in maps_agree.items()},
    )


def rank(evidence: Evidence, *, seed: int = 0) -> Choice:
    """The ranking that the evidence gives: by synthetic AUROC; equal ones by the agreement between their measures."""
    names = list(evidence.scores)
    drawn = {name: _drawn(evidence, evidence.scores[name], seed) for name in names}
    agreement = {name: _scores_agree(evidence.scores[name]) for name in names}
    order = sorted(names, key=lambda name: (-drawn[name][0], -(agreement[name] or -1.0)))
    best = drawn[order[0]]
    kinds = tuple(dict.fromkeys(kind for kind in evidence.kind.tolist() if kind))
    rows = []
    for name in order:
        by_kind = {kind: _auroc_of(evidence, evidence.scores[name], kind) for kind in kinds}
        figure = with_interval(drawn[name][0], drawn[name][1:])
        behind = with_interval(best[0] - drawn[name][0], best[1:] - drawn[name][1:])
        reason = _reason(figure, by_kind, agreement[name], behind, first=name == order[0])
        rows.append(Standing(name, figure, by_kind, agreement[name], evidence.map_agreement[name], behind, reason))
    return Choice(tuple(rows), int(evidence.origin.max()) + 1, kinds)


class _Remembering:
    """A detector that answers twice about the same images without looking again: poolings share its maps."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._known: dict[tuple[int, tuple[int, ...]], tuple[Batch, Scores]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)

    def score(self, batch: Batch) -> Scores:
        """As the detector's; the batch is kept with its answer, so that its address names nothing else."""
        key = (batch.images.__array_interface__["data"][0], batch.images.shape)
        if key not in self._known:
            self._known[key] = (batch, self._detector.score(batch))
        return self._known[key][1]

    def forget(self) -> None:
        """Other images come."""
        self._known.clear()


def _as_images(healthy: Images | Batch) -> Images:
    if isinstance(healthy, Batch):
        return Stack(healthy.images, mask=healthy.mask, spacing_mm=healthy.spacing_mm)
    return healthy


def _measured(measure: Measure, batch: Batch, remembering: dict[int, _Remembering]) -> Any:
    return replace(measure, detector=cast(Detector, remembering[id(measure.detector)]))(batch)


def _check(candidates: Sequence[Candidate], names: Sequence[str], kinds: Sequence[str]) -> None:
    if not candidates or any(not candidate.measures for candidate in candidates):
        raise SettingError("there is nothing to choose from: give candidates with a measure each")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingError(f"several candidates are called {', '.join(twice)}; give each a name of its own")
    unknown = sorted(set(kinds) - set(ANOMALIES))
    if unknown or not kinds:
        raise SettingError(f"no anomaly is called {', '.join(unknown) or 'nothing'}; there are {', '.join(ANOMALIES)}")


def _spread(count: int, most: int) -> np.ndarray:
    """Up to `most` of `count` places, evenly."""
    if count < 2 or most < 2:
        raise ShapeError(f"choosing needs two held-out healthy images or more, got {min(count, most)}; 60 are usual")
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _families(images: Images, chosen: np.ndarray, kinds: Sequence[str], seed: int) -> Iterator[Batch]:
    """Each healthy image, followed by its copies with every kind of anomaly; what is pasted is the next one's."""
    for number, place in enumerate(chosen):
        pair = images.take([int(place), int(chosen[(number + 1) % len(chosen)])])
        masks = None if pair.mask is None else pair.mask[:2]
        copies = []
        for one in plant_each(pair.images, kinds=kinds, seed=seed + 1_000_003 * number, masks=masks):
            copies.append(one.image)
            if len(copies) == len(kinds):
                break
        stack = np.stack([pair.images[0], *copies])
        mask = None if masks is None else np.repeat(masks[:1], len(stack), axis=0)
        yield Batch(stack, mask, pair.spacing_mm)


def _maps_agree(first: np.ndarray, second: np.ndarray, masks: np.ndarray) -> float:
    """Mean rank correlation of maps `(n, *grid)` inside the mask, on evenly spread places."""
    found = []
    for one, other, mask in zip(first, second, masks, strict=True):
        where = np.flatnonzero(mask if mask.any() else np.ones_like(mask))
        where = where[:: max(1, len(where) // _PLACES)]
        found.append(rank_correlation(one.ravel()[where], other.ravel()[where]))
    return float(np.mean(found))


def _scores_agree(scores: np.ndarray) -> float | None:
    """Rank correlation of the first two rows of `(measures, n)`."""
    return rank_correlation(scores[0], scores[1]) if len(scores) >= _DIRECTIONS else None


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's: the correlation of ranks, ties sharing theirs; 0 where one of the two never varies."""
    from scipy.stats import rankdata

    one, other = rankdata(first), rankdata(second)
    spread = float(one.std() * other.std())
    return float(((one - one.mean()) * (other - other.mean())).mean() / spread) if spread else 0.0


def _drawn(evidence: Evidence, scores: np.ndarray, seed: int) -> np.ndarray:
    """`(1 + draws,)` synthetic AUROC, then that of bootstrap draws of healthy images, each with all its copies."""
    rows = []
    for row in scores:
        ranking = Ranking(evidence.planted, row, evidence.origin)
        ones = np.ones((1, int(evidence.origin.max()) + 1), np.int32)
        counts = resample(strata_of(evidence.planted, evidence.origin), cells=len(row), seed=seed, draws=DRAWS)
        rows.append(np.concatenate([auroc(*ranking.weigh(some)) for some in (ones, *counts)]))
    return np.mean(rows, axis=0)


def _auroc_of(evidence: Evidence, scores: np.ndarray, kind: str) -> float:
    """Of one kind of anomaly against the healthy images, the mean of the measures."""
    those = (evidence.kind == kind) | ~evidence.planted
    members = np.arange(int(those.sum()))
    found = []
    for row in scores:
        ranking = Ranking(evidence.planted[those], row[those], members)
        found.append(float(auroc(*ranking.weigh(np.ones((1, len(members)), np.int32)))[0]))
    return float(np.mean(found))


def _reason(
    figure: Figure, by_kind: Mapping[str, float], agreement: float | None, behind: Figure, *, first: bool
) -> str:
    """`planted anomalies 0.83 (0.79 to 0.87), best on blob, worst on pii; seeds agree 0.91; ...`"""
    words = f"planted anomalies {figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
    if len(by_kind) > 1:
        words += f", best on {max(by_kind, key=by_kind.__getitem__)}, worst on {min(by_kind, key=by_kind.__getitem__)}"
    words += "; one seed only" if agreement is None else f"; seeds agree {agreement:.2f}"
    if first:
        return words + "; the best"
    if behind["low"] <= 0:
        return words + "; not told apart from the best by these images"
    return words + f"; behind the best by {behind['value']:.3f} ({behind['low']:.3f} to {behind['high']:.3f})"
