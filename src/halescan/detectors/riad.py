"""RIAD: every pixel drawn without having been seen, from what lies around it."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.gms import gms_distance
from halescan.networks.masking import grid_masks, in_painted
from halescan.networks.residuals import residual
from halescan.networks.ssim import ssim_map
from halescan.networks.unet import UNet
from halescan.networks.views import mirrored_by_chance
from halescan.training.chance import noise, seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

_LOSSES = ("l2+ssim", "l2+ssim+gms")
_RESIDUALS = ("gms", "l1")


class RIAD(Detector):
    """A U-Net fills in a third of the cells of a grid, three times, until every cell has been filled in.

    The map compares the image with the one so put together, averaged over grids of finer and coarser cells.

    Args:
        side: The image's longest side in pixels as the network sees it; None leaves images as they are.
        cells: Sides of the cells in pixels; one grid of each is scored, one drawn by chance for each step of learning.
        parts: Sets the cells are split into; each is hidden once.
        width: Channels of the U-Net's first storey.
        depth: Storeys of the U-Net.
        steps: Steps of learning.
        batch_size: Images a step, each of them `parts` times.
        learning_rate: Highest of the cosine curve.
        loss: "l2+ssim" (L2 + 0.5 (1 - SSIM)), or the paper's "l2+ssim+gms" (all three with weight 1).
        residual: "gms", the multi-scale gradient magnitude similarity of the paper, which sees edges; or "l1", which
            sees brightness.
        average: Odd side in pixels of the mean filter over the map; 1 is off.
        mirror: Half of the images of a step are flipped left to right.

    Source:
        Zavrtanik, Kristan and Skočaj 2021, doi:10.1016/j.patcog.2020.107706. We differ: the maps of all cell sizes
        count alike (a port divides by the number of cells, so that the largest cells outweigh all); linear upsampling
        in the U-Net; no score is a maximum by itself, pooling is the profile's.
    """

    name = "riad"
    summary = "a U-Net draws every cell of a grid from the others; the map compares gradients"
    source = "https://doi.org/10.1016/j.patcog.2020.107706"
    watches = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "side": 256,
            "width": 64,
            "depth": 5,
            "steps": 60_000,
            "batch_size": 4,
            "learning_rate": 1e-4,
            "loss": "l2+ssim+gms",
            "average": 21,
            "mirror": False,
        },
    }

    def __init__(
        self,
        *,
        side: int | None = 64,
        cells: Sequence[int] = (2, 4, 8, 16),
        parts: int = 3,
        width: int = 16,
        depth: int = 4,
        steps: int = 800,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        loss: Literal["l2+ssim", "l2+ssim+gms"] = "l2+ssim",
        residual: Literal["gms", "l1"] = "gms",
        average: int = 5,
        mirror: bool = True,
    ) -> None:
        if loss not in _LOSSES or residual not in _RESIDUALS:
            raise SettingError(
                f"loss must be one of {', '.join(_LOSSES)} and residual one of {', '.join(_RESIDUALS)}, "
                f"got {loss!r} and {residual!r}"
            )
        if not cells or min(cells) < 1 or parts < 2:
            raise SettingError(
                f"cells must be 1 pixel or more and parts 2 or more, got {tuple(cells)} and {parts}; "
                "2,4,8,16 and 3 are the paper's"
            )
        if average < 1 or average % 2 == 0:
            raise SettingError(f"average must be an odd number of pixels, 1 is off and 5 usual, got {average}")
        if width < 1 or not 1 <= depth <= 7 or (side is not None and side < 8):
            raise SettingError("side must be 8 or more, width 1 or more and depth 1 to 7; 64, 16 and 4 are usual")
        self.side, self.cells, self.parts = side, tuple(cells), parts
        self.width, self.depth = width, depth
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.loss, self.residual, self.average, self.mirror = loss, residual, average, mirror

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(normal.take([0]).images.shape[1:])
        settings = Schedule(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, weight_decay=1e-5
        )
        learn(self._network, self._fill_loss, images=normal, check=check, settings=settings, run=run, stage=self.name)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small = resize(images, self._grid)
        drawn = [in_painted(self._network, small, masks) for masks in self._masks(small.device)]
        strange = torch.stack([self._apart(small, one) for one in drawn]).mean(0)
        if self.average > 1:
            strange = F.avg_pool2d(strange, self.average, stride=1, padding=self.average // 2, count_include_pad=False)
        whole = resize(torch.stack(drawn).mean(0), images.shape[2:])
        return Scores(map=to_array(strange), reconstruction=to_array(whole))

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network)

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state)

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        self._grid = working_grid(shape[1:], side=self.side)
        return UNet(dims=len(shape) - 1, channels=shape[0], width=self.width, depth=self.depth, norm="batch")

    def _masks(self, device: torch.device) -> list[Tensor]:
        """`(parts, 1, h, w)` for each size of cell: the same for every image ever scored."""
        return [
            grid_masks(self._grid, cell_px=cell, parts=self.parts, generator=noise(0, self.name, "cells", cell)).to(
                device
            )
            for cell in self.cells
        ]

    def _apart(self, images: Tensor, drawn: Tensor) -> Tensor:
        return gms_distance(images, drawn) if self.residual == "gms" else residual("l1", images, drawn)

    def _fill_loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        """The losses of images put together from parts that were each hidden, on cells of one size drawn by chance."""
        images = resize(batch.images, self._grid)
        if self.mirror:
            images = mirrored_by_chance(images, generator=generator)
        cell = self.cells[int(torch.randint(len(self.cells), (1,), generator=generator))]
        masks = grid_masks(self._grid, cell_px=cell, parts=self.parts, generator=generator).to(images.device)
        drawn = in_painted(network, images, masks).float()
        weight = 0.5 if self.loss == "l2+ssim" else 1.0
        losses = {
            "l2": (drawn - images).square().mean(),
            "ssim": weight * (1 - ssim_map(drawn, images).mean()),
        }
        return losses if self.loss == "l2+ssim" else losses | {"gms": gms_distance(drawn, images).mean()}
