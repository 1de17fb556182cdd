"""The content of `patients.json`: figures of patches and patients for every method, cuts, and what was said of whom."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from halescan.evaluation.confusion import confusion_figures, ordinal_table
from halescan.evaluation.metrics import image_metrics, of_so_many_patients, wilson
from halescan.evaluation.results import plain
from halescan.evaluation.roc import roc_points
from halescan.scoring.cuts import FoldCuts
from halescan.workflows.patient_level.case_names import without_files
from halescan.workflows.patient_level.decide import Judgement
from halescan.workflows.patient_level.judged_study import JudgedStudy
from halescan.workflows.patient_level.study import LEVELS, Patches, Study

SCHEMA = "halescan.patients/1"


def patients_record(told: JudgedStudy, *, about: Mapping[str, Any]) -> dict[str, Any]:
    """All of it, ready for JSON, and without anybody's name.

    Args:
        about: Profile, methods, settings, seed ... as plain values.
    """
    return {
        "schema": SCHEMA,
        "created_utc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "research_use_only": True,
        "about": plain(about),
        "n": _counts(told.study, told.patches),
        "remarks": without_files(told.problems),
        "methods": _figures(told, told.methods, about),
        "baselines": _figures(told, told.baselines, about),
        "patients": [_patient(told, at) for at in _shown(told)],
    }


def curves_of(told: JudgedStudy) -> dict[str, dict[str, Any]]:
    """ROC points by level and method, where both classes are there."""
    curves: dict[str, dict[str, Any]] = {"patch": {}, "patient": {}}
    study, own = told.study, told.patches.own
    for name, judged in told.every.items():
        used = _tested(told.patches, judged)
        if used.any() and len(np.unique(own[used])) == 2:
            curves["patch"][name] = roc_points(own[used] == 1, judged.tails[used])
        who = study.known & np.isfinite(judged.scores)
        if len(np.unique(study.positive[who])) == 2:
            curves["patient"][name] = roc_points(study.positive[who], judged.scores[who])
    return curves


def _counts(study: Study, patches: Patches) -> dict[str, int]:
    measured = ~patches.augmented
    counts = {
        "patients": len(study.names),
        "negative": int((study.known & ~study.positive).sum()),
        "positive": int(study.positive.sum()),
        "without_diagnosis": int((~study.known).sum()),
        "patches": int(measured.sum()),
        "augmented_copies": int(patches.augmented.sum()),
        "labelled_abnormal": int((measured & (patches.own == 1)).sum()),
        "labelled_healthy": int((measured & (patches.own == 0)).sum()),
        "healthy_by_diagnosis": int((measured & (patches.own < 0) & (patches.known == 0)).sum()),
    }
    if study.has_levels:
        counts |= {level.lower(): sum(answer == level for answer in study.answers) for level in ("LOW", "HIGH")}
    return counts


def _figures(
    told: JudgedStudy, judgements: Mapping[str, Judgement], about: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Of patches, of patients, and the cuts, by method."""
    seed, rate = int(about["seed"]), float(about["false_alarms"])
    return {
        name: {
            "patch": _patch_figures(told.patches, judged, seed) if judged.by_patch else None,
            "patient": _patient_figures(told.study, judged, seed, rate),
            "cuts": _cuts(judged),
        }
        for name, judged in judgements.items()
    }


def _tested(patches: Patches, judged: Judgement) -> np.ndarray:
    """`(n,)` patches that were labelled one by one, and are no copies."""
    return (patches.own >= 0) & ~patches.augmented & np.isfinite(judged.tails)


def _patch_figures(patches: Patches, judged: Judgement, seed: int) -> dict[str, Any]:
    """Of patches labelled one by one; and the ranking with those of negative patients beside them."""
    used = _tested(patches, judged)
    truth, groups = patches.own[used] == 1, patches.patient[used].tolist()
    wide = (patches.known >= 0) & ~patches.augmented & np.isfinite(judged.tails)
    return plain(
        {
            **image_metrics(truth, judged.tails[used], groups=groups, seed=seed),
            "decisions": confusion_figures(truth, judged.above[used], groups=groups, seed=seed),
            "n": {"abnormal": int(truth.sum()), "healthy": int((~truth).sum()), "patients": len(set(groups))},
            "with_negative_patients": {
                **image_metrics(
                    patches.known[wide] == 1, judged.tails[wide], groups=patches.patient[wide].tolist(), seed=seed
                ),
                "n": {
                    "abnormal": int((patches.known[wide] == 1).sum()),
                    "healthy": int((patches.known[wide] == 0).sum()),
                },
            },
        }
    )


def _patient_figures(study: Study, judged: Judgement, seed: int, rate: float) -> dict[str, Any]:
    who = study.known & np.isfinite(judged.scores)
    truth = study.positive[who]
    alarms = judged.p_values[who][~truth] <= rate
    ranked = image_metrics(truth, judged.scores[who], seed=seed)
    found = {
        **of_so_many_patients(ranked, healthy=int((~truth).sum()), abnormal=int(truth.sum())),
        "decisions": confusion_figures(truth, judged.positive[who], seed=seed),
        "n": {"positive": int(truth.sum()), "negative": int((~truth).sum())},
        "false_alarms": {"asked": rate, "realised": wilson(int(alarms.sum()), len(alarms))},
        "levels": None,
    }
    if study.has_levels:
        said = [(str(study.answers[at]), str(judged.answers[at])) for at in np.flatnonzero(who) if judged.answers[at]]
        found["levels"] = ordinal_table([real for real, _ in said], [word for _, word in said], order=LEVELS)
    return plain(found)


def _cuts(judged: Judgement) -> dict[str, Any]:
    kinds = {"patch": judged.patch_cuts, "patient": judged.patient_cuts, "level": judged.level_cuts}
    told: dict[str, Any] = {kind: [_one_cut(cut) for cut in cuts] for kind, cuts in kinds.items()}
    return {**told, "negative_units": judged.units}


def _one_cut(cut: FoldCuts) -> dict[str, Any]:
    return {"used": plain(cut.value), "folds": plain(list(cut.values)), "how": cut.how}


def _shown(told: JudgedStudy) -> list[int]:
    """Patients in the order of suspicion by the leading method."""
    scores = told.methods[told.leading].scores
    judged = [at for at in range(len(told.names)) if np.isfinite(scores[at])]
    return sorted(judged, key=lambda at: -scores[at])


def _patient(told: JudgedStudy, at: int) -> dict[str, Any]:
    own = (told.patches.patient == at) & told.patches.judged
    return {
        "case": told.names[at],
        "diagnosis": told.study.answers[at],
        "fold": int(told.fold[at]) + 1,
        "patches": int(own.sum()),
        "methods": {name: _word(judged, own, at) for name, judged in told.methods.items()},
    }


def _word(judged: Judgement, own: np.ndarray, at: int) -> dict[str, Any]:
    """What a method says of a patient; `own (n,)` are the patches it judges by."""
    return {
        "score": plain(float(judged.scores[at])),
        "positive_share": plain(float(judged.above[own].mean())) if judged.by_patch and own.any() else None,
        "p_value": plain(float(judged.p_values[at])),
        "p_value_is_bound": bool(judged.bounds[at]),
        "positive": bool(judged.positive[at]),
        "answer": str(judged.answers[at]) or None,
    }
