"""AnoDDPM: nothing is changed without noise, more by more of it, and by the same noise always."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.anoddpm import AnoDDPM, spread_over
from halescan.errors import SettingError
from halescan.networks.noise import LAWS, Diffusion, Law, draw_noise, kept_at
from halescan.training.chance import noise
from halescan.training.run import Progress, Run
from halescan.types import Batch
from tests.detectors.bodies import healthy, lesion, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {
    "side": 16,
    "widths": (8, 8),
    "depth": 0.3,
    "jumps": 10,
    "draws": 2,
    "steps": 60,
    "batch_size": 8,
    "learning_rate": 1e-2,
}


def fitted(run: Run = RUN, **changes: Any) -> AnoDDPM:
    return AnoDDPM(**SMALL | changes).fit(healthy(24, grid=(16, 16)), run=run)


@cache
def known() -> AnoDDPM:
    return fitted()


def as_if(**changes: Any) -> AnoDDPM:
    """The known one with other settings of scoring."""
    return AnoDDPM(**SMALL | changes).restore(known().state())


def map_of(detector: AnoDDPM, images: np.ndarray) -> np.ndarray:
    found = detector.score(images).map
    assert found is not None
    return found


class _Knows(torch.nn.Module):
    """A perfect network: it has been told which images are noised."""

    def __init__(self, images: torch.Tensor) -> None:
        super().__init__()
        self.images = torch.nn.Parameter(images, requires_grad=False)

    def centred(self, images: torch.Tensor) -> torch.Tensor:
        return 2 * images - 1

    def uncentred(self, images: torch.Tensor) -> torch.Tensor:
        return images / 2 + 0.5

    def forward(self, noisy: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        kept = kept_at(levels, dims=2)
        return (noisy - kept.sqrt() * self.centred(self.images)) / (1 - kept).sqrt()


@pytest.mark.parametrize("kind", ["l1", "l2", "ssim"])
def test_anoddpm_with_a_network_that_knows_the_noise_the_image_comes_back(kind: str) -> None:
    images = healthy(3, grid=(16, 16), seed=5)
    detector = as_if(residual=kind)
    detector._network = _Knows(torch.from_numpy(images))  # type: ignore[assignment]
    assert np.abs(map_of(detector, images)).max() < 1e-4


def test_anoddpm_deeper_into_noise_more_of_a_healthy_image_changes() -> None:
    images = healthy(8, grid=(16, 16), seed=5)
    means = [map_of(as_if(depth=depth), images).mean() for depth in (0.1, 0.2, 0.3)]
    assert means[0] < means[1] < means[2]


@pytest.mark.parametrize("law", LAWS)
def test_anoddpm_sees_a_lesion_through_noise_of_every_law(law: Law) -> None:
    detector, images = fitted(law=law, steps=40), healthy(4, grid=(16, 16), seed=5)
    inside = lesion((16, 16))
    plain, ill = (map_of(detector, part)[:, inside].mean(1) for part in (images, with_lesion(images, contrast=0.5)))
    assert (ill > 1.5 * plain).all()


def test_anoddpm_the_map_is_the_residual_to_the_mean_of_the_cleaned_images() -> None:
    images = healthy(2, grid=(16, 16), seed=5)
    scores = as_if(draws=3, residual="l1").score(images)
    assert scores.map is not None
    assert scores.reconstruction is not None
    np.testing.assert_allclose(scores.map, np.abs(images - scores.reconstruction)[:, 0], atol=1e-6)


def test_anoddpm_with_more_draws_chance_has_less_say() -> None:
    """The cleaned image of many draws lies nearer to that of other draws than that of one does."""
    images = healthy(4, grid=(16, 16), seed=5)
    one, two, many = (as_if(draws=draws, residual="l1").score(images).reconstruction for draws in (1, 2, 12))
    assert one is not None
    assert two is not None
    assert many is not None
    assert np.abs(two - many).mean() < np.abs(one - many).mean()


def test_it_learns_no_level_that_scoring_never_visits() -> None:
    detector = AnoDDPM(**SMALL)
    assert detector.diffusion.deepest == 300
    assert detector.diffusion.stops == [99, 199, 299]
    assert AnoDDPM(jumps=40, depth=0.25).diffusion.stops[-1] == 249


def test_at_the_start_it_guesses_the_noise_as_a_line_would() -> None:
    """Noised Gaussian images of the assumed variance: the best guess of the noise is linear, and is where it begins."""
    detector = AnoDDPM(**SMALL)
    network = detector._build((1, 16, 16))
    images = 0.5 * draw_noise("gaussian", (200, 1, 16, 16), generator=noise(0, "images"))
    drawn = draw_noise("gaussian", (200, 1, 16, 16), generator=noise(0, "noise"))
    levels = torch.full((200,), 299)
    noisy = Diffusion(jumps=10, depth=0.3).add_noise(images, drawn, levels)
    with torch.no_grad():
        error = network(noisy, levels) - drawn
        loss = float(network.loss(noisy, drawn, levels))
    slope = float((noisy * drawn).mean() / noisy.square().mean())
    best = float((slope * noisy - drawn).square().mean())
    assert float(error.square().mean()) == pytest.approx(best, rel=0.01)
    assert loss == pytest.approx(1, abs=0.05)  # each level's error is told as a share of the best line's


def test_the_middle_of_its_images_is_learned_from_some_of_them() -> None:
    assert spread_over(3) == [0, 1, 2]
    assert spread_over(1000, most=4) == [0, 250, 500, 750]
    assert float(known()._network.middle) == pytest.approx(float(healthy(24, grid=(16, 16)).mean()), abs=1e-6)


def test_colours_are_noised_each_by_itself() -> None:
    detector = AnoDDPM(**SMALL | {"steps": 2}).fit(healthy(4, grid=(16, 16), channels=3), run=RUN)
    scores = detector.score(healthy(2, grid=(16, 16), channels=3, seed=5))
    assert scores.map is not None
    assert scores.map.shape == (2, 16, 16)


def test_pictures_show_image_noise_and_what_is_left() -> None:
    images = known().pictures(Batch(healthy(2, grid=(16, 16), seed=5)))
    assert list(images) == ["original", "noised", "cleaned"]
    assert np.abs(images["noised"] - images["original"]).mean() > np.abs(images["cleaned"] - images["original"]).mean()


def test_interrupted_and_resumed_it_is_the_same_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)

    def stop(progress: Progress) -> None:
        if progress.done == 53:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(run=replace(RUN, folder=tmp_path, listen=stop))
    images = healthy(2, grid=(16, 16), seed=5)
    resumed = fitted(run=replace(RUN, folder=tmp_path, resume=True))
    np.testing.assert_allclose(map_of(resumed, images), map_of(known(), images), atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"law": "perlin"}, "simplex"),
        ({"residual": "l3"}, "l1"),
        ({"depth": 0}, "0.25"),
        ({"depth": 0.01}, "one of the 40 jumps"),
        ({"jumps": 2000}, "1000"),
        ({"draws": 0}, "2 to 4"),
        ({"largest": 0}, "0.25"),
        ({"widths": (16,)}, "16,32,64"),
        ({"attention": 4}, "attention"),
        ({"side": 4}, "side"),
    ],
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        AnoDDPM(**wrong)
