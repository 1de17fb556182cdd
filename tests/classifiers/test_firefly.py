"""Fireflies find the brightest place, and attraction does what its settings say."""

import numpy as np

from halescan.classifiers.firefly import firefly_search


def hill(place: np.ndarray) -> float:
    return -float(np.square(place - 0.3).sum())


def test_the_top_of_a_hill_is_found() -> None:
    found = firefly_search(hill, dims=3, rounds=80, decay=0.93, random=np.random.default_rng(0))
    assert found.brightness > -1e-3


def test_the_best_never_gets_worse() -> None:
    history = firefly_search(hill, dims=5, random=np.random.default_rng(1)).history
    assert (np.diff(history) >= 0).all()
    assert len(history) == 31


def test_without_straying_infinite_absorption_moves_nobody() -> None:
    asked: list[np.ndarray] = []

    def watched(place: np.ndarray) -> float:
        asked.append(place)
        return hill(place)

    found = firefly_search(watched, dims=4, straying=0, absorption=np.inf, fireflies=7, random=np.random.default_rng(2))
    assert len(asked) == 7
    assert found.history[-1] == found.history[0]


def test_without_absorption_all_fly_to_the_brightest() -> None:
    last: list[np.ndarray] = []

    def watched(place: np.ndarray) -> float:
        last.append(place.copy())
        return hill(place)

    found = firefly_search(
        watched, dims=2, straying=0, absorption=0, fireflies=6, rounds=4, random=np.random.default_rng(3)
    )
    assert np.allclose(last[-1], found.place)


def test_no_place_leaves_the_cube() -> None:
    def inside(place: np.ndarray) -> float:
        assert ((place >= 0) & (place <= 1)).all()
        return float(place.sum())

    assert firefly_search(inside, dims=2, straying=2.0, random=np.random.default_rng(4)).brightness <= 2
