"""Decisions: nothing of a fold's own patients has a say in them, the median of folds holds, p-values promise."""

from dataclasses import replace

import numpy as np
import pytest

from halescan.errors import SettingError
from halescan.workflows.patient_level.decide import Judgement, Rules, cuts_of, judge, patient_scores
from halescan.workflows.patient_level.plan import LeftOut, models_to_learn
from halescan.workflows.patient_level.study import Study
from tests.workflows.patient_level.made_answers import answered, blind, good, patches_for


def test_good_scores_find_the_patients_and_how_much_they_have(cohort) -> None:
    study, patches, fold, truth = cohort
    found, problems, _ = judge(study, patches, fold, answered(patches, fold, truth, good), Rules())
    assert list(found) == ["detector", "classifier", "fusion"]
    assert not problems
    for judged in found.values():
        assert np.mean(judged.positive == study.positive) > 0.9
        assert np.mean(judged.answers == np.array(study.answers)) > 0.9


def test_a_classifier_that_could_not_learn_without_two_folds_is_left_out(cohort) -> None:
    """Its cuts would have to come from scores that are not there."""
    study, patches, fold, truth = cohort
    answers = answered(patches, fold, truth, good)
    answers = {
        job: replace(said, classifier=np.full(len(said.where), np.nan)) if len(job.folds) == 2 else said
        for job, said in answers.items()
    }
    found, _, notes = judge(study, patches, fold, answers, Rules())
    assert list(found) == ["detector"]
    assert any("too few abnormal patches are labelled" in note for note in notes)


def test_sanity_v_with_random_scores_the_auroc_of_patients_is_near_one_half(cohort) -> None:
    """By chance alone: the mean over draws, so that a leak of a few hundredths would show."""
    study, patches, fold, truth = cohort
    aurocs = []
    for seed in range(8):
        noise = np.random.default_rng(seed)

        def scores(labels: np.ndarray, random: np.random.Generator, noise=noise) -> np.ndarray:
            return noise.normal(size=len(labels))

        found, _, _ = judge(study, patches, fold, answered(patches, fold, truth, scores), Rules(pooling="mean"))
        aurocs.append(_auroc(found["fusion"], study))
    assert abs(np.mean(aurocs) - 0.5) < 3 * np.sqrt(61 / (12 * 30 * 30) / 8)


def test_bug_4_each_patient_is_decided_by_the_median_of_the_other_folds(cohort) -> None:
    """A mistake of published code: the median was computed, and the last fold's cut used."""
    study, patches, fold, truth = cohort
    answers = answered(patches, fold, truth, good, classifier=False)
    for job, said in answers.items():  # what a published system met: the scores of one fold's models are ten times
        if len(job.folds) == 2 and 4 in job.folds:
            held = fold[patches.patient[said.where]] == 4
            answers[job] = replace(said, detector=np.where(held, 10 * said.detector, said.detector))
    judged = judge(study, patches, fold, answers, Rules())[0]["detector"]
    for test, cuts in enumerate(judged.patch_cuts):
        known = [value for value in cuts.values if value is not None]
        assert cuts.value == np.median(known)
        mine = fold[patches.patient] == test
        assert (judged.above[mine] == (judged.tails[mine] > np.median(known))).all()
        people = fold == test
        middle = np.median(judged.patient_cuts[test].values)
        assert (judged.positive[people] == (judged.scores[people] > middle)).all()
    before = [cuts for test, cuts in enumerate(judged.patch_cuts) if test != 4]
    assert max(cuts.values[-1] for cuts in before) > max(cuts.value for cuts in before)
    assert np.mean(judged.positive == study.positive) > 0.85


def test_sanity_vii_what_is_said_of_a_folds_patients_never_moves_their_own_cuts_or_scores(cohort) -> None:
    """No leak: labels and diagnoses of the tested patients have no part in how they are judged."""
    study, patches, fold, truth = cohort
    answers = answered(patches, fold, truth, good)
    before = judge(study, patches, fold, answers, Rules())[0]
    mine = fold[patches.patient] == 2
    turned = replace(
        patches,
        own=np.where(mine, 1 - patches.own, patches.own),
        known=np.where(mine, 1 - patches.known, patches.known),
    )
    said = tuple("HIGH" if fold[at] == 2 and a == "NEG" else a for at, a in enumerate(study.answers))
    after = judge(replace(study, answers=said), turned, fold, answers, Rules())[0]
    for name, judged in before.items():
        assert judged.patch_cuts[2] == after[name].patch_cuts[2]
        assert judged.patient_cuts[2] == after[name].patient_cuts[2]
        np.testing.assert_array_equal(judged.tails[mine], after[name].tails[mine])
        np.testing.assert_array_equal(judged.p_values[fold == 2], after[name].p_values[fold == 2])
        assert judged.patch_cuts[1] != after[name].patch_cuts[1]  # where they are others' labels, they do count


def test_negative_patients_get_small_p_values_no_more_often_than_promised(cohort) -> None:
    study, patches, fold, truth = cohort
    judged = judge(study, patches, fold, answered(patches, fold, truth, blind), Rules(pooling="mean"))[0]["detector"]
    p = judged.p_values[~study.positive]
    assert len(p) == 30
    assert np.mean(p <= 0.2) <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / 30)
    assert set(judged.units) == {24}


@pytest.mark.parametrize("pooling", ["share", "max", "top", "mean", "noisy-or"])
def test_every_way_of_pooling_goes_through_the_same_call(cohort, pooling: str) -> None:
    study, patches, fold, truth = cohort
    found = judge(study, patches, fold, answered(patches, fold, truth, good), Rules(pooling=pooling))[0]
    assert _auroc(found["fusion"], study) > 0.9


def test_attention_mil_takes_the_classifiers_place_for_patients(cohort) -> None:
    study, patches, fold, truth = cohort
    answers = answered(patches, fold, truth, good, classifier=False)
    for job, said in answers.items():
        who = np.flatnonzero(np.isin(fold, job.folds))
        answers[job] = replace(said, patients=who, bags=np.where(study.positive[who], 0.9, 0.1))
    found = judge(study, patches, fold, answers, Rules(pooling="attention-mil"))[0]
    assert not found["classifier"].by_patch
    assert (found["classifier"].positive == study.positive).all()
    assert _auroc(found["fusion"], study) > 0.95


def test_without_positive_patches_the_healthy_ones_set_the_cut(cohort) -> None:
    study, _, fold, truth = cohort
    patches = patches_for(list(study.answers), labelled=False)
    found, _, notes = judge(
        study, patches, fold, answered(patches, fold, truth, good, classifier=False), Rules(false_alarms=0.1)
    )
    assert list(found) == ["detector"]
    assert {cuts.how for cuts in found["detector"].patch_cuts} == {"conformal"}
    assert any("healthy ones alone" in note for note in notes)
    alarms = found["detector"].above[patches.known == 0].mean()
    assert 0.02 < alarms < 0.2
    assert _auroc(found["detector"], study) > 0.95


def test_a_fold_of_one_class_gives_no_cut_and_is_told_of(cohort) -> None:
    study, patches, fold, truth = cohort
    alone = replace(patches, own=np.where(fold[patches.patient] == 3, np.minimum(patches.own, 0), patches.own))
    found, problems, _ = judge(study, alone, fold, answered(alone, fold, truth, good), Rules())
    assert any("one class only" in problem for problem in problems)
    assert found["detector"].patch_cuts[0].missing == 1
    assert found["detector"].patch_cuts[0].value is not None


def test_where_no_fold_has_both_classes_all_folds_together_give_the_cut() -> None:
    labels, scores = np.array([True, True, False, False]), np.array([3.0, 4.0, 1.0, 2.0])
    cuts = cuts_of(labels, scores, np.array([0, 0, 1, 1]), groups=np.arange(4), false_alarms=0.1)
    assert (cuts.how, cuts.value) == ("pooled", 2.5)


def test_noisy_or_of_patches_at_the_cut_is_even_odds() -> None:
    scores = patient_scores(
        np.array([1.5, -50.0]), np.array([0, 1]), count=3, pooling="noisy-or", top_share=0.1, cut=1.5
    )
    np.testing.assert_allclose(scores, [0.5, 0, np.nan], atol=1e-9)


@pytest.mark.parametrize("wrong", [{"pooling": "median"}, {"top_share": 0.0}, {"false_alarms": 1.0}])
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        Rules(**wrong)  # type: ignore[arg-type]


def test_a_fold_that_takes_all_healthy_patches_is_refused(cohort) -> None:
    study, patches, fold, truth = cohort
    ill = replace(patches, known=np.where(fold[patches.patient] == 0, patches.known, 1))
    with pytest.raises(SettingError, match="fold 1"):
        judge(study, ill, fold, answered(patches, fold, truth, good), Rules())


def test_every_pair_of_folds_has_a_model_that_saw_neither() -> None:
    jobs = models_to_learn(4)
    assert len(jobs) == len(set(jobs)) == 10
    assert LeftOut((1, 3)) in jobs
    assert LeftOut((1, 3)).name == "without-2-4"


def _auroc(judged: Judgement, study: Study) -> float:
    ill, well = judged.scores[study.positive][:, None], judged.scores[~study.positive]
    return float(((ill > well) + 0.5 * (ill == well)).mean())
