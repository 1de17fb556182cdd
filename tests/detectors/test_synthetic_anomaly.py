"""Synthetic anomaly: what is planted is learned, and only that."""

from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.synthetic_anomaly import SyntheticAnomaly
from halescan.errors import SettingError
from halescan.synthesis.anomalies import plant_anomaly
from halescan.training.run import Run
from halescan.training.schedule import Tensors
from tests.detectors.bodies import healthy

GRID = (32, 40)
RUN = Run(device="cpu", precision="32")
TINY: dict[str, Any] = {"side": None, "width": 8, "depth": 3, "batch_size": 8}


@pytest.fixture(scope="module")
def learned() -> SyntheticAnomaly:
    return SyntheticAnomaly(**TINY, kinds=("noise", "blob"), steps=80, learning_rate=5e-3).fit(
        healthy(24, grid=GRID), run=RUN
    )


def planted(detector: SyntheticAnomaly, images: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    seen = Tensors(torch.from_numpy(images), torch.from_numpy((images > 0).any(1)))
    found = detector._planted(seen, torch.Generator().manual_seed(seed))
    return found[0].numpy(), found[1].numpy()


def test_what_is_planted_in_unseen_images_is_found(learned: SyntheticAnomaly) -> None:
    images = healthy(12, grid=GRID, seed=7)
    made = [
        plant_anomaly(image, kind=("noise", "blob")[n % 2], seed=n, inside=image[0] > 0)
        for n, image in enumerate(images)
    ]
    maps = learned.score(np.stack([one.image for one in made])).map
    assert maps is not None
    labels = np.stack([one.label for one in made]) > 0.3
    body = (images > 0).any(1)
    assert maps[labels & body].mean() > 3 * maps[~labels & body].mean()


def test_outside_what_was_planted_images_are_bit_by_bit_themselves() -> None:
    images = healthy(16, grid=GRID)
    spoilt, labels = planted(SyntheticAnomaly(**TINY), images)
    assert np.array_equal(spoilt[:, 0][labels == 0], images[:, 0][labels == 0])
    assert not np.array_equal(spoilt, images)


def test_the_share_of_clean_images_is_the_one_asked_for() -> None:
    images = np.repeat(healthy(8, grid=GRID), 25, axis=0)
    _, labels = planted(SyntheticAnomaly(**TINY, kinds=("blob",), clean=0.3), images)
    assert 0.2 < float(np.mean(labels.reshape(200, -1).max(1) == 0)) < 0.4


def test_every_kind_asked_for_is_planted_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def note(image: np.ndarray, **asked: object):  # type: ignore[no-untyped-def]
        used.append(asked["kind"])
        return plant_anomaly(image, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr("halescan.detectors.synthetic_anomaly.plant_anomaly", note)
    planted(SyntheticAnomaly(**TINY, kinds=("nsa", "pii"), clean=0), np.repeat(healthy(4, grid=GRID), 8, axis=0))
    assert set(used) == {"nsa", "pii"}


def test_the_same_chance_plants_the_same_and_other_chance_another() -> None:
    images, detector = healthy(6, grid=GRID), SyntheticAnomaly(**TINY)
    assert np.array_equal(planted(detector, images)[0], planted(detector, images)[0])
    assert not np.array_equal(planted(detector, images)[0], planted(detector, images, seed=1)[0])


def test_a_batch_of_one_can_be_planted_in() -> None:
    spoilt, labels = planted(SyntheticAnomaly(**TINY, clean=0), healthy(1, grid=GRID))
    assert spoilt.shape == (1, 1, *GRID)
    assert labels.max() > 0


def test_the_map_is_nothing_outside_the_body_and_nowhere_below(learned: SyntheticAnomaly) -> None:
    images = healthy(4, grid=GRID, seed=3)
    maps = learned.score(images).map
    assert maps is not None
    assert maps.min() == 0
    assert not maps[(images == 0).all(1)].any()


def test_its_pictures_show_what_was_planted_and_found(learned: SyntheticAnomaly) -> None:
    from halescan.types import Batch

    drawn = learned.pictures(Batch(healthy(3, grid=GRID, seed=3)))
    assert list(drawn) == ["planted", "label", "found"]
    assert all(part.shape == (3, 1, *GRID) for part in drawn.values())
    assert 0 <= drawn["found"].min() <= drawn["found"].max() <= 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kinds": ()}, "kinds"),
        ({"kinds": ("draem",)}, "cutpaste"),
        ({"clean": 1.0}, "clean"),
        ({"side": 4}, "side"),
        ({"depth": 9}, "depth"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        SyntheticAnomaly(**wrong)


def test_a_volume_too_flat_to_plant_in_is_refused() -> None:
    with pytest.raises(SettingError, match="pixels along each axis"):
        SyntheticAnomaly(**TINY).fit(healthy(2, grid=(4, 16, 16)), run=RUN)
