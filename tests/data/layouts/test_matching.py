"""Slices matched by height; patients dealt into parts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from halescan.data.layouts.matching import dealt, matched

slices = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80)


@settings(max_examples=60, deadline=None)
@given(slices)
def test_at_every_height_both_classes_are_as_many_as_the_fewer(drawn: list[tuple[float, bool]]) -> None:
    heights, sick = np.array([height for height, _ in drawn]), np.array([abnormal for _, abnormal in drawn])
    kept = matched(heights, sick, [str(number) for number in range(len(drawn))])
    part = np.minimum((heights * 20).astype(int), 19)
    for one in range(20):
        here = part == one
        fewer = min((here & sick).sum(), (here & ~sick).sum())
        assert (kept & here & sick).sum() == (kept & here & ~sick).sum() == fewer


def test_height_alone_no_longer_tells_healthy_from_abnormal() -> None:
    rng = np.random.default_rng(0)
    heights = np.concatenate([rng.normal(0.6, 0.15, 600), rng.uniform(0, 1, 600)]).clip(0, 1)
    sick = np.arange(1200) < 600
    kept = matched(heights, sick, [str(number) for number in range(1200)])
    assert abs(roc_auc_score(sick, np.abs(heights - 0.6)) - 0.5) > 0.2
    assert abs(roc_auc_score(sick[kept], np.abs(heights[kept] - 0.6)) - 0.5) < 0.03


def test_the_choice_follows_the_names_and_not_the_order() -> None:
    rng = np.random.default_rng(1)
    heights, sick = rng.uniform(0, 1, 200), rng.random(200) < 0.3
    names = np.array([f"slice {number}" for number in range(200)])
    order = rng.permutation(200)
    first = set(names[matched(heights, sick, names)])
    assert set(names[order][matched(heights[order], sick[order], names[order])]) == first


def test_a_share_of_the_patients_is_tested_on_and_newcomers_move_few() -> None:
    names = [f"p{number}" for number in range(100)]
    tested = dealt(names, 0.4)
    assert len(tested) == 40
    assert len(tested ^ (dealt([*names, "new"], 0.4) - {"new"})) <= 1
    assert len(dealt(["a", "b"], 0.1)) == 1
    assert dealt(["a"], 0.9) == set()
