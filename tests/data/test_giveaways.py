"""Numbers that betray markers, borders and windows."""

import numpy as np
import pytest

from halescan.data.giveaways import giveaways, plane
from halescan.types import Scan


def grey(side: int = 50) -> np.ndarray:
    return 0.3 + 0.3 * np.random.default_rng(0).random((1, side, side)).astype(np.float32)


def test_a_letter_near_the_edge_shows_as_a_bright_mark() -> None:
    image = grey()
    plain = giveaways(image)["bright-marks"]
    image[0, 1:4, 2:6] = 1
    assert plain == 0
    assert giveaways(image)["bright-marks"] == pytest.approx(12 / (2500 - 1600))


def test_a_frame_shows_by_its_share_of_rows_and_columns() -> None:
    image = grey()
    image[0, :5] = 0
    assert giveaways(grey())["even-border"] == 0
    assert giveaways(image)["even-border"] == pytest.approx(5 / 100)
    assert giveaways(np.zeros((1, 8, 8), np.float32))["even-border"] == 1


def test_mirroring_turns_left_and_right_over_and_nothing_else() -> None:
    image = grey()
    image[0, :, :10] += 0.2
    plain, turned = giveaways(image), giveaways(image[:, :, ::-1])
    assert turned["left-right"] == pytest.approx(-plain["left-right"], rel=1e-4)
    for name in set(plain) - {"left-right"}:
        assert turned[name] == pytest.approx(plain[name], abs=1e-6)


def test_grey_stored_in_three_channels_has_no_colour() -> None:
    image = grey()
    assert giveaways(np.repeat(image, 3, axis=0))["colourfulness"] == pytest.approx(0, abs=1e-6)
    assert giveaways(np.concatenate([image, image, image * 0]))["colourfulness"] > 0.1


def test_known_units_keep_their_scale() -> None:
    hounsfield = np.array([[-1000.0, 1000.0], [0.0, 3000.0]], np.float32)
    np.testing.assert_allclose(plane(Scan(hounsfield, 2, unit="HU"))[0], [[0, 1], [0.5, 1]])
    np.testing.assert_allclose(plane(Scan(np.array([[0, 51], [102, 255]], np.uint8), 2))[0], [[0, 0.2], [0.4, 1]])


def test_large_pictures_are_made_smaller_and_colour_kept() -> None:
    assert plane(Scan(np.random.default_rng(0).integers(0, 255, (1024, 512, 3), np.uint8), 2)).shape == (3, 512, 256)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2)])
def test_tiny_pictures_give_finite_numbers(shape: tuple[int, int]) -> None:
    assert np.isfinite(list(giveaways(np.full((1, *shape), 0.5, np.float32)).values())).all()
