"""Brightness: what is sought in one direction."""

from typing import Literal

import numpy as np
import pytest

from halescan.scoring.brightness import both, direction_rarity, levelled
from halescan.scoring.maps import PlaceStatistics

RNG = np.random.default_rng(0)
HEALTHY = 0.5 + 0.1 * RNG.normal(size=(400, 24, 24)) + 0.1 * RNG.normal(size=(400, 1, 1))  # each with a gain of its own
EVERYWHERE = np.ones((1, 24, 24), bool)
USUAL = PlaceStatistics.fit(levelled(HEALTHY, None), blur_px=0)


def spotted(by: float) -> np.ndarray:
    image = np.full((1, 24, 24), 0.5)
    image[0, 4:9, 4:9] += by
    return image


@pytest.mark.parametrize(("sought", "by"), [("darker", -0.2), ("brighter", 0.2)])
def test_two_spreads_off_are_as_rare_as_the_normal_distribution_says(
    sought: Literal["darker", "brighter"], by: float
) -> None:
    rarity = direction_rarity(spotted(by), EVERYWHERE, USUAL, sought=sought)
    assert rarity[0, 6, 6] == pytest.approx(-np.log10(0.0228), abs=0.15)
    assert rarity[0, 20, 20] == pytest.approx(-np.log10(0.5), abs=0.06)
    assert direction_rarity(spotted(-by), EVERYWHERE, USUAL, sought=sought)[0, 6, 6] < 0.02


def test_a_tenth_of_healthy_places_is_as_rare_as_one_in_ten() -> None:
    masks = np.ones(HEALTHY.shape, bool)
    rarity = direction_rarity(HEALTHY, masks, USUAL, sought="darker")
    assert (rarity >= 1).mean() == pytest.approx(0.1, abs=0.005)
    assert (rarity >= 2).mean() == pytest.approx(0.01, abs=0.002)


def test_the_gain_of_the_machine_changes_nothing() -> None:
    mask = EVERYWHERE.copy()
    mask[:, :, 12:] = False
    one, brighter = (direction_rarity(spotted(-0.2) + gain, mask, USUAL, sought="darker") for gain in (0, 0.3))
    np.testing.assert_allclose(one, brighter, atol=1e-5)


def test_an_image_without_a_mask_is_read_against_the_whole() -> None:
    empty = np.zeros_like(EVERYWHERE)
    whole, none = (direction_rarity(spotted(-0.2), mask, USUAL, sought="darker") for mask in (EVERYWHERE, empty))
    np.testing.assert_array_equal(whole, none)
    np.testing.assert_array_equal(levelled(spotted(-0.2), None), levelled(spotted(-0.2), EVERYWHERE))


def test_what_is_not_strange_or_not_in_the_direction_is_not_pointed_at() -> None:
    strange, directed = np.array([[4.0, 0.0, 4.0]]), np.array([[1.0, 9.0, 0.0]])
    np.testing.assert_allclose(both(strange, directed), [[2.0, 0.0, 0.0]])
