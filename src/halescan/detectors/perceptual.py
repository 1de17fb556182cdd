"""Perception: an image and its reconstruction compared as a trained encoder sees them, rather than pixel by pixel."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from halescan.errors import ModelError
from halescan.networks.blocks import resize
from halescan.networks.conv_autoencoder import ConvAutoencoder
from halescan.networks.residuals import feature_residual
from halescan.training.device import home, to_tensors
from halescan.training.encoders import find_known
from halescan.training.run import Run
from halescan.training.weights import part_of
from halescan.types import Images

if TYPE_CHECKING:
    from halescan.networks.backbones import Backbone

LEVELS = (3, 6, 10)  # blocks of MobileNetV2 at 1/4, 1/8 and 1/16 of the image: edges, textures, parts
_MOST_IMAGES = 256  # channel means and spreads settle long before


class Perception:
    """Features of a backbone, or of the autoencoder's own encoder, standardised on healthy images.

    Args:
        backbone: None takes the autoencoder's own encoder: the only one in 3-D, and where no weights are found.
        means: Healthy mean of each channel of each level, `(c,)` a level.
        spreads: Its spread, above 0.
    """

    def __init__(self, backbone: "Backbone | None", means: list[Tensor], spreads: list[Tensor]) -> None:
        self.backbone, self.means, self.spreads = backbone, means, spreads

    @classmethod
    @torch.no_grad()
    def learn(
        cls, network: ConvAutoencoder, normal: Images, *, name: str | None, grid: tuple[int, ...], run: Run
    ) -> Self:
        """The means and spreads of healthy features: the backbone's, or without weights the own encoder's."""
        new = cls(_find(name, run) if len(grid) == 2 and name is not None else None, [], []).to(home(network))
        seen = (new._levels(network, resize(images, grid)) for images in _some(normal, network))
        new.means, new.spreads = _mean_and_spread(seen)
        return new

    @property
    def origin(self) -> str:
        """Whose features they are: "weights" or "own"."""
        return "own" if self.backbone is None else "weights"

    def residual(self, network: ConvAutoencoder, images: Tensor, drawn: Tensor) -> Tensor:
        """`(n, *grid)` relative feature distance; see `networks.residuals.feature_residual`."""
        return feature_residual(
            self._levels(network, images), self._levels(network, drawn), means=self.means, spreads=self.spreads
        )

    def to(self, device: torch.device) -> Self:
        """Look on this device from now on."""
        self.backbone = None if self.backbone is None else self.backbone.to(device)
        self.means, self.spreads = ([value.to(device) for value in values] for values in (self.means, self.spreads))
        return self

    def state(self) -> dict[str, np.ndarray]:
        """All of it as arrays, the backbone included."""
        arrays = {f"perception/mean/{level}": value.cpu().numpy() for level, value in enumerate(self.means)}
        arrays |= {f"perception/spread/{level}": value.cpu().numpy() for level, value in enumerate(self.spreads)}
        kept = {} if self.backbone is None else self.backbone.state()
        return arrays | {f"backbone/{name}": value for name, value in kept.items()}

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> Self:
        """What `state` gave, taken back."""
        kept = part_of(state, "backbone")
        count = sum(name.startswith("perception/mean/") for name in state)
        if not count:
            raise ModelError("the model holds no features to compare; its residual was not perceptual when it learned")
        means, spreads = (
            [torch.tensor(state[f"perception/{what}/{level}"]) for level in range(count)] for what in ("mean", "spread")
        )
        return cls(_rebuild(kept) if kept else None, means, spreads)

    def _levels(self, network: ConvAutoencoder, images: Tensor) -> list[Tensor]:
        if self.backbone is None:
            return network.features(images)
        return self.backbone.levels(images, list(LEVELS))


def _mean_and_spread(batches: Iterable[list[Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    """`(c,)` float32 a level, over images and places; gathered in float64 batch by batch."""
    moments: list[list[Tensor]] = []
    for levels in batches:
        flat = [level.double().transpose(0, 1).flatten(1) for level in levels]
        moments.append([torch.stack([x.sum(1), x.square().sum(1), torch.full_like(x[:, 0], x.shape[1])]) for x in flat])
    totals = [torch.stack(level).sum(0) for level in zip(*moments, strict=True)]
    means = [total[0] / total[2] for total in totals]
    variances = [total[1] / total[2] - mean.square() for total, mean in zip(totals, means, strict=True)]
    return [mean.float() for mean in means], [value.clamp(min=1e-8).sqrt().float() for value in variances]


def _find(name: str, run: Run) -> "Backbone | None":
    found = find_known(name, run)
    return None if found is None else found.cut(max(LEVELS))


def _rebuild(state: dict[str, np.ndarray]) -> "Backbone":
    from halescan.networks.backbones import Backbone  # transformers: seconds

    return Backbone.from_state(state)


def _some(normal: Images, network: ConvAutoencoder) -> Iterator[Tensor]:
    """Batches of images from all over the cohort, on the network's device."""
    count = min(len(normal), _MOST_IMAGES)
    where = [index * len(normal) // count for index in range(count)]
    for start in range(0, count, 16):
        yield to_tensors(normal.take(where[start : start + 16]), home(network)).images
