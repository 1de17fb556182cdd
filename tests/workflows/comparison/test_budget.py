"""A budget of seconds becomes steps: stages keep their proportions, and what is no length of a stage stays."""

import pytest

from halescan.errors import TrainingError
from halescan.training.run import Progress
from halescan.workflows.comparison.budget import Stage, Watch, fitted_settings, round_steps, trial_settings

GAN = {"steps": 1500, "encoder_steps": 600, "critic_steps": 5, "search_steps": 200, "latent": 64}


def test_a_trial_shortens_every_setting_that_may_be_a_length_to_a_number_of_its_own() -> None:
    assert trial_settings(GAN) == {"steps": 11, "encoder_steps": 12, "search_steps": 13}


def test_one_stage_gets_all_the_time() -> None:
    found = fitted_settings({"steps": 1000}, {"steps": 11}, {"learning": Stage(11, 0.1)}, seconds=60)
    assert found == {"steps": 600}


def test_members_of_an_ensemble_share_the_time_in_proportion_to_their_steps() -> None:
    settings = {"members.0.grid": 28, "members.1.steps": 1000, "members.2.steps": 500}
    few = trial_settings(settings)
    assert few == {"members.1.steps": 11, "members.2.steps": 12}
    stages = {"one": Stage(11, 0.05), "another": Stage(12, 0.02)}
    found = fitted_settings(settings, few, stages, seconds=60)
    assert found == {"members.1.steps": 1000, "members.2.steps": 500}
    assert fitted_settings(settings, few, stages, seconds=6) == {"members.1.steps": 100, "members.2.steps": 50}


def test_two_stages_of_one_name_are_told_apart_by_their_length() -> None:
    watch = Watch()
    for total in (11, 12):
        for done in (1, 2):
            watch(Progress("learning", done, total, loss=0.5))
    assert [stage.steps for stage in watch.stages().values()] == [11, 12]


def test_two_stages_keep_their_proportions_and_fill_the_time() -> None:
    stages = {"generator": Stage(11, 0.04), "encoder": Stage(12, 0.1)}
    found = fitted_settings(GAN, trial_settings(GAN), stages, seconds=60)
    assert found == {"encoder_steps": 300, "steps": 750}  # 750 x 0.04 + 300 x 0.1 = 60; search_steps was no stage


def test_a_stage_of_a_fixed_length_is_paid_for_first() -> None:
    stages = {"own encoder": Stage(300, 0.1), "learning": Stage(11, 0.1)}
    assert fitted_settings({"steps": 1000}, {"steps": 11}, stages, seconds=60) == {"steps": 300}


def test_a_method_that_tells_of_no_step_has_no_budget() -> None:
    with pytest.raises(TrainingError, match="--steps"):
        fitted_settings({"steps": 1000}, {"steps": 11}, {}, seconds=60)


@pytest.mark.parametrize(("steps", "rounded"), [(3, 10), (10, 10), (99, 99), (118, 110), (1777, 1700), (98765, 98000)])
def test_steps_have_two_digits_that_count(steps: int, rounded: int) -> None:
    assert round_steps(steps) == rounded
