"""From patch scores to decisions on patches and patients: every cut chosen on other patients, the median of folds.

For the patients of one fold: scores of the other patients' images, each by a model that saw neither them nor this fold,
give the healthy scale of each method, the cuts and the negative patients of the p-value. Then this fold is judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from halescan.errors import SettingError
from halescan.scoring.calibration import Calibration
from halescan.scoring.cuts import FoldCuts, closest_to_corner, is_above, ordinal
from halescan.scoring.healthy_scale import HealthyScale, fused
from halescan.scoring.patients import pool_patients
from halescan.workflows.patient_level.learn import Answers
from halescan.workflows.patient_level.plan import LeftOut
from halescan.workflows.patient_level.study import Patches, Study

Pooling = Literal["share", "max", "top", "mean", "noisy-or", "attention-mil"]
DETECTOR, CLASSIFIER, FUSION = "detector", "classifier", "fusion"
_SURE = 1e-12  # probabilities nearer to 0 or 1 than this are taken as this


@dataclass(frozen=True)
class Rules:
    """How patches become patients.

    Args:
        pooling: "share" (of positive patches), "max", "top" (the mean of the strangest `top_share`), "mean",
            "noisy-or", or "attention-mil": the classifier's word on a patient is that of attention MIL, the detector's
            the share.
        false_alarms: The rate of the conformal cut, where no positive is labelled.
    """

    pooling: Pooling = "share"
    top_share: float = 0.1
    false_alarms: float = 0.05

    def __post_init__(self) -> None:
        if self.pooling not in get_args(Pooling):
            raise SettingError(f"pooling must be one of {', '.join(get_args(Pooling))}, got {self.pooling!r}")
        if not 0 < self.top_share <= 1:
            raise SettingError(f"top_share must lie in (0, 1], got {self.top_share}; 0.1 is usual")
        if not 0 < self.false_alarms < 1:
            raise SettingError(f"the false-alarm rate must lie in (0, 1), got {self.false_alarms}; 0.05 is usual")


@dataclass(frozen=True, eq=False)
class Judgement:
    """What one method says, each patient by models and cuts that knew nothing of them.

    Args:
        name: "detector", "classifier" or "fusion".
        tails: `(n,)` score of each patch on the healthy scale of its fold; NaN where not asked. All NaN for a method
            that judges patients alone.
        raw: `(n,)` the method's own score; NaN for the fusion.
        above: `(n,)` whether the patch is called positive.
        scores: `(p,)` score of each patient; NaN for those not judged.
        positive: `(p,)` the decision.
        p_values: `(p,)` share of negative patients at least this high; `bounds` where it is only an upper bound.
        answers: `(p,)` "NEG", "LOW" or "HIGH", or "NEG" and "POS" where levels are not known; "" where not judged.
        patch_cuts, patient_cuts, level_cuts: One a fold.
        units: Negative patients behind the p-values, one number a fold.
    """

    name: str
    tails: np.ndarray
    raw: np.ndarray
    above: np.ndarray
    scores: np.ndarray
    positive: np.ndarray
    p_values: np.ndarray
    bounds: np.ndarray
    answers: np.ndarray
    patch_cuts: list[FoldCuts] = field(default_factory=list)
    patient_cuts: list[FoldCuts] = field(default_factory=list)
    level_cuts: list[FoldCuts] = field(default_factory=list)
    units: list[int] = field(default_factory=list)

    @classmethod
    def empty(cls, name: str, patches: int, patients: int) -> "Judgement":
        """Nothing said yet."""
        return cls(
            name,
            np.full(patches, np.nan),
            np.full(patches, np.nan),
            np.zeros(patches, bool),
            np.full(patients, np.nan),
            np.zeros(patients, bool),
            np.full(patients, np.nan),
            np.zeros(patients, bool),
            np.full(patients, "", dtype="<U4"),
        )

    @property
    def by_patch(self) -> bool:
        """Whether the method says anything of patches."""
        return bool(np.isfinite(self.tails).any())


def judge(
    study: Study, patches: Patches, fold: np.ndarray, answers: Mapping[LeftOut, Answers], rules: Rules
) -> tuple[dict[str, Judgement], tuple[str, ...], tuple[str, ...]]:
    """Every method's word on every patch and patient; what is wrong with the folds, and what was done another way.

    Args:
        fold: `(patients,)`.
        answers: Of every model of `plan.models_to_learn`.

    Raises:
        SettingError: if a fold leaves no healthy patch to choose with.
    """
    folds = int(fold.max()) + 1
    views = [_View.of(test, study, patches, fold, answers) for test in range(folds)]
    methods = _methods(views, rules)
    found = {name: Judgement.empty(name, len(patches), len(study.names)) for name in methods}
    for test, view in enumerate(views):
        if not view.healthy(view.scores[DETECTOR]).any():
            raise SettingError(
                f"without fold {test + 1} no healthy patch is left to choose a cut with; deal other folds"
            )
        _judge_fold(view, found, rules)
    return found, _problems(found[DETECTOR]), _notes(found, rules)


def patient_scores(
    tails: np.ndarray, patient: np.ndarray, *, count: int, pooling: str, top_share: float, cut: float | None
) -> np.ndarray:
    """`(count,)` the score of each patient from the healthy tails `(k,)` of their patches; NaN for a patient without.

    One call for all ways of pooling patches; "noisy-or" takes the odds of a patch as its tail against the cut's.
    """
    scores = np.full(count, np.nan)
    values = np.asarray(tails, np.float64)
    how = "share" if pooling == "attention-mil" else pooling
    if how == "noisy-or":
        values = 1 / (1 + 10.0 ** np.clip((0.0 if cut is None else cut) - values, -300, 300))
    pooled = pool_patients(values, patient.tolist(), how=how, share=top_share, threshold=cut)  # type: ignore[arg-type]
    if pooled:
        who = np.unique(patient, return_index=True)[1]
        scores[patient[np.sort(who)]] = [one.score for one in pooled]  # in the order of first appearance
    return scores


def cuts_of(
    labels: np.ndarray, scores: np.ndarray, fold_of: np.ndarray, *, groups: np.ndarray, false_alarms: float
) -> FoldCuts:
    """A cut for each fold by the corner rule; where nothing is positive, one that healthy scores alone give.

    Args:
        labels: `(k,)` bool.
        scores: `(k,)` of cases the models had not seen.
        fold_of: `(k,)`.
        groups: `(k,)` patients, for the conformal cut.
    """
    folds = np.unique(fold_of)
    if not len(folds) or not (~labels).any():
        return FoldCuts((None,), "none")
    if not labels.any():
        return _conformal(scores, fold_of, groups, false_alarms)
    each = tuple(
        closest_to_corner(labels[fold_of == one], scores[fold_of == one]) if _both(labels[fold_of == one]) else None
        for one in folds
    )
    if all(cut is None for cut in each):
        return FoldCuts((closest_to_corner(labels, scores),), "pooled")
    return FoldCuts(each, "corner")


def _conformal(scores: np.ndarray, fold_of: np.ndarray, groups: np.ndarray, rate: float) -> FoldCuts:
    """The cut at a false-alarm rate: one a fold where each fold supports it, else one over all, as strict as it can."""
    each = [Calibration(scores[fold_of == one], groups[fold_of == one]) for one in np.unique(fold_of)]
    if all(one.supports(rate) for one in each):
        return FoldCuts(tuple(one.threshold(rate) for one in each), "conformal")
    whole = Calibration(scores, groups)
    return FoldCuts((whole.threshold(min(0.5, max(rate, whole.strictest_rate))),), "conformal")


def _both(labels: np.ndarray) -> bool:
    return bool(labels.any() and not labels.all())


@dataclass(frozen=True, eq=False)
class _View:
    """What may be known when one fold is judged.

    Args:
        inner: `(n,)` images of other folds, scored by models without their fold and this one.
        asked: `(n,)` images of this fold.
        scores: By source, `(n,)`: inner and asked images, each by its own model.
        bags: `(p,)` likewise for patients, or None.
    """

    test: int
    study: Study
    patches: Patches
    fold: np.ndarray
    inner: np.ndarray
    asked: np.ndarray
    scores: dict[str, np.ndarray]
    bags: np.ndarray | None

    @classmethod
    def of(
        cls, test: int, study: Study, patches: Patches, fold: np.ndarray, answers: Mapping[LeftOut, Answers]
    ) -> "_View":
        size = len(patches)
        inner, asked = np.zeros(size, bool), np.zeros(size, bool)
        scores = {name: np.full(size, np.nan) for name in (DETECTOR, CLASSIFIER)}
        bags = np.full(len(study.names), np.nan)
        for one in range(int(fold.max()) + 1):
            model = answers[LeftOut((test,) if one == test else (min(one, test), max(one, test)))]
            mine = fold[patches.patient[model.where]] == one
            where = model.where[mine]
            (asked if one == test else inner)[where] = True
            scores[DETECTOR][where] = model.detector[mine]
            scores[CLASSIFIER][where] = _logit(model.classifier[mine])
            people = fold[model.patients] == one
            bags[model.patients[people]] = _logit(model.bags[people])
        return cls(test, study, patches, fold, inner, asked, scores, bags if np.isfinite(bags).any() else None)

    def healthy(self, values: np.ndarray) -> np.ndarray:
        """`(n,)` images a healthy scale may be learned from."""
        return self.inner & (self.patches.known == 0) & np.isfinite(values)

    @property
    def has_classifier(self) -> bool:
        """Whether a classifier scored all images of this fold, and healthy ones of others to choose a cut with."""
        scores = self.scores[CLASSIFIER]
        return bool(np.isfinite(scores[self.asked]).all() and self.healthy(scores).any())

    @property
    def has_bags(self) -> bool:
        """The same of attention MIL, and patients."""
        if self.bags is None:
            return False
        asked = np.unique(self.patches.patient[self.asked & self.patches.judged])
        negative = self.patients_inside & ~self.study.positive
        return bool(np.isfinite(self.bags[asked]).all() and np.isfinite(self.bags[negative]).any())

    @property
    def patients_inside(self) -> np.ndarray:
        """`(p,)` patients with a diagnosis outside this fold."""
        return self.study.known & (self.fold != self.test)


def _methods(views: Sequence["_View"], rules: Rules) -> tuple[str, ...]:
    """The methods that could learn for every fold: both to judge its patients, and to choose cuts on others."""
    patched = all(view.has_classifier for view in views)
    bagged = rules.pooling == "attention-mil" and all(view.has_bags for view in views)
    return (DETECTOR, CLASSIFIER, FUSION) if patched or bagged else (DETECTOR,)


def _judge_fold(view: _View, found: Mapping[str, Judgement], rules: Rules) -> None:
    """All methods on the patients of one fold."""
    tails: dict[str, np.ndarray] = {}
    people: dict[str, np.ndarray] = {}
    for name in (DETECTOR, CLASSIFIER):
        if name in found and (name == DETECTOR or view.has_classifier):
            raw = view.scores[name]
            which = view.healthy(raw)
            scale = HealthyScale.fit(raw[which], groups=view.patches.patient[which])
            tails[name] = np.where(np.isfinite(raw), scale(np.nan_to_num(raw)), np.nan)
            found[name].raw[view.asked] = raw[view.asked]
    if FUSION in found and len(tails) == 2:
        tails[FUSION] = fused([tails[DETECTOR], tails[CLASSIFIER]])
    for name, values in tails.items():
        people[name] = _judge_patches(view, found[name], values, rules)
    if rules.pooling == "attention-mil" and CLASSIFIER in found and view.bags is not None:
        people[CLASSIFIER] = view.bags
        people[FUSION] = _fused_patients(view, people[DETECTOR], view.bags)
    for name, scores in people.items():
        _judge_patients(view, found[name], scores, rules)


def _judge_patches(view: _View, judged: Judgement, tails: np.ndarray, rules: Rules) -> np.ndarray:
    """Decide on the patches of this fold, and pool all patients `(p,)` by the same cut."""
    patches = view.patches
    label = patches.own if (patches.own[view.inner] == 0).any() else patches.known
    used = view.inner & (label >= 0) & np.isfinite(tails)
    cuts = cuts_of(
        label[used] == 1,
        tails[used],
        view.fold[patches.patient[used]],
        groups=patches.patient[used],
        false_alarms=rules.false_alarms,
    )
    if not (label[used] == 1).any():  # nothing positive is labelled: healthy patches of every kind set the cut
        used = view.healthy(tails)
        cuts = cuts_of(
            np.zeros(int(used.sum()), bool),
            tails[used],
            view.fold[patches.patient[used]],
            groups=patches.patient[used],
            false_alarms=rules.false_alarms,
        )
    judged.patch_cuts.append(cuts)
    judged.tails[view.asked] = tails[view.asked]
    judged.above[view.asked] = is_above(tails[view.asked], cuts.value)
    pooled = patches.judged & np.isfinite(tails) & (view.inner | view.asked)
    return patient_scores(
        tails[pooled],
        patches.patient[pooled],
        count=len(view.study.names),
        pooling=rules.pooling,
        top_share=rules.top_share,
        cut=cuts.value,
    )


def _fused_patients(view: _View, *parts: np.ndarray) -> np.ndarray:
    """Patients' scores on the scale of negative patients outside this fold, averaged."""
    scaled = []
    for scores in parts:
        negative = view.patients_inside & ~view.study.positive & np.isfinite(scores)
        scale = HealthyScale.fit(scores[negative])
        scaled.append(np.where(np.isfinite(scores), scale(np.nan_to_num(scores)), np.nan))
    return fused(scaled)


def _judge_patients(view: _View, judged: Judgement, scores: np.ndarray, rules: Rules) -> None:
    """Decide on the patients of this fold: first cut, p-value, second cut."""
    study = view.study
    inside = view.patients_inside & np.isfinite(scores)
    numbers = np.arange(len(scores))
    first = cuts_of(
        study.positive[inside],
        scores[inside],
        view.fold[inside],
        groups=numbers[inside],
        false_alarms=rules.false_alarms,
    )
    second = FoldCuts((None,), "none")
    if study.has_levels:
        high = np.array([answer == "HIGH" for answer in study.answers], bool)
        ill = inside & study.positive
        if _both(high[ill]):
            second = cuts_of(
                high[ill], scores[ill], view.fold[ill], groups=numbers[ill], false_alarms=rules.false_alarms
            )
    negative = inside & ~study.positive
    calibration = Calibration(scores[negative], unit="patient", guarantee="cross")
    mine = np.flatnonzero((view.fold == view.test) & np.isfinite(scores))
    judged.scores[mine] = scores[mine]
    judged.positive[mine] = is_above(scores[mine], first.value)
    judged.answers[mine] = _words(scores[mine], first, second, levels=study.has_levels)
    for one in mine:
        judged.p_values[one], judged.bounds[one] = calibration.p_value(float(scores[one]))
    judged.patient_cuts.append(first)
    judged.level_cuts.append(second)
    judged.units.append(calibration.units)


def _words(scores: np.ndarray, first: FoldCuts, second: FoldCuts, *, levels: bool) -> Sequence[str]:
    if first.value is None:
        return [""] * len(scores)
    said = ordinal(scores, low=first.value, high=second.value)
    return said if levels else ["NEG" if word == "NEG" else "POS" for word in said]


def _problems(judged: Judgement) -> tuple[str, ...]:
    """Folds that could not choose."""
    said = []
    for level, cuts in (("patches", judged.patch_cuts), ("patients", judged.patient_cuts)):
        held = [cut for cut in cuts if cut.how == "corner"]
        empty, total = sum(cut.missing for cut in held), sum(len(cut.values) for cut in held)
        if empty:
            said.append(
                f"{empty} of {total} times a fold held {level} of one class only and gave no cut; the median is that "
                "of the others"
            )
        if any(cut.how == "pooled" for cut in cuts):
            said.append(f"no fold holds {level} of both classes: their cut is that of all folds together")
    return tuple(said)


def _notes(found: Mapping[str, Judgement], rules: Rules) -> tuple[str, ...]:
    """What was done another way."""
    said = []
    judged = found[DETECTOR]
    for level, cuts in (("patches", judged.patch_cuts), ("patients", judged.patient_cuts)):
        if any(cut.how == "conformal" for cut in cuts):
            said.append(
                f"no {level} known to be positive to choose a cut with: theirs comes from healthy ones alone, at "
                f"{rules.false_alarms:.3g} false alarms or the strictest rate that so few patients support"
            )
    if CLASSIFIER not in found:
        said.append("no classifier and no fusion: none was asked for, or too few abnormal patches are labelled")
    return tuple(said)


def _logit(probability: np.ndarray) -> np.ndarray:
    """Log odds, finite; NaN stays."""
    held = np.clip(probability, _SURE, 1 - _SURE)
    return np.log(held) - np.log1p(-held)
