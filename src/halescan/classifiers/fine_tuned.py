"""Fine-tuned: the frozen head first, then the backbone's last blocks move with it, a few careful steps."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halescan.classifiers.base import check_positive
from halescan.classifiers.describing import Describer, pooled
from halescan.classifiers.frozen_head import FrozenHead
from halescan.classifiers.labels import BalancedImages
from halescan.classifiers.linear_head import LinearHead, Standard
from halescan.classifiers.turning import turned
from halescan.networks.backbones import Backbone
from halescan.training.device import to_array
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.types import Images


class FineTuned(FrozenHead):
    """A backbone whose last blocks learn the task, from the frozen head's answer onwards.

    The head is fitted on frozen features first, so that the first gradients through the blocks mean something; then
    blocks and head go on together, on images flipped and turned, both classes drawn equally often. Statistics of batch
    norms stay as they are: a few images tell less about them than the millions they came from.

    Args:
        blocks: So many of the backbone's last blocks learn.
        steps: Steps of learning.
        batch_size: Images a step.
        learning_rate: Highest of the cosine curve.
        backbone, levels, folds, encoder_steps: As `FrozenHead`.

    Source:
        Kumar et al. 2022, arXiv 2202.10054 (head first, then all). We differ: only the last blocks move, the head reads
        shallow levels too, classes are drawn equally often, a fixed budget of steps.
    """

    name = "fine-tuned"
    summary = "a backbone whose last blocks learn the task, starting from the frozen head"
    source = "https://arxiv.org/abs/2202.10054"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"backbone": "resnet50", "levels": (1, 2, 3, 4), "blocks": 4, "steps": 2000, "batch_size": 30},
    }

    def __init__(
        self,
        *,
        backbone: str = "mobilenet_v2",
        levels: Sequence[int] = (3, 6, 13, 17),
        folds: int = 5,
        encoder_steps: int = 300,
        blocks: int = 7,
        steps: int = 60,
        batch_size: int = 16,
        learning_rate: float = 1e-4,
    ) -> None:
        super().__init__(backbone=backbone, levels=levels, folds=folds, encoder_steps=encoder_steps)
        check_positive(self.name, blocks=blocks)
        self.blocks, self.steps, self.batch_size, self.learning_rate = blocks, steps, batch_size, learning_rate
        self._schedule()  # refuses what it cannot do now rather than after reading the images

    def _learn(self, images: Images, labels: np.ndarray, groups: np.ndarray, run: Run) -> None:
        super()._learn(images, labels, groups, run)
        describer, head = self._ready()
        tuning = _Tuning(_copied(describer.backbone), describer.taken, head, blocks=self.blocks)
        learn(
            tuning,
            _turned_loss,
            images=BalancedImages(images, labels),
            settings=self._schedule(),
            run=run,
            stage="tuning",
        )
        self.describer, self.head = Describer(_copied(tuning.backbone), describer.taken), tuning.as_head()

    def _schedule(self) -> Schedule:
        return Schedule(self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, weight_decay=1e-4)


class _Tuning(nn.Module):
    """Backbone, pooling, standardisation and head as one module; its last blocks and its head can move."""

    mean: Tensor
    spread: Tensor

    def __init__(self, backbone: Backbone, levels: Sequence[int], head: LinearHead, *, blocks: int) -> None:
        super().__init__()
        self.backbone, self.levels, self.network = backbone, tuple(levels), backbone.network
        for block in _storeys(self.network)[-blocks:]:
            for weight in block.parameters():
                weight.requires_grad_(True)
        self.register_buffer("mean", torch.from_numpy(head.standard.mean.astype(np.float32)))
        self.register_buffer("spread", torch.from_numpy(head.standard.spread.astype(np.float32)))
        self.weights = nn.Parameter(torch.from_numpy(head.weights.astype(np.float32)))
        self.bias = nn.Parameter(torch.tensor([head.bias], dtype=torch.float32))

    def train(self, mode: bool = True) -> Self:
        """The backbone stays in evaluation mode."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Images `(n, c, h, w)` in [0, 1] to logits `(n,)`."""
        rows = pooled(self.backbone.learning_levels(images, self.levels))
        return ((rows - self.mean) / self.spread) @ self.weights + self.bias

    def as_head(self) -> LinearHead:
        mean, spread, weights = (to_array(part).astype(np.float64) for part in (self.mean, self.spread, self.weights))
        return LinearHead(Standard(mean, spread), weights, float(self.bias.detach()))


def _copied(backbone: Backbone) -> Backbone:
    """A backbone with weights of its own, all of them frozen."""
    return Backbone.from_state(backbone.state()).to(backbone.device)


def _turned_loss(module: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
    """Cross-entropy of turned and flipped images against their labels."""
    assert batch.mask is not None
    logits = module(turned(batch.images, generator))
    return F.binary_cross_entropy_with_logits(logits.float(), batch.mask.flatten().float())


def _storeys(network: nn.Module) -> list[nn.Module]:
    """The blocks of a network in order: those of the first list of modules that has more than one."""
    lists = (part for part in network.modules() if isinstance(part, nn.ModuleList) and len(part) > 1)
    return list(next(lists, nn.ModuleList([network])))
