"""f-AnoGAN: of all images that a generator of healthy ones can draw, how near does the nearest come?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.critic import Pair, critic_loss, gradient_penalty, maker_loss
from halescan.networks.residual_gan import ResidualEncoder, ResidualGenerator
from halescan.training.chance import noise, seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors, Turn
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

_BETAS = (0.0, 0.9)
_INFERENCES = ("encoder", "search")
_IMAGE_SCORES = ("residual+features", "latent", "map")


class FAnoGAN(Detector):
    """A generator learns to draw healthy images from Gaussian numbers; the map is what its nearest drawing leaves over.

    Learns in two stages. A Wasserstein pair with gradient penalty: a generator, and a critic that tells its images from
    healthy ones. Then, both held still, an encoder that finds the numbers from which the generator draws an image
    again, as the eye and the critic's features see it. AnoGAN's own way needs no second stage: it searches the numbers
    anew for every image.

    Args:
        side: The image's longest side in pixels as the networks see it.
        widths: Channels of generator, critic and encoder, finest first; one halving of the grid each.
        latent: Numbers an image is drawn from.
        critic_steps: Steps of the critic to one of the generator.
        penalty: Weight of the gradient penalty.
        steps: Steps of the critic.
        encoder_steps: Steps of the encoder.
        batch_size: Images a step.
        learning_rate: Highest of the cosine curve, for the pair.
        encoder_rate: The same for the encoder.
        kappa: Weight of the critic's features beside the image, in the encoder's loss and in the image's score.
        inference: "encoder"; or "search", AnoGAN's.
        search_steps: Steps of the search, for every image.
        search_rate: Its learning rate.
        search_features: Share in [0, 1] of the critic's features in what the search goes down.
        image_score: "residual+features", the paper's: the mean squared error of the image and `kappa` times that of the
            features (with "search": what the search went down); "latent": how far the numbers move when the drawing is
            encoded again (needs the encoder); "map": the map is pooled as the profile says.

    Source:
        Schlegl et al. 2019, doi:10.1016/j.media.2019.01.010; the search: Schlegl et al. 2017 (AnoGAN),
        arXiv:1703.05921; the pair: Gulrajani et al. 2017, arXiv:1704.00028. We differ: whole images instead of
        patches; the encoder ends linearly, for its numbers are Gaussian; the search starts at the same numbers for
        every image and keeps the best it met, and its generator is the residual one; its two terms are means of an
        image's sum over its pixels.
    """

    name = "f-anogan"
    summary = "a generator of healthy images and an encoder into it; the map is image minus its nearest drawing"
    source = "https://doi.org/10.1016/j.media.2019.01.010"
    watches = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "side": 64,
            "widths": (64, 128, 256, 512),
            "latent": 128,
            "steps": 200_000,
            "encoder_steps": 50_000,
            "batch_size": 64,
            "learning_rate": 1e-4,
            "encoder_rate": 5e-5,
        },
    }

    def __init__(
        self,
        *,
        side: int = 32,
        widths: Sequence[int] = (16, 32, 64),
        latent: int = 32,
        critic_steps: int = 5,
        penalty: float = 10.0,
        steps: int = 1500,
        encoder_steps: int = 600,
        batch_size: int = 16,
        learning_rate: float = 5e-4,
        encoder_rate: float = 1e-3,
        kappa: float = 1.0,
        inference: Literal["encoder", "search"] = "encoder",
        search_steps: int = 200,
        search_rate: float = 0.05,
        search_features: float = 0.1,
        image_score: Literal["residual+features", "latent", "map"] = "residual+features",
    ) -> None:
        if inference not in _INFERENCES or image_score not in _IMAGE_SCORES:
            raise SettingError(
                f"inference must be one of {', '.join(_INFERENCES)} and image_score one of "
                f"{', '.join(_IMAGE_SCORES)}, got {inference!r} and {image_score!r}"
            )
        if inference == "search" and image_score == "latent":
            raise SettingError('image_score "latent" needs inference "encoder"; a search has no encoder')
        if not widths or min(*widths, latent, critic_steps, search_steps) < 1:
            raise SettingError(
                "widths, latent, critic_steps and search_steps must be 1 or more, "
                f"got {tuple(widths)}, {latent}, {critic_steps} and {search_steps}; 16,32,64, 32, 5 and 200 work"
            )
        if side < 2 ** len(widths):
            raise SettingError(
                f"side must be {2 ** len(widths)} or more for {len(widths)} widths, got {side}; 32 is usual"
            )
        if min(penalty, kappa) < 0 or not 0 <= search_features <= 1 or not 0 < search_rate < 10:
            raise SettingError(
                "penalty and kappa must be 0 or more, search_features lie in [0, 1] and search_rate in (0, 10), "
                f"got {penalty}, {kappa}, {search_features} and {search_rate}; 10, 1, 0.1 and 0.05 are usual"
            )
        self.side, self.widths, self.latent = side, tuple(widths), latent
        self.critic_steps, self.penalty = critic_steps, penalty
        self.steps, self.encoder_steps, self.batch_size = steps, encoder_steps, batch_size
        self.learning_rate, self.encoder_rate, self.kappa = learning_rate, encoder_rate, kappa
        self.inference, self.search_steps, self.search_rate = inference, search_steps, search_rate
        self.search_features, self.image_score = search_features, image_score

    def pictures(self, batch: Batch) -> dict[str, np.ndarray]:
        """The images, what is drawn for them, and what is drawn from numbers by chance."""
        images = resize(to_tensors(batch, home(self._pair)).images, self._grid)
        chance = torch.randn((len(images), self.latent), generator=noise(0, self.name, "pictures"))
        with torch.no_grad():
            invented = self._pair.maker(chance.to(images.device))
            drawn = self._pair.maker(self._found(images))
        shown = {
            "original": images,
            "nearest drawing": drawn,
            "original minus drawing": (images - drawn).abs(),
            "drawn from chance": invented,
        }
        return {name: to_array(value) for name, value in shown.items()}

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        shape = normal.take([0]).images.shape[1:]
        with seeded(run.seed, self.name, "weights"):
            self._pair, self._encoder = self._build_pair(shape), self._build_encoder(shape)
        turns = [
            Turn("critic", list(self._pair.critic.parameters()), self._critic_loss, betas=_BETAS),
            Turn(
                "generator",
                list(self._pair.maker.parameters()),
                self._generator_loss,
                betas=_BETAS,
                every=self.critic_steps,
            ),
        ]
        settings = Schedule(steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, clip=None)
        learn(self._pair, turns, images=normal, settings=settings, run=run, stage=f"{self.name}-pair")
        if self.inference == "search":
            return
        self._pair.requires_grad_(False)  # held still, and in evaluation mode: its running statistics too
        settings = Schedule(
            steps=self.encoder_steps,
            batch_size=self.batch_size,
            learning_rate=self.encoder_rate,
            rate_setting="encoder_rate",
        )
        learn(
            self._encoder,
            self._encoder_loss,
            images=normal,
            check=check,
            settings=settings,
            run=run,
            stage=f"{self.name}-encoder",
        )

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._pair)).images
        small = resize(images, self._grid)
        latent = self._found(small)
        drawn = self._pair.maker(latent)
        return Scores(
            map=to_array((small - drawn).abs().mean(1)),
            image=None if self.image_score == "map" else to_array(self._judged(small, drawn, latent)),
            reconstruction=to_array(resize(drawn, images.shape[2:])),
        )

    def _judged(self, images: Tensor, drawn: Tensor, latent: Tensor) -> Tensor:
        """`(n,)`: one number an image."""
        if self.image_score == "latent":
            moved: Tensor = self._encoder(drawn) - latent
            return moved.square().mean(1)
        return self._far(images, drawn, self._pair.critic.features(images))

    def _found(self, images: Tensor) -> Tensor:
        """`(n, latent)`: the numbers whose drawing comes nearest."""
        if self.inference == "encoder":
            found: Tensor = self._encoder(images)
            return found
        return self._searched(images)

    def _searched(self, images: Tensor) -> Tensor:
        """AnoGAN's search: down the distance from the same start for every image; the best that was met."""
        start = torch.randn((1, self.latent), generator=noise(0, self.name, "start")).to(images.device)
        latent = start.repeat(len(images), 1).requires_grad_()
        optimiser = torch.optim.Adam([latent], lr=self.search_rate)
        seen = self._pair.critic.features(images).detach()
        best, least = latent.detach().clone(), torch.full((len(images),), torch.inf, device=images.device)
        for _ in range(self.search_steps + 1):
            with torch.enable_grad():
                far = self._far(images, self._pair.maker(latent), seen)
                (latent.grad,) = torch.autograd.grad(far.sum(), latent)
            better = far.detach() < least
            best[better], least[better] = latent.detach()[better], far.detach()[better]
            optimiser.step()
        return best

    def _far(self, images: Tensor, drawn: Tensor, seen: Tensor) -> Tensor:
        """`(n,)`: how far a drawing lies from its image, whose critic's features are `seen (n, d)`."""
        apart, features = (images - drawn).flatten(1), seen - self._pair.critic.features(drawn)
        if self.inference == "encoder":
            return apart.square().mean(1) + self.kappa * features.square().mean(1)
        share = self.search_features
        return ((1 - share) * apart.abs().sum(1) + share * features.abs().sum(1)) / apart.shape[1]

    def _state(self) -> dict[str, np.ndarray]:
        found = {} if self.inference == "search" else module_arrays(self._encoder, prefix="encoder/")
        return module_arrays(self._pair, prefix="pair/") | found

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._pair = put_arrays(lambda: self._build_pair(shape), state, prefix="pair/")
        if self.inference == "encoder":
            self._encoder = put_arrays(lambda: self._build_encoder(shape), state, prefix="encoder/")

    def _build_pair(self, shape: tuple[int, ...]) -> Pair[ResidualGenerator, ResidualEncoder]:
        self._grid = working_grid(shape[1:], side=self.side)
        drawn: dict[str, Any] = {"channels": shape[0], "grid": self._grid, "widths": self.widths}
        return Pair(ResidualGenerator(latent=self.latent, **drawn), ResidualEncoder(told=1, **drawn))

    def _build_encoder(self, shape: tuple[int, ...]) -> ResidualEncoder:
        grid = working_grid(shape[1:], side=self.side)
        return ResidualEncoder(channels=shape[0], grid=grid, widths=self.widths, told=self.latent)

    def _critic_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        """Real against drawn, from numbers of this turn's own."""
        assert isinstance(network, Pair)
        images, critic = resize(batch.images, self._grid), network.critic
        with torch.no_grad():
            drawn = network.maker(self._numbers(len(images), generator).to(images.device)).float()
        apart = critic_loss("wasserstein", critic(images).float(), critic(drawn).float())
        steep = gradient_penalty(critic, images, drawn, generator=generator)
        return {"critic": apart, "penalty": self.penalty * steep}

    def _generator_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        assert isinstance(network, Pair)
        latent = self._numbers(len(batch.images), generator).to(batch.images.device)
        return maker_loss("wasserstein", network.critic(network.maker(latent)).float())

    def _numbers(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randn((count, self.latent), generator=generator)

    def _encoder_loss(self, encoder: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        """The image and the critic's features of it, through encoder and generator."""
        images, critic = resize(batch.images, self._grid), self._pair.critic
        drawn = self._pair.maker(encoder(images))
        features = critic.features(images).float() - critic.features(drawn).float()
        return {
            "image": (images - drawn.float()).square().mean(),
            "features": self.kappa * features.square().mean(),
        }
