"""PaDiM: a Gaussian of healthy features at each place."""

from pathlib import Path

import numpy as np
import pytest
import torch

from halescan.detectors.features import BASIS_IMAGES
from halescan.detectors.padim import PaDiM
from halescan.errors import SettingError, TrainingError
from halescan.training.run import Run
from tests.detectors.bodies import healthy, lesion, with_lesion
from tests.networks.tiny import tiny_weights

GRID = (64, 64)
TINY = {"backbone": "tiny", "levels": (2, 3, 6), "grid": 16, "components": 12}


@pytest.fixture(scope="module")
def learned() -> PaDiM:
    return PaDiM(**TINY).fit(healthy(24, grid=GRID), run=Run(device="cpu", weights=tiny_weights()))


def test_a_planted_lesion_is_the_strangest_place(learned: PaDiM) -> None:
    ill = with_lesion(healthy(4, grid=GRID, seed=9), contrast=0.4)
    maps = learned.score(ill).map
    assert maps is not None
    for one in maps:
        y, x = np.unravel_index(one.argmax(), one.shape)
        assert lesion(GRID)[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].any()


def test_the_learned_images_lie_at_the_distance_their_dimensions_give() -> None:
    images = healthy(60, grid=GRID)
    detector = PaDiM(**{**TINY, "components": 6}, shrinkage="none", epsilon=1e-6)
    detector.fit(images, run=Run(device="cpu", weights=tiny_weights()))
    maps = detector.score(images).map
    assert maps is not None
    assert float(np.square(maps).mean()) == pytest.approx(6, rel=0.02)


def test_the_order_of_the_images_changes_nothing(learned: PaDiM) -> None:
    space = learned._ready()
    images = healthy(24, grid=GRID)
    one, two = space.describe(torch.from_numpy(images)), space.describe(torch.from_numpy(images[::-1].copy()))
    torch.testing.assert_close(one, two.flip(0), atol=1e-5, rtol=1e-5)


def test_its_state_restores_the_same_scores_without_any_file(learned: PaDiM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALESCAN_WEIGHTS", "/nowhere")
    images = healthy(3, grid=GRID, seed=5)
    again = PaDiM(**TINY).restore(learned.state())
    assert again.backbone_origin == learned.backbone_origin == "weights"
    np.testing.assert_allclose(again.score(images).map, learned.score(images).map, rtol=1e-6)


def test_without_weights_an_encoder_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALESCAN_WEIGHTS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    detector = PaDiM(grid=8, components=8, encoder_steps=2)
    assert detector.backbone_origin is None
    detector.fit(healthy(6, grid=GRID), run=Run(device="cpu", weights=tmp_path))
    assert detector.backbone_origin == "own"


def test_one_image_is_too_few() -> None:
    with pytest.raises(TrainingError, match="two healthy images"):
        PaDiM(**TINY).fit(healthy(1, grid=GRID))


def test_settings_out_of_range_are_refused() -> None:
    for wrong in ({"shrinkage": "some"}, {"epsilon": 0.0}, {"aggregate": 2}):
        with pytest.raises(SettingError):
            PaDiM(**wrong)


def test_with_a_backbone_at_hand_another_seed_changes_nothing_up_to_the_images_of_the_basis() -> None:
    runs = [Run(seed=seed, device="cpu", weights=tiny_weights()) for seed in (1, 2)]
    detector = PaDiM(**TINY)
    assert detector.same_in_every_seed(24, detector.check_run(runs[0]))
    assert not detector.same_in_every_seed(BASIS_IMAGES + 1, detector.check_run(runs[0]))
    assert not detector.same_in_every_seed(24, "own")
    images = healthy(24, grid=GRID)
    maps = [PaDiM(**TINY).fit(images, run=run).score(images[:2]).map for run in runs]
    np.testing.assert_array_equal(*maps)
