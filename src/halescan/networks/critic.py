"""The critic: is this a real healthy image, or one that a network drew?

Whatever it sees (images, patches of them, latent numbers), it gives logits: large for what it takes for real. The
losses take logits of any shape.
"""

import math
from collections.abc import Callable, Sequence
from typing import Generic, Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from halescan.errors import SettingError
from halescan.networks.blocks import groups_of

AdversarialKind = Literal["bce", "least-squares", "hinge", "wasserstein"]
Maker = TypeVar("Maker", bound=nn.Module)
Judge = TypeVar("Judge", bound=nn.Module)
_KINDS = "bce, least-squares, hinge, wasserstein"


class Critic(nn.Module):
    """`(n, c, h, w)` to one logit an image `(n,)`: large for what it takes for real.

    Args:
        channels: Of the image.
        grid: Its sides.
        widths: Channels after each halving of the grid.

    Source:
        The discriminator of Xiang et al. 2023, arXiv:2111.13495: convolutions of 5 x 5 and stride 2, leaky ReLU of 0.2,
        batch norm from the second on, one dense layer.
    """

    def __init__(self, *, channels: int, grid: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (inside, out) in enumerate(zip([channels, *widths], widths, strict=False)):
            layers.append(nn.Conv2d(inside, out, 5, stride=2, padding=2, bias=number == 0))
            layers += [nn.BatchNorm2d(out)] if number else []
            layers.append(nn.LeakyReLU(0.2))
        self.look = nn.Sequential(*layers)
        cells = math.prod(-(-side // 2 ** len(widths)) for side in grid)
        self.decide = nn.Linear(widths[-1] * cells, 1)

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.decide(self.features(images))
        return logits[:, 0]

    def features(self, images: Tensor) -> Tensor:
        """`(n, d)`: what it sees before it decides."""
        return self.look(images).flatten(1)


class Pair(nn.Module, Generic[Maker, Judge]):
    """A maker and its critic, learned side by side in turns."""

    def __init__(self, maker: Maker, critic: Judge) -> None:
        super().__init__()
        self.maker, self.critic = maker, critic


class PatchCritic(nn.Module):
    """`(n, c, h, w)` to logits `(n, 1, h', w')`: each for the patch of the image that it sees.

    Args:
        channels: Of what it is shown.
        widths: Channels after each halving of the grid.

    Source:
        The patch discriminator of Isola et al. 2017, arXiv:1611.07004. We differ: group instead of batch norm, so that
        an image is judged by itself; edges are repeated instead of zeros, which would tell the border.
    """

    def __init__(self, *, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (inside, out) in enumerate(zip([channels, *widths], widths, strict=False)):
            layers.append(nn.Conv2d(inside, out, 4, stride=2, padding=1, padding_mode="replicate", bias=number == 0))
            layers += [nn.GroupNorm(groups_of(out), out)] if number else []
            layers.append(nn.LeakyReLU(0.2))
        self.look = nn.Sequential(*layers)
        self.decide = nn.Conv2d(widths[-1], 1, 3, padding=1, padding_mode="replicate")

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.decide(self.look(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """`(n, d)`: what it sees before it decides."""
        return self.look(images).flatten(1)


class LatentCritic(nn.Module):
    """`(n, latent)` to `(n,)` logits: were these numbers drawn from the prior, or told by an encoder?"""

    def __init__(self, *, latent: int, width: int) -> None:
        super().__init__()
        self.decide = nn.Sequential(
            nn.Linear(latent, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, 1),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.decide(latent)
        return logits[:, 0]


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, drawn: Tensor, *, generator: torch.Generator
) -> Tensor:
    """Mean of (slope - 1)^2 at a random place between each real and drawn image; the critic must see each by itself.

    Source:
        Gulrajani et al. 2017, arXiv:1704.00028. One share an image, for all its channels. In float32: it is a
        derivative of a derivative.
    """
    share = torch.rand((len(real), *[1] * (real.ndim - 1)), generator=generator).to(real.device)
    with torch.autocast(real.device.type, enabled=False), torch.enable_grad():
        between = torch.lerp(real.detach().float(), drawn.detach().float(), share).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).float().sum(), between, create_graph=True)
    length = (slope.flatten(1).square().sum(1) + 1e-12).sqrt()  # the root of 0 has no slope
    return (length - 1).square().mean()


def critic_loss(kind: AdversarialKind, real: Tensor, drawn: Tensor) -> Tensor:
    """What the critic falls down: real logits up, drawn ones down.

    Raises:
        SettingError: for another kind.
    """
    if kind == "bce":
        return F.softplus(-real).mean() + F.softplus(drawn).mean()
    if kind == "least-squares":
        return (real - 1).square().mean() + drawn.square().mean()
    if kind == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + drawn).mean()
    if kind == "wasserstein":  # only with `gradient_penalty` beside it
        return drawn.mean() - real.mean()
    raise SettingError(f"an adversarial loss is one of {_KINDS}, got {kind!r}")


def maker_loss(kind: AdversarialKind, drawn: Tensor) -> Tensor:
    """What the maker of the drawn images falls down: their logits up.

    Raises:
        SettingError: for another kind.
    """
    if kind == "bce":
        return F.softplus(-drawn).mean()
    if kind == "least-squares":
        return (drawn - 1).square().mean()
    if kind in ("hinge", "wasserstein"):
        return -drawn.mean()
    raise SettingError(f"an adversarial loss is one of {_KINDS}, got {kind!r}")
