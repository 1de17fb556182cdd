"""The teacher: a backbone whose features students learn to draw; what the distillation methods have in common."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.feature_detector import FeatureDetector
from halescan.detectors.features import read
from halescan.errors import SettingError
from halescan.networks.backbones import Backbone
from halescan.networks.blocks import resize
from halescan.training.chance import numbers
from halescan.training.encoders import FeatureExtractor, choose_backbone, stored_backbone
from halescan.training.run import Run
from halescan.types import Images

_SCALE_IMAGES = 64  # for one number a level: each image gives hundreds of places
_LEAST_SIDE = 16


class Teacher(FeatureExtractor):
    """A backbone, the levels taken from it, and the size at which it is shown the images.

    Every level is divided by one number, the root mean square of its features in health, so that levels laid side by
    side count alike.

    Args:
        side: The image's longest side in pixels as the backbone sees it; smaller images stay as they are.
        scales: `(levels,)`.
    """

    def __init__(self, backbone: Backbone, levels: Sequence[int], *, side: int, scales: Tensor) -> None:
        super().__init__(backbone, levels)
        self.side, self.scales = side, scales

    @classmethod
    def find(cls, name: str, images: Images, run: Run, *, levels: Sequence[int], side: int, encoder_steps: int) -> Self:
        """The backbone of this name, or an encoder trained on the healthy images; see `choose_backbone`."""
        found, used = choose_backbone(name, images, run, levels=levels, steps=encoder_steps)
        teacher = cls(found, used, side=side, scales=torch.ones(len(used)))
        order = numbers(run.seed, "teacher", "scales").permutation(len(images))[:_SCALE_IMAGES]
        count, total = 0, torch.zeros(len(used), dtype=torch.float64)
        for _, part in read(images, np.sort(order), run, stage="features"):
            means = [level.cpu().double().square().mean() for level in teacher.levels(teacher.look(part))]
            count, total = count + len(part), total + len(part) * torch.stack(means)
        teacher.scales = (total / count).sqrt().clamp(min=1e-6).float()
        return teacher

    def look(self, images: Tensor) -> Tensor:
        """Images `(n, c, h, w)` as large as they are shown; to a vision transformer in whole patches."""
        grid = working_grid(images.shape[2:], side=self.side)
        patch = int(self.backbone.config.get("patch_size", 1)) if self.backbone.kind == "transformers" else 1
        return resize(images, [max(1, round(length / patch)) * patch for length in grid])

    def levels(self, images: Tensor) -> list[Tensor]:
        """What `look` gave, to levels `(n, d, gh, gw)` float32, in whatever precision others compute."""
        with torch.autocast(images.device.type, enabled=False):
            return self._scaled(super().levels(images.float()))

    def learning_levels(self, images: Tensor) -> list[Tensor]:
        """The same with gradients, for a method that teaches the backbone on."""
        return self._scaled(self.backbone.learning_levels(images, self.taken))

    def widths(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Channels of each level, for images `(c, h, w)`."""
        return tuple(level.shape[1] for level in self.levels(self.look(torch.zeros(1, *shape))))

    def state(self) -> dict[str, np.ndarray]:
        """All of it, as named arrays."""
        return super().state() | {"teacher/scales": self.scales.numpy().copy()}

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray], *, side: int) -> Self:
        """Back from `state`, shown images of the same size."""
        scales = torch.from_numpy(np.array(state["teacher/scales"], np.float32))
        return cls(*stored_backbone(state), side=side, scales=scales)

    def _scaled(self, levels: Sequence[Tensor]) -> list[Tensor]:
        return [level / scale for level, scale in zip(levels, self.scales.tolist(), strict=True)]


class Taught(FeatureDetector[Teacher]):
    """A detector that has a teacher.

    Its settings are `backbone`, `levels`, `side` and `encoder_steps`, beside those of the method.
    """

    watches = True

    levels: tuple[int, ...]
    side: int

    def _set_teacher(self, backbone: str, levels: Sequence[int], side: int, encoder_steps: int) -> None:
        """Keep the settings of the teacher, or refuse them."""
        if not levels or list(levels) != sorted(set(levels)):
            raise SettingError(
                f"levels must name levels of the backbone, each once, finest first, got {list(levels)}; "
                "[3, 6, 13] works"
            )
        if side < _LEAST_SIDE or encoder_steps < 1:
            raise SettingError(
                f"side must be {_LEAST_SIDE} or more and encoder_steps 1 or more, got {side} and {encoder_steps}; "
                "128 and 300 are usual"
            )
        self.backbone, self.levels, self.side, self.encoder_steps = backbone, tuple(levels), side, encoder_steps

    def _find_teacher(self, normal: Images, run: Run) -> Teacher:
        return Teacher.find(
            self.backbone, normal, run, levels=self.levels, side=self.side, encoder_steps=self.encoder_steps
        )
