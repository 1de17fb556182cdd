"""A learner small enough to run a hundred times: two convolutions that clean noise."""

import numpy as np
import torch
from torch import Tensor, nn

from halescan.training.chance import seeded
from halescan.training.schedule import Tensors


def images(count: int = 12) -> np.ndarray:
    """`(count, 1, 8, 8)` in [0, 1]."""
    return np.random.default_rng(0).random((count, 1, 8, 8), dtype=np.float32)


def small_net(seed: int = 0) -> nn.Module:
    """Batch norm (running statistics to keep) and dropout (chance to keep) included."""
    with seeded(seed, "weights"):
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.1), nn.Conv2d(4, 1, 3, padding=1)
        )


def clean(module: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
    """Mean squared error of the cleaned image."""
    noisy = batch.images + 0.1 * torch.randn(batch.images.shape, generator=generator)
    loss: Tensor = (module(noisy).float() - batch.images).square().mean()
    return loss
