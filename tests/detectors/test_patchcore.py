"""PatchCore: distance to the nearest healthy patch, of the same place or of any."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from halescan.detectors import patchcore
from halescan.detectors.features import as_places
from halescan.detectors.patchcore import PatchCore
from halescan.errors import NotFitted, SettingError, WeightsError
from halescan.training.run import Progress, Run
from halescan.types import Stack
from tests.detectors.bodies import healthy, lesion, with_lesion
from tests.networks.tiny import tiny_weights

GRID = (64, 64)
TINY = {"backbone": "tiny", "levels": (2, 3, 6), "grid": 16, "components": 12}
REAL_WEIGHTS = Path(os.environ.get("HALESCAN_WEIGHTS", Path(__file__).parents[2] / "../shared/weights"))


@cache
def run(seed: int = 0) -> Run:
    """A run that finds the tiny backbone."""
    return Run(seed=seed, device="cpu", weights=tiny_weights())


def learn(count: int = 24, **changes: object) -> PatchCore:
    return PatchCore(**{**TINY, **changes}).fit(healthy(count, grid=GRID), run=run())


@pytest.fixture(scope="module")
def here() -> PatchCore:
    return learn()


@pytest.fixture(scope="module")
def anywhere() -> PatchCore:
    return learn(neighbourhood=None, coreset=None)


def map_of(detector: PatchCore, images: np.ndarray) -> np.ndarray:
    strangeness = detector.score(images).map
    assert strangeness is not None
    return strangeness


def remembered_bytes(detector: PatchCore) -> int:
    state = detector.state()
    return sum(state[name].nbytes for name in ("bank", "sources", "examples"))


@pytest.mark.parametrize("kind", ["here", "anywhere"])
def test_a_planted_lesion_is_the_strangest_place(kind: str, request: pytest.FixtureRequest) -> None:
    ill = with_lesion(healthy(4, grid=GRID, seed=9), contrast=0.4)
    for one in map_of(request.getfixturevalue(kind), ill):
        y, x = np.unravel_index(one.argmax(), one.shape)
        assert lesion(GRID)[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].any()


@pytest.mark.parametrize("kind", ["here", "anywhere"])
def test_a_learned_image_is_not_strange(kind: str, request: pytest.FixtureRequest) -> None:
    detector = request.getfixturevalue(kind)
    seen, unseen = map_of(detector, healthy(24, grid=GRID)[:4]), map_of(detector, healthy(4, grid=GRID, seed=3))
    assert seen.max() < 0.02  # half precision of numbers near 3
    assert unseen.min() > seen.max()


def test_a_bank_kept_whole_is_plain_nearest_neighbours(anywhere: PatchCore) -> None:
    images = healthy(2, grid=GRID, seed=3)
    queries = as_places(anywhere._ready().describe(torch.from_numpy(images))).flatten(0, 1).numpy()
    bank = anywhere.state()["bank"].astype(np.float32)
    assert len(bank) == 24 * 16 * 16
    wanted = NearestNeighbors(n_neighbors=1).fit(bank).kneighbors(queries)[0].reshape(2, 16, 16)
    np.testing.assert_allclose(map_of(anywhere, images), wanted, atol=1e-4)


def test_what_is_normal_elsewhere_is_strange_here_only_with_banks_by_place() -> None:
    dark_and_bright = np.repeat([0.2, 0.8], 32) + 0.02 * np.random.default_rng(0).standard_normal((24, 1, 64, 64))
    images = dark_and_bright.astype(np.float32)
    by_place, of_all = (PatchCore(**TINY, **more).fit(images[:20], run=run()) for more in ({}, {"neighbourhood": None}))
    swapped = np.concatenate([images[20:, ..., 32:], images[20:, ..., :32]], axis=3)
    inner = np.s_[:, 2:-2, 2:6]  # away from the borders and from the seam
    assert map_of(by_place, swapped)[inner].mean() > 3 * map_of(of_all, swapped)[inner].mean()


def test_a_wider_neighbourhood_is_never_stranger(here: PatchCore) -> None:
    images = healthy(2, grid=GRID, seed=3)
    wider = learn(neighbourhood=3)
    assert (map_of(wider, images) <= map_of(here, images) + 1e-5).all()


def test_more_neighbours_are_never_nearer(here: PatchCore) -> None:
    images = healthy(2, grid=GRID, seed=3)
    assert (map_of(learn(neighbours=3), images) >= map_of(here, images) - 1e-5).all()


@pytest.mark.parametrize(
    "changes", [{}, {"neighbourhood": None, "coreset": None}, {"neighbourhood": None, "coreset": 300}]
)
def test_memory_stays_within_its_limit_and_uses_it(changes: dict[str, object]) -> None:
    detector = learn(**changes, memory_mb=0.1)
    assert remembered_bytes(detector) <= 100_000
    if "coreset" not in changes or changes["coreset"] is None:
        assert remembered_bytes(detector) > 100_000 - (16 * 16 * 12 * 2 + 96 * 96 + 4)  # no room for one image more


def test_a_limit_too_small_for_one_image_says_what_it_takes() -> None:
    with pytest.raises(SettingError, match=r"it takes 0\.02 or more"):
        learn(memory_mb=0.001)


def test_a_larger_coreset_leaves_nothing_farther_away() -> None:
    images = healthy(24, grid=GRID)
    farthest = [map_of(learn(neighbourhood=None, coreset=keep), images).max() for keep in (20, 200, 1500)]
    assert farthest[0] > farthest[1] > farthest[2]


@pytest.mark.parametrize("kind", ["here", "anywhere"])
def test_a_learned_image_is_its_own_nearest_example(kind: str, request: pytest.FixtureRequest) -> None:
    detector = request.getfixturevalue(kind)
    images = healthy(24, grid=GRID)
    neighbours = detector.score(images[5:8]).neighbours
    assert neighbours is not None
    assert neighbours.shape == (3, 3)
    assert neighbours[:, 0].tolist() == [5, 6, 7]
    shown = detector.examples[5][48, 48] / 255
    assert shown == pytest.approx(images[5, 0, 30:34, 30:34].mean(), abs=0.1)


def test_examples_of_colour_images_are_in_colour() -> None:
    detector = PatchCore(**TINY).fit(healthy(4, grid=GRID, channels=3), run=run())
    assert detector.examples.shape == (4, 96, 96, 3)
    assert detector.examples.dtype == np.uint8


@pytest.mark.parametrize("kind", ["here", "anywhere"])
def test_its_state_restores_the_same_scores(kind: str, request: pytest.FixtureRequest) -> None:
    detector = request.getfixturevalue(kind)
    images = healthy(3, grid=GRID, seed=5)
    again = PatchCore(**detector.settings).restore(detector.state())
    np.testing.assert_allclose(map_of(again, images), map_of(detector, images), rtol=1e-6)
    assert np.array_equal(again.score(images).neighbours, detector.score(images).neighbours)
    assert np.array_equal(again.examples, detector.examples)


def test_an_image_alone_scores_as_in_a_batch(here: PatchCore) -> None:
    images = with_lesion(healthy(5, grid=GRID, seed=5), contrast=0.3)
    np.testing.assert_allclose(map_of(here, images)[2:3], map_of(here, images[2:3]), rtol=1e-5)


def test_the_seed_chooses_what_is_remembered() -> None:
    images = healthy(12, grid=GRID)
    banks = [PatchCore(**TINY, memory_mb=0.08).fit(images, run=run(seed)).examples for seed in (1, 1, 2)]
    assert np.array_equal(banks[0], banks[1])
    assert not np.array_equal(banks[0], banks[2])


def test_images_that_are_not_square_keep_their_shape() -> None:
    detector = PatchCore(**TINY).fit(healthy(4, grid=(50, 80)), run=run())
    assert map_of(detector, healthy(1, grid=(50, 80))).shape == (1, 10, 16)


def test_the_listener_hears_how_far_it_is() -> None:
    heard: list[Progress] = []
    own = {**TINY, "backbone": "own", "levels": (2, 3), "encoder_steps": 2}
    PatchCore(**own).fit(healthy(4, grid=GRID), run=Run(device="cpu", listen=heard.append))
    assert list(dict.fromkeys(progress.stage for progress in heard)) == ["encoder", "features", "patches"]
    assert heard[-1].done == heard[-1].total == 4


def test_damaged_weights_stop_it_rather_than_being_replaced(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "config.json").write_text('{"model_type": "mobilenet_v2"}')
    (tmp_path / "net" / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(WeightsError):
        PatchCore(backbone="net").fit(healthy(2, grid=GRID), run=Run(device="cpu", weights=tmp_path))


def test_settings_out_of_range_are_refused() -> None:
    for wrong in ({"neighbourhood": -1}, {"neighbours": 0}, {"coreset": 0}, {"memory_mb": 0}, {"components": 0}):
        with pytest.raises(SettingError):
            PatchCore(**wrong)


@pytest.mark.real
@pytest.mark.skipif(not (REAL_WEIGHTS / "mobilenet_v2").is_dir(), reason="no ../shared/weights/mobilenet_v2")
def test_with_real_weights_the_model_holds_only_the_blocks_it_uses() -> None:
    detector = PatchCore(levels=(2, 3), neighbourhood=None)
    detector.fit(healthy(4, grid=GRID), run=Run(device="cpu", weights=REAL_WEIGHTS))
    assert detector.backbone_origin == "weights"
    kept = {int(name.split("/")[2].split(".")[0]) for name in detector.state() if name.startswith("backbone/weights/")}
    assert kept == {1, 2, 3}


def test_moving_to_the_device_it_is_on_changes_nothing(here: PatchCore) -> None:
    images = healthy(2, grid=GRID, seed=5)
    before = map_of(here, images)
    assert np.array_equal(map_of(here.to("cpu"), images), before)


def test_a_mirror_image_of_a_remembered_image_is_not_strange_where_mirrors_are_remembered() -> None:
    images = healthy(6, grid=GRID)
    flipped = np.ascontiguousarray(images[:1, ..., ::-1])
    plain, mirrored = (map_of(learn(6, mirror=mirror, neighbourhood=0), flipped).max() for mirror in (False, True))
    assert mirrored < 0.05 * plain


@pytest.mark.parametrize("neighbourhood", [1, None])
def test_an_image_left_out_is_strange_to_a_bank_in_which_it_was_not(neighbourhood: int | None) -> None:
    images = Stack(healthy(10, grid=GRID))
    detector = PatchCore(**TINY, neighbourhood=neighbourhood, coreset=None).fit(images, run=run())
    found = list(detector.left_out(images))
    assert sorted(np.concatenate([where for where, _ in found])) == list(range(10))
    assert (
        min(float(one.mean()) for _, maps in found for one in maps)
        > 0.1 * map_of(detector, healthy(4, grid=GRID, seed=7)).mean()
    )
    assert map_of(detector, images.whole.images).max() < 0.01


def test_leaving_out_needs_a_detector_that_has_just_learned(here: PatchCore) -> None:
    again = PatchCore(**TINY).restore(here.state())
    with pytest.raises(NotFitted, match="right after fit"):
        next(again.left_out(Stack(healthy(2, grid=GRID))))


def test_only_remembered_thumbnails_are_named_as_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patchcore, "MOST_EXAMPLES", 3)
    detector = learn(8)
    neighbours = detector.score(healthy(5, grid=GRID, seed=3)).neighbours
    assert len(detector.examples) == 3
    assert neighbours is not None
    assert neighbours.max() < 3


def test_all_images_of_a_patient_are_left_out_together() -> None:
    twins = np.repeat(healthy(6, grid=GRID), 2, axis=0)
    images, patients = Stack(twins), np.repeat(np.arange(6), 2)
    detector = PatchCore(**TINY).fit(images, run=run())
    apart = np.concatenate([maps for _, maps in detector.left_out(images)])
    together = np.concatenate([maps for _, maps in detector.left_out(images, groups=patients)])
    assert len(apart) == len(together) == 12
    assert together.mean() > 2 * apart.mean()  # a twin left behind makes the other one look remembered
