"""Feature space: how PaDiM and PatchCore describe the places of an image before they compare them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np
from torch import Tensor

from halescan.errors import SettingError
from halescan.networks.backbones import Backbone
from halescan.networks.pyramid import Pyramid
from halescan.training.chance import numbers
from halescan.training.device import as_tensor
from halescan.training.encoders import FeatureExtractor, choose_backbone, stored_backbone
from halescan.training.run import Progress, Run
from halescan.training.weights import part_of
from halescan.types import Images

BASIS_IMAGES = 256  # enough for a covariance of some hundred channels: each image gives hundreds of places
AT_ONCE = 16  # images read at once
FINE_GRID = 64  # places along a side of a map, which cost nothing however small the images are


class FeatureSpace(FeatureExtractor):
    """A backbone, its levels, and the pyramid over them."""

    def __init__(self, backbone: Backbone, levels: Sequence[int], pyramid: Pyramid) -> None:
        super().__init__(backbone, levels)
        self.pyramid = pyramid

    @classmethod
    def learn(
        cls, images: Images, run: Run, *, backbone: str, levels: Sequence[int], pyramid: Pyramid, encoder_steps: int
    ) -> Self:
        """Find or train the backbone, then fit the pyramid on up to `BASIS_IMAGES` images drawn by the seed."""
        found, used = choose_backbone(backbone, images, run, levels=levels, steps=encoder_steps)
        found.check(used)
        order = numbers(run.seed, "features", "basis").permutation(len(images))[:BASIS_IMAGES]
        batches = (found.levels(part, used) for _, part in read(images, np.sort(order), run, stage="features"))
        return cls(found, used, pyramid.fit(batches))

    def describe(self, images: Tensor) -> Tensor:
        """Images `(n, c, h, w)` in [0, 1] to descriptions `(n, components, gh, gw)`."""
        return self.pyramid(self.levels(images))

    def state(self) -> dict[str, np.ndarray]:
        """All of it, as named arrays."""
        return super().state() | {f"pyramid/{name}": value for name, value in self.pyramid.state().items()}

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray], pyramid: Pyramid) -> Self:
        """Back from `state`, with a pyramid of the same settings."""
        return cls(*stored_backbone(state), pyramid.restore(part_of(state, "pyramid")))


def read(images: Images, where: np.ndarray, run: Run, *, stage: str) -> Iterator[tuple[np.ndarray, Tensor]]:
    """The images at these places, a few at a time: their numbers and `(n, c, h, w)`. Tells the listener."""
    for start in range(0, len(where), AT_ONCE):
        part = where[start : start + AT_ONCE]
        yield part, as_tensor(images.take(part.tolist()).images)
        run.listen(Progress(stage, start + len(part), len(where)))


def check_grid(grid: int | None, shape: Sequence[int]) -> None:
    """Refuse a map much finer than the images `(c, h, w)` it comes from: it takes memory and tells nothing more.

    Raises:
        SettingError: if the grid has more places along a side than the images have pixels (64 are always allowed).
    """
    most = max(FINE_GRID, *shape[1:])
    if grid is not None and grid > most:
        raise SettingError(f"grid must be at most {most} for images of {tuple(shape[1:])} pixels, got {grid}")


def as_places(descriptions: Tensor) -> Tensor:
    """`(n, d, gh, gw)` to `(n, gh gw, d)`."""
    return descriptions.flatten(2).transpose(1, 2).contiguous()
