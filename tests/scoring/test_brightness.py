"""Brightness: what is sought in one direction."""

import numpy as np
import pytest

from halescan.scoring.brightness import emphasis, weighed
from halescan.scoring.maps import PlaceStatistics

RNG = np.random.default_rng(0)
HEALTHY = 0.5 + 0.1 * RNG.normal(size=(400, 24, 24))
USUAL = PlaceStatistics.fit(HEALTHY, blur_px=0)
EVERYWHERE = np.ones((1, 24, 24), bool)


def spotted(by: float) -> np.ndarray:
    image = np.full((1, 24, 24), 0.5)
    image[0, 4:9, 4:9] += by
    return image


@pytest.mark.parametrize(("sought", "by"), [("darker", -0.2), ("brighter", 0.2)])
def test_a_place_two_spreads_off_weighs_as_the_normal_share_of_healthy_ones(sought: str, by: float) -> None:
    weights = emphasis(spotted(by), EVERYWHERE, USUAL, sought=sought)
    assert weights[0, 6, 6] == pytest.approx(0.977, abs=0.01)
    assert weights[0, 20, 20] == pytest.approx(0.5, abs=0.06)
    assert emphasis(spotted(-by), EVERYWHERE, USUAL, sought=sought)[0, 6, 6] == pytest.approx(0.023, abs=0.01)


def test_darker_and_brighter_share_out_one() -> None:
    image = RNG.random((3, 24, 24))
    masks = np.ones(image.shape, bool)
    both = [emphasis(image, masks, USUAL, sought=sought) for sought in ("darker", "brighter")]
    np.testing.assert_allclose(both[0] + both[1], 1, atol=1e-6)


def test_the_gain_of_the_machine_changes_nothing() -> None:
    mask = EVERYWHERE.copy()
    mask[:, :, 12:] = False
    one, brighter = (emphasis(spotted(-0.2) + gain, mask, USUAL, sought="darker") for gain in (0, 0.3))
    np.testing.assert_allclose(one, brighter, atol=1e-5)


def test_an_image_without_a_mask_is_read_against_the_whole() -> None:
    empty = np.zeros_like(EVERYWHERE)
    whole, none = (emphasis(spotted(-0.2), mask, USUAL, sought="darker") for mask in (EVERYWHERE, empty))
    np.testing.assert_array_equal(whole, none)


def test_any_weighs_all_places_alike() -> None:
    assert (emphasis(spotted(0.3), EVERYWHERE, USUAL, sought="any") == 1).all()


def test_a_place_less_strange_than_usual_does_not_become_stranger() -> None:
    maps, weights = np.array([[[-2.0, 2.0]]]), np.array([[[0.1, 0.1]]])
    np.testing.assert_allclose(weighed(maps, weights), [[[-2.0, 0.2]]])
