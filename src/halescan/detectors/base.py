"""The one shape every detector has."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn

from halescan.errors import ShapeError, TrainingError
from halescan.training.device import find_device
from halescan.training.learner import Learner
from halescan.training.run import Run
from halescan.training.schedule import check_pace
from halescan.types import Batch, Images, Labelled, Scores, Stack

_LOOKED_AT = 64  # images of a cohort: what is wrong with a kind of file is wrong with many


class Detector(Learner):
    """Learns what healthy looks like, then says how strange each place of a new image is.

    Larger is stranger, for every detector. A subclass answers `_learn` and `_measure`, and hands over what it has
    learned as arrays (`_state`, `_restore`); the checks stand here and in `Learner`, once.
    """

    dims: ClassVar[tuple[int, ...]] = (2,)
    needs_abnormal: ClassVar[bool] = False
    gives_map: ClassVar[bool] = True
    watches: ClassVar[bool] = False  # whether `check` images are of use to `fit`
    leaves_out: ClassVar[bool] = False  # whether `left_out` knows how to forget an image
    at_once: ClassVar[int] = 4  # images a thread of a processor scores together: few enough to stay in its cache

    def fit(
        self,
        normal: Images | np.ndarray,
        *,
        check: Images | None = None,
        labels: np.ndarray | None = None,
        run: Run | None = None,
    ) -> Self:
        """Learn from images `(n, c, *grid)` that readers called healthy.

        Args:
            normal: The healthy cohort, or a small array of it; with `labels` the abnormal images among it.
            check: Healthy images kept apart, to watch the loss.
            labels: `(n,)`, 1 or True for abnormal: for the methods that need abnormal examples (`needs_abnormal`);
                refused by the others. These get the images as `Labelled`.
            run: Seed, device, folder and listener; the defaults keep nothing.

        Raises:
            TrainingError: if there is nothing to learn from, labels are given to a method that uses none, or a method
                that learns from both kinds is not given both.
            ShapeError: if the method does not take images of this shape, or with these contents.
        """
        images = Stack(normal) if isinstance(normal, np.ndarray) else normal
        if len(images) == 0:
            raise TrainingError(f"{self.name} needs healthy images to learn from, got none")
        if labels is not None and not self.needs_abnormal:
            raise TrainingError(f"{self.name} learns from healthy images alone; leave labels out")
        shape = images.take([0]).images.shape[1:]
        self.check_kind(shape)
        self.check_contents(images)
        cohort = self._labelled(images, labels) if self.needs_abnormal else images
        self._learn(cohort, check, self._informed(run))
        self.learned_shape = tuple(shape)
        return self

    def check_run(self, run: Run) -> str:
        """Refuse now what `fit` would refuse after reading every scan: a device, weights or steps that cannot be used.

        Returns:
            What the result will depend on beside settings and images: the backbone's checksum, or nothing.

        Raises:
            SettingError: if there is no such device, or the settings make no schedule.
            WeightsError: if a backbone's weights are damaged.
        """
        find_device(run.device)
        check_pace(self.settings, self.usual(self._size))
        return ""

    def same_in_every_seed(self, images: int, encoder: str) -> bool:
        """Whether another seed would learn the very same from the same images: then one training tells all.

        Args:
            images: How many there are to learn from, at most.
            encoder: What `check_run` gave.
        """
        return False

    def score(self, batch: Batch | np.ndarray) -> Scores:
        """Strangeness of images `(n, c, *grid)`; see `Scores`.

        Raises:
            NotFitted: before `fit`.
            ShapeError: if channels or grid differ from those learned.
        """
        self._refuse_unlearned()
        whole = Batch(np.asarray(batch, np.float32)) if isinstance(batch, np.ndarray) else batch
        if whole.images.shape[1:] != self.learned_shape:
            raise ShapeError(
                f"{self.name} learned images of shape {self.learned_shape}, got {whole.images.shape[1:]}; "
                "prepare them with the profile the model was trained with"
            )
        return self._measure(whole)

    def left_out(
        self, normal: Images, *, groups: np.ndarray | None = None, most: int = 200
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Maps of images just learned from, each made as if none of its group had been: what healthy maps look like.

        Only methods that say `leaves_out` can, and only right after `fit` with the same images.

        Args:
            normal: The images given to `fit`.
            groups: `(n,)` what is left out together: the images of one patient; None: each by itself.
            most: About so many images at most.

        Yields:
            Places `(k,)` in `normal`, and their maps `(k, *coarse)`.
        """
        return iter(())

    def pictures(self, batch: Batch) -> dict[str, np.ndarray]:
        """Images `(n, c, *grid)` by what they show, to see after learning what was learned; most methods have none."""
        return {}

    @property
    def device(self) -> torch.device:
        """Where it scores."""
        modules = (part for part in vars(self).values() if isinstance(part, nn.Module))
        return next((weight.device for module in modules for weight in module.parameters()), torch.device("cpu"))

    @property
    def members_at_work(self) -> "tuple[Detector, ...]":
        """The methods whose answers make up its own: itself, or the members of an ensemble."""
        return (self,)

    def check_kind(self, shape: tuple[int, ...]) -> None:
        """Refuse images of a shape `(c, *grid)` that the method cannot take.

        Raises:
            ShapeError: if it cannot.
        """
        if len(shape) - 1 not in self.dims:
            raise ShapeError(
                f"{self.name} works in {_either(self.dims)} dimensions, got images of {len(shape) - 1} "
                f"({shape[0]} channel{'s' * (shape[0] != 1)} of {' x '.join(map(str, shape[1:]))})"
            )
        if shape[0] not in self.channels:
            raise ShapeError(f"{self.name} takes {_either(self.channels)} channels, got {shape[0]}")

    def check_contents(self, images: Images) -> None:
        """Refuse a cohort in which some of the images looked at show what the method cannot judge.

        Raises:
            ShapeError: if one does.
        """
        count = min(len(images), _LOOKED_AT)
        for number in range(count):
            self.check_content(images.take([number * len(images) // count]).images)

    def check_content(self, images: np.ndarray) -> None:
        """Refuse images `(n, c, *grid)` of the right shape that show what the method cannot judge; most judge all.

        Raises:
            ShapeError: if it cannot.
        """

    def _labelled(self, images: Images, labels: np.ndarray | None) -> Labelled:
        """Images with their labels; refuse those that lack either kind."""
        if labels is None:
            raise TrainingError(
                f"{self.name} learns from abnormal examples too and cannot do without: give labels=, 1 for abnormal; "
                "on the command line --abnormal FOLDER, or a table with a label column"
            )
        abnormal = np.asarray(labels).astype(bool)
        if abnormal.shape != (len(images),):
            raise TrainingError(f"labels must be one a image, {len(images)}, got an array of shape {abnormal.shape}")
        if abnormal.all() or not abnormal.any():
            kind = "healthy" if abnormal.all() else "abnormal"
            raise TrainingError(f"{self.name} learns from healthy and abnormal images, got no {kind} one")
        return Labelled(images, abnormal)

    @abstractmethod
    def _learn(self, normal: Images, check: Images | None, run: Run) -> None: ...

    @abstractmethod
    def _measure(self, batch: Batch) -> Scores: ...


def _either(numbers: tuple[int, ...]) -> str:
    return " or ".join(map(str, numbers))
