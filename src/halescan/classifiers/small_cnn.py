"""Small CNN: four convolutions, an average, a decision, and nothing learned beforehand."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halescan.classifiers.base import Classifier, as_probability, check_positive
from halescan.classifiers.labels import BalancedImages
from halescan.classifiers.turning import turned
from halescan.errors import SettingError
from halescan.networks.blocks import down, resize
from halescan.training.chance import seeded
from halescan.training.device import as_tensor, home
from halescan.training.learner import not_fitted
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images


class SmallCNN(Classifier):
    """The plain convolutional network that others are compared with.

    Halving blocks (convolution, batch norm, leaky ReLU), the average over all places, one linear decision. Learns from
    images flipped and turned, both classes drawn equally often, for a fixed number of steps. It needs no weights and
    more labels than those that begin with a backbone.

    Args:
        side: The image's longest side as the network sees it, never more than it has; None leaves it.
        widths: Channels after each halving.
        dropout: Share of the averaged channels that are silent in a step.
        steps: Steps of learning.
        batch_size: Images a step.
        learning_rate: Highest of the one-cycle curve.

    Source:
        The CNN among the baselines of the CT autoencoder's comparison, whose layers are not given. We chose four blocks
        and a global average (Lin et al. 2013, arXiv 1312.4400).
    """

    name = "small-cnn"
    summary = "a plain convolutional network learned from scratch; the supervised baseline"
    source = "https://arxiv.org/abs/1312.4400"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"widths": (32, 64, 128, 256), "steps": 6000, "batch_size": 32},
    }

    def __init__(
        self,
        *,
        side: int | None = 256,
        widths: Sequence[int] = (16, 32, 64, 128),
        dropout: float = 0.2,
        steps: int = 600,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
    ) -> None:
        super().__init__()
        if not widths or min(widths) < 1:
            raise SettingError(f"{self.name}: widths must be one or more whole numbers above 0, got {list(widths)}")
        if not 0 <= dropout < 1:
            raise SettingError(f"{self.name}: dropout must lie in [0, 1), got {dropout}; 0.2 is usual")
        if side is not None:
            check_positive(self.name, side=side)
        self.side, self.widths, self.dropout = side, tuple(widths), dropout
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self._schedule()  # refuses what it cannot do now
        self.network: _Network | None = None

    def _check_kind(self, shape: Sequence[int]) -> None:
        super()._check_kind(shape)
        least = 2 ** len(self.widths)
        if min(self._grid(shape[1:])) < least:
            raise SettingError(
                f"{self.name}: {len(self.widths)} halvings need images of {least} pixels a side or more, got "
                f"{self._grid(shape[1:])}; give fewer widths"
            )

    def _learn(self, images: Images, labels: np.ndarray, groups: np.ndarray, run: Run) -> None:
        shape = images.take([0]).images.shape[1:]
        with seeded(run.seed, self.name):
            network = self._built(shape)
        learn(
            network,
            _turned_loss,
            images=BalancedImages(images, labels),
            settings=self._schedule(),
            run=run,
            stage=self.name,
        )
        self.network = network

    def _predict(self, batch: Batch) -> np.ndarray:
        network = self._ready()
        images = as_tensor(batch.images).to(home(network))
        with torch.inference_mode():  # one at a time, so that no image can lean on another
            logits = torch.cat([network(image) for image in images.split(1)])
        return as_probability(logits.float().cpu().numpy())

    def _state(self) -> dict[str, np.ndarray]:
        return module_arrays(self._ready(), prefix="network/")

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._check_kind(shape)
        self.network = put_arrays(lambda: self._built(shape), state, prefix="network/")

    def _built(self, shape: Sequence[int]) -> "_Network":
        return _Network(shape[0], self.widths, grid=self._grid(shape[1:]), dropout=self.dropout)

    def _grid(self, sides: Sequence[int]) -> tuple[int, ...]:
        """The grid the network sees."""
        share = 1.0 if self.side is None else min(1.0, self.side / max(sides))
        return tuple(max(1, round(side * share)) for side in sides)

    def _schedule(self) -> Schedule:
        return Schedule(
            self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=1e-2,
            curve="one-cycle",
        )

    def _ready(self) -> "_Network":
        if self.network is None:
            raise not_fitted(self)
        return self.network


class _Network(nn.Module):
    """Images `(n, c, h, w)` in [0, 1] to logits `(n,)`."""

    def __init__(self, channels: int, widths: Sequence[int], *, grid: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.grid = grid
        self.blocks = nn.Sequential(
            *(down(2, before, after) for before, after in zip((channels, *widths), widths, strict=False))
        )
        self.dropout = nn.Dropout(dropout)
        self.decide = nn.Linear(widths[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        seen = self.blocks(2 * resize(images, self.grid) - 1)
        return self.decide(self.dropout(seen.mean((2, 3))))[:, 0]


def _turned_loss(module: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
    """Cross-entropy of turned and flipped images against their labels."""
    assert batch.mask is not None
    logits = module(turned(batch.images, generator))
    return F.binary_cross_entropy_with_logits(logits.float(), batch.mask.flatten().float())
