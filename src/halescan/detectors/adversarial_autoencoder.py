"""Adversarial autoencoder: a bottleneck that a critic of its numbers holds to the shape of a Gaussian."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.conv_autoencoder import ConvAutoencoder
from halescan.networks.critic import LatentCritic, Pair, critic_loss, maker_loss
from halescan.networks.residuals import PIXEL_KINDS, residual
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors, Turn
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

_BETAS = (0.5, 0.999)


class AdversarialAutoencoder(Detector):
    """An autoencoder and a critic of its latent numbers: healthy images fill a standard Gaussian, without holes.

    Two turns a step. Encoder and decoder: the squared error, and `critic_weight` times what fools the critic. The
    critic: numbers drawn from N(0, 1) against the encoder's. Both parts of the first turn stand in one loss: with an
    Adam of its own, the fooling would weigh the same whatever its weight.

    Args:
        side: The image's longest side in pixels as the networks see it; None leaves images as they are.
        widths: Channels after each halving; mirrored in the decoder.
        latent: Numbers an image is squeezed into.
        critic_width: Of the two layers of the latent critic.
        critic_weight: Of fooling it, beside the mean squared error.
        steps: Steps of learning.
        batch_size: Images a step. In 3-D take about an eighth.
        learning_rate: Highest of the cosine curve, for all.
        residual: "l1", "l2" or "ssim".
        prior_weight: 0: the map is pooled as the profile says. Above: the image's score is the map's mean and so many
            times half the mean square of its latent numbers, which is how unlikely the prior finds them.

    Source:
        Makhzani et al. 2015, arXiv:1511.05644. We differ: convolutional; one turn for reconstruction and fooling.
    """

    name = "adversarial-autoencoder"
    summary = "an autoencoder whose latent a critic holds to a Gaussian; the map is image minus reconstruction"
    source = "https://arxiv.org/abs/1511.05644"
    watches = True
    dims = (2, 3)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "side": 128,
            "widths": (32, 64, 128, 256),
            "latent": 64,
            "steps": 30_000,
            "learning_rate": 2e-4,
        },
    }

    def __init__(
        self,
        *,
        side: int | None = 64,
        widths: Sequence[int] = (16, 32, 64, 64),
        latent: int = 16,
        critic_width: int = 256,
        critic_weight: float = 0.01,
        steps: int = 1200,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        residual: Literal["l1", "l2", "ssim"] = "l1",
        prior_weight: float = 0.0,
    ) -> None:
        if residual not in PIXEL_KINDS:
            raise SettingError(f"residual must be one of {', '.join(PIXEL_KINDS)}, got {residual!r}")
        if min(latent, critic_width) < 1 or not widths or min(widths) < 1:
            raise SettingError(
                f"latent, critic_width and widths must be 1 or more, got {latent}, {critic_width} and "
                f"{tuple(widths)}; 16, 256 and 16,32,64,64 work"
            )
        if not 0 <= critic_weight <= 10 or not 0 <= prior_weight <= 1000:
            raise SettingError(
                "critic_weight must lie in [0, 10] and prior_weight in [0, 1000], "
                f"got {critic_weight} and {prior_weight}; 0.01 and 0 are usual"
            )
        if side is not None and side < 8:
            raise SettingError(f"side must be 8 pixels or more, or None, got {side}; 64 is usual")
        self.side, self.widths, self.latent = side, tuple(widths), latent
        self.critic_width, self.critic_weight = critic_width, critic_weight
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.residual, self.prior_weight = residual, prior_weight

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(normal.take([0]).images.shape[1:])
        turns = [
            Turn("maker", list(self._network.maker.parameters()), self._maker_loss, betas=_BETAS),
            Turn("critic", list(self._network.critic.parameters()), self._critic_loss, betas=_BETAS),
        ]
        settings = Schedule(steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate)
        learn(self._network, turns, images=normal, check=check, settings=settings, run=run, stage=self.name)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small, maker = resize(images, self._grid), self._network.maker
        latent = maker.encode(small)
        drawn = maker.decode(latent).float()
        strange = residual(self.residual, small, drawn)
        unlikely = 0.5 * latent.float().square().mean(1)
        score = strange.flatten(1).mean(1) + self.prior_weight * unlikely
        return Scores(
            map=to_array(strange),
            image=to_array(score) if self.prior_weight else None,
            reconstruction=to_array(resize(drawn, images.shape[2:])),
        )

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network)

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state)

    def _build(self, shape: tuple[int, ...]) -> Pair[ConvAutoencoder, LatentCritic]:
        self._grid = working_grid(shape[1:], side=self.side)
        maker = ConvAutoencoder(channels=shape[0], grid=self._grid, widths=self.widths, latent=self.latent)
        return Pair(maker, LatentCritic(latent=self.latent, width=self.critic_width))

    def _maker_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        assert isinstance(network, Pair)
        images = resize(batch.images, self._grid)
        latent = network.maker.encode(images)
        drawn = network.maker.decode(latent).float()
        fooling = maker_loss("bce", network.critic(latent).float())
        return {"l2": (drawn - images).square().mean(), "fooling": self.critic_weight * fooling}

    def _critic_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        assert isinstance(network, Pair)
        with torch.no_grad():
            told = network.maker.encode(resize(batch.images, self._grid))
        prior = torch.randn(told.shape, generator=generator).to(told)
        return critic_loss("bce", network.critic(prior).float(), network.critic(told).float())
