"""The context encoder: what must hold of it, with and without a critic."""

from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.context_encoder import ContextEncoder, hole_error
from halescan.errors import SettingError
from halescan.networks.context_net import ContextNet
from halescan.training.run import Run
from tests.detectors.bodies import healthy, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {"side": 24, "widths": (4, 8), "latent": 4, "steps": 4, "batch_size": 4}
HOLE: dict[str, Any] = {"draws": "hole", "hole": 0.3, "fill": 0.0}


def fitted(**changes: Any) -> ContextEncoder:
    return ContextEncoder(**SMALL | changes).fit(healthy(12, grid=(24, 24)), run=RUN)


def holes() -> torch.Tensor:
    hidden = torch.zeros(2, 1, 12, 12, dtype=torch.bool)
    hidden[0, :, 2:6, 3:7] = True
    hidden[1, :, 6:10, 4:8] = True
    return hidden


def test_context_encoder_the_loss_of_the_hole_knows_nothing_of_pixels_outside() -> None:
    drawn, images, hidden = torch.rand(2, 3, 12, 12), torch.rand(2, 3, 12, 12), holes()
    elsewhere = torch.where(hidden, images, torch.rand_like(images))
    assert hole_error(drawn, images, hidden) == hole_error(drawn, elsewhere, hidden)
    where = hidden.expand_as(images)
    assert float(hole_error(drawn, images, hidden)) == pytest.approx(float((drawn - images)[where].square().mean()))


def test_context_encoder_a_band_around_the_hole_counts_ten_times() -> None:
    images, hidden = torch.zeros(2, 1, 12, 12), holes()
    drawn = torch.where(hidden, 1.0, 2.0).expand_as(images)  # squared error 1 inside, 4 outside
    band = 6 * 6 - 16
    expected = (16 + 10 * 4 * band) / (16 + 10 * band)
    assert float(hole_error(drawn, images, hidden, band_px=1)) == pytest.approx(expected)


def test_context_encoder_its_dense_layer_has_channels_times_places_squared_weights() -> None:
    network = fitted(**HOLE)._network
    assert isinstance(network, ContextNet)
    assert network.spread.weight.numel() == 8 * (6 * 6) ** 2


def test_context_encoder_with_holes_no_place_is_drawn_from_itself() -> None:
    detector = fitted(**HOLE)

    class Copy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.weight * images

    detector._network = Copy()
    assert (detector.score(healthy(2, grid=(24, 24))).reconstruction == 0).all()


def test_context_encoder_with_images_a_new_image_is_looked_at_whole() -> None:
    detector, images = fitted(), healthy(2, grid=(24, 24), seed=5)
    with torch.no_grad():
        whole = detector._network(torch.from_numpy(images)).numpy()
    assert detector.score(images).reconstruction == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("changes", [{}, HOLE, HOLE | {"band": 2}, HOLE | {"adversarial": 0.01}])
def test_every_variant_finds_a_lesion(changes: dict[str, Any]) -> None:
    detector = fitted(**{"steps": 120, "learning_rate": 5e-3} | changes)
    images = healthy(4, grid=(24, 24), seed=5)
    plain, ill = detector.score(images).map, detector.score(with_lesion(images, contrast=0.5)).map
    assert plain is not None
    assert ill is not None
    assert (ill.mean((1, 2)) > plain.mean((1, 2))).all()


def test_the_critic_learns_beside_the_maker_and_is_not_kept() -> None:
    with_critic, without = fitted(**HOLE, adversarial=0.5), fitted(**HOLE)
    assert set(with_critic.state()) == set(without.state())
    assert not np.allclose(with_critic.state()["end.weight"], without.state()["end.weight"])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"draws": "all"}, "hole"),
        ({"hole": 0.9}, "0.75"),
        ({"latent": 0}, "latent"),
        ({"adversarial": 0.001}, "draws"),
        ({"draws": "hole", "adversarial": 1.0}, "0.001"),
        ({"residual": "ssim"}, "l1"),
    ],
)
def test_settings_out_of_range_are_refused_with_a_good_value(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingError, match=why):
        ContextEncoder(**changes)
