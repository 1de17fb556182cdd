"""Ensemble: members on one scale, fused with the weights given, kept and taken back together."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halescan.detectors import find_detector
from halescan.detectors.ensemble import Ensemble
from halescan.errors import ModelError, SettingError, ShapeError
from halescan.training.history import read_history
from halescan.training.run import Progress, Run
from halescan.types import Batch, Stack
from tests.detectors.bodies import healthy, with_lesion
from tests.networks.tiny import tiny_weights

GRID = (32, 40)
RUN = Run(device="cpu", precision="32", weights=tiny_weights())
ATLAS, FLAT = "healthy-atlas", {"detector": "symmetry", "settings": {"tilt_deg": 0.0, "shift": 0.0}}
PADIM = {"detector": "padim", "settings": {"backbone": "tiny", "levels": [3], "grid": 8, "components": 4}}
WHOLE = {"detector": "global-gaussian", "settings": {"backbone": "tiny", "levels": [3]}}
LEARNER = {
    "detector": "autoencoder",
    "settings": {"side": 16, "widths": [4, 8], "latent": 4, "steps": 60, "batch_size": 4},
}
CHECK = Stack(healthy(12, grid=GRID, seed=3))


def fitted(*members: Any, run: Run = RUN, **settings: Any) -> Ensemble:
    return Ensemble(members=members, **settings).fit(healthy(16, grid=GRID), check=CHECK, run=run)


def map_of(detector: Any, images: np.ndarray) -> np.ndarray:
    found = detector.score(images).map
    assert found is not None
    return np.asarray(found)


@pytest.fixture(scope="module")
def learned() -> Ensemble:
    return fitted(ATLAS, PADIM)


def test_an_ensemble_of_one_orders_places_as_its_member_does() -> None:
    images = with_lesion(healthy(2, grid=GRID, seed=8), contrast=0.3)
    alone = find_detector(ATLAS)().fit(healthy(16, grid=GRID), run=RUN)
    one, many = map_of(alone, images).ravel(), map_of(fitted(ATLAS), images).ravel()
    order = np.argsort(one)
    assert (np.diff(many[order]) >= -1e-5).all()
    assert many[one > np.quantile(one, 0.99)].min() > many[one < np.median(one)].max()


def test_healthy_places_are_as_rare_as_it_says() -> None:
    apart = Stack(healthy(80, grid=GRID, seed=3))
    detector = Ensemble(members=[ATLAS]).fit(healthy(16, grid=GRID), check=apart, run=RUN)
    maps = map_of(detector, healthy(80, grid=GRID, seed=21))
    assert float((maps >= 1).mean()) == pytest.approx(0.1, abs=0.03)
    assert float((maps >= 2).mean()) == pytest.approx(0.01, abs=0.007)


def test_the_fused_map_is_the_weighted_mean_on_the_finest_grid(learned: Ensemble) -> None:
    images = healthy(2, grid=GRID, seed=8)
    whole = map_of(learned, images)
    assert whole.shape == (2, *GRID)  # the atlas's; PaDiM's has 6 by 8 places
    parts = [
        map_of(Ensemble(members=learned.members, weights=w).restore(learned.state()), images) for w in ([1, 0], [0, 1])
    ]
    assert parts[0].shape == (2, *GRID)
    assert parts[1].shape[1:] == (6, 8)
    third = map_of(Ensemble(members=learned.members, weights=(1, 3)).restore(learned.state()), images)
    np.testing.assert_allclose(third - parts[0], 1.5 * (whole - parts[0]), atol=1e-4)


def test_a_member_that_scores_images_alone_makes_the_others_maps_count_as_numbers() -> None:
    detector, images = fitted(ATLAS, WHOLE), healthy(6, grid=GRID, seed=8)
    scores, ill = detector.score(images), detector.score(with_lesion(images, contrast=0.5))
    assert detector.gives_map
    assert scores.map is not None
    assert scores.image is not None
    assert ill.image is not None
    assert (ill.image > scores.image).all()
    alone = fitted(WHOLE)
    assert not alone.gives_map
    assert alone.score(images).map is None


@pytest.mark.parametrize("pooling", ["mean", "max", "top"])
def test_pooled_before_it_is_fused_it_gives_a_number_too(pooling: str, learned: Ensemble) -> None:
    images = healthy(4, grid=GRID, seed=8)
    assert learned.score(images).image is None
    detector = fitted(ATLAS, FLAT, pooling=pooling)
    plain, ill = (detector.score(some).image for some in (images, with_lesion(images, contrast=0.5)))
    assert plain is not None
    assert ill is not None
    assert (ill > plain).all()


def test_a_mask_is_heeded_where_the_scales_come_from() -> None:
    images, check = healthy(16, grid=GRID), healthy(12, grid=GRID, seed=3)
    masks = np.asarray((check > 0).any(1))
    within = Ensemble(members=[FLAT]).fit(images, check=Stack(check, mask=masks), run=RUN)
    everywhere = Ensemble(members=[FLAT]).fit(images, check=Stack(check), run=RUN)
    some = healthy(20, grid=GRID, seed=8)
    inside = np.asarray((some > 0).any(1))
    shares = [
        float((np.asarray(one.score(Batch(some, inside)).map)[inside] >= 1).mean()) for one in (within, everywhere)
    ]
    assert shares[0] == pytest.approx(0.1, abs=0.04)
    assert shares[1] > shares[0]


def test_without_images_kept_apart_a_fifth_is_held_out() -> None:
    seen: list[int] = []

    def note(progress: Progress) -> None:
        if progress.stage in (ATLAS, "healthy tails"):
            seen.append(progress.total)

    Ensemble(members=[ATLAS]).fit(healthy(20, grid=GRID), run=replace(RUN, listen=note))
    assert set(seen) == {16, 4}
    few = Ensemble(members=[ATLAS]).fit(healthy(3, grid=GRID), run=RUN)
    assert np.isfinite(map_of(few, healthy(2, grid=GRID))).all()


def test_the_same_member_twice_learns_with_two_seeds() -> None:
    detector = fitted(LEARNER, LEARNER)
    one, two = (np.asarray(member.score(healthy(1, grid=GRID)).map) for member in detector._members)
    assert not np.array_equal(one, two)


def test_it_goes_on_through_its_members_where_it_was_stopped(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.stage == "autoencoder" and progress.done >= 50:
            raise Stop

    images = healthy(2, grid=GRID, seed=8)
    with pytest.raises(Stop):
        fitted(ATLAS, LEARNER, run=replace(RUN, folder=tmp_path, listen=stop))
    steps: list[int] = []

    def note(progress: Progress) -> None:
        if progress.stage == "autoencoder":
            steps.append(progress.done)

    resumed = fitted(ATLAS, LEARNER, run=replace(RUN, folder=tmp_path, resume=True, listen=note))
    assert min(steps) > 50
    np.testing.assert_allclose(map_of(resumed, images), map_of(fitted(ATLAS, LEARNER), images), atol=1e-5)
    stages = {row["stage"] for row in read_history(tmp_path / "history.jsonl")}
    assert stages == {"2 autoencoder: autoencoder"}


def test_its_members_settings_are_its_settings(learned: Ensemble) -> None:
    settings = learned.settings
    assert settings["members"][1]["settings"]["components"] == 4
    assert settings["members"][0]["settings"] == find_detector(ATLAS)().settings
    assert Ensemble(**settings).settings == settings


def test_what_a_member_cannot_do_is_told_before_any_learns() -> None:
    said = r"ensemble: its member padim works in 2 dimensions, got images of 3 \(1 channel of 8 x 8 x 8\)"
    with pytest.raises(ShapeError, match=said):
        Ensemble(members=[ATLAS, PADIM]).fit(healthy(4, grid=(8, 8, 8)), run=RUN)


def test_it_works_in_the_dimensions_its_members_share() -> None:
    assert Ensemble(members=["autoencoder", ATLAS]).dims == (2, 3)
    assert Ensemble().dims == Ensemble(members=[ATLAS, PADIM]).dims == (2,)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"members": []}, "1 to 16"),
        ({"members": ["nobody"]}, "nobody"),
        ({"members": [{"name": ATLAS}]}, "a member is"),
        ({"members": ["ensemble"]}, "single methods"),
        ({"members": [{"detector": ATLAS, "settings": {"colour": 1}}]}, "colour"),
        ({"members": [{"detector": ATLAS, "settings": {"blur_px": "wide"}}]}, "blur_px"),
        ({"members": [ATLAS], "weights": [1, 2]}, "weights"),
        ({"members": [ATLAS], "weights": [0]}, "weights"),
        ({"pooling": "median"}, "pooling"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Ensemble(**wrong)


def test_members_or_tails_that_are_missing_are_refused(learned: Ensemble) -> None:
    state = learned.state()
    for gone, said in (("member/1/", "member 2"), ("tail/", "tails")):
        rest = {name: value for name, value in state.items() if not name.startswith(gone)}
        with pytest.raises(ModelError, match=said):
            Ensemble(members=learned.members).restore(rest)
    with pytest.raises(ModelError, match="another shape"):
        Ensemble(members=learned.members).restore(state | {"member/0/learned_shape": np.array([1, 4, 4])})


def test_what_a_member_cannot_judge_is_refused() -> None:
    detector = Ensemble(members=["modality-translation"])
    with pytest.raises(ShapeError, match="same picture"):
        detector.check_content(healthy(1, grid=(16, 16), channels=3))
