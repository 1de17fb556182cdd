"""Noise: unit variance whatever its law, low or flat in its spectrum, and diffusion that comes back."""

import math
from functools import cache

import pytest
import torch
from torch import Tensor

from halescan.networks.noise import LAWS, LEVELS, Diffusion, Law, cells_of, draw_noise, kept_at, walked
from halescan.training.chance import noise

GRID = (32, 32)


@cache
def many(law: Law, grid: tuple[int, ...] = GRID) -> Tensor:
    return draw_noise(law, (400, 2, *grid), generator=noise(0, "test", law))


def low_share(images: Tensor) -> float:
    """Share of the power below a quarter of the highest frequency."""
    power = torch.fft.fft2(images).abs().square().mean((0, 1))
    rows, columns = (torch.fft.fftfreq(side).abs() for side in images.shape[2:])
    low = (rows[:, None] < 0.125) & (columns[None] < 0.125)
    return float(power[low].sum() / power.sum())


@pytest.mark.parametrize("law", LAWS)
def test_noise_of_every_law_has_mean_0_and_variance_1(law: Law) -> None:
    drawn = many(law)
    assert abs(float(drawn.mean())) < 0.03
    assert float(drawn.var()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("law", LAWS)
def test_its_variance_is_the_same_at_every_place(law: Law) -> None:
    spread = many(law).var((0, 1))
    assert float(spread.min()) > 0.75
    assert float(spread.max()) < 1.3


@pytest.mark.parametrize("law", ["simplex", "pyramid"])
def test_simplex_and_pyramid_noise_are_low_pass_and_white_noise_is_flat(law: Law) -> None:
    flat = low_share(many("gaussian"))
    assert flat == pytest.approx((7 / 32) ** 2, abs=0.01)  # frequencies -3 to 3 of 32 along either axis
    assert low_share(many(law)) > 5 * flat


@pytest.mark.parametrize("law", LAWS)
def test_noise_is_another_for_every_image_and_channel_and_the_same_for_the_same_seed(law: Law) -> None:
    drawn = many(law)
    joined = torch.corrcoef(drawn[:4].reshape(8, -1))
    assert float((joined - torch.eye(8)).abs().max()) < 0.6
    again = draw_noise(law, (400, 2, *GRID), generator=noise(0, "test", law))
    torch.testing.assert_close(drawn, again, rtol=0, atol=0)


def test_less_persistence_leaves_larger_blobs() -> None:
    rough, smooth = (
        draw_noise("simplex", (50, 1, *GRID), generator=noise(0, "test"), persistence=share) for share in (1.0, 0.2)
    )
    assert low_share(smooth) > low_share(rough)


def test_octaves_halve_from_a_quarter_of_the_side_to_two_pixels() -> None:
    assert cells_of((256, 256), largest=0.25) == [64, 32, 16, 8, 4, 2]
    assert cells_of((48, 64), largest=0.25) == [16, 8, 4, 2]
    assert cells_of((4, 4), largest=0.25) == [2]


@pytest.mark.parametrize("grid", [(7, 33), (33, 7)])
@pytest.mark.parametrize("law", LAWS)
def test_any_grid_can_be_filled(law: Law, grid: tuple[int, int]) -> None:
    drawn = draw_noise(law, (3, 1, *grid), generator=noise(0, "test"))
    assert drawn.shape == (3, 1, *grid)
    assert bool(torch.isfinite(drawn).all())


@pytest.mark.parametrize("law", ["pyramid", "gaussian"])
def test_volumes_can_be_filled(law: Law) -> None:
    drawn = draw_noise(law, (40, 1, 8, 9, 10), generator=noise(0, "test"))
    assert float(drawn.var()) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("level", [0, 249, 999])
@pytest.mark.parametrize("law", LAWS)
def test_noised_images_have_the_mean_and_variance_of_the_closed_form(law: Law, level: int) -> None:
    """q(x_t | x_0) = N(sqrt(abar_t) x_0, 1 - abar_t), abar_t the product of 1 - beta, here taken from the paper."""
    betas = torch.linspace(1e-4, 0.02, LEVELS, dtype=torch.float64)
    kept = float((1 - betas[: level + 1]).prod())
    image = torch.full((1, 1, *GRID), 0.7).expand(400, 2, -1, -1)
    noisy = Diffusion(jumps=40, depth=1).add_noise(image, many(law), torch.full((400,), level))
    assert float(noisy.mean()) == pytest.approx(0.7 * math.sqrt(kept), abs=0.03)
    assert float(noisy.var()) == pytest.approx(1 - kept, rel=0.05, abs=1e-6)


def test_images_of_unit_variance_keep_it_at_every_level() -> None:
    images = torch.randn((400, 2, *GRID), generator=noise(0, "images"))
    for law in LAWS:
        for level in (0, 250, 500, 999):
            noisy = Diffusion(jumps=10, depth=1).add_noise(images, many(law), torch.full((400,), level))
            assert float(noisy.var()) == pytest.approx(1, abs=0.05)


def test_it_is_monai_s_ddpm_schedule() -> None:
    from monai.networks.schedulers import DDPMScheduler

    images, drawn = many("gaussian")[:8], many("simplex")[:8]
    levels = torch.arange(0, 1000, 125)
    theirs = DDPMScheduler(num_train_timesteps=LEVELS).add_noise(images, drawn, levels)
    torch.testing.assert_close(Diffusion(jumps=50, depth=0.5).add_noise(images, drawn, levels), theirs)
    torch.testing.assert_close(kept_at(levels, dims=2).flatten(), DDPMScheduler(LEVELS).alphas_cumprod[levels])


@pytest.mark.parametrize("depth", [0.05, 0.25, 1.0])
@pytest.mark.parametrize("jumps", [7, 40, 150, 400, 600, 999, 1000])
def test_a_depth_is_reached_whatever_the_number_of_jumps(jumps: int, depth: float) -> None:
    if walked(jumps=jumps, depth=depth):
        assert abs(Diffusion(jumps=jumps, depth=depth).deepest - depth * LEVELS) <= LEVELS // jumps


def test_at_depth_0_the_image_comes_back() -> None:
    images = many("gaussian")[:4]
    diffusion = Diffusion(jumps=40, depth=0)
    assert diffusion.deepest == 0
    assert torch.equal(diffusion.into(images, many("simplex")[:4]), images)
    assert torch.equal(diffusion.encode(lambda noisy, levels: noisy, images), images)
    assert torch.equal(diffusion.decode(lambda noisy, levels: noisy, images), images)


@pytest.mark.parametrize(("jumps", "depth"), [(40, 0.25), (7, 1.0), (3, 0.4), (1000, 0.01)])
def test_a_network_that_knows_the_noise_takes_exactly_it_away(jumps: int, depth: float) -> None:
    images, drawn = many("gaussian")[:4], many("simplex")[:4]
    diffusion = Diffusion(jumps=jumps, depth=depth)
    back = diffusion.decode(lambda noisy, levels: drawn, diffusion.into(images, drawn))
    torch.testing.assert_close(back, images, rtol=0, atol=2e-2 if depth == 1 else 1e-5)


def gaussian_noise_seen(variance: float) -> object:
    """The exact noise predictor of images that are N(0, variance): sqrt(1 - abar) x / (abar variance + 1 - abar)."""
    kept = torch.cumprod(1 - torch.linspace(1e-4, 0.02, LEVELS), 0)

    def predict(noisy: Tensor, levels: Tensor) -> Tensor:
        share = kept[levels].reshape(-1, 1, 1, 1)
        return (1 - share).sqrt() * noisy / (share * variance + 1 - share)

    return predict


def round_trip_error(jumps: int) -> float:
    images = 0.5 * many("gaussian")[:20]
    diffusion, predict = Diffusion(jumps=jumps, depth=0.5), gaussian_noise_seen(0.25)
    back = diffusion.decode(predict, diffusion.encode(predict, images))  # type: ignore[arg-type]
    return float((back - images).abs().mean())


def test_there_and_back_by_ddim_the_error_falls_as_one_over_the_steps() -> None:
    errors = [round_trip_error(jumps) for jumps in (10, 40, 200)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert errors[2] < 0.02


def test_encoded_images_have_the_variance_of_their_level() -> None:
    """The flow leads N(0, 1/4) to N(0, abar/4 + 1 - abar)."""
    images, predict = 0.5 * many("gaussian")[:100], gaussian_noise_seen(0.25)
    diffusion = Diffusion(jumps=200, depth=0.5)
    kept = float(kept_at(torch.tensor([diffusion.stops[-1]]), dims=2))
    led = diffusion.encode(predict, images)  # type: ignore[arg-type]
    assert float(led.var()) == pytest.approx(kept / 4 + 1 - kept, rel=0.03)
