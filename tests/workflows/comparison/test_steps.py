"""A budget of steps reaches the method, and those members of an ensemble that learn in steps."""

from halescan.detectors.ensemble import Ensemble
from halescan.workflows.comparison.steps import has_steps, laid_back, laid_out, with_steps

USUAL = Ensemble().settings  # patchcore, denoising-autoencoder, autoencoder


def test_a_method_gets_the_whole_budget() -> None:
    assert with_steps({"steps": 1000, "latent": 4}, 10) == {"steps": 10, "latent": 4}


def test_members_that_learn_in_steps_share_the_budget_and_others_get_none() -> None:
    members = with_steps(USUAL, 10)["members"]
    assert [one["settings"].get("steps") for one in members] == [None, 5, 5]
    assert Ensemble(members=members).settings["members"] == members
    before = [{**one["settings"], "steps": 5} for one in USUAL["members"][1:]]
    assert [one["settings"] for one in members[1:]] == before


def test_a_member_gets_one_step_at_least() -> None:
    assert [one["settings"].get("steps") for one in with_steps(USUAL, 1)["members"]] == [None, 1, 1]


def test_an_ensemble_learns_in_steps_if_a_member_does() -> None:
    assert has_steps(USUAL)
    assert has_steps({"steps": 1})
    assert not has_steps(Ensemble(members=["healthy-atlas", "symmetry"]).settings)
    assert not has_steps({"grid": 28})


def test_settings_laid_out_in_one_row_and_changed_there_come_back_in_their_places() -> None:
    assert laid_out({"steps": 3}) == {"steps": 3}
    row = laid_out(USUAL)
    assert row["members.1.steps"] == USUAL["members"][1]["settings"]["steps"]
    assert laid_back(USUAL, row) == USUAL
    changed = laid_back(USUAL, {"members.2.steps": 7})
    assert changed["members"][:2] == USUAL["members"][:2]
    assert changed["members"][2]["settings"]["steps"] == 7
