"""The plan of a comparison: what the words of a call mean, and what is refused before hours are spent."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halescan.errors import SettingError, TableError
from halescan.workflows.comparison.plan import (
    BASELINE,
    DataSet,
    check_by,
    plan_cells,
    plan_methods,
    plan_sets,
    with_settings,
)

GUIDED = {"detector": "guided-diffusion", "detector_settings": {}}


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (32, 32), np.uint8)).save(path)


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    """Three healthy pictures to learn from, two of each kind to test on."""
    folder = tmp_path / "beads"
    for number in range(3):
        picture(folder / "train" / "healthy" / f"{number}.png", number)
    for number in range(2):
        picture(folder / "test" / "healthy" / f"{number}.png", 10 + number)
        picture(folder / "test" / "abnormal" / f"{number}.png", 20 + number)
    return folder


def sets(*words: object, test: Path | None = None, profile: str | None = None) -> list[DataSet]:
    return plan_sets([str(word) for word in words], test=test, profile=profile, profile_settings={})


def test_a_set_is_called_after_its_folder_and_takes_the_profile_it_names(parted: Path) -> None:
    (one,) = sets(f"{parted}:chest-xray")
    assert (one.name, one.profile.name, one.detected) == ("beads", "chest-xray", False)
    assert (len(one.train_cohort), len(one.test_cohort)) == (3, 4)


def test_a_set_may_be_named_and_its_profile_looked_for(parted: Path) -> None:
    (one,) = sets(f"mine={parted}")
    assert (one.name, one.profile.name, one.detected) == ("mine", "generic", True)


def test_the_test_scans_may_lie_elsewhere(parted: Path) -> None:
    (one,) = sets(parted / "train" / "healthy", test=parted / "test", profile="generic")
    assert (len(one.train_cohort), len(one.test_cohort)) == (3, 4)


def test_two_sets_of_one_name_are_refused(parted: Path) -> None:
    with pytest.raises(SettingError, match="two sets are called 'beads'"):
        sets(parted, parted)


def test_a_profile_that_does_not_exist_is_named(parted: Path) -> None:
    with pytest.raises(SettingError, match="no profile 'chest-xry'"):
        sets(f"{parted}:chest-xry")


def test_scans_without_a_split_are_refused(parted: Path) -> None:
    with pytest.raises(TableError, match="nothing says which scans are for training"):
        sets(parted / "test")


def test_a_scan_on_both_sides_is_refused(parted: Path) -> None:
    with pytest.raises(TableError, match="2 scans are in training and test alike"):
        sets(shutil.copytree(parted / "test", parted / "all") / "healthy", test=parted / "all")


def test_a_test_part_is_not_learned_from_though_its_folder_is_named(parted: Path) -> None:
    with pytest.raises(TableError, match="holds no train part, only test"):
        sets(parted / "test" / "healthy", test=parted / "test")


def test_a_test_part_of_one_kind_is_refused_with_the_way_out(parted: Path) -> None:
    with pytest.raises(TableError, match=r"must be healthy and abnormal, found healthy\. Put the others into test/"):
        sets(parted / "train", test=parted / "test" / "healthy")


def test_a_column_that_a_set_lacks_is_refused_in_the_plan(parted: Path) -> None:
    with pytest.raises(SettingError, match="beads: no scan has a column 'sex'; the table has no further column"):
        check_by(sets(parted), ["sex"])


def test_bands_of_a_column_of_words_are_refused_in_the_plan(parted: Path) -> None:
    names = [f"test/{kind}/{number}.png" for kind in ("healthy", "abnormal") for number in range(2)]
    (parted / "manifest.csv").write_text("\n".join(["file,site", *(f"{name},north" for name in names)]))
    check_by(sets(parted), ["site"])
    with pytest.raises(SettingError, match="beads: column 'site': bands were given"):
        check_by(sets(parted), ["site=1,2"])


def test_a_setting_that_no_compared_method_has_is_refused() -> None:
    with pytest.raises(SettingError, match=r"detector\.stps: no method that is compared has a setting stps"):
        plan_methods(["padim"], seeds=1, settings={"detector": {"stps": 7}})


def test_the_trivial_baseline_stands_beside_whatever_is_asked() -> None:
    asked, baseline = plan_methods(["patchcore:1"], seeds=3, settings={})
    assert (asked.name, asked.seeds, asked.baseline) == ("patchcore", 1, False)
    assert (baseline.name, baseline.baseline) == (BASELINE, True)


def test_all_are_those_that_learn_from_healthy_scans_alone() -> None:
    names = [method.name for method in plan_methods(["all"], seeds=1, settings={})]
    assert {"patchcore", "autoencoder", BASELINE} <= set(names)


def test_settings_for_all_reach_those_that_have_them() -> None:
    settings = {"detector": {"steps": 7}, "autoencoder": {"latent": 4}}
    found = {
        method.name: method.settings for method in plan_methods(["autoencoder", "padim"], seeds=1, settings=settings)
    }
    assert found["autoencoder"] == {"steps": 7, "latent": 4}
    assert found["padim"] == {}


@pytest.mark.parametrize("names", [["no-such-method"], ["patchcore:many"], []])
def test_what_is_no_method_is_refused(names: list[str]) -> None:
    with pytest.raises(SettingError):
        plan_methods(names, seeds=1, settings={})


def test_a_method_that_needs_abnormal_examples_is_refused_before_anything_runs() -> None:
    with pytest.raises(SettingError, match=r"guided-diffusion learns from abnormal examples too.*train --abnormal"):
        plan_methods(["patchcore", "guided-diffusion"], seeds=1, settings={})


def test_a_profile_that_recommends_such_a_method_is_refused_too(parted: Path) -> None:
    supervised = plan_sets([f"{parted}:generic"], test=None, profile=None, profile_settings=GUIDED)
    methods = plan_methods(["default"], seeds=1, settings={})
    with pytest.raises(SettingError, match="guided-diffusion learns from abnormal examples too"):
        plan_cells(supervised, methods, steps=None, size="cpu", false_alarms=0.05, weights=None, device="cpu")


def test_settings_of_a_method_that_is_not_compared_are_refused() -> None:
    with pytest.raises(SettingError, match="padim, which is not among"):
        plan_methods(["patchcore"], seeds=1, settings={"padim": {"components": 10}})


def test_cells_come_seed_by_seed_and_are_named_by_all_that_decides_them(parted: Path) -> None:
    methods = plan_methods(["autoencoder:2", "vae:2"], seeds=2, settings={})
    planned = {"size": "cpu", "false_alarms": 0.05, "weights": None, "device": "cpu"}
    cells = plan_cells(sets(parted), methods, steps=20, **planned)
    assert [(cell.method.name, cell.seed) for cell in cells] == [
        ("healthy-atlas", 0),
        ("autoencoder", 0),
        ("vae", 0),
        ("autoencoder", 1),
        ("vae", 1),
    ]
    assert cells[1].request["settings"]["steps"] == 20
    again = plan_cells(sets(parted), methods, steps=20, **planned)
    assert [cell.key for cell in again] == [cell.key for cell in cells]
    assert with_settings(cells[1], {"steps": 21}).key != cells[1].key


def test_the_budget_of_steps_reaches_the_members_of_an_ensemble(parted: Path) -> None:
    methods = plan_methods(["ensemble"], seeds=1, settings={})
    _, cell = plan_cells(sets(parted), methods, steps=10, size="cpu", false_alarms=0.05, weights=None, device="cpu")
    assert [one["settings"].get("steps") for one in cell.request["settings"]["members"]] == [None, 5, 5]


def test_a_setting_that_a_method_lacks_is_refused_before_anything_is_learned(parted: Path) -> None:
    methods = plan_methods(["autoencoder"], seeds=1, settings={"autoencoder": {"no_such": 1}})
    with pytest.raises(SettingError, match="has no setting no_such"):
        plan_cells(sets(parted), methods, steps=None, size="cpu", false_alarms=0.05, weights=None, device="cpu")


def test_a_method_that_does_not_fit_the_images_is_a_cell_that_says_why(parted: Path) -> None:
    methods = plan_methods(["modality-translation"], seeds=1, settings={})
    cells = plan_cells(sets(parted), methods, steps=None, size="cpu", false_alarms=0.05, weights=None, device="cpu")
    assert "takes" in cells[1].why_not


def test_a_method_that_draws_nothing_has_one_cell_where_few_scans_are_all_learned_from(parted: Path) -> None:
    methods = plan_methods(["autoencoder"], seeds=3, settings={})
    cells = plan_cells(sets(parted), methods, steps=None, size="cpu", false_alarms=0.05, weights=None, device="cpu")
    seeds = {
        name: [cell.seed for cell in cells if cell.method.name == name] for name in ("healthy-atlas", "autoencoder")
    }
    assert seeds == {"healthy-atlas": [0], "autoencoder": [0, 1, 2]}
    assert [cell.once for cell in cells] == [True, False, False, False]


def test_where_the_seed_deals_the_parts_every_seed_is_run(parted: Path) -> None:
    for number in range(3, 60):
        picture(parted / "train" / "healthy" / f"{number}.png", 100 + number)
    methods = plan_methods(["healthy-atlas"], seeds=2, settings={})
    cells = plan_cells(sets(parted), methods, steps=None, size="cpu", false_alarms=0.05, weights=None, device="cpu")
    assert [cell.seed for cell in cells] == [0, 1]


def folds_of(folder: Path, *, false_alarms: float) -> bool:
    cells = plan_cells(
        sets(folder),
        plan_methods(["padim"], seeds=1, settings={}),
        steps=None,
        size="cpu",
        false_alarms=false_alarms,
        weights=None,
        device="cpu",
    )
    return bool(cells[0].request.get("folds", True))


def test_models_to_calibrate_by_are_not_trained_where_they_would_decide_nothing(parted: Path) -> None:
    assert not folds_of(parted, false_alarms=0.05), "three scans support no rate of 5 %"
    assert folds_of(parted, false_alarms=0.25), "they support one of 25 %"
    picture(parted / "test" / "masks" / "0.png", 1)
    assert folds_of(parted, false_alarms=0.05), "an outline is held against a threshold from healthy scans"
