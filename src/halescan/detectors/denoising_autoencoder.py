"""Denoising autoencoder: what does a network take away that has only ever learned to clean healthy images?"""

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.base import Detector
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.unet import UNet
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores


class DenoisingAutoencoder(Detector):
    """A U-Net learns to take coarse blobs of noise off healthy images; on a new image, what it changes is strange.

    The noise is drawn on `noise_cells` cells a side, upsampled linearly, shifted at random and added inside the body
    only. A lesion is to the network one more blob: the map is |image - cleaned image|, averaged over channels, and 0
    outside the body.

    Args:
        noise_cells: Cells of the coarse noise along the longest side.
        noise_sd: Standard deviation of the coarse noise, where images lie in about [0, 1].
        width: Channels of the U-Net's first storey.
        depth: Storeys of the U-Net.
        steps: Steps of learning.
        batch_size: Images a step.
        learning_rate: Highest of the one-cycle curve.
        loss: "l1" or "l2", on the clean image inside the body.
        norm: "batch" or "group"; group norm learns the same in twice the time on a CPU, and suits batches below 8.
        mirror: Half of the images of a step are flipped left to right: anatomy is nearly symmetric, cohorts are small.

    Source:
        Kascenas, Pugeault and O'Neil, MIDL 2022 (proceedings.mlr.press/v172/kascenas22a). We differ: group norm; one
        channel is enough; by default a smaller network and some hundred steps instead of 67,200; no median filter here
        (smoothing is the profile's); the noise is shifted before it is cropped to the image, not rolled around.
    """

    name = "denoising-autoencoder"
    summary = "a U-Net that learned to clean coarse noise off healthy images; the map is what it takes away"
    source = "https://proceedings.mlr.press/v172/kascenas22a.html"
    watches = True
    dims = (2, 3)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"width": 64, "steps": 67_200, "learning_rate": 1e-4, "loss": "l2"},
    }

    def __init__(
        self,
        *,
        noise_cells: int = 16,
        noise_sd: float = 0.2,
        width: int = 16,
        depth: int = 4,
        steps: int = 1000,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        loss: Literal["l1", "l2"] = "l2",
        norm: Literal["batch", "group"] = "batch",
        mirror: bool = True,
    ) -> None:
        if noise_cells < 2 or not 0 < noise_sd <= 2:
            raise SettingError(
                "noise_cells must be 2 or more and noise_sd in (0, 2], the paper has 16 and 0.2; "
                f"got {noise_cells} and {noise_sd}"
            )
        if loss not in ("l1", "l2"):
            raise SettingError(f'loss must be "l1" or "l2", got {loss!r}')
        if norm not in ("batch", "group"):
            raise SettingError(f'norm must be "batch" or "group", got {norm!r}')
        if width < 1 or not 1 <= depth <= 7:
            raise SettingError(f"width must be 1 or more and depth 1 to 7, got {width} and {depth}; 16 and 4 are usual")
        self.noise_cells, self.noise_sd = noise_cells, noise_sd
        self.width, self.depth = width, depth
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.loss, self.norm, self.mirror = loss, norm, mirror

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(normal.take([0]).images.shape[1:])
        settings = Schedule(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, curve="one-cycle"
        )
        learn(self._network, self._clean_loss, images=normal, check=check, settings=settings, run=run, stage=self.name)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        tensors = to_tensors(batch, home(self._network))
        inside = body_of(tensors)
        cleaned = torch.where(inside, self._network(tensors.images), tensors.images)
        return Scores(map=to_array((tensors.images - cleaned).abs().mean(1)), reconstruction=to_array(cleaned))

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network)

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state)

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        return UNet(dims=len(shape) - 1, channels=shape[0], width=self.width, depth=self.depth, norm=self.norm)

    def _clean_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        """The mean error of the cleaned image inside the body."""
        images, inside = batch.images, body_of(batch).expand_as(batch.images)
        if self.mirror:
            images, inside = mirrored(images, inside, generator=generator)
        noise = coarse_noise(tuple(images.shape), cells=self.noise_cells, generator=generator) * self.noise_sd
        noisy = images + noise.to(images.device) * inside
        error = (network(noisy).float() - images) * inside
        size = error.abs() if self.loss == "l1" else error.square()
        return size.sum() / inside.sum().clamp(min=1)  # a batch of empty slices teaches nothing, and must not stop us


def body_of(batch: Tensors) -> Tensor:
    """`(n, 1, *grid)` bool: where the body is. The batch's mask, or else where any channel is above 0."""
    if batch.mask is not None:
        return batch.mask[:, None]
    return (batch.images > 0).any(dim=1, keepdim=True)


def mirrored(images: Tensor, inside: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """About half of the images, and their masks, flipped along the last axis (left to right)."""
    flips = torch.rand(len(images), generator=generator) < 0.5
    flipped = flips.reshape(-1, *[1] * (images.ndim - 1)).to(images.device)
    return torch.where(flipped, images.flip(-1), images), torch.where(flipped, inside.flip(-1), inside)


def coarse_noise(shape: tuple[int, ...], *, cells: int, generator: torch.Generator) -> Tensor:
    """`(n, c, *grid)` smooth noise of mean 0 and about unit spread, with blobs a cell wide, at a random shift.

    A cell is `longest side / cells` wide. The noise is drawn larger than the image by a cell and cut out at a random
    place of it, per image, so that no place always lies on a cell's centre. Each channel draws its own.
    """
    count, channels, *grid = shape
    cell = max(1, round(max(grid) / cells))
    counts = [-(-side // cell) + 2 for side in grid]
    coarse = torch.randn((count, channels, *counts), generator=generator)
    fine = resize(coarse, [number * cell for number in counts])
    starts = torch.randint(0, cell + 1, (count, len(grid)), generator=generator).tolist()
    cut = [
        image[(slice(None), *(slice(first, first + side) for first, side in zip(start, grid, strict=True)))]
        for image, start in zip(fine, starts, strict=True)
    ]
    return torch.stack(cut)
