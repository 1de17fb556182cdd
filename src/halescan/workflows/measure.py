"""Images in, strangeness out, on the image grid: the steps that training, examination and evaluation share."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from halescan.data.profiles import Profile
from halescan.detectors import Detector
from halescan.scoring.maps import erode, median_over_slices, sigma_px, smooth, to_grid
from halescan.scoring.pooling import pool
from halescan.types import Batch, Scores
from halescan.workflows.places import NO_PLACES, Places
from halescan.workflows.side_by_side import side_by_side

TOGETHER = 32  # images measured together
AT_ONCE = 16  # images in one pass of a network
_ANSWERS = ("map", "image", "reconstruction", "neighbours")


@dataclass(frozen=True, eq=False)
class Measured:
    """n images, measured.

    Args:
        maps: `(n, *grid)` strangeness per place after smoothing, with brightness where the profile seeks what is darker
            or brighter; None for a method that gives no location.
        masks: `(n, *grid)` the places that count.
        scores: `(n,)`, of the maps before that: what is strange in the other direction counts.
        peaks: `(n,)` the largest map value inside the mask; None without maps.
        reconstruction: `(n, c, *grid)` or None.
        neighbours: `(n, k)` or None.
        errors: `(n,)` mean absolute error inside the mask for a method that reconstructs, else None.
    """

    maps: np.ndarray | None
    masks: np.ndarray
    scores: np.ndarray
    peaks: np.ndarray | None
    reconstruction: np.ndarray | None
    neighbours: np.ndarray | None
    errors: np.ndarray | None

    def only(self, number: int) -> "Measured":
        """One of the n images, as a measurement of its own."""

        def part(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[number : number + 1]

        return Measured(
            part(self.maps),
            self.masks[number : number + 1],
            self.scores[number : number + 1],
            part(self.peaks),
            part(self.reconstruction),
            part(self.neighbours),
            part(self.errors),
        )


@dataclass(frozen=True, eq=False)
class Measure:
    """A detector with the recipe that turns its answer into maps and scores.

    Args:
        places: What health is like place by place; `train.learn_places` gives it.
    """

    detector: Detector
    profile: Profile
    places: Places = NO_PLACES

    def __call__(self, batch: Batch, *, ordered: bool = False) -> Measured:
        """Measure a batch; `ordered` says that its images are the slices of one volume, in order."""
        answer = self._answer(batch)
        masks = self._masks(batch)
        errors = None if answer.reconstruction is None else _mean_error(batch.images, answer.reconstruction, masks)
        if answer.map is None:
            if answer.image is None:
                raise AssertionError(f"{self.detector.name} gave neither a map nor a score")
            return Measured(
                None, masks, answer.image.astype(float), None, answer.reconstruction, answer.neighbours, errors
            )
        maps = self._finish(answer.map, batch, ordered)
        scores = pool(maps, masks, how=self.profile.pooling, share=self.profile.top_share)
        if self.places.direction is not None:
            maps = self.places.direction.apply(maps, self.grey(batch), masks, sought=self.profile.sought)
        peaks = pool(maps, masks, how="max")
        if answer.image is not None:
            scores = answer.image.astype(float)
        return Measured(maps, masks, scores, peaks, answer.reconstruction, answer.neighbours, errors)

    def raw(self, batch: Batch, *, ordered: bool = False) -> tuple[np.ndarray | None, np.ndarray]:
        """Maps before any comparison between places, and their masks: what the place statistics are learned from."""
        answer = self._answer(batch)
        maps = None if answer.map is None else Measure(self.detector, self.profile)._finish(answer.map, batch, ordered)
        return maps, self._masks(batch)

    def laid(self, coarse: np.ndarray, batch: Batch, *, ordered: bool) -> tuple[np.ndarray, np.ndarray]:
        """As `raw`, from maps `(n, *coarse)` that were made already."""
        return Measure(self.detector, self.profile)._finish(coarse, batch, ordered), self._masks(batch)

    def grey(self, batch: Batch) -> np.ndarray:
        """Brightness `(n, *grid)` of a batch, smoothed as its maps are."""
        return smooth(batch.images.mean(axis=1), self._width(batch))

    def _answer(self, batch: Batch) -> Scores:
        """The detector's answer, a few images at a time: memory stays flat, and threads work side by side."""
        device = self.detector.device
        size = AT_ONCE
        if device.type == "cpu":
            size = min(self.detector.at_once, max(1, -(-len(batch) // torch.get_num_threads())))
        parts = side_by_side(self.detector.score, [*_parts(batch, size)], device=device)
        return (
            parts[0]
            if len(parts) == 1
            else Scores(*(_joined([getattr(part, name) for part in parts]) for name in _ANSWERS))
        )

    def _finish(self, coarse: np.ndarray, batch: Batch, ordered: bool) -> np.ndarray:
        grid, width, median = batch.images.shape[2:], self._width(batch), self.profile.median_slices
        if ordered and median > 1:  # the filter needs neighbours: the slices of one volume, in order
            maps = smooth(median_over_slices(to_grid(coarse, grid), median), width)
        else:
            maps = to_grid(coarse, grid, sigma_px=width)
        return maps if self.places.maps is None else self.places.maps.apply(maps)

    def _width(self, batch: Batch) -> tuple[float, ...]:
        """How far maps are smoothed, in pixels of each axis."""
        recipe, dims = self.profile, batch.images.ndim - 2
        return sigma_px(smooth_mm=recipe.smooth_mm, smooth_px=recipe.smooth_px, spacing_mm=batch.spacing_mm, dims=dims)

    def _masks(self, batch: Batch) -> np.ndarray:
        shape = (len(batch), *batch.images.shape[2:])
        masks = np.ones(shape, bool) if batch.mask is None else batch.mask
        return np.stack([erode(mask, self.profile.erode) for mask in masks]) if self.profile.erode else masks


def _parts(batch: Batch, size: int) -> Iterator[Batch]:
    """A batch, a few images at a time."""
    for start in range(0, max(len(batch), 1), size):
        some = slice(start, start + size)
        yield Batch(batch.images[some], None if batch.mask is None else batch.mask[some], batch.spacing_mm)


def _joined(parts: list[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def _mean_error(images: np.ndarray, reconstruction: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Mean absolute error of `(n, c, *grid)` inside `(n, *grid)`."""
    error = np.abs(images - reconstruction).mean(axis=1)
    axes = tuple(range(1, error.ndim))
    return (error * masks).sum(axis=axes) / np.maximum(masks.sum(axis=axes), 1)
