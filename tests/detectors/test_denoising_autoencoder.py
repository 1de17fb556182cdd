"""The denoising autoencoder: its noise, its mask, what it cleans."""

from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.denoising_autoencoder import DenoisingAutoencoder, body_of, coarse_noise, mirrored
from halescan.errors import SettingError
from halescan.training.chance import noise
from halescan.training.run import Run
from halescan.training.schedule import Tensors
from halescan.types import Batch, Stack
from tests.detectors.bodies import healthy, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {"width": 8, "depth": 3, "steps": 100, "batch_size": 6, "noise_cells": 6}


def fitted(grid: tuple[int, ...] = (24, 24), **changes: Any) -> DenoisingAutoencoder:
    return DenoisingAutoencoder(**SMALL | changes).fit(healthy(16, grid=grid), run=RUN)


@pytest.mark.parametrize("grid", [(64, 48), (16, 20, 12)])
def test_the_noise_has_no_mean_and_the_spread_of_interpolated_noise(grid: tuple[int, ...]) -> None:
    drawn = coarse_noise((60, 2, *grid), cells=8, generator=noise(0, "test"))
    assert drawn.shape == (60, 2, *grid)
    assert abs(float(drawn.mean())) < 0.05
    assert float(drawn.var()) == pytest.approx((2 / 3) ** len(grid), rel=0.15)  # mean of (1-t)^2 + t^2 an axis


def test_the_noise_is_smooth_within_a_cell() -> None:
    drawn = coarse_noise((8, 1, 64, 64), cells=8, generator=noise(0, "test"))
    near = (drawn[..., 1:] - drawn[..., :-1]).square().mean()
    far = (drawn[..., 24:] - drawn[..., :-24]).square().mean()
    assert near < 0.1 * far


def test_the_noise_lies_at_another_shift_in_every_image() -> None:
    drawn = coarse_noise((200, 1, 32, 32), cells=4, generator=noise(0, "test"))
    spread = drawn.var(dim=0)  # unshifted, cell centres would vary twice as much as the places between
    assert float(spread.max() / spread.min()) < 2.5


def test_channels_draw_their_own_noise() -> None:
    drawn = coarse_noise((1, 2, 32, 32), cells=8, generator=noise(0, "test"))
    assert not torch.equal(drawn[:, 0], drawn[:, 1])


def test_half_of_the_images_are_mirrored_with_their_masks() -> None:
    images = torch.rand(200, 1, 4, 6)
    flipped, inside = mirrored(images, images > 0.5, generator=noise(0, "test"))
    turned = [not torch.equal(one, two) for one, two in zip(images, flipped, strict=True)]
    assert 70 < sum(turned) < 130
    assert torch.equal(flipped > 0.5, inside)


def test_the_body_is_the_mask_or_else_what_is_not_black() -> None:
    images = torch.tensor([[[[0.0, 0.2], [0.0, 0.0]]]])
    mask = torch.tensor([[[True, False], [True, False]]])
    assert body_of(Tensors(images)).flatten().tolist() == [False, True, False, False]
    assert torch.equal(body_of(Tensors(images, mask))[:, 0], mask)


@pytest.mark.parametrize("grid", [(24, 24), (10, 12, 14)])
def test_outside_the_body_the_map_is_exactly_nothing(grid: tuple[int, ...]) -> None:
    detector = fitted(grid)
    images = healthy(2, grid=grid, seed=5) + np.float32(0.1)
    mask = np.zeros((2, *grid), bool)
    mask[:, 3:8, 3:8] = True
    scores = detector.score(Batch(images, mask))
    assert scores.map is not None
    assert scores.reconstruction is not None
    assert (scores.map[~mask] == 0).all()
    assert scores.map[mask].min() > 0
    assert (scores.reconstruction[:, 0][~mask] == images[:, 0][~mask]).all()


@pytest.mark.parametrize("changes", [{"loss": "l1"}, {"norm": "group"}, {"mirror": False}])
def test_every_variant_cleans_what_it_never_saw(changes: dict[str, Any]) -> None:
    detector = fitted(**changes)
    clean = healthy(6, grid=(24, 24), seed=5)
    blobs = coarse_noise(clean.shape, cells=6, generator=noise(0, "test")).numpy() * 0.2 * (clean > 0)
    dirty = (clean + blobs).astype(np.float32)
    cleaned = detector.score(Batch(dirty, clean[:, 0] > 0)).reconstruction
    assert cleaned is not None
    assert np.square(cleaned - clean).mean() < 0.5 * np.square(dirty - clean).mean()


def test_a_lesion_is_taken_away() -> None:
    detector = fitted()
    clean = healthy(4, grid=(24, 24), seed=5)
    ill = with_lesion(clean, contrast=0.4)
    drawn = detector.score(ill).reconstruction
    assert drawn is not None
    assert np.square(drawn - clean).sum() < 0.5 * np.square(ill - clean).sum()


def test_slices_without_a_body_do_not_stop_the_learning() -> None:
    empty = np.zeros((8, 1, 16, 16), np.float32)
    detector = DenoisingAutoencoder(**SMALL | {"steps": 3}).fit(Stack(empty), run=RUN)
    strange = detector.score(empty).map
    assert strange is not None
    assert (strange == 0).all()


@pytest.mark.parametrize(
    "wrong", [{"noise_cells": 1}, {"noise_sd": 0.0}, {"loss": "l3"}, {"width": 0}, {"depth": 9}, {"norm": "layer"}]
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        DenoisingAutoencoder(**wrong)
