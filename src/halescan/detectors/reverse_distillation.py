"""Reverse distillation: which features of a frozen network can a student not draw from what passes a bottleneck?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.teacher import Taught, Teacher
from halescan.errors import SettingError
from halescan.networks.distillation import KINDS, disagreement, distillation_loss
from halescan.networks.feature_decoder import Student
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors, Turn
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores


class ReverseDistillation(Taught):
    """A student draws a frozen teacher's levels from their mixture behind a bottleneck; the map is where it fails.

    What only healthy images shaped does not let a lesion's features pass. The map is the sum over levels of 1 - cosine
    between the features at each place.

    Args:
        backbone: Name of the teacher; where it is not at hand, or for "own", an encoder is trained.
        levels: Its levels, finest first, as the backbone numbers them (blocks 1 to 17 of MobileNetV2).
        side: The image's longest side in pixels as the teacher sees it.
        bottleneck: Channels of what passes, on half the coarsest level's grid.
        width: Channels of the student's storeys; None takes those of the level that each draws.
        loss: "global" (whole levels, strong features count for more), "places" (every place alike) or "square".
        steps: Steps of learning.
        batch_size: Images a step.
        learning_rate: Highest of the cosine curve.
        encoder_steps: Steps of training where an encoder has to be trained.

    Source:
        Deng and Li 2022, arXiv:2201.10703. We differ: another backbone by default; levels are averaged onto the
        coarsest grid instead of convolved there with strides, and mixed by two layers instead of a copy of the last
        stage of the teacher; each level is drawn by a linear head on the storey of the student.
    """

    name = "reverse-distillation"
    summary = "a student draws a frozen network's features from behind a bottleneck; the map is what it cannot draw"
    source = "https://arxiv.org/abs/2201.10703"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "backbone": "resnet50",
            "levels": (1, 2, 3),
            "side": 256,
            "bottleneck": 2048,
            "width": None,
            "steps": 10_000,
            "learning_rate": 5e-3,
        },
    }

    def __init__(
        self,
        *,
        backbone: str = "mobilenet_v2",
        levels: Sequence[int] = (3, 6, 13),
        side: int = 128,
        bottleneck: int = 64,
        width: int | None = 64,
        loss: Literal["global", "places", "square"] = "global",
        steps: int = 1000,
        batch_size: int = 16,
        learning_rate: float = 5e-3,
        encoder_steps: int = 300,
    ) -> None:
        if bottleneck < 1 or (width is not None and width < 1):
            raise SettingError(f"bottleneck and width must be 1 or more, got {bottleneck} and {width}; 64 works")
        if loss not in KINDS[:3]:
            raise SettingError(f"loss must be one of {', '.join(KINDS[:3])}, got {loss!r}")
        if batch_size < 2:
            raise SettingError(
                f"batch_size must be 2 or more for the decoder's batch norms, got {batch_size}; 16 is usual"
            )
        self._set_teacher(backbone, levels, side, encoder_steps)
        self.bottleneck, self.width, self.loss = bottleneck, width, loss
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        self._extractor = self._find_teacher(normal, run)
        widths = self._extractor.widths(normal.take([0]).images.shape[1:])
        with seeded(run.seed, self.name, "weights"):
            self._student = self._build(widths)
        turn = Turn("disagreement", list(self._student.parameters()), self._loss, betas=(0.5, 0.999))
        settings = Schedule(self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate)
        learn(self._student, [turn], images=normal, check=check, settings=settings, run=run, stage=self.name)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        wanted = self._wanted(to_tensors(batch, home(self._student)).images)
        return Scores(map=to_array(disagreement(wanted, self._student(wanted))))

    def _state(self) -> dict[str, np.ndarray]:
        return self._ready().state() | module_arrays(self._student, prefix="student/")

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._extractor = Teacher.from_state(state, side=self.side)
        widths = self._extractor.widths(shape)
        self._student = put_arrays(lambda: self._build(widths), state, prefix="student/")

    def _build(self, widths: Sequence[int]) -> Student:
        return Student(widths, bottleneck=self.bottleneck, width=self.width)

    def _wanted(self, images: Tensor) -> list[Tensor]:
        teacher = self._ready()
        return teacher.levels(teacher.look(images))

    def _loss(self, student: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        wanted = self._wanted(batch.images)
        return distillation_loss(self.loss, wanted, student(wanted))
