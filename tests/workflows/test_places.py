"""Places: kept with the model, and used where a profile seeks what is darker or brighter."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halescan.data.table import read_cohort
from halescan.detectors.tails import OpenTail
from halescan.errors import ModelError
from halescan.scoring.maps import PlaceStatistics
from halescan.synthesis.cohort import PhantomFolders
from halescan.types import Batch
from halescan.workflows.cases import open_item
from halescan.workflows.examine import examine
from halescan.workflows.interpret import measure_scans
from halescan.workflows.model import load_model
from halescan.workflows.places import NO_PLACES, Direction, Places
from halescan.workflows.train import train

RNG = np.random.default_rng(0)


def statistics(mean: float) -> PlaceStatistics:
    return PlaceStatistics.fit(RNG.normal(mean, 1, size=(20, 5, 5)))


DIRECTION = Direction(statistics(2), OpenTail.fit(RNG.random(100)))


@pytest.mark.parametrize("places", [NO_PLACES, Places(statistics(1)), Places(None, DIRECTION)])
def test_places_come_back_from_their_arrays(places: Places) -> None:
    again = Places.from_state({**places.state(), "mean/mean": np.zeros((5, 5))})
    assert (again.maps is None, again.direction is None) == (places.maps is None, places.direction is None)
    assert all(np.array_equal(value, again.state()[name]) for name, value in places.state().items())


@pytest.fixture(scope="module")
def darker(phantoms: PhantomFolders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "darker"
    recipe = {"size": [32, 32], "sought": "darker"}
    train(phantoms.healthy, profile="lung-ct", detector="healthy-atlas", profile_settings=recipe, out=out)
    return out


def test_a_model_learns_how_bright_health_is_and_keeps_it(darker: Path) -> None:
    model = load_model(darker)
    assert model.places.direction is not None
    assert model.places.direction.grey.mean.shape == (32, 32)


def test_the_map_points_at_what_is_dark_and_the_score_counts_all(darker: Path) -> None:
    model = load_model(darker)
    assert model.places.direction is not None
    usual = model.places.direction.grey
    image = 0.5 + usual.mean
    image[8:13, 8:13] -= 6 * usual.spread[8:13, 8:13]
    image[20:25, 20:25] += 6 * usual.spread[20:25, 20:25]
    batch = Batch(image[None, None].astype(np.float32))
    found = model.measure(batch)
    plain = replace(model.measure, places=replace(model.places, direction=None))(batch)
    assert found.maps is not None
    np.testing.assert_array_equal(found.scores, plain.scores)
    assert found.maps[0][10, 10] > 3 * found.maps[0][22, 22]
    assert found.peaks == found.maps[found.masks].max()


def test_healthy_maps_point_too_before_anything_is_called_rare(darker: Path, phantoms: PhantomFolders) -> None:
    model = load_model(darker)
    scans = [open_item(item, model.profile) for item in read_cohort(phantoms.healthy).items[:8]]
    peaks = [
        part.peaks.max() for read in measure_scans(model, scans) for part in read.measured if part.peaks is not None
    ]
    known = model.healthy.calibration.peaks
    assert known is not None
    assert np.median(peaks) == pytest.approx(np.median(known), rel=0.5)


def test_a_model_that_cannot_tell_dark_from_bright_is_refused(darker: Path, tmp_path: Path) -> None:
    model = load_model(darker)
    kept = replace(model, places=replace(model.places, direction=None)).save(tmp_path / "half")
    with pytest.raises(ModelError, match="nothing to tell what is darker"):
        load_model(tmp_path / "half")
    assert kept.folder == tmp_path / "half"


def test_the_report_says_what_the_map_points_at(darker: Path, phantoms: PhantomFolders, tmp_path: Path) -> None:
    done = examine(darker, next(iter(sorted(phantoms.healthy.iterdir()))), out=tmp_path / "out", formats=["json"])
    assert "sought-darker" in {note["key"] for note in done.records[0]["notes"]}
