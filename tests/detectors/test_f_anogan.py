"""f-AnoGAN: its two stages, its score, AnoGAN's search."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from halescan.detectors.f_anogan import FAnoGAN
from halescan.errors import SettingError
from halescan.training.chance import noise
from halescan.training.history import read_history
from halescan.training.loop import learn
from halescan.training.run import Progress, Run
from halescan.training.schedule import Schedule
from halescan.types import Stack
from tests.detectors.bodies import healthy, with_lesion

RUN = Run(device="cpu", precision="32")
SMALL: dict[str, Any] = {
    "side": 16,
    "widths": (8, 8),
    "latent": 4,
    "steps": 60,
    "encoder_steps": 40,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "encoder_rate": 3e-3,
}


def fitted(run: Run = RUN, grid: tuple[int, int] = (16, 16), **changes: Any) -> FAnoGAN:
    return FAnoGAN(**SMALL | changes).fit(healthy(24, grid=grid), run=run)


@cache
def known() -> FAnoGAN:
    return fitted()


def searching(steps: int) -> FAnoGAN:
    """The same pair, and the search instead of the encoder."""
    state = {name: value for name, value in known().state().items() if not name.startswith("encoder/")}
    return FAnoGAN(**SMALL | {"inference": "search", "search_steps": steps}).restore(state)


def test_f_anogan_an_encoder_of_drawn_images_finds_their_numbers() -> None:
    detector = FAnoGAN(**SMALL).restore(known().state())
    generator = detector._pair.maker
    with torch.no_grad():
        numbers = torch.randn((140, 4), generator=noise(0, "numbers"))
        drawn = generator(numbers).numpy()
    before = detector.score(drawn[:40]).image
    learn(
        detector._encoder,
        detector._encoder_loss,
        images=Stack(drawn[40:]),
        settings=Schedule(steps=200, batch_size=16, learning_rate=3e-3),
        run=RUN,
        stage="again",
    )
    after = detector.score(drawn[:40]).image
    healthy_ones = detector.score(healthy(20, grid=(16, 16), seed=5)).image
    assert before is not None
    assert after is not None
    assert healthy_ones is not None
    assert after.mean() < 0.3 * before.mean()
    assert after.mean() < 0.1 * healthy_ones.mean()


def test_f_anogan_without_the_critic_s_features_the_score_is_the_mean_squared_error() -> None:
    images = healthy(3, grid=(16, 16), seed=5)
    scores = FAnoGAN(**SMALL | {"kappa": 0.0}).restore(known().state()).score(images)
    assert scores.reconstruction is not None
    np.testing.assert_allclose(scores.image, np.square(images - scores.reconstruction).mean((1, 2, 3)), rtol=1e-4)


def test_f_anogan_the_second_stage_leaves_generator_and_critic_alone() -> None:
    both, alone = known().state(), fitted(inference="search").state()
    pair = {name for name in both if name.startswith("pair/")}
    assert pair == set(alone) - {"learned_shape"}
    assert all(np.array_equal(both[name], alone[name]) for name in pair)


def test_anogan_the_search_ends_no_farther_than_it_began() -> None:
    images = with_lesion(healthy(4, grid=(16, 16), seed=5), contrast=0.3)
    far = [searching(steps).score(images).image for steps in (1, 10, 60)]
    assert all(one is not None for one in far)
    assert (far[1] <= far[0]).all()  # type: ignore[operator]
    assert (far[2] <= far[1]).all()  # type: ignore[operator]
    assert far[2].mean() < 0.95 * far[0].mean()  # type: ignore[union-attr]


def test_anogan_an_image_searched_alone_scores_as_in_a_batch_and_twice_the_same() -> None:
    detector, images = searching(40), healthy(3, grid=(16, 16), seed=5)
    before = {name: value.copy() for name, value in detector.state().items()}
    whole, again = detector.score(images), detector.score(images)
    np.testing.assert_array_equal(whole.map, again.map)
    np.testing.assert_allclose(detector.score(images[1:2]).map, whole.map[1:2], atol=1e-4)  # type: ignore[index]
    assert all(np.array_equal(value, detector.state()[name]) for name, value in before.items())


def test_the_image_s_score_can_be_left_to_the_map_or_read_off_the_numbers() -> None:
    images, state = healthy(3, grid=(16, 16), seed=5), known().state()
    scores = {
        kind: FAnoGAN(**SMALL | {"image_score": kind}).restore(state).score(images)
        for kind in ("residual+features", "latent", "map")
    }
    assert scores["map"].image is None
    assert scores["latent"].image is not None
    assert scores["latent"].image.shape == (3,)
    np.testing.assert_array_equal(scores["map"].map, scores["latent"].map)


def test_the_critic_has_its_turns_and_each_stage_its_history(tmp_path: Path) -> None:
    heard: list[Progress] = []
    fitted(steps=10, encoder_steps=5, run=replace(RUN, folder=tmp_path, listen=heard.append))
    rows = read_history(tmp_path / "history.jsonl")
    assert {row["stage"] for row in rows} == {"f-anogan-pair", "f-anogan-encoder"}
    assert {"critic", "penalty", "generator"} <= set(rows[0])
    assert {"image", "features"} <= set(rows[-1])


@pytest.mark.parametrize("stage", ["f-anogan-pair", "f-anogan-encoder"])
def test_interrupted_in_either_stage_and_resumed_it_is_the_same_detector(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halescan.training.loop.PAUSE_S", -1.0)

    def stop(progress: Progress) -> None:
        if progress.stage == stage and progress.done == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(run=replace(RUN, folder=tmp_path, listen=stop))
    images = healthy(2, grid=(16, 16), seed=5)
    resumed = fitted(run=replace(RUN, folder=tmp_path, resume=True)).score(images).map
    assert resumed == pytest.approx(known().score(images).map, abs=1e-5)


def test_any_size_of_image_goes_in_and_comes_back() -> None:
    detector = fitted(grid=(37, 21), steps=10, encoder_steps=5)
    scores = detector.score(healthy(2, grid=(37, 21)))
    assert scores.map is not None
    assert scores.reconstruction is not None
    assert scores.map.shape == (2, 16, 9)
    assert scores.reconstruction.shape == (2, 1, 37, 21)


@pytest.mark.parametrize(
    "wrong",
    [
        {"inference": "guess"},
        {"image_score": "mean"},
        {"inference": "search", "image_score": "latent"},
        {"widths": ()},
        {"latent": 0},
        {"side": 4},
        {"kappa": -1},
        {"search_features": 2},
    ],
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        FAnoGAN(**wrong)
