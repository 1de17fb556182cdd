"""A Gaussian at every place: what descriptions are usual here, and how unusual is this one?"""

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor

from halescan.errors import ShapeError


class PlaceGaussians:
    """Mean and covariance of the descriptions at each place, gathered batch by batch; memory does not grow with images.

    Distances are Mahalanobis distances: `sqrt((x - mean)' covariance^-1 (x - mean))`.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = self.product = torch.zeros(0, dtype=torch.float64)
        self.mean, self.whiten = torch.zeros(0, 0), torch.zeros(0, 0, 0)

    def add(self, descriptions: Tensor) -> None:
        """Take in descriptions `(n, p, d)`, in float64."""
        here = descriptions.cpu().double().permute(1, 0, 2)  # Apple's accelerator has no float64
        if self.count == 0:
            places, _, width = here.shape
            self.total, self.product = here.new_zeros(places, width), here.new_zeros(places, width, width)
        self.count += here.shape[1]
        self.total += here.sum(1)
        self.product.baddbmm_(here.transpose(1, 2), here)

    def finish(self, *, shrink: bool, epsilon: float) -> Self:
        """Turn what was gathered into whitening matrices, and let go of it.

        Args:
            shrink: Draw each covariance towards a multiple of the identity as far as its sample size asks (`shrunk`).
            epsilon: Added to the diagonal.

        Raises:
            ShapeError: with fewer than two descriptions.
        """
        if self.count < 2:
            raise ShapeError(f"a covariance needs two images or more, got {self.count}")
        mean = self.total / self.count
        covariance = self.product / self.count - mean[:, :, None] * mean[:, None]
        covariance = shrunk(covariance, self.count) if shrink else covariance
        covariance.diagonal(dim1=1, dim2=2).add_(epsilon)
        lower = torch.linalg.cholesky(covariance)
        identity = torch.eye(lower.shape[1]).to(lower)
        whiten = torch.linalg.solve_triangular(lower, identity.expand_as(lower), upper=False)
        self.mean, self.whiten = mean.float(), whiten.float()
        self.total = self.product = self.total.new_zeros(0)
        return self

    def distance(self, descriptions: Tensor) -> Tensor:
        """Mahalanobis distance `(n, p)` of descriptions `(n, p, d)`."""
        away = (descriptions - self.mean).permute(1, 0, 2)
        return torch.bmm(away, self.whiten.transpose(1, 2)).norm(dim=2).T

    def to(self, device: torch.device | str) -> Self:
        """Move to a device."""
        self.mean, self.whiten = self.mean.to(device), self.whiten.to(device)
        return self

    def state(self) -> dict[str, np.ndarray]:
        """What was learned."""
        return {"mean": self.mean.cpu().numpy().copy(), "whiten": self.whiten.cpu().numpy().copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> Self:
        """Back from `state`."""
        self.mean, self.whiten = (torch.from_numpy(np.array(state[name])) for name in ("mean", "whiten"))
        return self


def shrunk(covariance: Tensor, count: int) -> Tensor:
    """Oracle approximating shrinkage of covariances `(p, d, d)` of `count` samples: no second look at them is needed.

    Source:
        Chen, Wiesel, Eldar and Hero 2010, doi 10.1109/TSP.2010.2053029, as scikit-learn's `OAS` computes it, without
        the terms in 2 / d.
    """
    width = covariance.shape[-1]
    power = covariance.square().mean((1, 2))
    level = covariance.diagonal(dim1=1, dim2=2).mean(1)
    scatter = (count + 1) * (power - level.square() / width)
    share = torch.where(scatter > 0, (power + level.square()) / scatter, 1.0).clamp(max=1.0)
    target = torch.diag_embed(level[:, None].expand(-1, width))
    return torch.lerp(covariance, target, share[:, None, None])
