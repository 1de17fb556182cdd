"""The plan of a comparison: what the words of a call mean, and what is refused before hours are spent."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halescan.errors import SettingError, TableError
from halescan.workflows.comparison.plan import BASELINE, DataSet, plan_cells, plan_methods, plan_sets, with_settings


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
        sets(parted / "test" / "healthy", test=parted / "test")


def test_a_test_part_of_one_kind_is_refused(parted: Path) -> None:
    with pytest.raises(TableError, match="must be healthy and abnormal"):
        sets(parted / "train", test=parted / "test" / "healthy")


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


def test_settings_of_a_method_that_is_not_compared_are_refused() -> None:
    with pytest.raises(SettingError, match="padim, which is not among"):
        plan_methods(["patchcore"], seeds=1, settings={"padim": {"components": 10}})


def test_cells_come_seed_by_seed_and_are_named_by_all_that_decides_them(parted: Path) -> None:
    methods = plan_methods(["autoencoder:2"], seeds=2, settings={})
    planned = {"size": "cpu", "false_alarms": 0.05, "weights": None, "device": "cpu"}
    cells = plan_cells(sets(parted), methods, steps=20, **planned)
    assert [(cell.method.name, cell.seed) for cell in cells] == [
        ("healthy-atlas", 0),
        ("autoencoder", 0),
        ("healthy-atlas", 1),
        ("autoencoder", 1),
    ]
    assert cells[1].request["settings"]["steps"] == 20
    again = plan_cells(sets(parted), methods, steps=20, **planned)
    assert [cell.key for cell in again] == [cell.key for cell in cells]
    assert with_settings(cells[1], {"steps": 21}).key != cells[1].key


def test_a_method_that_does_not_fit_the_images_is_a_cell_that_says_why(parted: Path) -> None:
    methods = plan_methods(["autoencoder"], seeds=1, settings={"autoencoder": {"no_such": 1}})
    cells = plan_cells(sets(parted), methods, steps=None, size="cpu", false_alarms=0.05, weights=None, device="cpu")
    assert "has no setting no_such" in cells[1].why_not
