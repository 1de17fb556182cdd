"""Parts by unit, stable by hash."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.data.split import CALIBRATE_LEAST, split_parts
from halescan.errors import SettingError


def names(count: int, start: int = 0) -> np.ndarray:
    return np.array([f"patient {number}" for number in range(start, start + count)])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 120), min_size=1, max_size=300), st.integers(0, 99))
def test_every_image_is_in_exactly_one_part_and_no_unit_in_two(units: list[int], seed: int) -> None:
    groups = np.array([f"u{unit}" for unit in units])
    parts = split_parts(groups, seed=seed)
    assert sorted(np.concatenate([parts.learn, parts.choose, parts.calibrate])) == list(range(len(groups)))
    held = [set(groups[part]) for part in (parts.learn, parts.choose, parts.calibrate)]
    assert not held[0] & held[1]
    assert not held[0] & held[2]
    assert not held[1] & held[2]
    if parts.folds:
        assert sorted(np.concatenate(parts.folds)) == list(range(len(groups)))
        assert sum(len(set(groups[fold])) for fold in parts.folds) == len(set(groups))


@given(st.integers(40, 400), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_calibration_gets_its_units_and_learning_keeps_half(count: int, seed: int) -> None:
    parts = split_parts(names(count), seed=seed)
    assert len(parts.calibrate) >= CALIBRATE_LEAST or parts.folds
    assert len(parts.learn) >= count / 2


@given(st.integers(300, 500), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_new_patient_moves_nobody_else(count: int, seed: int) -> None:
    before, after = split_parts(names(count), seed=seed), split_parts(names(count + 1), seed=seed)
    for one, other in ((before.learn, after.learn), (before.choose, after.choose), (before.calibrate, after.calibrate)):
        assert set(one) == set(other) - {count}


def test_the_order_of_the_images_plays_no_part() -> None:
    groups = names(90)
    shuffled = np.random.default_rng(0).permutation(90)
    one, other = split_parts(groups, seed=1), split_parts(groups[shuffled], seed=1)
    assert set(groups[one.calibrate]) == set(groups[shuffled][other.calibrate])


def test_another_seed_is_another_draw() -> None:
    assert not np.array_equal(split_parts(names(200), seed=0).calibrate, split_parts(names(200), seed=1).calibrate)


def test_large_cohorts_are_dealt_in_the_written_shares() -> None:
    parts = split_parts(names(5000), seed=3)
    assert len(parts.calibrate) / 5000 == pytest.approx(0.2, abs=0.02)
    assert len(parts.choose) / 5000 == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (1, (1, 0, 0, 0)),
        (2, (2, 0, 0, 2)),
        (3, (3, 0, 0, 3)),
        (39, (39, 0, 0, 5)),
        (40, (20, 0, 20, 0)),
        (49, (29, 0, 20, 0)),
    ],
)
def test_small_cohorts_are_split_as_written(count: int, sizes: tuple[int, ...]) -> None:
    parts = split_parts(names(count), seed=0)
    assert (len(parts.learn), len(parts.choose), len(parts.calibrate), len(parts.folds)) == sizes


def test_from_fifty_units_on_there_are_some_to_choose_by() -> None:
    parts = split_parts(names(60), seed=0)
    assert len(parts.choose) >= 5


def test_nothing_to_split_is_refused() -> None:
    with pytest.raises(SettingError, match="no healthy scans"):
        split_parts([], seed=0)
