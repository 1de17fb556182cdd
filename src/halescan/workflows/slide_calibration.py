"""Healthy slides measured whole, as new ones will be: what makes a slide's score a p-value."""

from collections.abc import Callable, Sequence

import numpy as np

from halescan.data.dataset import CohortImages
from halescan.data.table import Cohort
from halescan.data.tiles import open_slide_of
from halescan.scoring.calibration import Calibration, Guarantee, Unit
from halescan.scoring.patients import case_from_slices
from halescan.training.run import Progress
from halescan.workflows.cases import case_numbers
from halescan.workflows.measure import Measure
from halescan.workflows.slide_scan import scan_slide


def calibrate_slides(
    pairs: Sequence[tuple[Measure, np.ndarray]],
    images: CohortImages,
    cohort: Cohort,
    *,
    units: np.ndarray,
    unit: Unit,
    guarantee: Guarantee,
    listen: Callable[[Progress], None],
) -> Calibration:
    """The calibration of whole slides: every tile of each healthy slide is measured, not only those learned from.

    A drawn tenth of a slide would seldom hold its strangest place, and every new slide would look strange beside it.

    Args:
        pairs: Measures, and the images (tiles) each has not seen: their slides are scanned.
        units: `(items,)` the healthy unit of each slide of the cohort.
        unit: What a unit is.

    Raises:
        ScanError: if a slide turns out damaged.
    """
    profile = pairs[0][0].profile
    case_of = case_numbers(cohort)
    scores: dict[int, list[np.ndarray]] = {}
    peaks: dict[int, list[float]] = {}
    groups: dict[int, int] = {}
    for measure, indices in pairs:
        for number in np.unique(images.item_of[indices]):
            with open_slide_of(cohort.items[int(number)]) as slide:
                found = scan_slide(measure, slide, listen=listen)
            case = int(case_of[number])
            scores.setdefault(case, []).append(found.scores)
            groups[case] = int(units[number])
            if found.peak is not None:
                peaks.setdefault(case, []).append(found.peak)
    order = sorted(scores)
    how, share = profile.slice_pooling
    return Calibration(
        scores=np.array([case_from_slices(np.concatenate(scores[case]), how=how, share=share).score for case in order]),
        groups=np.array([groups[case] for case in order]),
        peaks=np.array([max(peaks[case]) for case in order]) if peaks else None,
        level="slide",
        unit="case" if unit == "image" else unit,
        guarantee=guarantee,
    )
