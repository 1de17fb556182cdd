"""Trivial statistics of images whose statistics are known, and what they are worth as detectors."""

import numpy as np
import pytest

from halescan.errors import NotFitted, SettingError, ShapeError
from halescan.evaluation.baselines import (
    HealthyMean,
    Trivial,
    baseline_metrics,
    columns,
    either_direction,
    trivial_statistics,
)

RANDOM = np.random.default_rng(0)


def test_a_flat_image_has_brightness_and_nothing_else() -> None:
    found = trivial_statistics(np.full((1, 8, 8), 0.25, np.float32))
    assert found == {"brightness": 0.25, "contrast": 0, "entropy": 0, "sharpness": 0, "asymmetry": 0}


def test_a_half_bright_image_has_one_bit_and_full_asymmetry() -> None:
    image = np.zeros((1, 8, 8), np.float32)
    image[..., 4:] = 1
    found = trivial_statistics(image, file_bytes=321)
    assert (found["contrast"], found["entropy"], found["asymmetry"], found["file-size"]) == (0.5, 1, 1, 321)


def test_a_blurred_image_is_less_sharp_and_a_mirrored_one_equally_asymmetric() -> None:
    image = RANDOM.random((1, 32, 32)).astype(np.float32)
    blurred = (image + np.roll(image, 1, -1) + np.roll(image, 1, -2)) / 3
    assert trivial_statistics(blurred)["sharpness"] < 0.7 * trivial_statistics(image)["sharpness"]
    assert trivial_statistics(image[..., ::-1])["asymmetry"] == pytest.approx(trivial_statistics(image)["asymmetry"])


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 4, 8, 8), (1, 1, 1)])
def test_colour_volumes_and_single_pixels_are_taken(shape: tuple) -> None:
    assert all(np.isfinite(value) for value in trivial_statistics(RANDOM.random(shape)).values())


def test_an_image_without_channels_is_refused() -> None:
    with pytest.raises(ShapeError, match="channels"):
        trivial_statistics(np.zeros((8, 8)))


def test_both_directions_from_healthy_are_strange() -> None:
    trivial = Trivial().fit([{"brightness": value} for value in (0.4, 0.5, 0.6)])
    found = trivial.score([{"brightness": value} for value in (0.5, 0.2, 0.8)])["brightness"]
    assert found[0] == 0
    assert found[1] == pytest.approx(found[2])
    assert found[1] == pytest.approx(0.3 / (1.4826 * 0.1))


def test_a_statistic_that_some_rows_lack_is_left_out() -> None:
    trivial = Trivial().fit([{"brightness": 0.1, "file-size": 9}, {"brightness": 0.3, "file-size": 7}])
    assert set(trivial.score([{"brightness": 0.2}])) == {"brightness"}
    assert set(columns([{"a": 1, "b": 2}, {"a": 3}])) == {"a"}


def test_healthy_rows_without_any_spread_still_give_finite_scores() -> None:
    found = Trivial().fit([{"contrast": 0.2}] * 3).score([{"contrast": 0.2}, {"contrast": 0.5}])["contrast"]
    assert found.tolist() == pytest.approx([0, 0.3])


def test_the_healthy_mean_finds_a_planted_square() -> None:
    healthy = 0.5 + 0.05 * RANDOM.normal(size=(40, 1, 12, 12))
    ill = healthy[:5].copy()
    ill[:, :, 3:7, 3:7] += 0.4
    mean = HealthyMean().fit([healthy[:20], healthy[20:35]])
    assert mean.score(ill).min() > mean.score(healthy[35:]).max()


def test_the_healthy_mean_learns_the_same_in_batches_as_at_once() -> None:
    images = RANDOM.random((9, 1, 4, 4))
    whole, parts = HealthyMean().fit([images]), HealthyMean().fit([images[:2], images[2:]])
    np.testing.assert_allclose(whole.mean, images.mean(axis=0))
    np.testing.assert_allclose(parts.spread, np.maximum(images.std(axis=0, ddof=1), 0.1 * images.std(0, ddof=1).mean()))


def test_a_corner_that_never_changes_does_not_outweigh_the_rest() -> None:
    images = RANDOM.random((9, 1, 4, 4))
    images[:, :, 0, 0] = 0
    changed = images[:1].copy()
    changed[:, :, 0, 0] = 1e-6
    mean = HealthyMean().fit([images])
    assert mean.score(changed)[0] == pytest.approx(mean.score(images[:1])[0], rel=1e-4)


def test_asking_before_learning_and_learning_from_nothing_are_refused() -> None:
    with pytest.raises(NotFitted):
        Trivial().score([{"brightness": 1.0}])
    with pytest.raises(NotFitted):
        HealthyMean().score(np.zeros((1, 1, 2, 2)))
    with pytest.raises(SettingError):
        Trivial().fit([])
    with pytest.raises(SettingError):
        HealthyMean().fit([])
    with pytest.raises(ShapeError):
        HealthyMean().fit([np.zeros((1, 1, 2, 2))]).score(np.zeros((1, 1, 3, 3)))


def test_the_better_direction_is_marked_as_chosen_with_the_labels() -> None:
    assert either_direction({"value": 0.2, "low": 0.1, "high": 0.35}) == {
        "value": 0.8,
        "low": 0.65,
        "high": 0.9,
        "optimistic": True,
    }
    assert either_direction({"value": 0.7, "low": 0.6, "high": 0.8})["value"] == 0.7
    assert either_direction({"value": None, "low": None, "high": None, "why": "no cases"})["value"] is None


def test_baselines_are_reported_two_sided_and_in_the_better_direction() -> None:
    labels = np.arange(40) >= 20
    brightness = np.where(labels, 0.2, 0.5) + 0.01 * RANDOM.normal(size=40)
    strange = np.abs(brightness - 0.5)
    found = baseline_metrics(labels, {"brightness": strange}, values={"brightness": brightness}, draws=100)
    assert found["brightness"]["auroc"]["value"] == 1
    assert found["brightness"]["auroc_either_direction"] == {"value": 1, "low": 1, "high": 1, "optimistic": True}
