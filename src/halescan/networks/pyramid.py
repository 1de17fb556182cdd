"""Feature pyramid: several levels of a backbone as one description of every place."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from halescan.errors import SettingError, ShapeError


class Pyramid:
    """Brings levels to one grid, averages each place with its neighbours, balances the levels and keeps what varies.

    A level is centred and divided by one number, so that every level brings the same total variance and the average
    channel has variance 1: a level does not count more for having more channels or larger numbers. Single channels are
    not standardised, because that would blow up those that hardly move in health (in trials whitening lost). Then a
    principal component analysis keeps `components` directions; distances in it are those of the balanced features, less
    what was left out.

    Args:
        grid: Places along the longer side of the common grid; None takes the finest level's.
        aggregate: Odd side of the box over which a level is averaged, on its own grid; 1 is off. Places outside the
            image do not count.
        components: Dimensions kept, at most as many as there are channels.
    """

    def __init__(self, *, grid: int | None = None, aggregate: int = 3, components: int = 96) -> None:
        if aggregate < 1 or aggregate % 2 == 0:
            raise SettingError(f"aggregate must be an odd number, 1 is off and 3 is usual, got {aggregate}")
        if components < 1 or (grid is not None and grid < 1):
            raise SettingError(
                f"components and grid must be 1 or more, got {components} and {grid}; 48 and 28 are usual"
            )
        self.grid, self.aggregate, self.components = grid, aggregate, components
        self.project = torch.zeros(0, 0)
        self.offset = torch.zeros(0)

    def fit(self, batches: Iterable[Sequence[Tensor]]) -> Self:
        """Learn balance and directions from batches of levels, each `(n, d, h, w)`: one pass, in float64.

        Raises:
            ShapeError: if there is no batch.
        """
        count, total, product, widths = 0, torch.zeros(0), torch.zeros(0), []
        for levels in batches:
            rows = _as_rows(self.stack(levels)).cpu().double()  # Apple's accelerator has no float64
            if count == 0:
                widths = [level.shape[1] for level in levels]
                shift = rows.mean(0)  # near the mean, sums of squares lose no digits
                total, product = torch.zeros_like(shift), torch.zeros(len(shift), len(shift)).to(shift)
            rows = rows - shift
            count, total, product = count + len(rows), total + rows.sum(0), product + rows.T @ rows
        if count == 0:
            raise ShapeError("a pyramid needs one batch of features or more, got none")
        mean = total / count
        covariance = product / count - torch.outer(mean, mean)
        self._keep(mean + shift, covariance, widths)
        return self

    def stack(self, levels: Sequence[Tensor]) -> Tensor:
        """Levels `(n, d, h, w)` averaged, on one grid, one upon the other: `(n, sum of d, gh, gw)`."""
        shape = self.shape(levels)
        return torch.cat([_to_grid(local_mean(level, self.aggregate), shape) for level in levels], dim=1)

    def shape(self, levels: Sequence[Tensor]) -> tuple[int, int]:
        """The common grid `(gh, gw)`."""
        finest = max((tuple(level.shape[-2:]) for level in levels), key=lambda side: side[0] * side[1])
        if self.grid is None:
            return finest[0], finest[1]
        longer = max(finest)
        return max(1, round(self.grid * finest[0] / longer)), max(1, round(self.grid * finest[1] / longer))

    def __call__(self, levels: Sequence[Tensor]) -> Tensor:
        """Levels `(n, d, h, w)` to descriptions `(n, components, gh, gw)` float32.

        All is linear: a level is projected on its own grid first, where a place has the fewest numbers to average.
        """
        here = levels[0].device
        self.project, self.offset = self.project.to(here), self.offset.to(here)
        shape, description = self.shape(levels), -self.offset[None, :, None, None]
        for level, part in zip(levels, self.project.split([level.shape[1] for level in levels]), strict=True):
            projected = F.conv2d(level, part.T[:, :, None, None])
            description = description + _to_grid(local_mean(projected, self.aggregate), shape)
        return description

    def state(self) -> dict[str, np.ndarray]:
        """What was learned."""
        return {"project": self.project.cpu().numpy().copy(), "offset": self.offset.cpu().numpy().copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> Self:
        """Back from `state`."""
        self.project, self.offset = (torch.from_numpy(np.array(state[name])) for name in ("project", "offset"))
        return self

    def _keep(self, mean: Tensor, covariance: Tensor, widths: Sequence[int]) -> None:
        """Balance and principal directions as one matrix and one offset."""
        scale = _balance(covariance.diagonal(), widths)
        _, vectors = torch.linalg.eigh(scale[:, None] * covariance * scale[None])
        kept = vectors.flip(1)[:, : self.components]
        strongest = kept.gather(0, kept.abs().argmax(0, keepdim=True))
        kept = kept * torch.where(strongest < 0, -1.0, 1.0)  # the largest weight of a direction is positive
        project = scale[:, None] * kept
        self.project, self.offset = project.float(), (mean @ project).float()


def local_mean(features: Tensor, side: int) -> Tensor:
    """Mean over a box of `side` places, over those inside the image only: `(n, d, h, w)` to the same shape."""
    if side == 1:
        return features
    return F.avg_pool2d(features, side, stride=1, padding=side // 2, count_include_pad=False)


def _to_grid(features: Tensor, shape: tuple[int, int]) -> Tensor:
    """Averaged down or interpolated up to `shape`."""
    here = features.shape[-2:]
    if here == shape:
        return features
    if here[0] >= shape[0] and here[1] >= shape[1]:
        return F.adaptive_avg_pool2d(features, shape)
    return F.interpolate(features, size=shape, mode="bilinear", align_corners=False)


def _as_rows(features: Tensor) -> Tensor:
    """`(n, d, h, w)` to `(n h w, d)`."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def _balance(variances: Tensor, widths: Sequence[int]) -> Tensor:
    """One factor a channel, equal within a level: all levels get one total variance, 1 a channel on average."""
    share = len(variances) / len(widths)
    totals = [part.sum() for part in variances.split(list(widths))]
    factors = [torch.sqrt(share / total) if total > 0 else torch.zeros_like(total) for total in totals]
    return torch.cat([factor.repeat(width) for factor, width in zip(factors, widths, strict=True)])
