"""Places: kept with the model, and used where a profile seeks what is darker or brighter."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halescan.data.table import read_cohort
from halescan.scoring.maps import PlaceStatistics
from halescan.synthesis.cohort import PhantomFolders
from halescan.types import Batch
from halescan.workflows.cases import open_item
from halescan.workflows.examine import examine
from halescan.workflows.interpret import measure_scans
from halescan.workflows.model import load_model
from halescan.workflows.places import NO_PLACES, Places
from halescan.workflows.train import train

RNG = np.random.default_rng(0)


def statistics(mean: float) -> PlaceStatistics:
    return PlaceStatistics.fit(RNG.normal(mean, 1, size=(20, 5, 5)))


@pytest.mark.parametrize("places", [NO_PLACES, Places(statistics(1)), Places(None, statistics(2))])
def test_places_come_back_from_their_arrays(places: Places) -> None:
    again = Places.from_state({**places.state(), "mean/mean": np.zeros((5, 5))})
    assert (again.maps is None, again.grey is None) == (places.maps is None, places.grey is None)
    assert all(np.array_equal(value, again.state()[name]) for name, value in places.state().items())


def test_what_is_sought_weighs_the_map_and_leaves_the_score(model_folder: Path) -> None:
    model = load_model(model_folder)
    grid = model.profile.size
    grey = PlaceStatistics.fit(RNG.normal(0.5, 0.1, size=(30, *grid)))
    image = np.full((1, model.profile.channels, *grid), 0.5, np.float32)
    image[..., 10:20, 10:20], image[..., 40:50, 40:50] = 0.1, 0.9
    plain, dark = (
        replace(model.measure, profile=model.profile.model_copy(update={"sought": sought}), places=places)(Batch(image))
        for sought, places in (("any", model.places), ("darker", replace(model.places, grey=grey)))
    )
    np.testing.assert_array_equal(plain.scores, dark.scores)
    assert plain.maps is not None
    assert dark.maps is not None
    kept = dark.maps / plain.maps
    assert kept[0, 15, 15] > 0.99
    assert kept[0, 45, 45] < 0.01
    assert dark.peaks == dark.maps[dark.masks].max()


@pytest.fixture(scope="module")
def darker(phantoms: PhantomFolders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "darker"
    recipe = {"size": [32, 32], "sought": "darker"}
    train(phantoms.healthy, profile="lung-ct", detector="healthy-atlas", profile_settings=recipe, out=out)
    return out


def test_a_model_learns_how_bright_health_is_and_keeps_it(darker: Path) -> None:
    model = load_model(darker)
    assert model.places.grey is not None
    assert model.places.grey.mean.shape == (32, 32)


def test_healthy_maps_are_weighed_before_anything_is_called_rare(darker: Path, phantoms: PhantomFolders) -> None:
    weighed = load_model(darker)
    plain = replace(weighed, places=replace(weighed.places, grey=None))
    scans = [open_item(item, weighed.profile) for item in read_cohort(phantoms.healthy).items[:8]]
    peaks = [
        np.concatenate(
            [part.peaks for read in measure_scans(model, scans) for part in read.measured if part.peaks is not None]
        )
        for model in (weighed, plain)
    ]
    assert (peaks[0] < peaks[1]).mean() > 0.9
    known = weighed.healthy.calibration.peaks
    assert known is not None
    assert peaks[0].max() < 1.5 * known.max()  # on the scale of the weighed ones


def test_the_report_says_what_the_map_points_at(darker: Path, phantoms: PhantomFolders, tmp_path: Path) -> None:
    done = examine(darker, next(iter(sorted(phantoms.healthy.iterdir()))), out=tmp_path / "out", formats=["json"])
    assert "sought-darker" in {note["key"] for note in done.records[0]["notes"]}
