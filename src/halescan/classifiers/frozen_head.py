"""Frozen head: the features of a network that never saw this task, and one linear decision on top."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from halescan.classifiers.base import Classifier, as_probability, check_positive
from halescan.classifiers.describing import Describer, check_levels
from halescan.classifiers.labels import inner_folds
from halescan.classifiers.linear_head import LinearHead, balance, choose_strength, fit_head
from halescan.errors import ModelError, SettingError
from halescan.training.device import as_tensor
from halescan.training.learner import not_fitted
from halescan.training.run import Run
from halescan.training.weights import part_of
from halescan.types import Batch, Images

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
USUAL_STRENGTH = 1e-2  # where there are too few patients to choose


class FrozenHead(Classifier):
    """Class-balanced logistic regression on pooled features of shallow and deep levels of a frozen backbone.

    Every level counts as much as every other, however many channels it has: the shallow ones, which see colour and
    specks, have few. The strength of the penalty is chosen by balanced log loss over inner folds that keep patients
    together. With so few weights that can move it learns from a handful of labels, in the time it takes to look at each
    image once.

    Args:
        backbone: Name of the backbone; where it is not at hand, or for "own", an encoder is trained on the images
            without their labels.
        levels: Its levels, as the backbone numbers them (blocks 1 to 17 of MobileNetV2). Shallow ones know colour and
            specks, deep ones texture.
        folds: Inner folds at most.
        encoder_steps: Steps of training where an encoder has to be trained.

    Source:
        Logistic regression on frozen features as in Alain & Bengio 2016, arXiv 1610.01644. We differ: several levels at
        once, each pooled by its mean and its extremes and counting the same; classes balanced; the penalty chosen by
        patient.
    """

    name = "frozen-head"
    summary = "logistic regression on features of a frozen backbone; learns from a handful of labels"
    source = "https://arxiv.org/abs/1610.01644"
    needs_weights = True
    selects = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"backbone": "resnet50", "levels": (1, 2, 3, 4)},
    }

    def __init__(
        self,
        *,
        backbone: str = "mobilenet_v2",
        levels: Sequence[int] = (3, 6, 13, 17),
        folds: int = 5,
        encoder_steps: int = 300,
    ) -> None:
        super().__init__()
        check_levels(self.name, levels)
        check_positive(self.name, encoder_steps=encoder_steps)
        if folds < 2:
            raise SettingError(f"{self.name}: folds must be 2 or more, got {folds}; 5 is usual")
        self.backbone, self.levels, self.folds = backbone, tuple(levels), folds
        self.encoder_steps = encoder_steps
        self.describer: Describer | None = None
        self.head: LinearHead | None = None
        self.strength = USUAL_STRENGTH

    def _learn(self, images: Images, labels: np.ndarray, groups: np.ndarray, run: Run) -> None:
        describer = Describer.open(self.backbone, self.levels, images=images, run=run, steps=self.encoder_steps)
        rows = describer.rows(images, run)
        factors = balance(describer.level_of_columns(images.take([0]).images[0]))
        folds = inner_folds(labels, groups, folds=self.folds, seed=run.seed)
        self.strength = USUAL_STRENGTH
        if folds:
            self.strength, _ = choose_strength(rows, labels, folds, strengths=STRENGTHS, factors=factors)
        self.describer = describer
        self.head = fit_head(rows, labels, strength=self.strength, factors=factors)

    def _predict(self, batch: Batch) -> np.ndarray:
        describer, head = self._ready()
        return as_probability(head.logits(describer.describe(as_tensor(batch.images)).cpu().numpy()))

    def _state(self) -> dict[str, np.ndarray]:
        describer, head = self._ready()
        return {
            **{f"describer/{name}": value for name, value in describer.state().items()},
            **{f"head/{name}": value for name, value in head.state().items()},
            "strength": np.asarray([self.strength], np.float64),
        }

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._check_kind(shape)
        self.describer = Describer.from_state(part_of(state, "describer"))
        self.head = LinearHead.from_state(part_of(state, "head"))
        self.strength = float(state["strength"][0])
        width = self.describer.describe(as_tensor(np.zeros((1, shape[0], 64, 64)))).shape[1]
        if width != len(self.head.weights):
            raise ModelError(f"{self.name}: the head takes {len(self.head.weights)} features, the backbone has {width}")

    def _ready(self) -> tuple[Describer, LinearHead]:
        if self.describer is None or self.head is None:
            raise not_fitted(self)
        return self.describer, self.head
