"""Symmetry: one side against the other, and each place against its organ, in healthy spreads."""

import numpy as np
import pytest

from halescan.detectors.symmetry import Symmetry
from halescan.errors import ModelError, SettingError, TrainingError
from halescan.training.run import Run
from halescan.types import Batch
from tests.detectors.bodies import healthy

GRID = (48, 64)
RUN = Run(device="cpu")
SPOT, GHOST = (slice(30, 35), slice(20, 25)), (slice(30, 35), slice(39, 44))


@pytest.fixture(scope="module")
def learned() -> Symmetry:
    return Symmetry().fit(healthy(30, grid=GRID), run=RUN)


def map_of(detector: Symmetry, images: np.ndarray) -> np.ndarray:
    found = detector.score(images).map
    assert found is not None
    return found


def spotted(contrast: float, where: tuple[slice, slice] = SPOT) -> np.ndarray:
    images = healthy(6, grid=GRID, seed=9)
    images[(slice(None), slice(None), *where)] += contrast
    return images


def test_a_spot_on_one_side_leaves_no_ghost_on_the_other(learned: Symmetry) -> None:
    away = map_of(learned, spotted(0.3)) - map_of(learned, spotted(0.0))
    there, ghost = away[:, *SPOT].mean(), away[:, *GHOST].mean()
    assert there > 1
    assert ghost < 0.25 * there


def test_asymmetry_alone_is_blind_to_what_lies_on_both_sides_and_intensity_is_not() -> None:
    images = spotted(0.0)
    both = images.copy()
    both[:, :, 30:35, 20:25] += 0.3
    both[:, :, 30:35, 39:44] += 0.3
    raised = {}
    for share in (0.0, 1.0):
        detector = Symmetry(asymmetry=share).fit(healthy(30, grid=GRID), run=RUN)
        one = map_of(detector, spotted(0.3))[:, *SPOT].mean()
        raised[share] = map_of(detector, both)[:, *SPOT].mean() / one
    assert raised[1.0] < 0.5
    assert raised[0.0] > 0.8


def test_the_scanner_s_gain_and_offset_do_not_matter() -> None:
    images, more = healthy(20, grid=GRID), spotted(0.2)
    masks = np.asarray((more > 0).any(1))
    detector = Symmetry(tilt_deg=0, shift=0)
    plain = map_of(detector.fit(images, run=RUN), more)
    inside = masks[:, None]
    louder = np.where(inside, 0.7 * more + 0.1, 0).astype(np.float32)
    found = detector.score(Batch(louder, masks)).map
    assert found is not None
    np.testing.assert_allclose(found, plain, atol=2e-3)


def test_brighter_and_darker_share_what_both_shows(learned: Symmetry) -> None:
    images = spotted(0.2)
    parts = {
        way: map_of(Symmetry(direction=way).restore(learned.state()), images) for way in ("both", "brighter", "darker")
    }
    np.testing.assert_allclose(parts["brighter"] + parts["darker"], parts["both"], atol=1e-6)
    assert parts["brighter"][:, 32, 22].min() > 1
    assert parts["darker"][:, 32, 22].max() == 0


def test_an_asymmetry_that_all_healthy_have_is_not_strange() -> None:
    images, others = healthy(30, grid=GRID), healthy(4, grid=GRID, seed=9)
    images[:, :, 30:35, 20:25] += 0.3  # as the heart
    others[:, :, 30:35, 20:25] += 0.3
    found = map_of(Symmetry().fit(images, run=RUN), others)
    assert found[:, *SPOT].mean() < 2


def test_outside_the_organ_the_map_is_nothing(learned: Symmetry) -> None:
    images = spotted(0.2)
    assert not map_of(learned, images)[(images == 0).all(1)].any()
    assert not map_of(learned, np.zeros_like(images)).any()


def test_left_and_right_may_run_along_another_axis(learned: Symmetry) -> None:
    turned = Symmetry(axis=-2).fit(healthy(30, grid=GRID).swapaxes(2, 3).copy(), run=RUN)
    images = spotted(0.2)
    found = map_of(turned, images.swapaxes(2, 3).copy()).swapaxes(1, 2)
    np.testing.assert_allclose(found, map_of(learned, images), atol=1e-4)


def test_the_statistics_are_those_of_the_places_covered() -> None:
    images = healthy(12, grid=GRID)
    detector = Symmetry(tilt_deg=0, shift=0, blur_px=0, smooth_px=0, floor=1e-6).fit(images, run=RUN)
    seen = list(detector._seen(Batch(images)))
    middle = np.array([one.bright[10, 32] for one in seen])  # inside every body
    share = 12 / 14
    level = sum((one.bright * one.inside).sum() for one in seen) / sum(one.inside.sum() for one in seen)
    assert detector._mean[1, 10, 32] == pytest.approx(share * middle.mean() + (1 - share) * level, abs=1e-4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"asymmetry": 1.5}, "asymmetry"),
        ({"direction": "up"}, "direction"),
        ({"blur_px": -1.0}, "blur_px"),
        ({"tilt_deg": 60.0}, "tilt_deg"),
        ({"axis": 0}, "axis"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Symmetry(**wrong)


def test_an_axis_that_is_not_there_and_a_single_image_are_refused() -> None:
    with pytest.raises(SettingError, match="axis -3"):
        Symmetry(axis=-3).fit(healthy(3, grid=GRID), run=RUN)
    with pytest.raises(TrainingError, match="two"):
        Symmetry().fit(healthy(1, grid=GRID), run=RUN)


def test_statistics_of_another_grid_are_refused(learned: Symmetry) -> None:
    state = learned.state() | {"mean": np.zeros((2, 4, 4), np.float32)}
    with pytest.raises(ModelError, match="grid"):
        Symmetry().restore(state)
