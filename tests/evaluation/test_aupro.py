"""Per-region overlap against counting by hand, threshold by threshold."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from halescan.evaluation.aupro import region_weights
from halescan.evaluation.pixels import PixelTally, pixel_metrics

FEW = {"draws": 100}


def made(images: int = 6, side: int = 20, seed: int = 0, *, ties: bool = False) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(seed)
    pairs = []
    for number in range(images):
        mask = np.zeros((side, side), bool)
        if number % 3:
            mask[2 : 4 + number, 3:6] = True
            mask[14:16, 12 : 13 + number] = True
        scores = (random.normal(size=mask.shape) + mask).astype(np.float32)
        pairs.append((np.round(scores, 1) if ties else scores, mask))
    return pairs


def by_hand(pairs: list[tuple[np.ndarray, np.ndarray]], limit: float = 0.3) -> float:
    """Overlap of every region and the share of healthy pixels at every threshold, then trapezoids up to the limit."""
    regions = []
    for scores, mask in pairs:
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        regions += [scores[labels == number] for number in range(1, count + 1)]
    healthy = np.concatenate([scores[~mask] for scores, mask in pairs])
    thresholds = np.unique(np.concatenate([scores.ravel() for scores, _ in pairs]))[::-1]
    across = np.array([0.0, *((healthy >= t).mean() for t in thresholds)])
    up = np.array([0.0, *(np.mean([(region >= t).mean() for region in regions]) for t in thresholds)])
    grid = np.unique(np.append(across[across < limit], limit))
    area = 0.0
    for start, stop in pairwise(grid):
        left = up[across <= start].max()
        after = across > start
        right_x, right_y = across[after][0], up[after][0]
        end = left + (right_y - left) * (stop - start) / (right_x - start)
        area += (stop - start) * (left + end) / 2
    return area / limit


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_equals_counting_every_region_at_every_threshold(ties: bool) -> None:
    pairs = made(ties=ties)
    assert pixel_metrics(pairs, **FEW)["aupro"]["value"] == pytest.approx(by_hand(pairs), abs=1e-9)


def test_a_small_lesion_weighs_as_much_as_a_large_one() -> None:
    mask = np.zeros((40, 40), bool)
    mask[2:22, 2:22] = mask[30:32, 30:32] = True
    only_large, only_small = np.zeros(mask.shape), np.zeros(mask.shape)
    only_large[2:22, 2:22] = 1
    only_small[30:32, 30:32] = 1
    found = [pixel_metrics([(scores, mask)])["aupro"]["value"] for scores in (only_large, only_small)]
    assert found[0] == pytest.approx(found[1], abs=1e-12)
    assert pixel_metrics([(mask.astype(float), mask)])["aupro"]["value"] == pytest.approx(1)


def test_equal_maps_are_worth_what_the_diagonal_is() -> None:
    found = pixel_metrics([(np.zeros((20, 20)), mask) for _, mask in made()], **FEW)["aupro"]
    assert found["value"] == pytest.approx(0.15)  # the mean height of the diagonal up to 0.3


def test_regions_that_touch_by_a_corner_are_one() -> None:
    weights, regions = region_weights(np.eye(4, dtype=bool))
    assert regions == 1
    assert weights.tolist() == [0.25] * 4
    assert region_weights(np.zeros((3, 3), bool))[1] == 0


def test_the_weights_of_each_region_add_up_to_one() -> None:
    mask = np.random.default_rng(0).random((9, 20, 20)) > 0.9
    weights, regions = region_weights(mask)
    assert weights.sum() == pytest.approx(regions)


def test_bins_and_patients_in_parcels_stay_near_the_exact_area() -> None:
    pairs = made(60, seed=4)
    exact = pixel_metrics(pairs, **FEW)
    binned = PixelTally(exact_pixels=2000)
    for pair in pairs:
        binned.add(*pair)
    found = binned.figures(**FEW)["aupro"]
    assert found["value"] == pytest.approx(exact["aupro"]["value"], abs=1e-3)
    assert found["low"] == pytest.approx(exact["aupro"]["low"], abs=0.01)
    assert exact["aupro"]["low"] < exact["aupro"]["value"] < exact["aupro"]["high"]
    assert exact["regions"] == 80


def test_a_monotone_change_and_another_order_change_nothing() -> None:
    pairs = made()
    changed = pixel_metrics([(np.exp(scores), mask) for scores, mask in reversed(pairs)], **FEW)["aupro"]
    assert changed["value"] == pytest.approx(pixel_metrics(pairs, **FEW)["aupro"]["value"], abs=1e-6)


def test_empty_masks_have_no_area_and_say_why() -> None:
    assert pixel_metrics([(np.ones((4, 4)), np.zeros((4, 4)))])["aupro"]["why"] == "no abnormal pixels"
