"""Modality translation: does one MR contrast follow from the others, as it does in healthy people?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.detectors.denoising_autoencoder import body_of
from halescan.errors import SettingError, ShapeError
from halescan.networks.blocks import resize
from halescan.networks.residuals import PIXEL_KINDS, residual
from halescan.networks.unet import UNet
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

_SAME = 0.01  # of an image's range: two contrasts that differ by less everywhere are one


class ModalityTranslation(Detector):
    """Predicts one channel of an image from the others; the map is where both disagree, inside the body.

    The channels are contrasts of one examination on one grid. A lesion that breaks the relation between them is seen,
    however common its grey; one that changes all of them as healthy tissue would is not.

    Args:
        target: Channel that is predicted: 0, 1 or 2.
        sources: Channels it is predicted from; None: all others.
        side: The image's longest side in pixels as the network sees it; None leaves images as they are.
        width: Channels of the U-Net's first storey.
        depth: Its storeys.
        residual: "l1", "l2" or "ssim".
        steps: Steps of learning.
        batch_size: Images a step. In 3-D take about an eighth.
        learning_rate: Highest of the one-cycle curve.

    Source:
        The task is SynDiff's (Özbey et al. 2022, arXiv:2207.08208): one contrast from another. We differ: contrasts are
        paired, so a U-Net learns by the mean absolute error; no adversarial diffusion and no cycle over unpaired sets;
        and the disagreement is taken for the map, which is not in the paper.
    """

    name = "modality-translation"
    summary = "predicts one MR contrast from the others; the map is where they disagree"
    source = "https://arxiv.org/abs/2207.08208"
    watches = True
    dims = (2, 3)
    channels = (3,)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"side": 256, "width": 64, "depth": 5, "steps": 100_000, "batch_size": 8, "learning_rate": 2e-4},
    }

    def __init__(
        self,
        *,
        target: int = 0,
        sources: Sequence[int] | None = None,
        side: int | None = 64,
        width: int = 16,
        depth: int = 4,
        residual: Literal["l1", "l2", "ssim"] = "l1",
        steps: int = 2000,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
    ) -> None:
        others = [number for number in range(3) if number != target] if sources is None else list(sources)
        if target not in (0, 1, 2) or not others or not set(others) <= {0, 1, 2} - {target}:
            raise SettingError(
                "target must be channel 0, 1 or 2 and sources one or both of the others, got "
                f"{target} and {sources}; target 0 from sources 1,2 is usual"
            )
        if residual not in PIXEL_KINDS:
            raise SettingError(f"residual must be one of {', '.join(PIXEL_KINDS)}, got {residual!r}")
        if width < 1 or not 1 <= depth <= 7:
            raise SettingError(f"width must be 1 or more and depth 1 to 7, got {width} and {depth}; 16 and 4 are usual")
        if side is not None and side < 8:
            raise SettingError(f"side must be 8 pixels or more, or None, got {side}; 64 is usual")
        self.target, self.sources = target, None if sources is None else tuple(sources)
        self.side, self.width, self.depth, self.residual = side, width, depth, residual
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self._others = sorted(set(others))

    def check_kind(self, shape: tuple[int, ...]) -> None:
        """Refuse what the method cannot take, and say how several contrasts are given."""
        if shape[0] == 1:
            raise ShapeError(
                f"{self.name} predicts one MR contrast from others and needs an image of 3 channels, got 1. Give three "
                "registered contrasts of each examination, as brats:contrast=flair+t1+t2@FOLDER or stacked along the "
                "last axis of an array (.npy), and read them with --set profile.channels=3"
            )
        super().check_kind(shape)

    def check_content(self, images: np.ndarray) -> None:
        """Refuse images in which the contrast to be predicted lies among those it is predicted from."""
        for image in images:
            wanted = image[self.target]
            most = _SAME * float(np.ptp(wanted))
            copies = [other for other in self._others if np.abs(image[other] - wanted).max() <= most]
            if copies and most:  # an empty slice is empty in every contrast
                raise ShapeError(
                    f"{self.name} predicts one MR contrast from others, and channels {self.target} and {copies[0]} of "
                    "an image are the same picture: a grey scan is copied into all three. Give three registered "
                    "contrasts, as brats:contrast=flair+t1+t2@FOLDER or stacked along the last axis of an array (.npy)"
                )

    def pictures(self, batch: Batch) -> dict[str, np.ndarray]:
        """The contrast as it is and as it was predicted."""
        tensors = self._small(to_tensors(batch, home(self._network)))
        with torch.no_grad():
            shown = {"original": self._wanted(tensors.images), "predicted": self._predicted(tensors)}
        return {name: to_array(value) for name, value in shown.items()}

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        with seeded(run.seed, self.name, "weights"):
            self._network = self._build(normal.take([0]).images.shape[1:])
        settings = Schedule(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, curve="one-cycle"
        )
        learn(self._network, self._loss, images=normal, check=check, settings=settings, run=run, stage=self.name)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        tensors = to_tensors(batch, home(self._network))
        small = self._small(tensors)
        predicted = self._predicted(small)
        drawn = tensors.images.clone()
        drawn[:, [self.target]] = resize(predicted, tensors.images.shape[2:])
        return Scores(
            map=to_array(residual(self.residual, self._wanted(small.images), predicted)), reconstruction=to_array(drawn)
        )

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._network)

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._network = put_arrays(lambda: self._build(shape), state)

    def _build(self, shape: tuple[int, ...]) -> UNet:
        self._grid = working_grid(shape[1:], side=self.side)
        return UNet(
            dims=len(shape) - 1, channels=len(self._others), width=self.width, depth=self.depth, norm="batch", drawn=1
        )

    def _loss(self, network: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        """The mean absolute error inside the body."""
        small = self._small(batch)
        inside = body_of(small)
        error = (network(small.images[:, self._others]).float() - self._wanted(small.images)) * inside
        return error.abs().sum() / inside.sum().clamp(min=1)  # a batch of empty slices teaches nothing

    def _small(self, batch: Tensors) -> Tensors:
        """Images and masks on the network's grid; a place is inside where the mask fills half of it."""
        images = resize(batch.images, self._grid)
        mask = None if batch.mask is None else resize(batch.mask[:, None].float(), self._grid)[:, 0] >= 0.5
        return Tensors(images, mask)

    def _wanted(self, images: Tensor) -> Tensor:
        return images[:, [self.target]]

    def _predicted(self, small: Tensors) -> Tensor:
        """`(n, 1, *grid)` the contrast as the others tell it; outside the body as it is."""
        predicted = self._network(small.images[:, self._others]).float()
        return torch.where(body_of(small), predicted, self._wanted(small.images))
