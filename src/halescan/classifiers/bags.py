"""Bags: the contract of what judges many images of one patient together."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from halescan.classifiers.base import Supervised
from halescan.classifiers.labels import Finite, checked_labels
from halescan.errors import ShapeError
from halescan.training.run import Run
from halescan.types import Batch, Images, Stack

Bag = Images | np.ndarray


@dataclass(frozen=True, eq=False)
class BagPrediction:
    """What was found in n bags.

    Args:
        probability: `(n,)` in [0, 1], that the bag is abnormal.
        attention: For each bag `(k,)`, the weight of each of its images; they sum to 1.
    """

    probability: np.ndarray
    attention: tuple[np.ndarray, ...]


class BagClassifier(Supervised):
    """Learns from bags of images (the patches of a patient, the slices of a volume) with one label a bag."""

    def fit(self, bags: Sequence[Bag], labels: np.ndarray | Sequence[int], *, run: Run | None = None) -> Self:
        """Learn from bags of images `(k, c, h, w)` in [0, 1]; bags may differ in number, not in the images' shape.

        Args:
            labels: `(n,)`, 0 for a healthy and 1 for an abnormal bag.
            run: Seed, device, folder and listener; the defaults keep nothing.

        Raises:
            ShapeError: if bags and labels differ in number, a bag is empty, or shapes differ between bags.
            TrainingError: if labels are not 0 or 1, there are fewer than two of each, or an image is not finite.
        """
        cohort = [Stack(bag) if isinstance(bag, np.ndarray) else bag for bag in bags]
        wanted = checked_labels(labels, count=len(cohort), name=self.name)
        shape = self._shape_of(cohort)
        self._check_kind(shape)
        self._learn([Finite(bag) for bag in cohort], wanted, self._informed(run))
        self.learned_shape = shape
        self.learned_from = {
            "bags": len(cohort),
            "abnormal": int(wanted.sum()),
            "images": sum(len(bag) for bag in cohort),
        }
        return self

    def predict(self, bags: Sequence[Bag | Batch]) -> BagPrediction:
        """Probability and attention of each bag; each as if it had come alone, whatever the order of its images.

        Raises:
            NotFitted: before `fit`.
            ShapeError: if a bag is empty, or its images are of another shape than those learned from, or hold NaN.
        """
        self._refuse_unlearned()
        answers = [self._judge(self._rows_of(bag)) for bag in bags]
        return BagPrediction(
            np.asarray([probability for probability, _ in answers], np.float64),
            tuple(attention for _, attention in answers),
        )

    def _rows_of(self, bag: Bag | Batch) -> np.ndarray:
        """The images of a bag, described batch by batch: `(k, d)`."""
        if not len(bag):
            raise ShapeError(f"{self.name} was given a bag without images; leave it out")
        if isinstance(bag, np.ndarray):
            bag = Batch(np.asarray(bag, np.float32))
        rows = []
        for part in [bag] if isinstance(bag, Batch) else bag:
            self._check_seen(part.images)
            rows.append(self._describe(part))
        return np.concatenate(rows)

    def _shape_of(self, bags: Sequence[Images]) -> tuple[int, ...]:
        empty = [number for number, bag in enumerate(bags) if not len(bag)]
        if empty:
            raise ShapeError(f"{self.name}: bag {empty[0]} (counted from 0) holds no images; leave it out")
        shapes = {tuple(bag.take([0]).images.shape[1:]) for bag in bags}
        if len(shapes) > 1:
            raise ShapeError(f"{self.name}: images of {len(shapes)} shapes in the bags, {sorted(shapes)[:3]}; give one")
        return shapes.pop()

    @abstractmethod
    def _learn(self, bags: Sequence[Images], labels: np.ndarray, run: Run) -> None: ...

    @abstractmethod
    def _describe(self, batch: Batch) -> np.ndarray: ...

    @abstractmethod
    def _judge(self, rows: np.ndarray) -> tuple[float, np.ndarray]: ...
