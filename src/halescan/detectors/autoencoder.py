"""Autoencoder: what of an image is lost on its way through a bottleneck that has only ever carried healthy ones?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.base import Detector
from halescan.detectors.perceptual import Perception
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.conv_autoencoder import ConvAutoencoder
from halescan.networks.residuals import COLOUR_KINDS, PIXEL_KINDS, colour_residual, precision_residual, residual
from halescan.networks.ssim import ssim_map
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.encoders import check_backbone
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

_LOSSES = ("l1", "l2", "ssim+l1", "uncertainty")
_RESIDUALS = (*PIXEL_KINDS, *COLOUR_KINDS, "perceptual", "precision")
_LOG_VARIANCES = (
    -9.2,
    4.0,
)  # a spread of 0.01 at least: where all is black to the last bit a speck is not infinitely rare


class Autoencoder(Detector):
    """A convolutional autoencoder with a small dense latent; the map is the residual between image and reconstruction.

    Args:
        side: The image's longest side in pixels as the network sees it (averaged down to it, never up); None leaves
            images as they are. The map lies on that grid, the reconstruction on the image's.
        widths: Channels after each halving; mirrored in the decoder.
        latent: Numbers an image is squeezed into. Small is the point: a wide bottleneck carries lesions too.
        steps: Steps of learning.
        batch_size: Images a step. In 3-D take about an eighth.
        learning_rate: Highest of the cosine curve.
        loss: "l1", "l2", "ssim+l1" (L1 + 0.15 (1 - SSIM)) or "uncertainty": the network draws a variance beside each
            pixel, as in AE-U.
        residual: "l1" (its mean is the source's mean absolute error), "l2", "ssim"; "perceptual": the distance
            between features, in 2-D of a backbone, in 3-D of the autoencoder's own encoder; "precision": the squared
            error over the drawn variance, which needs the loss "uncertainty"; "red" and "dab", for stained tissue in
            colour: the red, or the brown dye, that the reconstruction lacks. What is smaller than a pixel of `side` is
            averaged away.
        backbone: Whose features "perceptual" compares in 2-D; None, or no weights to be found: the own encoder's.

    Source:
        The convolutional autoencoder of a CT study that gave neither layers nor loss; layer sizes and latent as in Cai
        et al. 2025, arXiv:2404.04518. We differ: no hidden dense layer, linear instead of sigmoid end (robust
        intensities pass 1). The 3-D median filter over a series is the scoring's. AE-U is Mao et al. 2020,
        doi:10.1007/978-3-030-59725-2_51; we differ: the spread is never below 0.01. "red" is that of Cano et al. 2023,
        arXiv:2309.16053; we differ: a map of how much red is lost in place of a count.
    """

    name = "autoencoder"
    summary = "convolutional autoencoder with a small latent; the map is image minus reconstruction"
    source = "https://arxiv.org/abs/2404.04518"
    watches = True
    dims = (2, 3)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"side": 128, "widths": (32, 64, 128, 256), "latent": 128, "steps": 30_000},
    }

    def __init__(
        self,
        *,
        side: int | None = 64,
        widths: Sequence[int] = (16, 32, 64, 64),
        latent: int = 16,
        steps: int = 1200,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        loss: Literal["l1", "l2", "ssim+l1", "uncertainty"] = "l2",
        residual: Literal["l1", "l2", "ssim", "red", "dab", "perceptual", "precision"] = "l1",
        backbone: str | None = "mobilenet_v2",
    ) -> None:
        if loss not in _LOSSES:
            raise SettingError(f"loss must be one of {', '.join(_LOSSES)}, got {loss!r}")
        if residual not in _RESIDUALS:
            raise SettingError(f"residual must be one of {', '.join(_RESIDUALS)}, got {residual!r}")
        if residual == "precision" and loss != "uncertainty":
            raise SettingError(f'residual "precision" needs loss "uncertainty", which draws the variance; got {loss!r}')
        if latent < 1 or not widths or min(widths) < 1:
            raise SettingError(
                f"latent and widths must be 1 or more, got {latent} and {tuple(widths)}; 16 and 16,32,64,64 work"
            )
        if side is not None and side < 8:
            raise SettingError(f"side must be 8 pixels or more, or None, got {side}; 64 is usual")
        self.side, self.widths, self.latent = side, tuple(widths), latent
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.loss, self.residual, self.backbone = loss, residual, backbone
        self._perception: Perception | None = None

    @property
    def backbone_origin(self) -> str | None:
        """Whose features "perceptual" compares: a backbone's ("weights") or its "own"; None for other residuals."""
        return None if self._perception is None else self._perception.origin

    def check_run(self, run: Run) -> str:
        """Refuse a backbone that does not exist, where one is looked with, before any scan is read."""
        told = super().check_run(run)
        if self.residual != "perceptual" or self.backbone is None:
            return told
        return check_backbone(self.backbone, run, instead="the autoencoder's own encoder looks in its place")

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        channels = normal.take([0]).images.shape[1]
        if self.residual in COLOUR_KINDS and channels != 3:
            raise SettingError(
                f'residual "{self.residual}" looks for colour and needs 3 channels, got {channels}; '
                "take a profile with channels 3, or another residual"
            )
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(normal.take([0]).images.shape[1:])
        settings = Schedule(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, curve="cosine"
        )
        learn(self._network, self._loss, images=normal, check=check, settings=settings, run=run, stage=self.name)
        if self.residual == "perceptual":
            self._perception = Perception.learn(self._network, normal, name=self.backbone, grid=self._grid, run=run)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small = resize(images, self._grid)
        drawn, log_variance = self._drawn(self._network, small)
        if self._perception is not None:
            strange = self._perception.residual(self._network, small, drawn)
        elif log_variance is not None and self.residual == "precision":
            strange = precision_residual(small, drawn, log_variance)
        elif self.residual in COLOUR_KINDS:
            strange = colour_residual(self.residual, small, drawn)
        else:
            strange = residual(self.residual, small, drawn)
        return Scores(map=to_array(strange), reconstruction=to_array(resize(drawn, images.shape[2:])))

    def _state(self) -> dict[str, np.ndarray]:
        seen = {} if self._perception is None else self._perception.state()
        return module_arrays(self._network, prefix="network/") | seen

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state, prefix="network/")
        self._perception = Perception.from_state(state) if self.residual == "perceptual" else None

    def _build(self, shape: tuple[int, ...]) -> ConvAutoencoder:
        self._grid = working_grid(shape[1:], side=self.side)
        drawn = shape[0] * (1 + (self.loss == "uncertainty"))
        return ConvAutoencoder(channels=shape[0], grid=self._grid, widths=self.widths, latent=self.latent, drawn=drawn)

    def _drawn(self, network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """The reconstruction `(n, c, *grid)`, and the logarithm of its variance where one is drawn."""
        drawn = network(images).float()
        if self.loss != "uncertainty":
            return drawn, None
        mean, log_variance = drawn.chunk(2, dim=1)
        return mean, log_variance.clamp(*_LOG_VARIANCES)

    def _loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor | dict[str, Tensor]:
        images = resize(batch.images, self._grid)
        drawn, log_variance = self._drawn(network, images)
        if log_variance is not None:
            return precision_residual(images, drawn, log_variance).mean() + log_variance.mean()
        if self.loss == "l2":
            return (drawn - images).square().mean()
        apart = (drawn - images).abs().mean()
        return apart if self.loss == "l1" else {"l1": apart, "ssim": 0.15 * (1 - ssim_map(drawn, images).mean())}


def working_grid(grid: Sequence[int], *, side: int | None) -> tuple[int, ...]:
    """The grid shrunk until its longest side is `side`, its proportions kept; unchanged if it is small enough."""
    longest = max(grid)
    if side is None or longest <= side:
        return tuple(grid)
    return tuple(max(1, round(length * side / longest)) for length in grid)
