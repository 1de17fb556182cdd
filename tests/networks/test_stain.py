"""Redness and brown dye on tensors: the same as on pictures, and no more than a picture can hold."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from halescan.data.stain import dab, red_mask
from halescan.networks.stain import dab_density, redness

channel = st.floats(0, 1, width=32)


def tensor(*colours: tuple[float, float, float]) -> torch.Tensor:
    """`(1, 3, 1, n)`."""
    return torch.tensor(colours).T[None, :, None]


@given(colour=st.tuples(channel, channel, channel))
def test_what_is_red_here_is_red_in_the_picture(colour: tuple[float, float, float]) -> None:
    """Both ways of finding a hue agree all around the circle."""
    strength = redness(tensor(colour)).item()
    within = red_mask(np.array([[colour]]), within=1 / 9 + 1e-4, least_saturation=0, least_value=0).item()
    surely = red_mask(np.array([[colour]]), within=1 / 9 - 1e-3, least_saturation=0.1, least_value=0.1).item()
    assert within or strength < 1e-4
    assert strength > 0 or not surely


def test_hues_fade_alike_on_both_sides_of_red() -> None:
    one, other = redness(tensor((0.8, 0.1, 0.4), (0.8, 0.4, 0.1)))[0, 0]
    assert one == pytest.approx(float(other))
    assert 0 < one < redness(tensor((0.8, 0.1, 0.1))).item()


def test_grey_white_black_and_blue_are_not_red() -> None:
    assert redness(tensor((0.5, 0.5, 0.5), (1, 1, 1), (0, 0, 0), (0.4, 0.5, 0.9), (0.5, 0.4, 0.9))).max() == 0


@given(colour=st.tuples(channel, channel, channel))
def test_the_brown_dye_is_that_of_the_picture(colour: tuple[float, float, float]) -> None:
    assert dab_density(tensor(colour)).item() == pytest.approx(float(dab(np.array([[colour]])).item()), abs=1e-3)


@pytest.mark.parametrize("measure", [redness, dab_density])
@pytest.mark.parametrize("grid", [(6, 7), (4, 5, 6)])
def test_what_lies_outside_black_and_white_counts_as_its_end(measure: object, grid: tuple[int, ...]) -> None:
    assert callable(measure)
    images = 3 * torch.rand(2, 3, *grid) - 1
    assert measure(images).shape == (2, *grid)
    assert torch.equal(measure(images), measure(images.clamp(0, 1)))
    assert torch.isfinite(measure(images)).all()
