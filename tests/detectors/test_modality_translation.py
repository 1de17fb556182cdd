"""Modality translation: agreement is no finding, and only what breaks the relation between contrasts is."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halescan.detectors.modality_translation import ModalityTranslation
from halescan.errors import SettingError, ShapeError
from halescan.training.run import Progress, Run
from halescan.types import Batch, Stack
from tests.detectors.bodies import contrasts, healthy, lesion, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {"side": 16, "width": 8, "depth": 2, "steps": 80, "batch_size": 8, "learning_rate": 1e-2}
INSIDE = lesion((16, 16))


def fitted(images: np.ndarray, run: Run = RUN, **changes: Any) -> ModalityTranslation:
    return ModalityTranslation(**SMALL | changes).fit(images, run=run)


@cache
def known() -> ModalityTranslation:
    return fitted(contrasts(24, grid=(16, 16)))


def map_of(detector: ModalityTranslation, images: np.ndarray) -> np.ndarray:
    found = detector.score(images).map
    assert found is not None
    return found


def inverted(count: int, *, contrast: float = 0.0, seed: int = 0) -> np.ndarray:
    """Two contrasts that are each other's negative, lesion or not."""
    one = with_lesion(healthy(count, grid=(16, 16), seed=seed), contrast=contrast)
    return np.concatenate([one, (1 - one) * (one > 0), one * 0], axis=1)


def nearly_equal(count: int, *, seed: int = 0) -> np.ndarray:
    """Three contrasts that differ by a twentieth of their grey."""
    return healthy(count, grid=(16, 16), channels=3, seed=seed) * np.array([1, 0.95, 0.9], np.float32)[:, None, None]


def test_of_nearly_equal_contrasts_it_is_nearly_the_identity_and_sees_no_lesion_that_both_show() -> None:
    detector = fitted(nearly_equal(24), steps=200)
    images = nearly_equal(4, seed=5)
    assert map_of(detector, images).mean() < 0.02
    both, one = with_lesion(images, contrast=0.2), with_lesion(images, contrast=0.2)
    one[:, 1:] = images[:, 1:]
    assert map_of(detector, one)[:, INSIDE].mean() > 3 * map_of(detector, both)[:, INSIDE].mean()


def test_modality_translation_learns_an_inverted_contrast() -> None:
    """x to 1 - x and back is no loss: a change that keeps to it is none, within the greys that were learned."""
    detector = fitted(inverted(24), sources=(1,), steps=200)
    assert map_of(detector, inverted(4, seed=5)).mean() < 0.02
    kept, broken = inverted(4, seed=5, contrast=-0.2), inverted(4, seed=5)
    broken[:, 0] -= 0.2 * INSIDE
    assert map_of(detector, broken)[:, INSIDE].mean() > 3 * map_of(detector, kept)[:, INSIDE].mean()


def test_the_map_is_the_residual_of_the_target_and_the_other_channels_stay() -> None:
    images = contrasts(3, grid=(16, 16), seed=5)
    scores = known().score(images)
    assert scores.map is not None
    assert scores.reconstruction is not None
    np.testing.assert_allclose(scores.map, np.abs(images - scores.reconstruction)[:, 0], atol=1e-6)
    np.testing.assert_array_equal(scores.reconstruction[:, 1:], images[:, 1:])


@pytest.mark.parametrize("target", [0, 1, 2])
def test_any_channel_can_be_the_target(target: int) -> None:
    detector = fitted(contrasts(24, grid=(16, 16)), target=target)
    plain = contrasts(4, grid=(16, 16), seed=5)
    ill = plain.copy()
    ill[:, target] += 0.4 * INSIDE
    assert (map_of(detector, ill)[:, INSIDE].mean(1) > 2 * map_of(detector, plain)[:, INSIDE].mean(1)).all()


def test_outside_the_body_there_is_no_disagreement() -> None:
    images = contrasts(3, grid=(16, 16), seed=5)
    mask = np.zeros((3, 16, 16), bool)
    mask[:, 4:12, 4:12] = True
    found = known().score(Batch(images, mask)).map
    assert found is not None
    assert not found[~mask].any()
    assert found[mask].any()


def test_empty_slices_teach_nothing_and_stop_nothing() -> None:
    images = np.zeros((4, 3, 16, 16), np.float32)
    detector = ModalityTranslation(**SMALL | {"steps": 3}).fit(Stack(images, mask=images[:, 0] > 0), run=RUN)
    assert np.isfinite(map_of(detector, images)).all()


def test_a_channel_that_is_no_source_has_no_say() -> None:
    detector = fitted(contrasts(16, grid=(16, 16)), sources=(1,), steps=20)
    images = contrasts(2, grid=(16, 16), seed=5)
    other = images.copy()
    other[:, 2] = images[::-1, 2]
    mask = np.ones((2, 16, 16), bool)  # else every channel says where the body is
    one, two = (detector.score(Batch(part, mask)).map for part in (images, other))
    np.testing.assert_array_equal(one, two)


def test_a_single_channel_is_refused_with_the_ways_to_give_several() -> None:
    with pytest.raises(ShapeError, match=r"3 channels, got 1.*contrast=flair\+t1\+t2.*\.npy.*profile.channels=3"):
        ModalityTranslation().fit(healthy(4, grid=(16, 16)))


def test_grey_images_copied_into_three_channels_are_refused_before_anything_is_learned() -> None:
    heard: list[Progress] = []
    grey = healthy(4, grid=(16, 16), channels=3)
    with pytest.raises(ShapeError, match=r"channels 0 and 1 of an image are the same picture.*\.npy"):
        fitted(grey, run=replace(RUN, listen=heard.append))
    with pytest.raises(ShapeError, match="channels 0 and 2"):
        fitted(np.concatenate([contrasts(9, grid=(16, 16)), grey[:1]]), sources=(2,))
    assert not heard


def test_a_copy_that_has_no_say_is_no_matter() -> None:
    images = contrasts(2, grid=(16, 16))
    images[:, 1] = images[:, 0]
    ModalityTranslation(sources=(2,)).check_content(images)
    ModalityTranslation(target=2).check_content(images)  # the other two are equal, and both tell of the third


def test_pictures_show_the_contrast_and_its_prediction() -> None:
    images = known().pictures(Batch(contrasts(2, grid=(16, 16), seed=5)))
    assert list(images) == ["original", "predicted"]
    assert images["predicted"].shape == (2, 1, 16, 16)


def test_interrupted_and_resumed_it_is_the_same_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)

    def stop(progress: Progress) -> None:
        if progress.done == 57:
            raise KeyboardInterrupt

    cohort = contrasts(24, grid=(16, 16))
    with pytest.raises(KeyboardInterrupt):
        fitted(cohort, run=replace(RUN, folder=tmp_path, listen=stop))
    images = contrasts(2, grid=(16, 16), seed=5)
    resumed = fitted(cohort, run=replace(RUN, folder=tmp_path, resume=True))
    np.testing.assert_allclose(map_of(resumed, images), map_of(known(), images), atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": 3},
        {"sources": ()},
        {"sources": (0, 1)},
        {"sources": (3,)},
        {"residual": "l3"},
        {"width": 0},
        {"side": 4},
        {"depth": 0},
        {"depth": 40},
    ],
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        ModalityTranslation(**wrong)
