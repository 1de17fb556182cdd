"""Uninformed students: their error and their doubt, measured in healthy spreads."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halescan.detectors.uninformed_students import UninformedStudents, _kept_back
from halescan.errors import SettingError
from halescan.training.run import Progress, Run
from halescan.types import Batch, Stack
from tests.detectors.bodies import healthy, with_lesion
from tests.networks.tiny import tiny_weights

RUN = Run(device="cpu", precision="32", weights=tiny_weights())
GRID = (32, 32)
SMALL: dict[str, Any] = {
    "backbone": "tiny",
    "levels": (2, 4),
    "side": 32,
    "components": 6,
    "students": 2,
    "widths": (4, 8),
    "steps": 80,
    "teacher_steps": 60,
    "batch_size": 8,
    "learning_rate": 5e-3,
}


def fitted(run: Run = RUN, **changes: Any) -> UninformedStudents:
    check = Stack(healthy(8, grid=GRID, seed=3))
    return UninformedStudents(**SMALL | changes).fit(healthy(16, grid=GRID), check=check, run=run)


@cache
def known() -> UninformedStudents:
    return fitted()


def test_uninformed_students_on_the_check_images_both_parts_have_mean_0_and_spread_1() -> None:
    parts = known()._error_and_doubt(Batch(healthy(8, grid=GRID, seed=3)))
    means, spreads = known()._moments
    for part, mean, spread in zip(parts, means, spreads, strict=True):
        standard = (part - mean) / spread
        assert standard.mean() == pytest.approx(0, abs=1e-4)
        assert standard.std() == pytest.approx(1, abs=1e-4)
    strange = known().score(healthy(8, grid=GRID, seed=3)).map
    assert strange is not None
    assert strange.mean() == pytest.approx(0, abs=1e-4)


def test_uninformed_students_are_standardised_within_the_masks() -> None:
    detector, check = known(), healthy(8, grid=GRID, seed=3)
    masks = np.asarray((check > 0).any(1))
    within = detector._standardise(Stack(check, mask=masks))
    errors, _ = detector._error_and_doubt(Batch(check))
    step = GRID[0] // errors.shape[1]
    there = masks[:, step // 2 :: step, step // 2 :: step]
    assert within[0, 0] == pytest.approx(errors[there].mean(), rel=1e-4)
    assert within[0, 0] != pytest.approx(detector._standardise(Stack(check))[0, 0], rel=1e-2)


def test_students_of_one_mind_leave_their_error_alone_to_the_map() -> None:
    detector, images = fitted(steps=5), healthy(2, grid=GRID, seed=5)
    first, second = detector._students.each
    second.load_state_dict(first.state_dict())
    error, doubt = detector._error_and_doubt(Batch(images))
    assert np.abs(doubt).max() < 1e-9
    detector._moments = np.array([[0, 0], [1, 1]], np.float32)
    np.testing.assert_allclose(detector.score(images).map, error, atol=1e-6)


def test_one_student_has_no_doubt_and_still_sees_a_lesion() -> None:
    detector, plain = fitted(students=1), healthy(4, grid=GRID, seed=5)
    before, after = detector.score(plain).map, detector.score(with_lesion(plain, contrast=0.5)).map
    assert before is not None
    assert after is not None
    assert np.isfinite(after).all()
    assert (after.max((1, 2)) > before.max((1, 2))).all()


@pytest.mark.parametrize("changes", [{"teacher": "distilled"}, {"loss": "hardest"}])
def test_a_lesion_shows_to_other_kinds_of_students_too(changes: dict[str, str]) -> None:
    detector, plain = fitted(**changes), healthy(4, grid=GRID, seed=5)
    before, after = detector.score(plain).map, detector.score(with_lesion(plain, contrast=0.5)).map
    assert before is not None
    assert after is not None
    assert (after.max((1, 2)) > before.max((1, 2))).all()


def test_a_distilled_teacher_goes_the_way_through_arrays() -> None:
    detector, images = fitted(teacher="distilled", steps=5, teacher_steps=5), healthy(2, grid=GRID, seed=5)
    again = UninformedStudents(**detector.settings).restore(detector.state())
    assert again.score(images).map == pytest.approx(detector.score(images).map, abs=1e-6)


def test_the_students_learn_one_as_if_the_others_were_not_there() -> None:
    one, three = (fitted(students=count, steps=20)._students.each[0] for count in (1, 3))
    for mine, theirs in zip(one.parameters(), three.parameters(), strict=True):
        assert mine.detach().numpy() == pytest.approx(theirs.detach().numpy(), abs=2e-3)


def test_without_check_images_a_tenth_is_kept_back_and_not_learned_from() -> None:
    images = Stack(np.arange(40, dtype=np.float32).reshape(40, 1, 1, 1))
    learned, apart = (part.take(range(len(part))).images.ravel() for part in _kept_back(images, RUN))
    assert len(apart) == 4
    assert sorted([*learned, *apart]) == list(range(40))
    assert np.array_equal(np.concatenate([batch.images.ravel() for batch in _kept_back(images, RUN)[0]]), learned)
    alone = Stack(np.zeros((1, 1, 1, 1), np.float32))
    assert [len(part) for part in _kept_back(alone, RUN)] == [1, 1]


def test_interrupted_and_resumed_it_is_the_same_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)

    def stop(progress: Progress) -> None:
        if progress.stage == "uninformed-students" and progress.done == 57:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(run=replace(RUN, folder=tmp_path, listen=stop), teacher="distilled", teacher_steps=20)
    images = healthy(2, grid=GRID, seed=5)
    resumed = fitted(run=replace(RUN, folder=tmp_path, resume=True), teacher="distilled", teacher_steps=20)
    whole = fitted(teacher="distilled", teacher_steps=20)
    assert resumed.score(images).map == pytest.approx(whole.score(images).map, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"teacher": "kind"},
        {"loss": "global"},
        {"students": 0},
        {"components": 0},
        {"widths": ()},
        {"widths": (8, 8, 8, 8, 8, 8, 8, 8)},
        {"teacher_steps": 0},
    ],
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        UninformedStudents(**wrong)
