"""Calibrate: what healthy scans a model has not seen say about its scores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from halescan.data.dataset import CohortImages
from halescan.data.table import Cohort
from halescan.evaluation.baselines import trivial_statistics
from halescan.io import is_slide
from halescan.scoring.calibration import Calibration
from halescan.scoring.patients import case_from_slices
from halescan.scoring.rules import QuantileRule
from halescan.scoring.shift import Reference
from halescan.scoring.tail import HealthyTail
from halescan.training.run import Progress
from halescan.workflows.cases import case_numbers
from halescan.workflows.healthy import Healthy, embedding, unit_numbers
from halescan.workflows.measure import Measure, Measured
from halescan.workflows.slide_calibration import calibrate_slides

Guarantee = Literal["split", "cross", "none"]
Pair = tuple[Measure, np.ndarray]  # a measure, and the images it has not seen
AT_ONCE = 8  # images measured at once: peak memory is reached with few scans and stays there
MOST_TRIVIAL = 500  # images: enough for a median and a spread


def calibrate(
    pairs: Sequence[Pair],
    images: CohortImages,
    cohort: Cohort,
    *,
    guarantee: Guarantee,
    listen: Callable[[Progress], None],
) -> Healthy:
    """Measure healthy images, each set by a model that has not seen it, and keep all that their scores say.

    Args:
        pairs: One for split conformal; one a fold for cross-conformal.
        images: The whole prepared cohort; the sets are places in it.
    """
    seen = _Seen()
    tail = _tail(seen.watch(measured(pairs, images, listen)))
    where = np.asarray(seen.where)
    items = images.item_of[where]
    cases = _Cases(case_numbers(cohort)[items])
    profile = pairs[0][0].profile
    scores = cases.pooled(seen.scores, *profile.slice_pooling)
    units, unit = unit_numbers(cohort, items)
    by_slice = bool(np.mean(images.slice_of[where] >= 0) > 0.5)
    rows = images.rows
    # One witness a unit: what several scans of one patient share would else look like a site of its own.
    witnesses = [cases.members[int(case)] for case in np.unique(units[cases.first], return_index=True)[1]]
    facts = [rows[int(where[members[0]])].facts for members in witnesses]
    calibration = Calibration(
        scores=scores,
        groups=units[cases.first],
        peaks=cases.largest(seen.peaks) if seen.peaks else None,
        level="volume" if by_slice else "image",
        unit="case" if by_slice and unit == "image" else unit,
        guarantee=guarantee,
    )
    if is_slide(cohort.items[int(items[0])].source):
        everyone = np.zeros(len(cohort), np.intp)
        everyone[items] = units
        calibration = calibrate_slides(
            pairs, images, cohort, units=everyone, unit=unit, guarantee=guarantee, listen=listen
        )
    return Healthy(
        calibration=calibration,
        tail=tail,
        reference=Reference.fit(facts, np.stack([_embedding(images, where[members]) for members in witnesses])),
        rule=QuantileRule().fit(cases.mean(seen.errors), unit=seen.error_unit),
        trivial=tuple(_trivial_rows(images, cohort, where[:MOST_TRIVIAL])),
    )


def measured(
    pairs: Sequence[Pair], images: CohortImages, listen: Callable[[Progress], None]
) -> Iterator[tuple[np.ndarray, Measured]]:
    """Measure every image of every pair; the slices of one volume come together and in order."""
    total = sum(len(indices) for _, indices in pairs)
    done = 0
    for measure, indices in pairs:
        for chunk, ordered in chunks(np.sort(indices), images):
            yield chunk, measure(images.take(chunk.tolist()), ordered=ordered)
            done += len(chunk)
            listen(Progress("measuring healthy scans", done, total))


def chunks(indices: np.ndarray, images: CohortImages) -> Iterator[tuple[np.ndarray, bool]]:
    """Places `(k,)` to measure together: whole volumes, one at a time, or single images of one spacing.

    Spacing decides how far a map is smoothed, so an image must not lose its own to its neighbours in a batch.
    """
    starts = np.flatnonzero(np.diff(images.item_of[indices], prepend=-1))
    volumes = [part for part in np.split(indices, starts[1:]) if len(part)]
    yield from ((volume, True) for volume in volumes if len(volume) > 1)
    single = np.array([volume[0] for volume in volumes if len(volume) == 1], np.intp)
    if not len(single):
        return
    spacings = np.nan_to_num(images.spacing_of[single], nan=-1.0)
    _, kind = np.unique(spacings, axis=0, return_inverse=True)
    for which in np.unique(kind):
        alike = single[np.ravel(kind) == which]
        for start in range(0, len(alike), AT_ONCE):
            yield alike[start : start + AT_ONCE], False


@dataclass
class _Seen:
    """What is kept of each measured image."""

    where: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    error_unit: str = "score"

    def watch(self, stream: Iterator[tuple[np.ndarray, Measured]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Let maps and masks pass, keeping the numbers."""
        for chunk, found in stream:
            self.where += chunk.tolist()
            self.scores += found.scores.tolist()
            if found.errors is not None:
                self.error_unit = "mean absolute error"
            self.errors += (found.scores if found.errors is None else found.errors).tolist()
            if found.maps is not None and found.peaks is not None:
                self.peaks += found.peaks.tolist()
                yield from zip(found.maps, found.masks, strict=True)


def _tail(maps: Iterator[tuple[np.ndarray, np.ndarray]]) -> HealthyTail | None:
    """The healthy distribution of the maps' values; None when there are no maps."""
    first = next(maps, None)
    if first is None:
        return None

    def everything() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield first
        yield from maps

    return HealthyTail.fit(everything())


class _Cases:
    """Rows `(n,)` of images gathered into cases."""

    def __init__(self, case_of: np.ndarray) -> None:
        order = np.unique(case_of)
        self.members = [np.flatnonzero(case_of == case) for case in order]
        self.first = np.asarray([members[0] for members in self.members], np.intp)

    def pooled(self, values: Sequence[float], how: Any, share: float) -> np.ndarray:
        """One score a case."""
        rows = np.asarray(values)
        return np.asarray([case_from_slices(rows[own], how=how, share=share).score for own in self.members])

    def mean(self, values: Sequence[float]) -> np.ndarray:
        """The mean of each case."""
        rows = np.asarray(values)
        return np.asarray([rows[own].mean() for own in self.members])

    def largest(self, values: Sequence[float]) -> np.ndarray:
        """The largest value of each case."""
        rows = np.asarray(values)
        return np.asarray([rows[own].max() for own in self.members])


def _trivial_rows(images: CohortImages, cohort: Cohort, where: np.ndarray) -> Iterator[dict[str, float]]:
    """Brightness, contrast, file size ... of each image."""
    for index in where:
        files = cohort.items[int(images.item_of[index])].source.files
        yield trivial_statistics(images.take([int(index)]).images[0], file_bytes=sum(f.stat().st_size for f in files))


def _embedding(images: CohortImages, members: np.ndarray) -> np.ndarray:
    """What one case looks like from afar: the mean of its images' thumbnails."""
    return embedding(images.take(members.tolist()).images)
