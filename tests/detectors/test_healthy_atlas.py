"""The healthy atlas against its formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.detectors.healthy_atlas import HealthyAtlas
from halescan.errors import SettingError
from halescan.types import Stack
from tests.detectors.bodies import healthy

PLAIN = {"blur_px": 0.0, "smooth_px": 0.0, "floor": 1e-6}


def test_without_smoothing_it_is_the_z_score() -> None:
    images = np.random.default_rng(0).normal(5, 2, (40, 3, 6, 5)).astype(np.float32)
    new = np.full((1, 3, 6, 5), 7.0, np.float32)
    expected = (np.abs(new - images.mean(0)) / images.std(0, ddof=1)).mean(1)
    assert HealthyAtlas(**PLAIN).fit(images).score(new).map == pytest.approx(expected, rel=1e-4, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(batch_size=st.integers(1, 9), offset=st.sampled_from([0.0, 1e4]))
def test_the_batches_do_not_matter(batch_size: int, offset: float) -> None:
    images = np.random.default_rng(0).random((9, 1, 4, 4), dtype=np.float32) + np.float32(offset)
    whole = HealthyAtlas(**PLAIN).fit(Stack(images, batch_size=9)).state()
    parts = HealthyAtlas(**PLAIN).fit(Stack(images, batch_size=batch_size)).state()
    assert whole["mean"] == pytest.approx(parts["mean"], rel=1e-6)
    assert whole["spread"] == pytest.approx(parts["spread"], rel=1e-4)


def test_the_mean_image_is_not_strange_at_all() -> None:
    images = healthy(10, grid=(16, 16))
    mean = images.astype(np.float64).mean(0, keepdims=True).astype(np.float32)
    strange = HealthyAtlas().fit(images).score(mean).map
    assert strange is not None
    assert strange.max() < 1e-4


def test_a_speck_where_nothing_ever_varied_is_strange_but_finite() -> None:
    images = healthy(10, grid=(16, 16))
    images[:, :, :2] = 0
    new = images[:1].copy()
    new[0, 0, 0, 0] = 1.0
    strange = HealthyAtlas().fit(images).score(new).map
    assert strange is not None
    assert np.unravel_index(strange.argmax(), strange.shape) == (0, 0, 0)
    assert np.isfinite(strange).all()


@pytest.mark.parametrize("count", [1, 5])
def test_identical_images_or_one_alone_give_a_finite_map(count: int) -> None:
    images = np.repeat(healthy(1, grid=(8, 8)), count, axis=0)
    strange = HealthyAtlas().fit(images).score(images + np.float32(0.1)).map
    assert strange is not None
    assert np.isfinite(strange).all()


@pytest.mark.parametrize("wrong", [{"blur_px": -1.0}, {"smooth_px": -1.0}, {"floor": 0.0}, {"floor": 2.0}])
def test_a_setting_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        HealthyAtlas(**wrong)
