"""What every detector promises, asked of every row of the catalogue."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from halescan.detectors import CATALOGUE, Detector, find_detector
from halescan.errors import NotFitted, SettingError, ShapeError, TrainingError
from halescan.training.run import Run
from halescan.types import Scores
from tests.detectors.bodies import contrasts, healthy, lesion, with_lesion

RUN = Run(seed=1, device="cpu", precision="32")
GRIDS = {2: (64, 64), 3: (16, 18, 20)}
SQUID: dict[str, Any] = {
    "side": 32,
    "widths": (8, 16, 16),
    "squeezed": 4,
    "slots": 16,
    "critic_widths": (4, 8),
    "steps": 60,
    "batch_size": 8,
    "learning_rate": 3e-3,
}
TINY: dict[str, dict[str, Any]] = {  # enough to learn a made-up body in a second or two
    "autoencoder": {"side": 32, "widths": (8, 16, 16), "latent": 8, "steps": 120, "batch_size": 8},
    "denoising-autoencoder": {"width": 8, "depth": 3, "steps": 80, "batch_size": 4},
    "squid": SQUID,
    "simsid": {**SQUID, "teacher_steps": 20, "steps": 100},
    "memory-autoencoder": {"side": 32, "widths": (8, 16, 16), "slots": 32, "steps": 120, "batch_size": 8},
    "vae": {"side": 32, "widths": (8, 16, 16), "latent": 8, "steps": 120, "batch_size": 8},
    "adversarial-autoencoder": {"side": 32, "widths": (8, 16, 16), "latent": 8, "steps": 120, "batch_size": 8},
    "f-anogan": {
        "side": 32,
        "widths": (8, 8, 16),
        "latent": 8,
        "steps": 50,
        "encoder_steps": 50,
        "batch_size": 8,
        "learning_rate": 2e-3,
        "encoder_rate": 3e-3,
    },
    "p-net": {
        "side": 32,
        "widths": (4, 8, 16),
        "texture": 4,
        "critic_widths": (4, 8),
        "steps": 80,
        "batch_size": 8,
        "learning_rate": 5e-3,
    },
    "global-gaussian": {"backbone": "own", "levels": (1, 2, 3), "encoder_steps": 20},
    "feature-autoencoder": {
        "backbone": "own",
        "levels": (2, 3),
        "encoder_steps": 20,
        "grid": 16,
        "components": 16,
        "widths": (16, 16),
        "latent": 8,
        "steps": 60,
        "batch_size": 8,
        "distance": "l2",
    },
    "ensemble": {
        "members": (
            "healthy-atlas",
            {"detector": "padim", "settings": {"backbone": "own", "levels": (2, 3), "encoder_steps": 20}},
        )
    },
    "synthetic-anomaly": {
        "kinds": ("blob",),
        "side": 32,
        "width": 8,
        "depth": 2,
        "steps": 100,
        "batch_size": 6,
        "learning_rate": 5e-3,
    },
    "anomaly-dino": {"backbone": "own", "level": 3, "encoder_steps": 20, "coreset": 500},
    "padim": {"backbone": "own", "levels": (2, 3), "encoder_steps": 20},
    "patchcore": {"backbone": "own", "levels": (2, 3), "encoder_steps": 20},
    "reverse-distillation": {
        "backbone": "own",
        "levels": (2, 3, 4),
        "bottleneck": 16,
        "width": 16,
        "steps": 50,
        "batch_size": 8,
        "encoder_steps": 20,
    },
    "edc": {"backbone": "own", "levels": (2, 3, 4), "width": 16, "steps": 30, "batch_size": 8, "encoder_steps": 20},
    "dinomaly": {
        "backbone": "own",
        "levels": (2, 3, 4),
        "grid": 16,
        "width": 32,
        "heads": 2,
        "steps": 40,
        "batch_size": 8,
        "encoder_steps": 20,
    },
    "uninformed-students": {
        "backbone": "own",
        "levels": (1, 2),
        "side": 32,
        "components": 8,
        "students": 2,
        "widths": (8, 16),
        "steps": 200,
        "batch_size": 8,
        "learning_rate": 5e-3,
        "encoder_steps": 20,
    },
    "masked-autoencoder": {
        "side": 32,
        "patch": 4,
        "width": 32,
        "depth": 2,
        "heads": 2,
        "decoder_width": 32,
        "decoder_depth": 1,
        "steps": 150,
        "classifier_steps": 20,
        "batch_size": 8,
        "learning_rate": 3e-3,
    },
    "riad": {"side": 32, "cells": (4, 8, 16), "width": 8, "depth": 3, "steps": 150, "batch_size": 4, "average": 7},
    "context-encoder": {"side": 32, "widths": (8, 16, 16), "latent": 8, "steps": 120, "batch_size": 8},
    "region-inpainting": {
        "side": 32,
        "hole": 12,
        "stride": 4,
        "width": 8,
        "depth": 3,
        "superpixels": 60,
        "steps": 80,
        "batch_size": 6,
        "adversarial": 0,
    },
}
TINY |= {
    "anoddpm": {
        "side": 32,
        "widths": (8, 16, 16),
        "jumps": 8,
        "draws": 2,
        "steps": 60,
        "batch_size": 8,
        "learning_rate": 5e-3,
    },
    "guided-diffusion": {
        "side": 32,
        "widths": (8, 8),
        "classifier_widths": (8, 8),
        "depth": 0.4,
        "jumps": 20,
        "steps": 30,
        "classifier_steps": 60,
        "batch_size": 4,
        "learning_rate": 1e-2,
    },
    "modality-translation": {"side": 32, "width": 8, "depth": 2, "steps": 80, "batch_size": 8, "learning_rate": 1e-2},
}
TINY_3D: dict[str, dict[str, Any]] = {
    "modality-translation": {
        "side": None,
        "width": 4,
        "depth": 2,
        "steps": 80,
        "batch_size": 4,
        "learning_rate": 1e-2,
    },
    "symmetry": {"tilt_deg": 0.0},
    "ensemble": {"members": ("healthy-atlas", {"detector": "symmetry", "settings": {"tilt_deg": 0.0}})},
    "synthetic-anomaly": {
        "kinds": ("blob",),
        "width": 4,
        "depth": 2,
        "steps": 50,
        "batch_size": 4,
        "learning_rate": 5e-3,
    },
    "vae": {"side": None, "widths": (8, 16), "latent": 8, "steps": 100, "batch_size": 8},
    "adversarial-autoencoder": {"side": None, "widths": (8, 16), "latent": 8, "steps": 100, "batch_size": 8},
    "memory-autoencoder": {"side": None, "widths": (8, 16), "slots": 32, "steps": 60, "batch_size": 8},
    "autoencoder": {"side": None, "widths": (8, 16), "latent": 8, "steps": 100, "batch_size": 8},
    "denoising-autoencoder": {"width": 4, "depth": 2, "steps": 80, "batch_size": 4, "noise_cells": 8},
    "masked-autoencoder": {
        "side": None,
        "patch": 4,
        "width": 32,
        "depth": 2,
        "heads": 2,
        "decoder_width": 32,
        "decoder_depth": 1,
        "steps": 400,
        "classifier_steps": 20,
        "batch_size": 4,
        "learning_rate": 3e-3,
        "draws": 4,
    },
}
ROWS = [pytest.param(name, dims, id=f"{name}-{dims}d") for name in CATALOGUE for dims in find_detector(name).dims]
each = pytest.mark.parametrize(("name", "dims"), ROWS)
named = pytest.mark.parametrize("name", list(CATALOGUE))


def build(name: str, dims: int) -> Detector:
    settings = TINY_3D if dims == 3 else TINY
    return find_detector(name)(**settings.get(name, {}))


def learn(name: str, dims: int) -> Detector:
    images, labels = bodies(name, dims, 24), None
    if find_detector(name).needs_abnormal:
        strong, faint = (diseased(bodies(name, dims, 12, seed=seed), contrast=seed / 10) for seed in (5, 3))
        images = np.concatenate([images, strong, faint])
        labels = np.arange(48) >= 24
    return build(name, dims).fit(images, labels=labels, run=RUN)


@cache
def learned(name: str, dims: int) -> Detector:
    return learn(name, dims)


def bodies(name: str, dims: int, count: int, *, seed: int = 0) -> np.ndarray:
    """Grey images, or contrasts of one body for the methods that read nothing else."""
    make = healthy if 1 in find_detector(name).channels else contrasts
    return make(count, grid=GRIDS[dims], seed=seed)


def unseen(name: str, dims: int, count: int = 4) -> np.ndarray:
    return bodies(name, dims, count, seed=99)


def diseased(images: np.ndarray, *, contrast: float) -> np.ndarray:
    """With a lesion; of several contrasts the first shows it."""
    return np.concatenate([with_lesion(images[:, :1], contrast=contrast), images[:, 1:]], axis=1)


def strangeness(scores: Scores) -> np.ndarray:
    """`(n,)`: the mean of the strangest hundredth of each map, or the method's own number."""
    if scores.map is None:
        assert scores.image is not None
        return scores.image
    flat = np.sort(scores.map.reshape(len(scores.map), -1), axis=1)
    return flat[:, -max(1, flat.shape[1] // 100) :].mean(1)


def same(one: Scores, two: Scores, *, within: float = 1e-6) -> bool:
    """Equal within a share of the largest value: coarse features differ in the last bits between batch sizes."""
    for mine, theirs in ((one.map, two.map), (one.image, two.image)):
        assert (mine is None) == (theirs is None)
        if mine is not None and theirs is not None and np.abs(mine - theirs).max() > within * (1 + np.abs(mine).max()):
            return False
    return True


@each
def test_a_planted_lesion_raises_the_score(name: str, dims: int) -> None:
    detector, images = learned(name, dims), unseen(name, dims)
    plain = strangeness(detector.score(images))
    ill = strangeness(detector.score(diseased(images, contrast=0.4)))
    assert (ill > plain).all()


@each
def test_a_stronger_lesion_is_stranger(name: str, dims: int) -> None:
    detector, images = learned(name, dims), unseen(name, dims)
    means = [strangeness(detector.score(diseased(images, contrast=contrast))).mean() for contrast in (0.3, 0.5, 0.7)]
    assert means[0] < means[1] < means[2]


@each
def test_the_map_is_highest_in_the_lesion(name: str, dims: int) -> None:
    detector = learned(name, dims)
    strange = detector.score(diseased(unseen(name, dims), contrast=0.4)).map
    if not detector.gives_map:
        assert strange is None
        return
    assert strange is not None
    inside = lesion(GRIDS[dims])
    for one in strange:
        peak = np.unravel_index(np.argmax(one), one.shape)
        bounds = [
            _cell(place, len_map, side) for place, len_map, side in zip(peak, one.shape, GRIDS[dims], strict=True)
        ]
        assert inside[tuple(slice(*bound) for bound in bounds)].any()


def _cell(place: Any, cells: int, side: int) -> tuple[int, int]:
    """The pixels under a cell of the map and half a cell around it: neighbours share a lesion at their border."""
    width = side / cells
    around = width / 2 if cells < side else 0
    return max(0, int(np.floor(place * width - around))), int(np.ceil((place + 1) * width + around))


@each
def test_healthy_images_alone_give_no_difference(name: str, dims: int) -> None:
    count = 20 if dims == 3 else 30
    scores = strangeness(learned(name, dims).score(unseen(name, dims, 2 * count)))
    one, two = scores[:count], scores[count:]
    auroc = float(np.mean((one[:, None] > two) + 0.5 * (one[:, None] == two)))
    spread = np.sqrt((2 * count + 1) / (12 * count * count))  # of the AUROC of two samples of one distribution
    assert abs(auroc - 0.5) < 3.29 * spread  # 99.9 %


@each
def test_an_image_alone_scores_as_in_a_batch(name: str, dims: int) -> None:
    detector, images = learned(name, dims), diseased(unseen(name, dims), contrast=0.2)
    whole = detector.score(images)
    for number in range(len(images)):
        alone = detector.score(images[number : number + 1])
        part = Scores(
            map=None if whole.map is None else whole.map[number : number + 1],
            image=None if whole.image is None else whole.image[number : number + 1],
        )
        assert same(part, alone, within=1e-5)


@each
def test_scoring_changes_neither_model_nor_images(name: str, dims: int) -> None:
    detector, images = learned(name, dims), diseased(unseen(name, dims), contrast=0.2)
    before, given = {key: value.copy() for key, value in detector.state().items()}, images.copy()
    first, second = detector.score(images), detector.score(images)
    after = detector.state()
    assert same(first, second, within=0)
    assert set(before) == set(after)
    assert all(np.array_equal(before[key], after[key]) for key in before)
    assert np.array_equal(images, given)


@each
def test_the_same_seed_gives_the_same_map(name: str, dims: int) -> None:
    images = unseen(name, dims, 2)
    assert same(learned(name, dims).score(images), learn(name, dims).score(images), within=1e-6)


@each
def test_what_was_learned_survives_the_way_through_arrays(name: str, dims: int) -> None:
    detector, images = learned(name, dims), diseased(unseen(name, dims), contrast=0.2)
    state = detector.state()
    assert all(isinstance(value, np.ndarray) and value.dtype != object for value in state.values())
    again = build(name, dims).restore(state)
    assert again.settings == detector.settings
    assert same(detector.score(images), again.score(images))


@each
def test_the_map_has_as_many_axes_as_the_image_and_no_more_places(name: str, dims: int) -> None:
    images = unseen(name, dims, 3)
    scores = learned(name, dims).score(images)
    if scores.map is not None:
        assert scores.map.dtype == np.float32
        assert len(scores.map) == 3
        assert all(cells <= side for cells, side in zip(scores.map.shape[1:], GRIDS[dims], strict=True))
        assert np.isfinite(scores.map).all()
    if scores.reconstruction is not None:
        assert scores.reconstruction.shape == images.shape


def same_whatever_the_seed(name: str, dims: int) -> bool:
    detector = build(name, dims)
    return detector.same_in_every_seed(24, detector.check_run(RUN))


SEEDLESS = [row for row in ROWS if same_whatever_the_seed(*row.values)]


@pytest.mark.parametrize(("name", "dims"), SEEDLESS)
def test_what_says_that_it_draws_nothing_gives_the_same_map_with_another_seed(name: str, dims: int) -> None:
    other = build(name, dims).fit(bodies(name, dims, 24), run=Run(seed=RUN.seed + 1, device="cpu", precision="32"))
    images = diseased(unseen(name, dims), contrast=0.2)
    assert same(learned(name, dims).score(images), other.score(images), within=0)


@named
def test_asked_before_it_has_learned_it_says_so(name: str) -> None:
    detector = build(name, 2)
    with pytest.raises(NotFitted, match="fit"):
        detector.score(unseen(name, 2))
    with pytest.raises(NotFitted, match="fit"):
        detector.state()


@named
def test_images_of_another_kind_are_refused(name: str) -> None:
    detector = learned(name, 2)
    channels = 3 if 1 in detector.channels else 1
    for other in (healthy(1, grid=(64, 64), channels=channels), healthy(1, grid=(32, 64), channels=4 - channels)):
        with pytest.raises(ShapeError, match="profile"):
            detector.score(other)
    with pytest.raises(ShapeError, match="channels"):
        build(name, 2).fit(healthy(2, grid=(64, 64), channels=2))


@named
def test_nothing_to_learn_from_is_refused(name: str) -> None:
    with pytest.raises(TrainingError, match="healthy"):
        build(name, 2).fit(np.zeros((0, 1, 64, 64), np.float32))


@named
def test_a_budget_that_learns_nothing_is_refused_before_any_scan_is_read(name: str) -> None:
    settings = build(name, 2).settings
    wrong = {"steps": 0, "batch_size": 0, "learning_rate": -1.0, "encoder_steps": 0}
    for setting in settings.keys() & wrong.keys():
        with pytest.raises(SettingError, match=setting):
            find_detector(name)(**{**settings, setting: wrong[setting]}).check_run(RUN)


@named
def test_both_sizes_and_the_facts_are_there(name: str) -> None:
    kind = find_detector(name)
    assert kind.name == name
    assert kind.summary
    assert kind.source.startswith("https://")
    for size in ("cpu", "paper"):
        settings = kind.preset(size).settings
        assert kind(**settings).settings == settings
    with pytest.raises(SettingError, match="size"):
        kind.preset("huge")
