"""The one colour scale."""

import numpy as np

from halescan.reporting.colours import LEVELS, difference_rgb, level_of, palette, scale_alpha, scale_rgb


def test_ordinary_places_stay_uncoloured():
    assert (scale_alpha(np.array([0.0, 0.5, 1.0])) == 0).all()
    assert (scale_alpha(np.array([1.1, 2.0, 4.0])) > 0).all()


def test_opacity_has_no_step_that_would_outline_ordinary_places():
    opacity = scale_alpha(np.linspace(0.0, 4.0, 400)).astype(int)
    assert np.abs(np.diff(opacity)).max() <= 1


def test_opacity_grows_with_strangeness_and_leaves_more_than_half_of_the_anatomy():
    opacity = scale_alpha(np.linspace(1.01, 4.0, 50)).astype(int)
    assert (np.diff(opacity) >= 0).all()
    assert opacity[0] < 40
    assert opacity[-1] < 255 / 2


def test_stranger_places_are_lighter_so_that_a_grey_printer_keeps_the_order():
    light = scale_rgb(np.linspace(0, 4, 100)).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) >= -0.5).all()
    assert light[-1] - light[0] > 200


def test_the_scale_is_fixed_and_capped():
    assert level_of(np.array([4.0, 9.0, np.inf])).tolist() == [LEVELS - 1] * 3
    assert level_of(np.array([np.nan, -1.0])).tolist() == [0, 0]


def test_the_palette_has_256_colours_and_opacities():
    colours, opacities = palette()
    assert (len(colours), len(opacities)) == (768, 256)


def test_no_difference_is_white_and_the_signs_differ():
    white, above, below = difference_rgb(np.array([[0.0, 1.0, -1.0]]), full=0.5)[0]
    assert white.tolist() == [255, 255, 255]
    assert above[0] > above[2]
    assert below[2] > below[0]
