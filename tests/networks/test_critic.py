"""The critic's losses, its gradient penalty, and what it sees."""

import pytest
import torch
from torch import Tensor

from halescan.errors import SettingError
from halescan.networks.critic import Critic, LatentCritic, PatchCritic, critic_loss, gradient_penalty, maker_loss
from halescan.training.chance import noise

KINDS = ("bce", "least-squares", "hinge", "wasserstein")


def sure(value: float) -> Tensor:
    return torch.full((4,), value)


@pytest.mark.parametrize("kind", KINDS)
def test_the_critic_falls_by_telling_real_from_drawn(kind: str) -> None:
    assert critic_loss(kind, sure(1.0), sure(0.0)) < critic_loss(kind, sure(0.0), sure(1.0))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_the_maker_falls_by_being_taken_for_real(kind: str) -> None:
    assert maker_loss(kind, sure(1.0)) < maker_loss(kind, sure(0.0))  # type: ignore[arg-type]


def test_the_cross_entropy_is_torchs() -> None:
    real, drawn = torch.randn(5), torch.randn(5)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    expected = entropy(real, torch.ones(5)) + entropy(drawn, torch.zeros(5))
    assert torch.allclose(critic_loss("bce", real, drawn), expected)
    assert torch.allclose(maker_loss("bce", drawn), entropy(drawn, torch.ones(5)))


def test_another_kind_of_loss_is_refused() -> None:
    with pytest.raises(SettingError, match="wasserstein"):
        critic_loss("wgan", sure(0), sure(0))  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="hinge"):
        maker_loss("wgan", sure(0))  # type: ignore[arg-type]


@pytest.mark.parametrize(("length", "penalty"), [(1.0, 0.0), (3.0, 4.0), (0.0, 1.0)])
def test_f_anogan_a_linear_critic_pays_for_the_length_of_its_weight(length: float, penalty: float) -> None:
    weight = torch.nn.functional.normalize(torch.randn(2 * 5 * 6, generator=noise(0, "weight")), dim=0) * length
    real, drawn = torch.rand(4, 2, 5, 6), torch.rand(4, 2, 5, 6)
    paid = gradient_penalty(lambda images: images.flatten(1) @ weight, real, drawn, generator=noise(0, "share"))
    assert float(paid) == pytest.approx(penalty, abs=1e-4)


def test_the_penalty_looks_between_each_pair_with_one_share_an_image() -> None:
    seen: list[Tensor] = []

    def looks(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return images.flatten(1).sum(1)

    gradient_penalty(looks, torch.zeros(50, 2, 3, 3), torch.ones(50, 2, 3, 3), generator=noise(0, "share"))
    shares = seen[0].flatten(1)
    assert torch.equal(shares, shares[:, :1].expand_as(shares))
    assert 0 <= float(shares.min()) < 0.2
    assert 0.8 < float(shares.max()) <= 1


def test_the_penalty_teaches_the_critic() -> None:
    critic = PatchCritic(channels=1, widths=(4,))
    gradient_penalty(
        lambda images: critic(images).mean((1, 2, 3)),
        torch.rand(2, 1, 8, 8),
        torch.rand(2, 1, 8, 8),
        generator=noise(0),
    ).backward()
    slopes = [parameter.grad for name, parameter in critic.named_parameters() if name.endswith("weight")]
    assert all(slope is not None and bool(slope.isfinite().all()) for slope in slopes)
    assert max(float(slope.abs().max()) for slope in slopes if slope is not None) > 0


def test_critics_give_a_logit_an_image_or_a_patch() -> None:
    images = torch.rand(3, 2, 20, 12)
    whole = Critic(channels=2, grid=(20, 12), widths=(4, 8)).eval()
    patches = PatchCritic(channels=2, widths=(4, 8)).eval()
    assert whole(images).shape == (3,)
    assert whole.features(images).shape == (3, 8 * 5 * 3)
    assert patches(images).shape == (3, 1, 5, 3)
    assert patches.features(images).shape == (3, 8 * 5 * 3)
    assert LatentCritic(latent=5, width=7)(torch.rand(3, 5)).shape == (3,)


def test_a_patch_critic_judges_each_image_by_itself() -> None:
    critic, images = PatchCritic(channels=1, widths=(4, 8)).train(), torch.rand(3, 1, 16, 16)
    assert torch.allclose(critic(images)[:1], critic(images[:1]), atol=1e-6)
