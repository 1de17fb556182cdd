"""Pooling gives one honest number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.errors import SettingError, ShapeError
from halescan.scoring.pooling import pool, pool_slices

RNG = np.random.default_rng(1)
HOWS = ["mean", "max", "top"]


def test_the_three_rules_on_numbers_one_to_a_hundred():
    maps = RNG.permutation(np.arange(1, 101)).reshape(1, 10, 10)
    assert pool(maps, how="mean")[0] == 50.5
    assert pool(maps, how="max")[0] == 100
    assert pool(maps, how="top", share=0.04)[0] == np.mean([97, 98, 99, 100])


def test_top_takes_exactly_the_share_in_spite_of_rounding():
    maps = np.arange(100.0).reshape(1, 10, 10)
    assert pool(maps, how="top", share=0.07)[0] == np.arange(93, 100).mean()


def test_top_of_a_tiny_share_is_the_maximum_and_of_all_is_the_mean():
    maps = RNG.normal(size=(3, 8, 8))
    np.testing.assert_allclose(pool(maps, how="top", share=1e-9), pool(maps, how="max"))
    np.testing.assert_allclose(pool(maps, how="top", share=1.0), pool(maps, how="mean"))


@pytest.mark.parametrize("how", HOWS)
def test_what_lies_outside_the_mask_does_not_count(how):
    maps, masks = RNG.normal(size=(2, 6, 6)), np.zeros((2, 6, 6), bool)
    masks[:, 2:4, 1:5] = True
    loud = np.where(masks, maps, 1e6)
    np.testing.assert_array_equal(pool(maps, masks, how=how), pool(loud, masks, how=how))


@pytest.mark.parametrize("how", HOWS)
def test_an_empty_mask_does_not_hide_an_image(how):
    maps = RNG.normal(size=(1, 6, 6))
    assert pool(maps, np.zeros((1, 6, 6), bool), how=how)[0] == pool(maps, how=how)[0]


@given(st.sampled_from(HOWS), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_places_does_not_matter(how, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=60)
    first, second = (pool(v.reshape(1, 6, 10), how=how, share=0.1)[0] for v in (values, rng.permutation(values)))
    assert first == pytest.approx(second, rel=1e-12)


@given(st.sampled_from(HOWS), st.floats(0, 5))
@settings(max_examples=30, deadline=None)
def test_a_stranger_place_never_lowers_the_score(how, more):
    maps = RNG.normal(size=(1, 7, 7))
    stranger = maps.copy()
    stranger[0, 3, 3] += more
    assert pool(stranger, how=how, share=0.1)[0] >= pool(maps, how=how, share=0.1)[0]


def test_one_image_scores_alone_as_in_company():
    maps, masks = RNG.normal(size=(5, 6, 6)).astype(np.float32), RNG.random((5, 6, 6)) > 0.5
    alone = [pool(maps[i : i + 1], masks[i : i + 1], how="top", share=0.1)[0] for i in range(5)]
    np.testing.assert_array_equal(pool(maps, masks, how="top", share=0.1), alone)


def test_nan_other_shapes_and_unknown_rules_are_refused():
    with pytest.raises(ShapeError, match="finite"):
        pool(np.full((1, 3, 3), np.nan), how="mean")
    with pytest.raises(ShapeError):
        pool(np.zeros((1, 3, 3)), np.ones((1, 4, 4), bool), how="mean")
    with pytest.raises(SettingError, match="one of"):
        pool(np.zeros((1, 3, 3)), how="median")
    with pytest.raises(SettingError, match=r"\(0, 1\]"):
        pool(np.zeros((1, 3, 3)), how="top", share=0)


def test_slices_pool_by_the_same_rules():
    scores = [1.0, 5.0, 3.0, 2.0]
    assert pool_slices(scores, how="max") == 5
    assert pool_slices(scores, how="mean") == 2.75
    assert pool_slices(scores, how="top", share=0.5) == 4
    with pytest.raises(ShapeError):
        pool_slices([], how="max")
