"""Global Gaussian: Mahalanobis distance of pooled features, as scikit-learn gives it."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.covariance import OAS, LedoitWolf

from halescan.detectors.global_gaussian import MOST_IMAGES, GlobalGaussian
from halescan.errors import ModelError, SettingError, TrainingError
from halescan.training.run import Run
from tests.detectors.bodies import healthy, with_lesion
from tests.networks.tiny import tiny_weights

GRID = (64, 64)
RUN = Run(device="cpu", weights=tiny_weights())


def fitted(count: int = 30, **settings: object) -> GlobalGaussian:
    chosen = {"backbone": "tiny", "levels": (3, 6)} | settings
    return GlobalGaussian(**chosen).fit(healthy(count, grid=GRID), run=RUN)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def learned() -> GlobalGaussian:
    return fitted()


def described(detector: GlobalGaussian, images: np.ndarray) -> np.ndarray:
    import torch

    return detector._pooled(torch.from_numpy(images)).numpy().astype(float)


@pytest.mark.parametrize(("shrinkage", "reference"), [("ledoit-wolf", LedoitWolf), ("oas", OAS)])
def test_the_distance_is_that_of_scikit_learn(shrinkage: str, reference: type) -> None:
    detector, images = fitted(shrinkage=shrinkage), with_lesion(healthy(5, grid=GRID, seed=3), contrast=0.2)
    rows, asked = described(detector, healthy(30, grid=GRID)), described(detector, images)
    centre, scale = rows.mean(0), rows.std(0)
    usual = np.sqrt(np.square(scale).mean())
    scale = np.maximum(scale, 1e-3 * usual)
    model = reference().fit((rows - centre) / scale)
    expected = np.sqrt(model.mahalanobis((asked - centre) / scale) / rows.shape[1])
    np.testing.assert_allclose(np.asarray(detector.score(images).image), expected, rtol=2e-3)


def test_images_like_those_learned_lie_at_about_one(learned: GlobalGaussian) -> None:
    found = learned.score(healthy(20, grid=GRID, seed=5)).image
    assert found is not None
    assert 0.5 < float(found.mean()) < 2


def test_it_gives_a_number_and_no_map(learned: GlobalGaussian) -> None:
    scores = learned.score(healthy(2, grid=GRID))
    assert not learned.gives_map
    assert scores.map is None
    assert scores.image is not None
    assert scores.image.shape == (2,)


def test_turned_by_a_quarter_a_round_body_is_hardly_stranger(learned: GlobalGaussian) -> None:
    """It knows no places: what is pooled does not care where it stands."""
    images = healthy(6, grid=GRID, seed=5)
    here, shifted = (learned.score(some).image for some in (images, np.roll(images, 4, axis=2)))
    ill = learned.score(with_lesion(images, contrast=0.5)).image
    assert here is not None
    assert shifted is not None
    assert ill is not None
    assert (shifted - here).mean() < 0.5 * (ill - here).mean()


def test_fewer_pools_make_a_shorter_description(learned: GlobalGaussian) -> None:
    assert len(fitted(pools=("mean",))._centre) * 3 == len(learned._centre)


def test_images_all_alike_can_be_learned_from_and_any_other_is_stranger() -> None:
    one = healthy(1, grid=GRID)
    detector = GlobalGaussian(backbone="tiny", levels=(3,)).fit(np.repeat(one, 4, axis=0), run=RUN)
    scores = detector.score(np.concatenate([one, with_lesion(one, contrast=0.3)])).image
    assert scores is not None
    assert np.isfinite(scores).all()
    assert scores[1] > scores[0]


@pytest.mark.parametrize("grey", [0.0, 0.3])
def test_images_of_one_grey_can_be_learned_from_through_rounding(grey: float) -> None:
    flat = np.full((12, 1, 16, 16), grey, np.float32)
    detector = GlobalGaussian(backbone="own", levels=(1, 2, 3), encoder_steps=2).fit(flat, run=RUN)
    scores = detector.score(np.concatenate([flat[:1], flat[:1] + 0.5])).image
    assert scores is not None
    assert scores[1] > scores[0]


def test_without_weights_an_encoder_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALESCAN_WEIGHTS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    detector = GlobalGaussian(encoder_steps=2).fit(healthy(6, grid=GRID), run=Run(device="cpu"))
    assert detector.backbone_origin == "own"
    again = GlobalGaussian(encoder_steps=2).restore(detector.state())
    assert again.backbone_origin == "own"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"levels": ()}, "levels"),
        ({"pools": ("median",)}, "pools"),
        ({"pools": ("mean", "mean")}, "once"),
        ({"shrinkage": "much"}, "shrinkage"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        GlobalGaussian(**wrong)


def test_a_single_image_and_parts_that_do_not_fit_are_refused(learned: GlobalGaussian) -> None:
    with pytest.raises(TrainingError, match="two"):
        fitted(1)
    with pytest.raises(ModelError, match="fit together"):
        GlobalGaussian().restore(learned.state() | {"centre": np.zeros(3, np.float32)})


def test_with_a_backbone_at_hand_another_seed_changes_nothing(learned: GlobalGaussian) -> None:
    other = GlobalGaussian(backbone="tiny", levels=(3, 6)).fit(
        healthy(30, grid=GRID), run=Run(seed=7, device="cpu", weights=tiny_weights())
    )
    assert other.same_in_every_seed(30, other.check_run(RUN))
    assert not other.same_in_every_seed(MOST_IMAGES + 1, other.check_run(RUN))
    images = healthy(2, grid=GRID, seed=3)
    np.testing.assert_array_equal(learned.score(images).image, other.score(images).image)
