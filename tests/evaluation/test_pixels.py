"""Pixel figures over a whole set, exact and in bins, against scikit-learn."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.pixels import PixelTally, _ordered, _unordered, pixel_metrics

FEW = {"draws": 100}


def _pairs(images: int = 8, side: int = 24, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(seed)
    pairs = []
    for number in range(images):
        mask = np.zeros((side, side), bool)
        if number % 2:
            mask[5 : 8 + number, 4:12] = True
        pairs.append(((random.normal(size=(side, side)) + 1.5 * mask).astype(np.float32), mask))
    return pairs


def _pooled(pairs) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([m.ravel() for _, m in pairs]), np.concatenate([s.ravel() for s, _ in pairs])


def test_values_equal_scikit_learn_over_the_pooled_pixels() -> None:
    pairs = _pairs()
    labels, scores = _pooled(pairs)
    found = pixel_metrics(iter(pairs), **FEW)
    assert found["average_precision"]["value"] == pytest.approx(average_precision_score(labels, scores), abs=1e-9)
    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert (found["images"], found["pixels"], found["abnormal_pixels"]) == (8, labels.size, labels.sum())
    assert found["exact"] is True


def test_the_best_dice_is_reached_at_its_threshold_and_marked_optimistic() -> None:
    pairs = _pairs()
    best = pixel_metrics(pairs, **FEW)["best_dice"]
    at_it = pixel_metrics(pairs, threshold=best["threshold"], **FEW)["dice"]
    assert best["optimistic"] is True
    assert at_it["value"] == pytest.approx(best["value"], abs=1e-12)
    labels, scores = _pooled(pairs)
    each = [2 * (labels & (scores >= t)).sum() / (labels.sum() + (scores >= t).sum()) for t in np.unique(scores)]
    assert best["value"] == pytest.approx(max(each), abs=1e-12)


def test_bins_come_within_their_promise_of_the_exact_values() -> None:
    pairs = _pairs(seed=3)
    binned = PixelTally(threshold=0.7, exact_pixels=1000)
    for pair in pairs:
        binned.add(*pair)
    found, exact = binned.figures(**FEW), pixel_metrics(pairs, threshold=0.7, **FEW)
    assert found["exact"] is False
    for name in ("average_precision", "auroc", "best_dice"):
        assert found[name]["value"] == pytest.approx(exact[name]["value"], abs=1e-3)
        assert found[name]["low"] == pytest.approx(exact[name]["low"], abs=0.01)
    assert found["dice"] == exact["dice"]


def test_intervals_hold_their_value_and_come_from_patients() -> None:
    pairs = _pairs()
    apart = pixel_metrics(pairs, threshold=0.7)
    for name in ("average_precision", "auroc", "best_dice", "dice"):
        assert apart[name]["low"] <= apart[name]["value"] <= apart[name]["high"]
    tenfold = pixel_metrics(pairs * 5, groups=list(range(8)) * 5)["average_precision"]
    loose = pixel_metrics(pairs * 5)["average_precision"]
    assert tenfold["low"] == pytest.approx(apart["average_precision"]["low"], abs=2e-3)
    assert loose["high"] - loose["low"] < 0.7 * (tenfold["high"] - tenfold["low"])


def test_a_monotone_change_and_another_order_change_nothing() -> None:
    pairs = _pairs()
    first = pixel_metrics(pairs, **FEW)
    changed = pixel_metrics([(np.exp(s), m) for s, m in reversed(pairs)], **FEW)
    for name in ("average_precision", "auroc", "best_dice"):
        assert changed[name]["value"] == pytest.approx(first[name]["value"], abs=1e-9)


def test_volumes_count_as_their_slices_do() -> None:
    pairs = _pairs()
    volume = (np.stack([s for s, _ in pairs]), np.stack([m for _, m in pairs]))
    whole, parts = pixel_metrics([volume], **FEW), pixel_metrics(pairs, groups=["one"] * 8, **FEW)
    assert whole["auroc"] == parts["auroc"]
    assert "fewer than two patients" in whole["auroc"]["why"]


@pytest.mark.parametrize(
    ("masks", "why"), [(np.zeros((2, 4, 4)), "no abnormal pixels"), (np.ones((2, 4, 4)), "no healthy pixels")]
)
def test_masks_of_one_kind_have_no_figure_and_say_why(masks: np.ndarray, why: str) -> None:
    found = pixel_metrics([(np.ones((4, 4)), mask) for mask in masks], threshold=0.5)
    assert {found[name]["why"] for name in ("average_precision", "auroc", "best_dice", "dice")} == {why}
    assert found["dice"]["value"] is None


def test_no_pairs_have_no_figure() -> None:
    found = pixel_metrics([])
    assert (found["images"], found["auroc"]["why"]) == (0, "no pixels")


def test_equal_maps_everywhere_are_worth_a_guess() -> None:
    found = pixel_metrics([(np.zeros((4, 4)), mask) for _, mask in _pairs(4, 4)] + [(np.zeros(4), np.arange(4) < 1)])
    assert found["auroc"]["value"] == 0.5


def test_a_mask_on_another_grid_is_refused() -> None:
    with pytest.raises(ShapeError, match="onto the map's grid"):
        pixel_metrics([(np.zeros((4, 4)), np.zeros((8, 8)))])


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_map_that_is_not_finite_is_refused(wrong: float) -> None:
    with pytest.raises(SettingError, match="finite"):
        pixel_metrics([(np.full((2, 2), wrong), np.zeros((2, 2)))])


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=2, max_size=30))
def test_the_keys_of_the_bins_sort_as_the_numbers_do(numbers: list[float]) -> None:
    values = np.array(numbers, np.float32) + np.float32(0)
    keys = _ordered(values)
    np.testing.assert_array_equal(values[np.argsort(keys, kind="stable")], np.sort(values))
    np.testing.assert_array_equal(_unordered(keys), values)


def test_memory_stays_flat_in_the_number_of_images() -> None:
    def peak(images: int) -> int:
        tally = PixelTally(exact_pixels=100_000)
        random = np.random.default_rng(0)
        tracemalloc.start()
        for _ in range(images):
            scores = random.random((200, 200), np.float32)
            tally.add(scores, scores > 0.9)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(400) < 1.15 * peak(120)


def test_memory_stays_flat_in_the_number_of_patients() -> None:
    def peak(patients: int) -> int:
        tally = PixelTally(threshold=0.9, exact_pixels=100_000)
        random = np.random.default_rng(0)
        tracemalloc.start()
        for _ in range(patients):
            scores = random.random((8, 8), np.float32)
            tally.add(scores, scores > 0.9)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(16_000) < 1.15 * peak(8_000)
