"""The one shape every classifier has."""

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self, get_type_hints

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import nn

from halescan import __version__
from halescan.classifiers.labels import Finite, checked_groups, checked_labels
from halescan.errors import HalescanError, ModelError, NotFitted, SettingError, ShapeError
from halescan.training.device import find_device
from halescan.training.model_folder import read_model, write_model
from halescan.training.run import Run
from halescan.types import Batch, Images, Stack

_UNFIT = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RuntimeError, MemoryError)
_MOST_NUMBERS = 64  # in one setting of a stored model


class Supervised(ABC):
    """What learns from labels: settings under their own names, and all that was learned as named arrays."""

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    channels: ClassVar[tuple[int, ...]] = (1, 3)
    needs_weights: ClassVar[bool] = False
    selects: ClassVar[bool] = False  # whether `fit` chooses something by inner folds, which keep groups together
    presets: ClassVar[dict[str, dict[str, Any]]] = {"cpu": {}, "paper": {}}

    learned_shape: tuple[int, ...] = ()  # (c, *grid); empty means: nothing learned yet

    def __init__(self) -> None:
        self.learned_from: dict[str, int] = {}  # how many images (or bags), how many of them abnormal, how many groups

    @classmethod
    def preset(cls, size: str, **changes: Any) -> Self:
        """The classifier with the settings of a named size, "cpu" or "paper", and any changes on top."""
        if size not in cls.presets:
            raise SettingError(f"size must be one of {sorted(cls.presets)}, got {size!r}")
        return cls(**{**cls.presets[size], **changes})

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments as they stand, ready for JSON."""
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        values = {name: getattr(self, name) for name in names}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def state(self) -> dict[str, np.ndarray]:
        """All that was learned, as named arrays; `restore` takes it back.

        Raises:
            NotFitted: before `fit`.
        """
        self._refuse_unlearned()
        return {"learned_shape": np.asarray(self.learned_shape, np.int64), **self._state()}

    def restore(self, state: Mapping[str, np.ndarray]) -> Self:
        """Take back what `state` gave; the settings must be those it was learned with."""
        rest = dict(state)
        shape = tuple(int(side) for side in rest.pop("learned_shape"))
        self._restore(rest, shape)
        self.learned_shape = shape
        return self

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

    def to(self, device: str) -> Self:
        """Predict on this device from now on; `Run.device` says how it is spelled.

        Raises:
            SettingError: if there is no such device.
        """
        target = find_device(device)
        for part in vars(self).values():
            if isinstance(part, nn.Module) or hasattr(part, "to"):
                part.to(target)
        return self

    def _refuse_unlearned(self) -> None:
        if not self.learned_shape:
            raise NotFitted(f"{self.name} has learned nothing yet; call fit with examples and their labels first")

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

    @abstractmethod
    def _state(self) -> dict[str, np.ndarray]: ...

    @abstractmethod
    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None: ...


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
        self._learn(Finite(cohort), wanted, group_of, run or Run())
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
        found = kind(**_typed(kind, record["settings"])).restore(tensors)
        found.learned_from = {str(name): int(value) for name, value in record["learned_from"].items()}
    except HalescanError as error:
        raise ModelError(f"{folder}: {' '.join(str(error).split())[:300]}") from error
    except _UNFIT as error:
        why = " ".join((str(error) or type(error).__name__).split())[:300]
        raise ModelError(f"{folder}: the classifier does not hold together ({why}); copy or train it again") from error
    return found


def _typed(kind: type[Supervised], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a stored model as the constructor's annotations want them."""
    hints = get_type_hints(kind.__init__)
    unknown = sorted(set(settings) - set(hints))
    if unknown:
        raise SettingError(f"{kind.name} has no setting {unknown[0][:40]!r}")
    values = {}
    for name, value in settings.items():
        if isinstance(value, list) and len(value) > _MOST_NUMBERS:
            raise SettingError(f"{kind.name}: {name} cannot hold {len(value)} values")
        try:
            values[name] = TypeAdapter(hints[name], config=ConfigDict(allow_inf_nan=False)).validate_python(value)
        except ValidationError as error:
            raise SettingError(f"{kind.name}: {name} cannot be {str(value)[:60]!r}") from error
    return values


def check_positive(name: str, **values: float) -> None:
    """Refuse settings that must be finite and above 0.

    Raises:
        SettingError: names the first that is not.
    """
    for setting, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise SettingError(f"{name}: {setting} must be above 0, got {value}")
