"""Feature autoencoder: features are drawn again, and what is lost is strange."""

from pathlib import Path

import numpy as np
import pytest
import torch

from halescan.detectors.feature_autoencoder import FeatureAutoencoder
from halescan.errors import SettingError
from halescan.training.run import Run
from halescan.types import Stack
from tests.detectors.bodies import healthy, with_lesion
from tests.networks.tiny import tiny_weights

GRID = (64, 64)
RUN = Run(device="cpu", precision="32", weights=tiny_weights())
TINY = {
    "backbone": "tiny",
    "levels": (3, 6),
    "grid": 16,
    "components": 8,
    "widths": (16, 16),
    "latent": 8,
    "batch_size": 8,
}


def fitted(**settings: object) -> FeatureAutoencoder:
    return FeatureAutoencoder(**{**TINY, "steps": 60, **settings}).fit(healthy(24, grid=GRID), run=RUN)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def learned() -> FeatureAutoencoder:
    return fitted()


@pytest.mark.parametrize("distance", ["ssim", "l2"])
def test_what_is_drawn_perfectly_is_at_no_distance(distance: str) -> None:
    features = torch.randn(2, 8, 16, 16, generator=torch.Generator().manual_seed(0)) / 6
    detector = FeatureAutoencoder(distance=distance)  # type: ignore[arg-type]
    assert float(detector._apart(features, features).abs().max()) < 1e-5
    assert float(detector._apart(features, features + 0.1).min()) > 0


def test_l2_is_the_mean_square_in_the_features_own_unit() -> None:
    one, two = torch.rand(2, 1, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    found = FeatureAutoencoder(distance="l2")._apart(one / 6, two / 6)
    torch.testing.assert_close(found, (one - two).square().mean(1))


def test_it_learns_to_draw_healthy_features(learned: FeatureAutoencoder) -> None:
    images = healthy(8, grid=GRID, seed=4)
    short = fitted(steps=1).score(images).map
    found = learned.score(images).map
    assert found is not None
    assert short is not None
    assert found.mean() < 0.8 * short.mean()


def test_a_lesion_raises_the_map_where_it_lies() -> None:
    detector, images = fitted(distance="l2"), healthy(4, grid=GRID, seed=4)
    plain, ill = detector.score(images).map, detector.score(with_lesion(images, contrast=0.5)).map
    assert plain is not None
    assert ill is not None
    assert ((ill - plain)[:, 7:9, 7:9].mean((1, 2)) > 4 * np.abs(ill - plain).mean((1, 2))).all()


def test_what_is_kept_stays_within_its_memory() -> None:
    images = healthy(24, grid=GRID)
    each = 2 * 8 * 16 * 16
    detector = fitted(memory_mb=7.5 * each / 1e6, steps=2)
    assert detector._room() == 7
    kept = detector._kept(Stack(images), np.arange(7), RUN)
    assert kept.rows.nbytes <= 7.5 * each
    with pytest.raises(SettingError, match="does not hold one image"):
        fitted(memory_mb=0.5 * each / 1e6)


def test_the_backbone_is_frozen(learned: FeatureAutoencoder) -> None:
    from halescan.networks.backbones import find_backbone

    untouched = find_backbone("tiny", tiny_weights())
    assert untouched is not None
    now, before = learned._ready().backbone.state(), untouched.cut(6).state()
    assert all(np.array_equal(now[name], before[name]) for name in before if name.startswith("weights/"))


def test_without_weights_an_encoder_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALESCAN_WEIGHTS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    detector = FeatureAutoencoder(**{**TINY, "backbone": "mobilenet_v2", "steps": 2}, encoder_steps=2)  # type: ignore[arg-type]
    assert detector.fit(healthy(6, grid=GRID), run=Run(device="cpu")).backbone_origin == "own"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"levels": ()}, "levels"),
        ({"distance": "cosine"}, "distance"),
        ({"latent": 0}, "latent"),
        ({"memory_mb": 0}, "memory_mb"),
        ({"aggregate": 2}, "aggregate"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        FeatureAutoencoder(**wrong)
