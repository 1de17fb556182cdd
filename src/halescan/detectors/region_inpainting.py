"""Region in-painting: a hole slides over the image and is filled as healthy; where the filling disagrees is strange."""

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.errors import SettingError
from halescan.networks.blocks import resize
from halescan.networks.critic import Critic, critic_loss, maker_loss
from halescan.networks.masking import (
    blank,
    cut_around,
    draws_of,
    paste,
    piece_means,
    random_boxes,
    sliding_boxes,
    superpixels,
)
from halescan.networks.unet import UNet
from halescan.networks.views import mirrored_by_chance
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors, Turn
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

_OUTSIDE = 0.1  # weight of the error outside the hole
_CRITIC_WIDTHS = (16, 32, 64)


class RegionInpainting(Detector):
    """A U-Net, judged by two critics, fills square holes in healthy images; then a hole slides over a new image.

    The heat at a place is the mean of |image - filling| over all windows that covered it. Superpixels of the image
    then share their mean heat: the map follows the image's own edges.

    Args:
        side: The image's longest side in pixels as the network sees it; None leaves images as they are.
        hole: Side of the hole in pixels.
        stride: Pixels between two places of the hole, at most its side.
        width: Channels of the U-Net's first storey.
        depth: Storeys of the U-Net.
        adversarial: Weight of the two critics, one of the whole image and one of the hole's surroundings; 0 does
            without.
        superpixels: Pieces an image is cut into, about; 0 leaves the heat as it is.
        compactness: Of the superpixels; higher is squarer.
        steps: Steps of learning.
        batch_size: Images a step, each with one hole.
        learning_rate: Highest of the cosine curve; the critics' is a tenth.
        mirror: Half of the images of a step are flipped left to right.

    Source:
        Nguyen, Feldman, Bethapudi, Jennings and Willcocks 2020, arXiv:2010.01942. Sizes, weights and the network are
        our own: no code is published. We differ: no threshold on the superpixels, which would be chosen on the image
        itself; thresholds come from healthy images, later.
    """

    name = "region-inpainting"
    summary = "a hole slides over the image and is filled as healthy; superpixels share the disagreement"
    source = "https://arxiv.org/abs/2010.01942"
    watches = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"side": 128, "hole": 32, "width": 32, "depth": 5, "steps": 50_000, "learning_rate": 2e-4},
    }

    def __init__(
        self,
        *,
        side: int | None = 64,
        hole: int = 16,
        stride: int = 8,
        width: int = 16,
        depth: int = 4,
        adversarial: float = 0.005,
        superpixels: int = 300,
        compactness: float = 0.1,
        steps: int = 1000,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        mirror: bool = True,
    ) -> None:
        if not 1 <= stride <= hole:
            raise SettingError(f"stride must lie in [1, hole], got {stride} for a hole of {hole}; 8 of 16 is usual")
        if side is not None and not 8 <= side >= hole:
            raise SettingError(
                f"side must be 8 or more and no less than the hole, got {side} for a hole of {hole}; "
                "64 and 16 are usual"
            )
        if width < 1 or not 1 <= depth <= 7 or adversarial < 0:
            raise SettingError(
                f"width must be 1 or more, depth 1 to 7 and adversarial 0 or more, got {width}, {depth} and "
                f"{adversarial}; 16, 4 and 0.005 work"
            )
        if superpixels < 0 or compactness <= 0:
            raise SettingError(
                f"superpixels must be 0 or more and compactness above 0, got {superpixels} and {compactness}; "
                "300 and 0.1 are usual"
            )
        self.side, self.hole, self.stride, self.width, self.depth = side, hole, stride, width, depth
        self.adversarial, self.superpixels, self.compactness = adversarial, superpixels, compactness
        self.steps, self.batch_size, self.learning_rate, self.mirror = steps, batch_size, learning_rate, mirror

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        shape = normal.take([0]).images.shape[1:]
        with seeded(run.seed, self.name, "weights"):
            group = nn.ModuleDict({"maker": self._build(shape)})
            if self.adversarial:
                near = [self._around_px()] * 2
                group["whole"] = Critic(channels=shape[0], grid=self._grid, widths=_CRITIC_WIDTHS)
                group["near"] = Critic(channels=shape[0], grid=near, widths=_CRITIC_WIDTHS)
        settings = Schedule(steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate)
        learn(group, self._turns(group), images=normal, check=check, settings=settings, run=run, stage=self.name)
        self._network = group["maker"]

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        images = to_tensors(batch, home(self._network)).images
        small = resize(images, self._grid)
        holes = sliding_boxes(self._grid, hole_px=self._hole_px(), stride_px=self._stride_px()).to(small.device)
        heat, drawn = disagreement(self._network, small, holes)
        if self.superpixels:
            pieces = superpixels(small.cpu(), segments=self.superpixels, compactness=self.compactness)
            heat = piece_means(heat, pieces)
        return Scores(map=to_array(heat), reconstruction=to_array(resize(drawn, images.shape[2:])))

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network)

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state)

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        self._grid = working_grid(shape[1:], side=self.side)
        return UNet(dims=2, channels=shape[0], width=self.width, depth=self.depth, norm="batch")

    def _turns(self, group: nn.ModuleDict) -> list[Turn]:
        betas = (0.5, 0.999) if self.adversarial else (0.9, 0.999)
        turns = [Turn("filling", list(group["maker"].parameters()), self._maker_loss, betas=betas)]
        if self.adversarial:
            critics = [*group["whole"].parameters(), *group["near"].parameters()]
            turns.append(
                Turn("critics", critics, self._critic_loss, learning_rate=self.learning_rate / 10, betas=betas)
            )
        return turns

    def _maker_loss(self, group: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        """How far the filling is from the image, in the hole and a tenth of it outside; and whether it takes in."""
        assert isinstance(group, nn.ModuleDict)
        images, hidden = self._with_holes(batch, generator)
        drawn = group["maker"](blank(images, hidden)).float()
        inside, outside = split_error(drawn, images, hidden)
        losses = {"filling": inside, "outside": _OUTSIDE * outside}
        if not self.adversarial:
            return losses
        filled = paste(images, drawn, hidden)
        whole = maker_loss("bce", group["whole"](filled).float())
        near = maker_loss("bce", group["near"](self._near(filled, hidden)).float())
        return losses | {"fooled": self.adversarial * (whole + near)}

    def _critic_loss(self, group: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        assert isinstance(group, nn.ModuleDict)
        images, hidden = self._with_holes(batch, generator)
        with torch.no_grad():
            filled = paste(images, group["maker"](blank(images, hidden)).float(), hidden)
        near, filled_near = self._near(images, hidden), self._near(filled, hidden)
        return {
            "whole critic": critic_loss("bce", group["whole"](images).float(), group["whole"](filled).float()),
            "near critic": critic_loss("bce", group["near"](near).float(), group["near"](filled_near).float()),
        }

    def _with_holes(self, batch: Tensors, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The images of a step, and a hole in each `(n, 1, h, w)`."""
        images = resize(batch.images, self._grid)
        if self.mirror:
            images = mirrored_by_chance(images, generator=generator)
        hole = self._hole_px()
        hidden = random_boxes(len(images), self._grid, smallest_px=hole, largest_px=hole, generator=generator)
        return images, hidden.to(images.device)

    def _near(self, images: Tensor, hidden: Tensor) -> Tensor:
        return cut_around(images, hidden, size_px=self._around_px())

    def _hole_px(self) -> int:
        """The hole's side, on a thin image never more than half of it."""
        return max(1, min(self.hole, min(self._grid) // 2))

    def _stride_px(self) -> int:
        return min(self.stride, self._hole_px())

    def _around_px(self) -> int:
        return min(2 * self._hole_px(), *self._grid)


def disagreement(draw: nn.Module, images: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """How far `(n, c, *grid)` is from what is drawn in each window, and the drawing, both averaged over the windows.

    Args:
        hidden: `(windows, 1, *grid)`; together they hide every place.

    Returns:
        Heat `(n, *grid)`, 0 where every filling is the truth, and the filled image `(n, c, *grid)`.
    """
    heat, filled = torch.zeros_like(images[:, 0]), torch.zeros_like(images)
    for one, drawn in draws_of(draw, images, hidden):
        heat = heat + (drawn - images).abs().mean(1) * one
        filled = filled + drawn * one
    times = hidden.sum(0)
    return heat / times, filled / times


def split_error(drawn: Tensor, images: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """The mean absolute errors inside and outside the holes."""
    error, channels = (drawn - images).abs(), images.shape[1]
    inside = (error * hidden).sum() / (hidden.sum() * channels).clamp(min=1)
    outside = (error * ~hidden).sum() / ((~hidden).sum() * channels).clamp(min=1)
    return inside, outside
