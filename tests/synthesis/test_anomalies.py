"""Planted anomalies: where they say, as strong as they say, the same from the same seed, in 2-D and 3-D."""

import numpy as np
import pytest
from scipy import ndimage

from halescan.errors import SettingError, ShapeError
from halescan.synthesis.anomalies import ANOMALIES, plant_anomaly, plant_each

SHAPES = [(1, 40, 48), (3, 40, 40), (1, 16, 20, 24)]


def healthy(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """A smooth texture in [0, 1]."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth = ndimage.gaussian_filter(noise, (0, *[2.0] * (len(shape) - 1)))
    return (0.5 + 0.15 * smooth / smooth.std()).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ANOMALIES)
def test_nothing_changes_outside_the_label_and_something_inside(kind: str, shape: tuple[int, ...]) -> None:
    image = healthy(shape)
    found = plant_anomaly(image, kind=kind, seed=1, other=healthy(shape, 1))
    assert found.kind == kind
    assert found.image.shape == shape
    assert found.image.dtype == found.label.dtype == np.float32
    assert 0 < found.label.max() <= 1
    assert found.label.min() == 0
    np.testing.assert_array_equal(found.image[:, found.label == 0], image[:, found.label == 0])
    assert np.abs(found.image - image).max() > 1 / 255


@pytest.mark.parametrize("kind", ANOMALIES)
def test_strength_zero_gives_the_image_back(kind: str) -> None:
    image = healthy((1, 32, 32))
    found = plant_anomaly(image, kind=kind, seed=0, other=healthy((1, 32, 32), 1), strength=0)
    np.testing.assert_array_equal(found.image, image)
    assert not found.label.any()


@pytest.mark.parametrize("kind", ANOMALIES)
def test_half_the_strength_changes_half_as_much_at_the_same_place(kind: str) -> None:
    image = healthy((1, 32, 32))
    whole, half = (plant_anomaly(image, kind=kind, seed=3, strength=by) for by in (1.0, 0.5))
    np.testing.assert_allclose(half.image - image, (whole.image - image) / 2, atol=1e-6)
    np.testing.assert_allclose(half.label, whole.label / 2, atol=1e-6)


@pytest.mark.parametrize("kind", ANOMALIES)
def test_the_same_seed_plants_the_same_and_another_another(kind: str) -> None:
    image = healthy((1, 32, 32))
    first, again, other = (plant_anomaly(image, kind=kind, seed=seed).image for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("kind", ["cutpaste", "fpi", "pii", "nsa"])
def test_a_flat_image_into_itself_changes_nothing(kind: str) -> None:
    flat = np.full((1, 24, 24), 0.5, np.float32)
    found = plant_anomaly(flat, kind=kind, seed=0, other=flat)
    np.testing.assert_allclose(found.image, flat)
    assert not found.label.any()


def test_patches_keep_to_the_body_where_there_is_room() -> None:
    inside = np.zeros((64, 64), bool)
    inside[8:56, 32:60] = True
    for seed in range(10):
        label = plant_anomaly(healthy((1, 64, 64)), kind="blob", seed=seed, inside=inside, most=1).label
        assert label[inside].sum() >= 0.5 * label.sum()


def test_fpi_is_a_linear_mix_by_its_label() -> None:
    image, other = healthy((1, 32, 32)), healthy((1, 32, 32), 1)
    found = plant_anomaly(image, kind="fpi", seed=2, other=other, most=1)
    np.testing.assert_allclose(found.image, image + found.label * (other - image), atol=1e-6)


def test_values_stay_in_the_range_of_pictures() -> None:
    image = healthy((1, 32, 32))
    for found in plant_each(np.stack([image] * 4), seed=0):
        assert found.image.min() >= 0
        assert found.image.max() <= 1


def test_each_image_comes_once_with_every_kind() -> None:
    images = np.stack([healthy((1, 24, 24), seed) for seed in range(3)])
    assert [found.kind for found in plant_each(images)] == [*ANOMALIES] * 3


def test_what_cannot_be_is_refused_with_what_can() -> None:
    image = healthy((1, 16, 16))
    with pytest.raises(SettingError, match="cutpaste"):
        plant_anomaly(image, kind="ghost", seed=0)
    with pytest.raises(SettingError, match="strength"):
        plant_anomaly(image, kind="blob", seed=0, strength=2)
    with pytest.raises(ShapeError, match="sides"):
        plant_anomaly(image[:, :4], kind="blob", seed=0)
    with pytest.raises(ShapeError, match="other image"):
        plant_anomaly(image, kind="fpi", seed=0, other=image[:, :, :9])
    with pytest.raises(ShapeError, match="inside"):
        plant_anomaly(image, kind="fpi", seed=0, inside=np.ones((4, 4), bool))
