"""The variational latent: its divergence against torch's, its draws against their moments."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from halescan.networks.variational import Cloud
from halescan.training.chance import noise


def test_the_divergence_is_torchs() -> None:
    cloud = Cloud.told(torch.randn(5, 6))
    told = Normal(cloud.mean, (0.5 * cloud.log_variance).exp())
    expected = kl_divergence(told, Normal(0.0, 1.0)).mean(1)
    assert torch.allclose(cloud.kl(), expected, atol=1e-5)


def test_the_prior_diverges_from_itself_by_nothing() -> None:
    assert float(Cloud.told(torch.zeros(2, 6)).kl().abs().max()) == 0


def test_draws_have_the_cloud_s_mean_and_spread() -> None:
    cloud = Cloud(torch.tensor([[2.0, -1.0]]).repeat(20_000, 1), torch.tensor([[0.0, -2.0]]).repeat(20_000, 1))
    drawn = cloud.draw(noise(0, "test"))
    assert drawn.mean(0).tolist() == pytest.approx([2.0, -1.0], abs=0.03)
    assert drawn.var(0).log().tolist() == pytest.approx([0.0, -2.0], abs=0.06)


def test_absurd_variances_stay_finite() -> None:
    cloud = Cloud.told(torch.tensor([[0.0, 1e6], [0.0, -1e6]]))
    assert cloud.kl().isfinite().all()
    assert cloud.draw(noise(0, "test")).isfinite().all()
