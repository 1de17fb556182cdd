"""Labels: checked before anything is learned from them, split by patient, and weighed so that the rare ones count."""

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from halescan.errors import ShapeError, TrainingError
from halescan.training.chance import number_from
from halescan.types import Batch, Images

Fold = tuple[np.ndarray, np.ndarray]
LEAST = 2  # examples of each class: with one, nothing can be held out


def checked_labels(labels: np.ndarray | Sequence[int], *, count: int, name: str) -> np.ndarray:
    """Labels `(n,)` as whole numbers 0 and 1.

    Raises:
        ShapeError: if there are not as many labels as images.
        TrainingError: if a label is missing or neither 0 nor 1, or there are fewer than two of a class.
    """
    given = np.asarray(labels)
    if given.shape != (count,):
        raise ShapeError(f"{name} got labels of shape {given.shape} for {count} images; expected ({count},)")
    try:
        numbers = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"{name} takes the labels 0 (healthy) and 1 (abnormal), got words") from error
    if not np.isfinite(numbers).all():
        missing = int((~np.isfinite(numbers)).sum())
        raise TrainingError(f"{missing} of {count} labels are NaN or infinite; leave out images that have no label")
    odd = numbers[(numbers != 0) & (numbers != 1)]
    if len(odd):
        raise TrainingError(
            f"{name} takes the labels 0 (healthy) and 1 (abnormal), got {odd[0]:g} as well; leave out what is uncertain"
        )
    abnormal = int(numbers.sum())
    if min(abnormal, count - abnormal) < LEAST:
        raise TrainingError(
            f"{name} needs {LEAST} or more examples of each class, got {count - abnormal} healthy and {abnormal} "
            "abnormal; with healthy images alone train a detector instead"
        )
    return numbers.astype(np.int64)


def checked_groups(groups: Sequence[Hashable] | np.ndarray | None, *, count: int) -> np.ndarray:
    """The group of each image `(n,)` as whole numbers from 0; without groups each image is its own.

    Raises:
        ShapeError: if there are not as many as images.
        TrainingError: if some are missing: unknown patients might be one and the same.
    """
    if groups is None:
        return np.arange(count)
    if len(groups) != count:
        raise ShapeError(f"{len(groups)} groups for {count} images; expected one each")
    missing = sum(group is None or group != group for group in groups)  # NaN differs from itself
    if missing:
        raise TrainingError(f"{missing} of {count} groups are missing; name a patient for each image, or leave it out")
    known: dict[Hashable, int] = {}
    return np.asarray([known.setdefault(group, len(known)) for group in groups], np.int64)


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """A weight for each label `(n,)`: both classes weigh n / 2 in all."""
    counts = np.bincount(labels, minlength=2)
    return len(labels) / (2.0 * counts[labels])


def balanced_order(labels: np.ndarray) -> np.ndarray:
    """Places `(2 most,)` in which the rarer class is repeated until it is there as often as the other."""
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    most = max(len(places) for places in classes)
    return np.concatenate([np.resize(places, most) for places in classes])


def inner_folds(labels: np.ndarray, groups: np.ndarray, *, folds: int, seed: int) -> list[Fold]:
    """Training and held-out places of each fold: no group on both sides, classes spread as evenly as that allows.

    Returns:
        As many folds as asked, or as both classes have groups; empty if one class has only one group: then there is
        nothing to choose by. A fold whose training part lacks a class is left out.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    ill, well = (len(np.unique(groups[labels == label])) for label in (1, 0))
    count = min(folds, ill, well)
    if count < 2:
        return []
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=number_from(seed, "inner folds") % 2**32)
    pairs = splitter.split(np.zeros((len(labels), 1)), labels, groups)
    return [(train, held) for train, held in pairs if len(np.unique(labels[train])) == 2]


class Finite:
    """Images that are looked at as they are read: one that holds NaN stops the learning, with its place."""

    def __init__(self, images: Images) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Sequence[int]) -> Batch:
        """The images at these places.

        Raises:
            TrainingError: if one of them is not finite.
        """
        batch = self.images.take(indices)
        for place, image in zip(indices, batch.images, strict=True):
            if not np.isfinite(image).all():
                raise TrainingError(f"image {int(place)} (counted from 0) holds NaN or infinity; leave it out")
        return batch

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self), 32):
            yield self.take(range(start, min(start + 32, len(self))))


class BalancedImages:
    """Images with their labels, the rarer class repeated; the label travels as the batch's mask, `(n, 1, 1)`."""

    def __init__(self, images: Images, labels: np.ndarray) -> None:
        self.images, self.labels, self.order = images, labels, balanced_order(labels)

    def __len__(self) -> int:
        return len(self.order)

    def take(self, indices: Sequence[int]) -> Batch:
        """The images at these places of the balanced order, each with its label."""
        where = self.order[np.asarray(indices, np.intp)]
        batch = self.images.take(where.tolist())
        return Batch(batch.images, self.labels[where].astype(bool)[:, None, None], batch.spacing_mm)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self), 32):
            yield self.take(range(start, min(start + 32, len(self))))
