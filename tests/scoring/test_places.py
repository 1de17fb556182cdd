"""Words for a place are the patient's, whichever way the picture is turned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.errors import SettingError, ShapeError
from halescan.scoring.places import mask_box, place_words

FILM = ((0, 90), (0, 100))


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ((10, 10), ("right", "upper-zone")),
        ((45, 80), ("left", "mid-zone")),
        ((80, 49), ("midline", "lower-zone")),
        ((80, 57), ("left", "lower-zone")),
    ],
)
def test_a_chest_film_is_read_in_the_radiological_convention(index, words):
    assert place_words(index, box=FILM, directions=None, kind="chest-xray") == words


@pytest.mark.parametrize("rim", [(3, 4), (8, 9), (86, 4), (45, 0)])
def test_what_lies_on_the_rim_of_a_chest_film_is_in_no_zone(rim):
    assert place_words(rim, box=FILM, directions=None, kind="chest-xray") == ("right", "film-edge")
    assert "film-edge" not in place_words(rim, box=FILM, directions=None, kind="lung-ct")


@pytest.mark.parametrize("place", [(80, 12), (80, 88), (12, 30), (45, 50)])  # lateral angles, an apex, the middle
def test_where_lungs_reach_on_a_chest_film_a_zone_is_named(place):
    assert place_words(place, box=FILM, directions=None, kind="chest-xray")[-1].endswith("-zone")


def test_known_directions_win_over_the_convention():
    assert place_words((10, 10), box=FILM, directions=("I", "R"), kind="chest-xray") == ("left", "upper-zone")
    assert place_words((10, 10), box=FILM, directions=("S", "L"), kind="chest-xray") == ("right", "lower-zone")


def test_an_axial_slice_has_a_side_and_a_front_but_no_zone():
    assert place_words((80, 80), box=FILM, directions=("P", "L"), kind="lung-ct") == ("left", "posterior")
    assert place_words((80, 80), box=FILM, directions=None, kind="lung-ct") == ("left", "posterior")
    assert place_words((10, 10), box=FILM, directions=("P", "L"), kind="brain") == ("right", "anterior")


def test_a_volume_with_directions_has_all_three():
    box = ((0, 30), (0, 90), (0, 100))
    assert place_words((2, 80, 80), box=box, directions=("S", "P", "L"), kind="lung-ct") == (
        "left",
        "posterior",
        "lower-zone",
    )
    assert place_words((2, 80, 80), box=box, directions=None, kind="lung-ct") == ("left", "posterior")


def test_a_sagittal_slice_has_no_side():
    assert place_words((10, 80), box=FILM, directions=("I", "P"), kind="lung-ct") == ("posterior", "upper-zone")


def test_places_are_told_within_the_organ_and_not_within_the_picture():
    mask = np.zeros((100, 200), bool)
    mask[50:80, 100:200] = True
    box = mask_box(mask, mask.shape)
    assert box == ((50, 80), (100, 200))
    assert place_words((56, 120), box=box, directions=None, kind="chest-xray") == ("right", "upper-zone")


def test_the_middle_of_three_pixels_is_the_midline_and_the_mid_zone():
    assert place_words((1, 1), box=((0, 3), (0, 3)), directions=None, kind="chest-xray") == ("midline", "mid-zone")


def test_without_a_mask_the_box_is_the_whole_picture():
    assert mask_box(None, (4, 5)) == mask_box(np.zeros((4, 5), bool), (4, 5)) == ((0, 4), (0, 5))


def test_the_kind_none_has_no_words_and_an_unknown_kind_is_refused():
    assert place_words((1, 1), box=FILM, directions=None, kind="none") == ()
    with pytest.raises(SettingError, match="one of"):
        place_words((1, 1), box=FILM, directions=None, kind="knee")
    with pytest.raises(ShapeError):
        place_words((1, 1, 1), box=FILM, directions=None, kind="brain")


@given(st.integers(0, 29), st.integers(0, 89), st.integers(0, 99), st.sets(st.integers(0, 2)))
@settings(max_examples=60, deadline=None)
def test_flipping_the_array_and_its_directions_together_changes_no_word(z, y, x, flipped):
    sides, directions, index = (30, 90, 100), ["S", "P", "L"], [z, y, x]
    box = tuple((0, side) for side in sides)
    plain = place_words(index, box=box, directions=tuple(directions), kind="lung-ct")
    for axis in flipped:
        directions[axis] = {"S": "I", "P": "A", "L": "R"}[directions[axis]]
        index[axis] = sides[axis] - 1 - index[axis]
    turned = place_words(index, box=box, directions=tuple(directions), kind="lung-ct")
    # Exactly on a third or on the edge of the midline, rounding may tell two neighbours apart.
    shares = [(i + 0.5) / side for i, side in zip((z, y, x), sides, strict=True)]
    borders = (1 / 3, 2 / 3, 0.45, 0.55)
    if all(abs(share - border) > 1e-9 for share in shares for border in borders):
        assert turned == plain
