"""Region in-painting: what must hold of it, its critics, its superpixels."""

from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.region_inpainting import RegionInpainting, disagreement, split_error
from halescan.errors import SettingError
from halescan.networks.masking import sliding_boxes
from halescan.training.run import Run
from tests.detectors.bodies import healthy, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {
    "side": 24,
    "hole": 8,
    "stride": 4,
    "width": 4,
    "depth": 2,
    "superpixels": 30,
    "steps": 4,
    "batch_size": 4,
}


def fitted(**changes: Any) -> RegionInpainting:
    return RegionInpainting(**SMALL | changes).fit(healthy(12, grid=(24, 24)), run=RUN)


class Truth(torch.nn.Module):
    """Fills with the truth, moved by so much."""

    def __init__(self, truth: torch.Tensor, off: float = 0.0) -> None:
        super().__init__()
        self.truth = torch.nn.Parameter(truth + off)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.truth


def windows() -> torch.Tensor:
    return sliding_boxes((24, 24), hole_px=8, stride_px=4)


@torch.no_grad()
def test_region_inpainting_every_place_is_covered_and_its_weights_sum_to_1() -> None:
    images = torch.rand(2, 1, 24, 24)
    heat, filled = disagreement(Truth(torch.zeros_like(images), off=0.3), images, windows())
    assert windows().any(0).all()
    assert torch.allclose(filled, torch.full_like(filled, 0.3))  # a mean of the same number is that number
    assert torch.allclose(heat, (images - 0.3).abs()[:, 0])


@torch.no_grad()
def test_region_inpainting_a_filler_that_returns_the_truth_gives_no_heat() -> None:
    images = torch.rand(2, 1, 24, 24)
    heat, filled = disagreement(Truth(images), images, windows())
    assert (heat == 0).all()
    assert torch.allclose(filled, images)


def test_region_inpainting_superpixels_share_their_mean_heat() -> None:
    images = healthy(2, grid=(24, 24), seed=5)
    detector = fitted()
    raw = RegionInpainting(**SMALL | {"superpixels": 0}).restore(detector.state())
    shared, plain = detector.score(images).map, raw.score(images).map
    assert shared is not None
    assert plain is not None
    assert len(np.unique(shared[0])) < 60 < len(np.unique(plain[0]))
    assert shared.mean() == pytest.approx(plain.mean(), rel=1e-5)


def test_errors_inside_and_outside_the_hole_are_told_apart() -> None:
    images = torch.zeros(1, 2, 8, 8)
    hidden = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    hidden[..., 2:5, 2:5] = True
    drawn = torch.where(hidden, 0.5, 0.1).expand_as(images)
    inside, outside = split_error(drawn, images, hidden)
    assert float(inside) == pytest.approx(0.5)
    assert float(outside) == pytest.approx(0.1)


@pytest.mark.parametrize("changes", [{}, {"adversarial": 0}, {"superpixels": 0}, {"mirror": False}])
def test_every_variant_finds_a_lesion(changes: dict[str, Any]) -> None:
    detector = fitted(**{"steps": 100, "learning_rate": 5e-3} | changes)
    images = healthy(4, grid=(24, 24), seed=5)
    plain, ill = detector.score(images).map, detector.score(with_lesion(images, contrast=0.5)).map
    assert plain is not None
    assert ill is not None
    assert (ill.mean((1, 2)) > plain.mean((1, 2))).all()


def test_the_critics_have_a_say_and_are_not_kept() -> None:
    with_critics, without = fitted(adversarial=1.0), fitted(adversarial=0)
    assert set(with_critics.state()) == set(without.state())
    assert not np.allclose(with_critics.state()["end.weight"], without.state()["end.weight"])


def test_a_thin_image_is_filled_with_smaller_holes() -> None:
    detector = RegionInpainting(**SMALL).fit(healthy(4, grid=(10, 30)), run=RUN)
    strange = detector.score(healthy(1, grid=(10, 30))).map
    assert strange is not None
    assert np.isfinite(strange).all()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"stride": 17}, "stride"),
        ({"side": 12}, "hole"),
        ({"adversarial": -1.0}, "adversarial"),
        ({"superpixels": -1}, "superpixels"),
        ({"compactness": 0.0}, "compactness"),
    ],
)
def test_settings_out_of_range_are_refused_with_a_good_value(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingError, match=why):
        RegionInpainting(**changes)
