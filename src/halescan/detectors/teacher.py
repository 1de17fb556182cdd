"""The teacher: a backbone whose features students learn to draw; what the distillation methods have in common."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from halescan.detectors.autoencoder import working_grid
from halescan.detectors.base import Detector
from halescan.detectors.encoders import Origin, check_backbone, choose_backbone
from halescan.detectors.features import part_of, read
from halescan.errors import NotFitted, SettingError
from halescan.networks.backbones import Backbone
from halescan.networks.blocks import resize
from halescan.training.chance import numbers
from halescan.training.device import find_device
from halescan.training.run import Run
from halescan.types import Images

_SCALE_IMAGES = 64  # for one number a level: each image gives hundreds of places
_LEAST_SIDE = 16


class Teacher:
    """A backbone, the levels taken from it, and the size at which it is shown the images.

    Every level is divided by one number, the root mean square of its features in health, so that levels laid side by
    side count alike.

    Args:
        origin: "weights" or "own": where the backbone came from.
        side: The image's longest side in pixels as the backbone sees it; smaller images stay as they are.
        scales: `(levels,)`.
    """

    def __init__(self, backbone: Backbone, levels: Sequence[int], origin: Origin, *, side: int, scales: Tensor) -> None:
        self.backbone, self.taken, self.origin, self.side, self.scales = backbone, tuple(levels), origin, side, scales

    @classmethod
    def find(cls, name: str, images: Images, run: Run, *, levels: Sequence[int], side: int, encoder_steps: int) -> Self:
        """The backbone of this name, or an encoder trained on the healthy images; see `choose_backbone`."""
        found, origin, used = choose_backbone(name, images, run, levels=levels, steps=encoder_steps)
        found.check(used)
        teacher = cls(found, used, origin, side=side, scales=torch.ones(len(used)))
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
            return self._scaled(self.backbone.levels(images.float(), self.taken))

    def learning_levels(self, images: Tensor) -> list[Tensor]:
        """The same with gradients, for a method that teaches the backbone on."""
        return self._scaled(self.backbone.learning_levels(images, self.taken))

    def widths(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Channels of each level, for images `(c, h, w)`."""
        return tuple(level.shape[1] for level in self.levels(self.look(torch.zeros(1, *shape))))

    def to(self, device: torch.device | str) -> Self:
        """Move to a device."""
        self.backbone.to(device)
        return self

    def state(self) -> dict[str, np.ndarray]:
        """All of it, as named arrays."""
        return {
            "teacher/levels": np.asarray(self.taken, np.int64),
            "teacher/scales": self.scales.numpy().copy(),
            **{f"backbone/{name}": value for name, value in self.backbone.state().items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray], *, side: int) -> Self:
        """Back from `state`, shown images of the same size."""
        backbone = Backbone.from_state(part_of(state, "backbone"))
        levels = [int(level) for level in state["teacher/levels"]]
        origin: Origin = "own" if backbone.kind == "own" else "weights"
        scales = torch.from_numpy(np.array(state["teacher/scales"], np.float32))
        return cls(backbone, levels, origin, side=side, scales=scales)

    def _scaled(self, levels: Sequence[Tensor]) -> list[Tensor]:
        return [level / scale for level, scale in zip(levels, self.scales.tolist(), strict=True)]


class Taught(Detector):
    """A detector that has a teacher.

    Its settings are `backbone`, `levels`, `side` and `encoder_steps`, beside those of the method.
    """

    needs_weights = True
    watches = True

    backbone: str
    levels: tuple[int, ...]
    side: int
    encoder_steps: int
    _teacher: Teacher | None = None

    @property
    def backbone_origin(self) -> str | None:
        """ "weights" or "own": where the backbone came from; None before `fit`."""
        return None if self._teacher is None else self._teacher.origin

    def to(self, device: str) -> Self:
        """Score on this device from now on."""
        super().to(device)
        if self._teacher is not None:
            self._teacher.to(find_device(device))
        return self

    def check_run(self, run: Run) -> str:
        """Refuse a device or damaged weights before any scan is read; gives the backbone's origin."""
        super().check_run(run)
        return check_backbone(self.backbone, run)

    def _set_teacher(self, backbone: str, levels: Sequence[int], side: int, encoder_steps: int) -> None:
        """Keep the settings of the teacher, or refuse them."""
        if not levels or list(levels) != sorted(set(levels)):
            raise SettingError(f"levels must name levels of the backbone, each once, finest first, got {tuple(levels)}")
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

    def _ready(self) -> Teacher:
        if self._teacher is None:
            raise NotFitted(f"{self.name} has learned nothing yet; call fit(healthy_images) first")
        return self._teacher
