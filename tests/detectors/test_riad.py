"""RIAD: what must hold of it, and every variant."""

from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.riad import RIAD
from halescan.errors import SettingError
from halescan.training.run import Run
from tests.detectors.bodies import healthy

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {"side": 24, "cells": (3, 5), "width": 4, "depth": 2, "steps": 4, "batch_size": 2, "average": 3}


def fitted(**changes: Any) -> RIAD:
    return RIAD(**SMALL | changes).fit(healthy(6, grid=(24, 24)), run=RUN)


class Oracle(torch.nn.Module):
    """Draws the truth, whatever it is shown."""

    def __init__(self, truth: torch.Tensor) -> None:
        super().__init__()
        self.truth = torch.nn.Parameter(truth)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.truth


def test_riad_the_masks_of_one_cell_size_are_disjoint_and_hide_everything() -> None:
    for masks in fitted()._masks(torch.device("cpu")):  # 8 x 8 cells, and 5 x 5, which 3 does not divide
        assert masks.shape == (3, 1, 24, 24)
        assert (masks.sum(0) == 1).all()


@pytest.mark.parametrize("residual", ["gms", "l1"])
def test_riad_an_oracles_drawing_is_the_truth_and_nothing_strange(residual: str) -> None:
    detector, images = fitted(residual=residual), healthy(2, grid=(24, 24), seed=5)
    detector._network = Oracle(torch.from_numpy(images))
    scores = detector.score(images)
    assert scores.map is not None
    assert scores.map == pytest.approx(0, abs=1e-5)
    assert scores.reconstruction == pytest.approx(images, abs=1e-6)


def test_riad_no_pixel_is_drawn_from_itself() -> None:
    detector = fitted(residual="l1", average=1)

    class Copy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.weight * images

    detector._network = Copy()
    images = healthy(2, grid=(24, 24), seed=5)
    scores = detector.score(images)
    assert (scores.reconstruction == 0).all()
    assert scores.map == pytest.approx(images[:, 0])


def test_riad_cell_sizes_count_alike() -> None:
    both, images = fitted(average=1), healthy(2, grid=(24, 24), seed=5)
    maps = []
    for cell in (3, 5):
        one = RIAD(**SMALL | {"cells": (cell,), "average": 1}).restore(both.state())
        maps.append(one.score(images).map)
    np.testing.assert_allclose(both.score(images).map, (maps[0] + maps[1]) / 2, atol=1e-6)


@pytest.mark.parametrize("changes", [{"loss": "l2+ssim+gms"}, {"mirror": False}, {"average": 1}, {"parts": 2}])
def test_every_variant_learns_to_draw_what_it_never_saw(changes: dict[str, Any]) -> None:
    images = healthy(4, grid=(24, 24), seed=5)
    drawn = fitted(steps=80, width=8, learning_rate=5e-3, **changes).score(images).reconstruction
    assert drawn is not None
    assert np.square(drawn - images).mean() < 0.4 * np.square(images - images.mean()).mean()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"cells": ()}, "cells"),
        ({"parts": 1}, "parts"),
        ({"average": 4}, "odd"),
        ({"loss": "l1"}, "ssim"),
        ({"residual": "ssim"}, "gms"),
        ({"depth": 0}, "depth"),
        ({"side": 4}, "side"),
    ],
)
def test_settings_out_of_range_are_refused_with_a_good_value(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingError, match=why):
        RIAD(**changes)
