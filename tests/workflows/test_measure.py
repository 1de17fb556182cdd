"""Measuring: the same steps, whoever asks."""

from pathlib import Path

import numpy as np
import pytest

from halescan.types import Batch
from halescan.workflows.measure import TOGETHER
from halescan.workflows.model import load_model


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, 1, 64, 64), np.float32)


def test_one_image_alone_measures_as_in_a_batch(model_folder: Path) -> None:
    measure = load_model(model_folder).measure
    together = measure(Batch(images(5)))
    alone = measure(Batch(images(5)[3:4]))
    np.testing.assert_allclose(alone.scores, together.scores[3:4], rtol=1e-6)
    np.testing.assert_allclose(alone.maps, together.only(3).maps, rtol=1e-5, atol=1e-6)


def test_a_long_volume_is_measured_in_parts_and_comes_back_whole(model_folder: Path) -> None:
    measure = load_model(model_folder).measure
    count = TOGETHER + 3
    assert measure(Batch(images(count))).maps.shape == (count, 64, 64)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_thread_gets_a_part_of_the_images_no_larger_than_it_takes_well(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    model = load_model(model_folder)
    sizes: list[int] = []
    score = model.detector.score
    monkeypatch.setattr(model.detector, "score", lambda part: sizes.append(len(part)) or score(part))
    monkeypatch.setattr("torch.get_num_threads", lambda: threads)
    monkeypatch.setattr("torch.set_num_threads", lambda number: None)  # or it would be left with those of this test
    monkeypatch.setattr(type(model.detector), "at_once", 4)
    model.measure(Batch(images(6)))
    assert sorted(sizes) == {1: [2, 4], 2: [3, 3], 3: [2, 2, 2]}[threads]


def test_the_slices_of_one_volume_are_filtered_across_and_single_images_are_not(model_folder: Path) -> None:
    model = load_model(model_folder)
    assert model.profile.median_slices == 3
    apart = model.measure(Batch(images(6)))
    ordered = model.measure(Batch(images(6)), ordered=True)
    shuffled = model.measure(Batch(images(6)[[3, 0, 5, 1, 4, 2]]), ordered=True)
    assert not np.allclose(apart.maps, ordered.maps)
    assert not np.allclose(ordered.maps[3], shuffled.maps[0])
    np.testing.assert_allclose(apart.maps[3], model.measure(Batch(images(6)[[3]])).maps[0], rtol=1e-5, atol=1e-6)


def test_smoothing_is_in_millimetres_where_spacing_is_known(model_folder: Path) -> None:
    measure = load_model(model_folder).measure
    fine = measure(Batch(images(1), spacing_mm=(0.5, 0.5))).maps
    coarse = measure(Batch(images(1), spacing_mm=(5.0, 5.0))).maps
    assert fine.std() < coarse.std()


def test_the_peak_is_the_largest_value_inside_the_mask(model_folder: Path) -> None:
    mask = np.zeros((1, 64, 64), bool)
    mask[:, 20:40, 20:40] = True
    found = load_model(model_folder).measure(Batch(images(1), mask=mask))
    assert found.peaks[0] == found.maps[found.masks].max()
