"""AnomalyDINO: tokens of a tiny vision transformer against those remembered."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.anomaly_dino import AnomalyDINO
from halescan.errors import ModelError, SettingError, TrainingError
from halescan.training.run import Run
from halescan.types import Batch, Stack
from tests.detectors.bodies import healthy
from tests.networks.tiny_vit import LAYERS, WIDTH, tiny_vit_weights

GRID = (112, 112)
TINY: dict[str, Any] = {"backbone": "tiny-vit", "level": LAYERS, "coreset": None}


def run() -> Run:
    return Run(device="cpu", weights=tiny_vit_weights())


def fitted(count: int = 8, **settings: Any) -> AnomalyDINO:
    return AnomalyDINO(**{**TINY, **settings}).fit(healthy(count, grid=GRID), run=run())


@pytest.fixture(scope="module")
def learned() -> AnomalyDINO:
    return fitted()


def map_of(detector: AnomalyDINO, images: np.ndarray) -> np.ndarray:
    found = detector.score(images).map
    assert found is not None
    return found


def test_the_map_has_a_place_a_patch_and_remembered_images_are_not_strange(learned: AnomalyDINO) -> None:
    found = map_of(learned, healthy(8, grid=GRID))
    assert found.shape == (8, 8, 8)
    assert learned.backbone_origin == "weights"
    assert found.max() < 1e-3  # tokens are remembered in half precision
    assert map_of(learned, healthy(2, grid=GRID, seed=5)).max() > 1e-2


def test_the_distance_is_one_minus_the_cosine_to_the_nearest_token(learned: AnomalyDINO) -> None:
    images = healthy(2, grid=GRID, seed=5)
    extractor = learned._ready()

    def tokens(some: np.ndarray) -> np.ndarray:
        found = extractor.levels(torch.from_numpy(some))[0].permute(0, 2, 3, 1).numpy().astype(float)
        found -= found.mean(-1, keepdims=True)
        return found / np.linalg.norm(found, axis=-1, keepdims=True)

    known = healthy(8, grid=GRID)
    inside = (known[:, 0] > 0).reshape(8, 8, 14, 8, 14).mean((2, 4)) >= 0.25
    bank = tokens(known)[inside]
    expected = 1 - (tokens(images).reshape(-1, WIDTH) @ bank.T).max(1).reshape(2, 8, 8)
    expected *= (images[:, 0] > 0).reshape(2, 8, 14, 8, 14).mean((2, 4)) >= 0.25
    np.testing.assert_allclose(map_of(learned, images), expected, atol=2e-3)


def test_a_foreign_texture_is_far_from_all_that_is_remembered(learned: AnomalyDINO) -> None:
    images = healthy(4, grid=GRID, seed=5)
    ill = images.copy()
    ill[:, :, 42:70, 42:70] += 0.5 * (np.indices((28, 28)).sum(0) // 2 % 2)
    rise = map_of(learned, ill) - map_of(learned, images)
    assert (rise[:, 3:5, 3:5].mean((1, 2)) > 3 * rise.mean((1, 2))).all()


def test_outside_the_tissue_nothing_is_compared(learned: AnomalyDINO) -> None:
    images, mask = healthy(2, grid=GRID, seed=5), np.zeros((2, *GRID), bool)
    mask[:, :56] = True
    found = learned.score(Batch(images, mask)).map
    assert found is not None
    assert not found[:, 4:].any()
    assert found[:, :4].any()
    assert not map_of(learned, np.zeros_like(images)).any()
    assert map_of(fitted(2, tissue=False), np.zeros_like(images) + 1e-9).shape == (2, 8, 8)


def test_a_few_shots_are_enough_and_more_leave_less_strange() -> None:
    images = healthy(4, grid=GRID, seed=5)
    one, many = fitted(8, shots=1), fitted(8)
    assert one._bank is not None
    assert many._bank is not None
    assert len(one._bank.patches) <= 64 < len(many._bank.patches)
    assert map_of(one, images).mean() > map_of(many, images).mean()


@pytest.mark.parametrize(
    ("views", "turned"), [("mirror", lambda x: x[..., ::-1]), ("turns", lambda x: np.rot90(x, 1, (2, 3)))]
)
def test_views_make_mirrored_or_turned_images_known(views: str, turned: Any) -> None:
    seen = np.ascontiguousarray(turned(healthy(3, grid=GRID)))
    assert map_of(fitted(3, views=views), seen).max() < 1e-3
    assert map_of(fitted(3), seen).max() > 1e-2


def test_a_coreset_keeps_so_many_and_memory_is_a_limit() -> None:
    small, tight = fitted(coreset=20), fitted(memory_mb=2 * WIDTH * 30 / 1e6)
    assert small._bank is not None
    assert tight._bank is not None
    assert len(small._bank.patches) == 20
    assert len(tight._bank.patches) <= 30
    with pytest.raises(SettingError, match="one token"):
        fitted(2, memory_mb=1e-6)


def test_what_is_gathered_to_choose_from_stays_within_memory_however_many_images_there_are() -> None:
    detector = fitted(2, memory_mb=2 * WIDTH * 5 / 1e6, views="mirror")
    rows = detector._gathered(Stack(healthy(40, grid=GRID)), 5, run())
    assert len(rows) <= 2 * 5


def test_images_of_any_size_are_brought_to_whole_patches() -> None:
    images = healthy(4, grid=(60, 75))
    plain = AnomalyDINO(**TINY).fit(images, run=run()).score(images).map
    larger = AnomalyDINO(**TINY, side=150).fit(images, run=run()).score(images).map
    assert plain is not None
    assert larger is not None
    assert plain.shape == (4, 4, 5)
    assert larger.shape == (4, 9, 11)


def test_a_transformer_that_was_taught_with_one_size_of_image_takes_others_too() -> None:
    detector = AnomalyDINO(**{**TINY, "backbone": "plain-vit"}).fit(healthy(3, grid=(60, 75)), run=run())
    assert map_of(detector, healthy(2, grid=(60, 75))).shape == (2, 4, 5)


def test_it_comes_back_from_its_state_without_any_file(learned: AnomalyDINO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALESCAN_WEIGHTS", "/nowhere")
    images = healthy(2, grid=GRID, seed=5)
    again = AnomalyDINO(**TINY).restore(learned.state())
    np.testing.assert_allclose(map_of(again, images), map_of(learned, images), atol=2e-3)
    with pytest.raises(ModelError, match="rows"):
        AnomalyDINO(**TINY).restore(learned.state() | {"bank": np.zeros(4, np.float16)})


def test_without_a_transformer_at_hand_an_encoder_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALESCAN_WEIGHTS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    detector = AnomalyDINO(encoder_steps=2).fit(healthy(4, grid=(64, 64)), run=Run(device="cpu"))
    assert detector.backbone_origin == "own"
    assert map_of(detector, healthy(2, grid=(64, 64))).shape == (2, 4, 4)


def test_images_without_tissue_and_settings_without_sense_are_refused() -> None:
    with pytest.raises(TrainingError, match="tissue"):
        AnomalyDINO(**TINY).fit(np.zeros((2, 1, *GRID), np.float32), run=run())
    for wrong, said in (
        ({"level": 0}, "level"),
        ({"shots": 0}, "shots"),
        ({"side": 4}, "side"),
        ({"views": "all"}, "views"),
    ):
        with pytest.raises(SettingError, match=said):
            AnomalyDINO(**wrong)  # type: ignore[arg-type]
