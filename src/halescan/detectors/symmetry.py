"""Symmetry: where does one side differ from the other, and from its own organ, more than in healthy people?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from scipy import ndimage

from halescan.detectors.base import Detector
from halescan.errors import ModelError, SettingError, TrainingError
from halescan.networks.mirror import mirror_planes, reflect
from halescan.training.run import Progress, Run
from halescan.types import Batch, Images, Scores

AT_ONCE = 8  # images read at once
_PRIOR = 2.0  # the usual spread of all places counts at each place as so many images: at the rim there are few


@dataclass(frozen=True, eq=False)
class _Seen:
    """One image as the method sees it, left and right along the last axis.

    Args:
        bright: `(*grid)` intensity in deviations from the organ's median.
        uneven: `(*grid)` the same less its mirror image.
        inside: `(*grid)` bool, the organ; `paired` where the mirrored place lies in it too.
        plane: `(1, dims)` of the mirror, for `reflect`.
    """

    bright: np.ndarray
    uneven: np.ndarray
    inside: np.ndarray
    paired: np.ndarray
    plane: torch.Tensor
    extent: tuple[float, ...]


class Symmetry(Detector):
    """Two things a reader looks at first, each in healthy spreads of its place: asymmetry, and intensity in the organ.

    The mirror plane is looked for in each image. An asymmetry has two ends; it is laid to the side whose own intensity
    is the stranger one, so that a lesion leaves no ghost opposite. Nothing is trained.

    Args:
        asymmetry: Share of the asymmetry in the map; the rest is the intensity's, which alone sees what lies on the
            mirror plane or on both sides.
        direction: "both"; or only what is "brighter" or "darker" than usual, where the disease is known to be so.
        blur_px: Gaussian blur inside the organ before all else: folds and vessels never match exactly.
        smooth_px: Gaussian smoothing of the healthy variance over places.
        floor: Least spread, as a share of the root mean square spread over all places.
        tilt_deg: Largest tilt of the mirror plane that is looked for; 0 keeps it upright.
        shift: Largest distance of the plane from the image's middle, as a share of its width; 0 keeps it in the middle.
        axis: Which axis of the image runs from left to right, counted from the end: -1 is the last.

    Source:
        The mirror plane as in Tuzikov, Colliot and Bloch 2002, doi:10.1109/ICPR.2002.1044783, who look for the plane at
        which a brain is most like its reflection; we differ: absolute differences, a search from coarse to fine. What
        is made of it here, both measures in healthy spreads, follows no publication.
    """

    name = "symmetry"
    summary = (
        "left-right asymmetry and intensity within the organ, in healthy spreads of each place; nothing is trained"
    )
    source = "https://doi.org/10.1109/ICPR.2002.1044783"
    dims = (2, 3)
    presets: ClassVar[dict[str, dict[str, Any]]] = {"cpu": {}, "paper": {}}

    def __init__(
        self,
        *,
        asymmetry: float = 0.5,
        direction: Literal["both", "brighter", "darker"] = "both",
        blur_px: float = 1.5,
        smooth_px: float = 2.0,
        floor: float = 0.2,
        tilt_deg: float = 10.0,
        shift: float = 0.1,
        axis: int = -1,
    ) -> None:
        if not 0 <= asymmetry <= 1 or not 0 < floor <= 1:
            raise SettingError(
                f"asymmetry must lie in [0, 1] and floor in (0, 1], got {asymmetry} and {floor}; 0.5 and 0.2 are usual"
            )
        if direction not in ("both", "brighter", "darker"):
            raise SettingError(f'direction must be "both", "brighter" or "darker", got {direction!r}')
        if not 0 <= blur_px <= 100 or not 0 <= smooth_px <= 100:
            raise SettingError(
                f"blur_px and smooth_px must lie in [0, 100], got {blur_px} and {smooth_px}; 1.5 and 2 are usual"
            )
        if not 0 <= tilt_deg <= 45 or not 0 <= shift <= 0.4:
            raise SettingError(
                f"tilt_deg must lie in [0, 45] and shift in [0, 0.4], got {tilt_deg} and {shift}; 10 and 0.1 are usual"
            )
        if axis not in (-1, -2, -3):
            raise SettingError(f"axis must be -1 (the last), -2 or -3, got {axis}; -1 is usual")
        self.asymmetry, self.direction = asymmetry, direction
        self.blur_px, self.smooth_px, self.floor = blur_px, smooth_px, floor
        self.tilt_deg, self.shift, self.axis = tilt_deg, shift, axis

    def same_in_every_seed(self, images: int, encoder: str) -> bool:
        """Always: nothing is drawn."""
        return True

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        if len(normal) < 2:
            raise TrainingError(f"{self.name} needs two healthy images or more, got {len(normal)}")
        grid = normal.take([0]).images.shape[2:]
        if -self.axis > len(grid):
            raise SettingError(f"axis {self.axis} was asked for, the images have {len(grid)}; -1 is the last")
        uneven, bright = _Moments(), _Moments()
        for start in range(0, len(normal), AT_ONCE):
            stop = min(start + AT_ONCE, len(normal))
            for seen in self._seen(normal.take(range(start, stop))):
                uneven.add(seen.uneven, seen.paired)
                bright.add(seen.bright, seen.inside)
            run.listen(Progress(self.name, stop, len(normal)))
        pairs = [moments.usual(self.smooth_px, self.floor) for moments in (uneven, bright)]
        self._mean = np.stack([mean for mean, _ in pairs])
        self._spread = np.stack([spread for _, spread in pairs])

    def _measure(self, batch: Batch) -> Scores:
        maps = [self._strange(seen) for seen in self._seen(batch)]
        return Scores(map=np.moveaxis(np.stack(maps), -1, self.axis).astype(np.float32))

    def _strange(self, seen: _Seen) -> np.ndarray:
        """`(*grid)`, 0 outside the organ."""
        uneven = np.where(seen.paired, (seen.uneven - self._mean[0]) / self._spread[0], 0)
        bright = np.where(seen.inside, (seen.bright - self._mean[1]) / self._spread[1], 0)
        here = np.abs(bright)
        there = _mirrored(here, seen.plane, seen.extent)
        laid = np.abs(uneven) * here / np.maximum(here + there, 1e-6)
        mixed = self.asymmetry * laid + (1 - self.asymmetry) * here
        if self.direction == "both":
            return np.asarray(mixed)
        return np.where(bright > 0 if self.direction == "brighter" else bright < 0, mixed, 0)

    def _state(self) -> dict[str, np.ndarray]:
        return {"mean": self._mean, "spread": self._spread}

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._mean, self._spread = state["mean"].astype(np.float32), state["spread"].astype(np.float32)
        turned = tuple(np.moveaxis(np.empty(shape[1:], bool), self.axis, -1).shape)
        if self._mean.shape != (2, *turned) or self._spread.shape != (2, *turned):
            raise ModelError(f"{self.name}: the stored mean and spread do not have the images' grid {shape[1:]}")

    def _seen(self, batch: Batch) -> Iterator[_Seen]:
        """Image after image, so that none depends on the others."""
        masks = np.asarray((batch.images > 0).any(1) if batch.mask is None else batch.mask)
        spacing = batch.spacing_mm or (1.0,) * masks[0].ndim
        lengths = np.array([side * step for side, step in zip(masks.shape[1:], spacing, strict=True)])
        order = list(range(len(lengths)))
        order.append(order.pop(self.axis))
        extent = tuple(float(lengths[axis]) for axis in order)
        for image, mask in zip(batch.images, masks, strict=True):
            grey = np.ascontiguousarray(image.mean(0).transpose(order), np.float32)
            yield self._one(grey, np.ascontiguousarray(mask.transpose(order), bool), extent)

    def _one(self, grey: np.ndarray, inside: np.ndarray, extent: tuple[float, ...]) -> _Seen:
        bright = _within(_own_units(grey, inside), inside, self.blur_px)
        plane = mirror_planes(
            torch.from_numpy(grey)[None, None],
            torch.from_numpy(inside)[None, None],
            extent=extent,
            tilt_deg=self.tilt_deg,
            shift=self.shift,
        )
        share = _mirrored(inside.astype(np.float32), plane, extent)
        opposite = _mirrored(bright, plane, extent) / np.maximum(share, 0.5)
        paired = inside & (share > 0.5)
        return _Seen(bright, np.where(paired, bright - opposite, 0), inside, paired, plane, extent)


class _Moments:
    """Mean and variance at every place, over the images whose organ covers it, one after the other."""

    def __init__(self) -> None:
        self.count = self.mean = self.squares = np.zeros(())

    def add(self, values: np.ndarray, inside: np.ndarray) -> None:
        """Take in values `(*grid)` where `inside`."""
        self.count = self.count + inside
        apart = np.where(inside, values - self.mean, 0.0)
        self.mean = self.mean + apart / np.maximum(self.count, 1)
        self.squares = self.squares + np.where(inside, apart * (values - self.mean), 0.0)

    def usual(self, smooth_px: float, floor: float) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread `(*grid)` float32; a place that few images cover leans on what is usual elsewhere."""
        known = max(float(self.count.sum()), 1.0)
        level = float((self.count * self.mean).sum()) / known
        between = float((self.count * np.square(self.mean - level)).sum()) / known
        within = float(self.squares.sum()) / known
        share = self.count / (self.count + _PRIOR)
        rare = (1 - share) * (within + between)  # where nobody's organ lies anything may be usual
        variance = share * self.squares / np.maximum(self.count, 1) + rare
        smooth = ndimage.gaussian_filter(variance, smooth_px, mode="nearest")
        least = max(floor * float(np.sqrt(within)), 1e-3)
        spread = np.maximum(np.sqrt(np.maximum(smooth, 0)), least)
        return (share * self.mean + (1 - share) * level).astype(np.float32), spread.astype(np.float32)


def _own_units(grey: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Intensity as deviation from the organ's median, in mean absolute deviations of the organ; 0 outside."""
    if not inside.any():
        return np.zeros_like(grey)
    values = grey[inside]
    middle = np.median(values)
    scale = max(float(np.abs(values - middle).mean()), 0.01)  # an organ of one grey has no spread of its own
    return np.where(inside, (grey - middle) / scale, 0).astype(np.float32)


def _within(values: np.ndarray, inside: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred with what lies inside alone; 0 outside."""
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma, mode="constant")
    blurred = ndimage.gaussian_filter(values * inside, sigma, mode="constant")
    return np.where(inside, blurred / np.maximum(weight, 1e-3), 0).astype(np.float32)


def _mirrored(values: np.ndarray, plane: torch.Tensor, extent: tuple[float, ...]) -> np.ndarray:
    """`(*grid)` reflected at the plane."""
    tensor = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None, None]
    return reflect(tensor, plane, extent=extent)[0, 0].numpy()
