"""Describing: an image as one row of numbers, pooled from shallow and deep levels of a backbone."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from halescan.errors import SettingError
from halescan.training.device import as_tensor
from halescan.training.encoders import FeatureExtractor, choose_backbone, stored_backbone
from halescan.training.run import Progress, Run
from halescan.types import Images

EXTREME = 0.01  # share of the places whose mean stands for "somewhere in the image"
NUMBERS = 3  # a channel gives: mean, highest, lowest
AT_ONCE = 16  # images read at once


class Describer(FeatureExtractor):
    """A backbone, read as one row of numbers an image.

    Each channel of a level gives three numbers: its mean, and its means over the highest and the lowest hundredth of
    the places. The mean tells texture; the extremes tell of a speck that a mean would drown.
    """

    @classmethod
    def open(cls, name: str, levels: Sequence[int], *, images: Images, run: Run, steps: int) -> Self:
        """The backbone of this name, or one trained on the images, without their labels, where it is not at hand.

        Args:
            name: Name of a backbone, or "own" to train one whatever is at hand.
            levels: In the named backbone's numbering; an own encoder takes its levels of the same strides.
            steps: Steps of training an own encoder.

        Raises:
            WeightsError: if weights are there and damaged, or lack a level.
        """
        return cls(*choose_backbone(name, images, run, levels=levels, steps=steps))

    def describe(self, images: Tensor) -> Tensor:
        """Images `(n, c, h, w)` in [0, 1] to rows `(n, d)`; each image as if it had come alone."""
        return pooled(self.levels(images))

    def level_of_columns(self, image: np.ndarray) -> np.ndarray:
        """The level that each number of the row of an image `(c, h, w)` comes from: `(d,)`."""
        widths = [level.shape[1] for level in self.levels(as_tensor(image[None]))]
        return np.repeat(self.taken, [NUMBERS * width for width in widths])

    def rows(self, images: Images, run: Run) -> np.ndarray:
        """All images as rows `(n, d)` float32."""
        parts = []
        for start in range(0, len(images), AT_ONCE):
            where = list(range(start, min(start + AT_ONCE, len(images))))
            parts.append(self.describe(as_tensor(images.take(where).images)).cpu().numpy())
            run.listen(Progress("features", start + len(where), len(images)))
        return np.concatenate(parts)

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Back from `state`.

        Raises:
            WeightsError: if the arrays do not make a backbone.
        """
        return cls(*stored_backbone(state))


def pooled(levels: Sequence[Tensor]) -> Tensor:
    """Levels `(n, d, h, w)` to rows `(n, 3 sum of d)`: mean, mean of the highest, mean of the lowest places."""
    parts = []
    for level in levels:
        places = level.flatten(2).float()
        count = max(1, round(EXTREME * places.shape[2]))
        highest, lowest = (places.topk(count, dim=2, largest=largest).values.mean(2) for largest in (True, False))
        parts += [places.mean(2), highest, lowest]
    return torch.cat(parts, dim=1)


def check_levels(name: str, levels: Sequence[int]) -> None:
    """Refuse a setting `levels` that names none.

    Raises:
        SettingError: if it is empty or counts below 0.
    """
    if not levels or min(levels) < 0:
        raise SettingError(f"{name}: levels must name one or more levels of the backbone, got {list(levels)}")
