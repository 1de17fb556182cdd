"""Uninformed students: where do networks that imitate a teacher on healthy images err, and where do they disagree?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.features import read
from halescan.detectors.inside import inside_of
from halescan.detectors.teacher import Taught, Teacher
from halescan.errors import SettingError
from halescan.networks.distillation import KINDS, distillation_loss
from halescan.networks.own_encoder import paste_patches
from halescan.networks.patch_students import PatchNet, Students, regression_error, uncertainty
from halescan.networks.pyramid import Pyramid
from halescan.training.chance import numbers, seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, part_of, put_arrays
from halescan.types import Batch, Images, Scores, SomeImages

_BASIS_IMAGES = 256  # for the covariance of the teacher's features
_KEPT_BACK = 10  # without check images, one in so many healthy images is kept back for the standardisation
_MOST_CHECK = 256


class UninformedStudents(Taught):
    """Students see patches of healthy images and say how a teacher describes them; the map is their error and doubt.

    With the error e of the students' mean and the variance v between them, the map is (e - mean e) / spread of e +
    (v - mean v) / spread of v; means and spreads are those within the masks of healthy images that the students have
    not seen: the check images, or without them a tenth of the healthy images.

    Args:
        backbone: Name of the teacher; where it is not at hand, or for "own", an encoder is trained.
        levels: Its levels, finest first, as the backbone numbers them (blocks 1 to 17 of MobileNetV2).
        side: The image's longest side in pixels as teacher and students see it.
        components: Dimensions of a description: principal components of the levels, on the finest level's grid.
        teacher: "frozen" (the backbone's descriptions), or "distilled": a network like the students, which first learns
            to imitate them on healthy images with patches pasted in, and so sees no more of an image than they do.
        students: How many.
        widths: Channels of a student at full, half, quarter ... resolution.
        loss: "square", or "hardest": the largest tenth of the squared errors alone.
        steps: Steps of the students.
        teacher_steps: Steps of a distilled teacher.
        batch_size: Images a step.
        learning_rate: Highest of the cosine curve.
        encoder_steps: Steps of training where an encoder has to be trained.

    Source:
        Bergmann et al. 2020, arXiv:1911.02357. We differ: by default the teacher is a backbone that sees more of the
        image than the students; a distilled one learns from healthy images instead of photographs, by squared errors
        alone; descriptions are principal components of balanced levels; one size of patch.
    """

    name = "uninformed-students"
    summary = "networks imitate a teacher on healthy patches; the map is their error and how much they disagree"
    source = "https://arxiv.org/abs/1911.02357"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "backbone": "resnet18",
            "levels": (1, 2, 3),
            "side": 256,
            "components": 128,
            "teacher": "distilled",
            "widths": (64, 128, 256),
            "steps": 20_000,
            "teacher_steps": 20_000,
            "batch_size": 16,
            "learning_rate": 1e-4,
        },
    }

    def __init__(
        self,
        *,
        backbone: str = "mobilenet_v2",
        levels: Sequence[int] = (3, 6, 10),
        side: int = 128,
        components: int = 32,
        teacher: Literal["frozen", "distilled"] = "frozen",
        students: int = 3,
        widths: Sequence[int] = (16, 32, 64),
        loss: Literal["square", "hardest"] = "square",
        steps: int = 1000,
        teacher_steps: int = 300,
        batch_size: int = 8,
        learning_rate: float = 2e-3,
        encoder_steps: int = 300,
    ) -> None:
        if teacher not in ("frozen", "distilled"):
            raise SettingError(f'teacher must be "frozen" or "distilled", got {teacher!r}')
        if loss not in KINDS[2:]:
            raise SettingError(f"loss must be one of {', '.join(KINDS[2:])}, got {loss!r}")
        if not 1 <= students <= 64 or components < 1 or not widths or min(widths) < 1:
            raise SettingError(
                f"students must lie in [1, 64], components and widths be 1 or more, got {students}, {components} and "
                f"{tuple(widths)}; 3, 32 and 16,32,64 are usual"
            )
        if side < max(16, 2 ** len(widths)) or teacher_steps < 1:
            raise SettingError(
                f"side must be {max(16, 2 ** len(widths))} or more and teacher_steps 1 or more, got {side} and "
                f"{teacher_steps}; 128 and 300 are usual"
            )
        self._set_teacher(backbone, levels, side, encoder_steps)
        self.components, self.teacher, self.students = components, teacher, students
        self.widths, self.loss, self.steps, self.teacher_steps = tuple(widths), loss, steps, teacher_steps
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self._imitator: PatchNet | None = None

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        learned, apart = (normal, check) if check is not None and len(check) else _kept_back(normal, run)
        teacher = self._extractor = self._find_teacher(learned, run)
        order = numbers(run.seed, self.name, "basis").permutation(len(learned))[:_BASIS_IMAGES]
        batches = (
            teacher.levels(teacher.look(part)) for _, part in read(learned, np.sort(order), run, stage="descriptions")
        )
        self._pyramid = self._new_pyramid().fit(batches)
        channels, out = normal.take([0]).images.shape[1], self._pyramid.project.shape[1]
        self._imitator = None
        if self.teacher == "distilled":
            with seeded(run.seed, self.name, "teacher weights"):
                imitator = self._build_imitator(channels, out)
            settings = self._schedule(self.teacher_steps)
            learn(
                imitator, self._imitation_loss, images=learned, settings=settings, run=run, stage=f"{self.name}-teacher"
            )
            self._imitator = imitator.requires_grad_(False)
        with seeded(run.seed, self.name, "weights"):
            self._students = self._build(channels, out)
        settings = self._schedule(self.steps)
        learn(self._students, self._loss, images=learned, check=check, settings=settings, run=run, stage=self.name)
        self._moments = self._standardise(apart)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        parts = self._error_and_doubt(batch)
        means, spreads = self._moments
        strange = [(part - mean) / spread for part, mean, spread in zip(parts, means, spreads, strict=True)]
        return Scores(map=sum(strange[1:], strange[0]).astype(np.float32))

    def _state(self) -> dict[str, np.ndarray]:
        return {
            **self._ready().state(),
            **{f"pyramid/{name}": value for name, value in self._pyramid.state().items()},
            **({} if self._imitator is None else module_arrays(self._imitator, prefix="imitator/")),
            **module_arrays(self._students, prefix="students/"),
            "moments": self._moments,
        }

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._extractor = Teacher.from_state(state, side=self.side)
        self._pyramid = self._new_pyramid().restore(part_of(state, "pyramid"))
        out, self._imitator = self._pyramid.project.shape[1], None
        if self.teacher == "distilled":
            self._imitator = put_arrays(lambda: self._build_imitator(shape[0], out), state, prefix="imitator/")
        self._students = put_arrays(lambda: self._build(shape[0], out), state, prefix="students/")
        self._moments = np.array(state["moments"], np.float32)

    def _new_pyramid(self) -> Pyramid:
        return Pyramid(aggregate=1, components=self.components)

    def _build(self, channels: int, out: int) -> Students:
        return Students(self.students, channels, self.widths, out)

    def _build_imitator(self, channels: int, out: int) -> PatchNet:
        return PatchNet(channels, self.widths, out)

    def _schedule(self, steps: int) -> Schedule:
        # each student learns as if it were alone: what one of them does must not shorten the others' steps
        return Schedule(
            steps, batch_size=self.batch_size, learning_rate=self.learning_rate, weight_decay=1e-5, clip=None
        )

    def _described(self, images: Tensor) -> Tensor:
        """Images as they are looked at, to the backbone's descriptions `(n, d, gh, gw)`."""
        return self._pyramid(self._ready().levels(images))

    def _wanted(self, images: Tensor) -> Tensor:
        """What the students are to say."""
        described = self._described(images)
        return described if self._imitator is None else self._imitator(images, described.shape[2:]).float()

    def _imitation_loss(self, imitator: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        """On images with pasted patches: a teacher must have words for more than what is healthy."""
        images = self._ready().look(batch.images)
        shown, _ = paste_patches(images, generator)
        wanted = self._described(shown)
        return distillation_loss("square", [wanted], [imitator(shown, wanted.shape[2:])])

    def _loss(self, students: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        images = self._ready().look(batch.images)
        with torch.no_grad():
            wanted = self._wanted(images)
        told = students(images, wanted.shape[2:])
        # the sum over students: how many there are does not change what one of them learns
        return len(told) * distillation_loss(self.loss, [wanted] * len(told), list(told))

    @torch.no_grad()
    def _error_and_doubt(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """`(n, gh, gw)` each."""
        images = self._ready().look(to_tensors(batch, home(self._students)).images)
        wanted = self._wanted(images)
        told = self._students(images, wanted.shape[2:]).float()
        return to_array(regression_error(wanted, told)), to_array(uncertainty(told))

    def _standardise(self, apart: Images) -> np.ndarray:
        """`(2, 2)`: means, then spreads, of error and variance over images and places the students have not seen."""
        count = min(len(apart), _MOST_CHECK)
        where = [index * len(apart) // count for index in range(count)]
        found: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for start in range(0, count, 16):
            batch = apart.take(where[start : start + 16])
            for parts, maps in zip(found, self._error_and_doubt(batch), strict=True):
                parts.extend(inside_of(maps, batch))
        errors, doubts = (np.concatenate(parts) for parts in found)
        moments = [[part.mean() for part in (errors, doubts)], [max(part.std(), 1e-8) for part in (errors, doubts)]]
        return np.asarray(moments, np.float32)


def _kept_back(normal: Images, run: Run) -> tuple[Images, Images]:
    """The healthy images in two: those to learn from, and a tenth (one at least) kept back; one image is both."""
    if len(normal) < 2:
        return normal, normal
    order = numbers(run.seed, UninformedStudents.name, "kept back").permutation(len(normal))
    count = max(1, len(normal) // _KEPT_BACK)
    return SomeImages(normal, np.sort(order[count:])), SomeImages(normal, np.sort(order[:count]))
