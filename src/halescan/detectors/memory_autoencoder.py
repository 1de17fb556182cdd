"""Memory autoencoder (MemAE): an image drawn from remembered healthy features alone; what is left over is strange."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.memory import entropy
from halescan.networks.memory_autoencoder import MemoryAutoencoder as Network
from halescan.networks.residuals import PIXEL_KINDS, residual
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores


class MemoryAutoencoder(Detector):
    """A convolutional autoencoder whose features pass only as sparse mixtures of a learned memory of healthy ones.

    Args:
        side: The image's longest side in pixels as the network sees it; None leaves images as they are.
        widths: Channels after each halving; mirrored in the decoder.
        where: What reads memory: "places", each place of the coarsest grid; "latent", the whole image once.
        latent: Numbers of the latent, where that reads.
        slots: Features that memory holds.
        shrink: Weights below `shrink / slots` are dropped. Even weights are 1 / slots: 1 to 3 make sense, 0 drops none.
        similarity: "cosine", or "dot" (divided by the root of the feature's length).
        temperature: The similarities are divided by it; small reads few slots.
        entropy_weight: Of the mean entropy of the weights in the loss, in nats: the larger, the fewer slots are mixed.
        steps: Steps of learning.
        batch_size: Images a step. In 3-D take about an eighth.
        learning_rate: Highest of the cosine curve.
        residual: "l1", "l2" or "ssim".

    Source:
        Gong et al. 2019, arXiv:1904.02639; the latent that reads as a whole as in Cai et al. 2025, arXiv:2404.04518. We
        differ: images instead of video clips; a temperature; the threshold follows the number of slots, and where no
        weight reaches it the largest stays instead of none.
    """

    name = "memory-autoencoder"
    summary = "autoencoder whose features pass only as mixtures of remembered ones; the map is image minus drawing"
    source = "https://arxiv.org/abs/1904.02639"
    watches = True
    dims = (2, 3)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "side": 128,
            "widths": (96, 128, 256, 256),
            "slots": 2000,
            "shrink": 5.0,
            "steps": 30_000,
            "batch_size": 14,
            "learning_rate": 1e-4,
        },
    }

    def __init__(
        self,
        *,
        side: int | None = 64,
        widths: Sequence[int] = (16, 32, 64, 64),
        where: Literal["places", "latent"] = "places",
        latent: int = 16,
        slots: int = 200,
        shrink: float = 1.0,
        similarity: Literal["cosine", "dot"] = "cosine",
        temperature: float = 0.1,
        entropy_weight: float = 2e-4,
        steps: int = 1200,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        residual: Literal["l1", "l2", "ssim"] = "l1",
    ) -> None:
        if where not in ("places", "latent") or similarity not in ("cosine", "dot") or residual not in PIXEL_KINDS:
            raise SettingError(
                f'where must be "places" or "latent", similarity "cosine" or "dot" and residual one of '
                f"{', '.join(PIXEL_KINDS)}; got {where!r}, {similarity!r} and {residual!r}"
            )
        if min(latent, slots, *widths, len(widths)) < 1:
            raise SettingError(
                f"latent, slots and widths must be 1 or more, got {latent}, {slots} and {tuple(widths)}; "
                "16, 200 and 16,32,64,64 work"
            )
        if not 0 <= shrink <= slots or not 0 < temperature <= 10 or entropy_weight < 0:
            raise SettingError(
                "shrink must lie in [0, slots], temperature in (0, 10] and entropy_weight be 0 or more, got "
                f"{shrink}, {temperature} and {entropy_weight}; 1, 0.1 and 0.0002 are usual"
            )
        if side is not None and side < 8:
            raise SettingError(f"side must be 8 pixels or more, or None, got {side}; 64 is usual")
        self.side, self.widths, self.where, self.latent = side, tuple(widths), where, latent
        self.slots, self.shrink, self.similarity, self.temperature = slots, shrink, similarity, temperature
        self.entropy_weight, self.residual = entropy_weight, residual
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(normal.take([0]).images.shape[1:])
        settings = Schedule(steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate)
        learn(self._network, self._loss, images=normal, check=check, settings=settings, run=run, stage=self.name)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small = resize(images, self._grid)
        drawn, _ = self._network(small)
        strange = residual(self.residual, small, drawn)
        return Scores(map=to_array(strange), reconstruction=to_array(resize(drawn, images.shape[2:])))

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network)

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state)

    def _build(self, shape: tuple[int, ...]) -> Network:
        self._grid = working_grid(shape[1:], side=self.side)
        return Network(
            channels=shape[0],
            grid=self._grid,
            widths=self.widths,
            where=self.where,
            latent=self.latent,
            slots=self.slots,
            threshold=self.shrink / self.slots,
            similarity=self.similarity,
            temperature=self.temperature,
        )

    def _loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        images = resize(batch.images, self._grid)
        drawn, weights = network(images)
        error = (drawn.float() - images).square().mean()
        return {"mse": error, "entropy": self.entropy_weight * entropy(weights).mean()}
