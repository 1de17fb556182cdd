"""Reconstruction, difference and neighbours."""

import numpy as np

from halescan.reporting.panels import neighbour_strip, reconstruction_panels
from tests.reporting.cases import flat_scan


def test_a_perfect_reconstruction_differs_nowhere():
    image = np.random.default_rng(0).random((1, 16, 16), np.float32)
    difference = reconstruction_panels(flat_scan(shown=image, reconstruction=image))[2]
    assert (np.asarray(difference) == 255).all()


def test_brighter_than_expected_is_orange():
    image = np.full((3, 8, 8), 0.9, np.float32)
    difference = np.asarray(reconstruction_panels(flat_scan(shown=image, reconstruction=image - 0.4))[2])
    assert (difference[..., 0] > difference[..., 2]).all()


def test_a_volume_of_the_detector_shows_its_middle():
    image = np.zeros((1, 5, 8, 8), np.float32)
    image[:, 2] = 1
    shown = reconstruction_panels(flat_scan(shown=image, reconstruction=image))[0]
    assert np.asarray(shown).min() == 255


def test_methods_that_do_not_reconstruct_have_no_panels():
    assert reconstruction_panels(flat_scan()) == ()


def test_neighbours_stand_side_by_side_grey_or_colour():
    grey, colour = np.zeros((20, 10), np.uint8), np.zeros((20, 20, 3), np.uint8)
    strip = neighbour_strip(flat_scan(neighbours=(grey, colour)), height_px=40)
    assert strip is not None
    assert (strip.mode, strip.size) == ("RGB", (20 + 6 + 40, 40))
    assert neighbour_strip(flat_scan()) is None
