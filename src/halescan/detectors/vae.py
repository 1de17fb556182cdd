"""Variational autoencoder: how unlikely is an image among healthy ones, and which of its places make it so?"""

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
from halescan.networks.residuals import PIXEL_KINDS, gradient_residual, residual
from halescan.networks.variational import Cloud
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

_GRADIENTS = ("elbo-gradient", "kl-gradient", "l2*kl-gradient")
_RESIDUALS = (*PIXEL_KINDS, *_GRADIENTS)


class VAE(Detector):
    """An autoencoder whose latent is held to a standard Gaussian; the map is the residual, or a gradient's size.

    The loss is (x - x')^2, averaged, and `kl_weight` times the divergence of the latent cloud from the prior. While
    learning, an image is drawn from a random point of its cloud; when scored, from the cloud's mean, so that the same
    image has the same map.

    Args:
        side: The image's longest side in pixels as the network sees it; None leaves images as they are.
        widths: Channels after each halving; mirrored in the decoder.
        latent: Numbers an image is squeezed into.
        kl_weight: Weight of the divergence (its mean over the latent numbers) beside the mean squared error.
        steps: Steps of learning.
        batch_size: Images a step. In 3-D take about an eighth.
        learning_rate: Highest of the cosine curve.
        residual: "l1", "l2" or "ssim" of the reconstruction; "elbo-gradient": how much each place pushes the whole
            loss; "kl-gradient": how much it pushes the divergence; "l2*kl-gradient": the squared error times that.

    Source:
        Kingma and Welling 2013, arXiv:1312.6114; its gradients as maps: Zimmerer et al. 2019, arXiv:1907.02796; sizes
        and weight as in Cai et al. 2025, arXiv:2404.04518 (0.005 for images in [-1, 1] is 0.00125 in [0, 1]). We
        differ: no hidden dense layer, a linear end; the gradients are taken at the cloud's mean.
    """

    name = "vae"
    summary = (
        "variational autoencoder; the map is image minus reconstruction, or the gradient of the likelihood's bound"
    )
    source = "https://arxiv.org/abs/1907.02796"
    watches = True
    dims = (2, 3)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"side": 128, "widths": (32, 64, 128, 256), "latent": 128, "steps": 30_000, "learning_rate": 1e-3},
    }

    def __init__(
        self,
        *,
        side: int | None = 64,
        widths: Sequence[int] = (16, 32, 64, 64),
        latent: int = 16,
        kl_weight: float = 0.00125,
        steps: int = 1200,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        residual: Literal["l1", "l2", "ssim", "elbo-gradient", "kl-gradient", "l2*kl-gradient"] = "l1",
    ) -> None:
        if residual not in _RESIDUALS:
            raise SettingError(f"residual must be one of {', '.join(_RESIDUALS)}, got {residual!r}")
        if latent < 1 or not widths or min(widths) < 1:
            raise SettingError(
                f"latent and widths must be 1 or more, got {latent} and {tuple(widths)}; 16 and 16,32,64,64 work"
            )
        if not 0 <= kl_weight <= 10:
            raise SettingError(f"kl_weight must lie in [0, 10], got {kl_weight}; 0.00125 is usual")
        if side is not None and side < 8:
            raise SettingError(f"side must be 8 pixels or more, or None, got {side}; 64 is usual")
        self.side, self.widths, self.latent, self.kl_weight = side, tuple(widths), latent, kl_weight
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.residual = residual

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(normal.take([0]).images.shape[1:])
        settings = Schedule(steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate)
        learn(self._network, self._loss, images=normal, check=check, settings=settings, run=run, stage=self.name)

    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small = resize(images, self._grid)
        with torch.set_grad_enabled(self.residual in _GRADIENTS):
            small.requires_grad_(self.residual in _GRADIENTS)
            cloud = Cloud.told(self._network.encode(small))
            drawn = self._network.decode(cloud.mean).float()
            strange = self._strange(small, drawn, cloud)
        return Scores(map=to_array(strange), reconstruction=to_array(resize(drawn.detach(), images.shape[2:])))

    def _strange(self, images: Tensor, drawn: Tensor, cloud: Cloud) -> Tensor:
        """`(n, *grid)`."""
        if self.residual in PIXEL_KINDS:
            return residual(self.residual, images, drawn)
        if self.residual == "elbo-gradient":
            loss = _mean_square(images, drawn) + self.kl_weight * cloud.kl()
            return gradient_residual(loss, images) * images[0].numel()  # of an image's sum: no size of grid in it
        pushed = gradient_residual(cloud.kl(), images)
        return pushed if self.residual == "kl-gradient" else pushed * residual("l2", images, drawn)

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network)

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state)

    def _build(self, shape: tuple[int, ...]) -> ConvAutoencoder:
        self._grid = working_grid(shape[1:], side=self.side)
        return ConvAutoencoder(
            channels=shape[0], grid=self._grid, widths=self.widths, latent=self.latent, told=2 * self.latent
        )

    def _loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        assert isinstance(network, ConvAutoencoder)
        images = resize(batch.images, self._grid)
        cloud = Cloud.told(network.encode(images))
        drawn = network.decode(cloud.draw(generator)).float()
        return {"l2": _mean_square(images, drawn).mean(), "kl": self.kl_weight * cloud.kl().mean()}


def _mean_square(images: Tensor, drawn: Tensor) -> Tensor:
    """`(n,)`."""
    return (images - drawn).square().flatten(1).mean(1)
