"""The one shape every classifier has."""

import math
from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from halescan import __version__
from halescan.classifiers.labels import Finite, checked_groups, checked_labels
from halescan.errors import HalescanError, ModelError, SettingError, ShapeError
from halescan.training.learner import Learner
from halescan.training.model_folder import read_model, write_model
from halescan.training.run import Run
from halescan.training.settings import typed_settings
from halescan.types import Batch, Images, Stack

_UNFIT = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RuntimeError, MemoryError)


class Supervised(Learner):
    """What learns from labels."""

    selects: ClassVar[bool] = False  # whether `fit` chooses something by inner folds, which keep groups together

    def __init__(self) -> None:
        self.learned_from: dict[str, int] = {}  # how many images (or bags), how many of them abnormal, how many groups

    def save(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """Write a folder of arrays and JSON, whole or not at all; nothing in it can run code.

        Raises:
            NotFitted: before `fit`.
            OutputError: if something lies in the way or cannot be written.
        """
        place = Path(folder)
        record = {
            "name": place.resolve().name,
            "classifier": self.name,
            "settings": self.settings,
            "learned_from": self.learned_from,
            "trained_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": __version__,
        }
        write_model(place, record=record, tensors=self.state(), overwrite=overwrite)

    def _check_kind(self, shape: Sequence[int]) -> None:
        """Refuse images `(c, h, w)` that the method cannot take."""
        if len(shape) != 3 or shape[0] not in self.channels:
            raise ShapeError(
                f"{self.name} takes 2-D images of {self.channels} channels, got shape {tuple(shape)} (channels first)"
            )

    def _check_seen(self, images: np.ndarray) -> None:
        """Refuse images `(n, c, h, w)` unlike those learned from, or holding values that are no numbers."""
        if images.shape[1:] != self.learned_shape:
            raise ShapeError(f"{self.name} learned images of shape {self.learned_shape}, got {images.shape[1:]}")
        if not np.isfinite(images).all():
            raise ShapeError(f"{self.name} was given an image that holds NaN or infinity; expected finite values")


class Classifier(Supervised):
    """Learns from images with labels, then says how probable it is that a new one is abnormal.

    Whatever is chosen (strength of a penalty, features, calibration) is chosen inside `fit`, on folds that keep the
    images of one group together, and standardisation is learned on the training part of each fold alone. The rare class
    counts as much as the other: a probability is that of a world in which half of the images are abnormal, so compare
    it with a threshold chosen on other patients rather than with the prevalence.
    """

    def fit(
        self,
        images: Images | np.ndarray,
        labels: np.ndarray | Sequence[int],
        *,
        groups: Sequence[Hashable] | np.ndarray | None = None,
        run: Run | None = None,
    ) -> Self:
        """Learn from images `(n, c, h, w)` in [0, 1].

        Args:
            labels: `(n,)`, 0 for healthy and 1 for abnormal; leave out what is uncertain.
            groups: `(n,)` the patient of each image; None: each is its own. Copies of an image belong to its patient.
            run: Seed, device, folder and listener; the defaults keep nothing.

        Raises:
            ShapeError: if images, labels and groups differ in number, or the method takes no images of this shape.
            TrainingError: if labels are not 0 or 1, there are fewer than two of each, or an image is not finite.
        """
        cohort = Stack(images) if isinstance(images, np.ndarray) else images
        wanted = checked_labels(labels, count=len(cohort), name=self.name)
        group_of = checked_groups(groups, count=len(cohort))
        shape = tuple(cohort.take([0]).images.shape[1:])
        self._check_kind(shape)
        self._learn(Finite(cohort), wanted, group_of, self._informed(run))
        self.learned_shape = shape
        self.learned_from = {
            "images": len(wanted),
            "abnormal": int(wanted.sum()),
            "groups": int(group_of.max()) + 1,
        }
        return self

    def predict(self, images: Batch | np.ndarray) -> np.ndarray:
        """Probability of abnormal `(n,)` in [0, 1] of images `(n, c, h, w)`; each as if it had come alone.

        Raises:
            NotFitted: before `fit`.
            ShapeError: if the images are of another shape than those learned from, or hold NaN.
        """
        self._refuse_unlearned()
        whole = Batch(np.asarray(images, np.float32)) if isinstance(images, np.ndarray) else images
        self._check_seen(whole.images)
        return np.clip(self._predict(whole), 0.0, 1.0) if len(whole) else np.zeros(0)

    @abstractmethod
    def _learn(self, images: Images, labels: np.ndarray, groups: np.ndarray, run: Run) -> None: ...

    @abstractmethod
    def _predict(self, batch: Batch) -> np.ndarray: ...


def as_probability(logits: np.ndarray) -> np.ndarray:
    """The logistic function, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float64)))


def read_classifier(folder: Path, kind_of: Callable[[str], type[Supervised]]) -> Any:
    """The classifier that lies in a folder; `kind_of` gives the class of a name or refuses it.

    Raises:
        ModelError: if the folder is missing, damaged, unsafe or holds no classifier.
    """
    record, tensors, _ = read_model(folder)
    if not isinstance(record.get("classifier"), str):
        raise ModelError(f"{folder} holds no classifier; Classifier.save writes one")
    kind = kind_of(record["classifier"])
    try:
        found = kind(**typed_settings(kind, record["settings"])).restore(tensors)
        found.learned_from = {str(name): int(value) for name, value in record["learned_from"].items()}
    except HalescanError as error:
        raise ModelError(f"{folder}: {' '.join(str(error).split())[:300]}") from error
    except _UNFIT as error:
        why = " ".join((str(error) or type(error).__name__).split())[:300]
        raise ModelError(f"{folder}: the classifier does not hold together ({why}); copy or train it again") from error
    return found


def check_positive(name: str, **values: float) -> None:
    """Refuse settings that must be finite and above 0.

    Raises:
        SettingError: names the first that is not.
    """
    for setting, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise SettingError(f"{name}: {setting} must be above 0, got {value}")
