"""Places: kept with the model, and used where a profile seeks what is darker or brighter."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halescan.scoring.maps import PlaceStatistics
from halescan.types import Batch
from halescan.workflows.model import load_model
from halescan.workflows.places import NO_PLACES, Places

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
