"""Firefly search: points that fly towards brighter ones, less the farther they are, and stray a little."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Found:
    """The brightest place `(dims,)`, its brightness, and the best so far after each round `(rounds + 1,)`."""

    place: np.ndarray
    brightness: float
    history: np.ndarray


def firefly_search(
    brightness: Callable[[np.ndarray], float],
    *,
    dims: int,
    random: np.random.Generator,
    fireflies: int = 20,
    rounds: int = 30,
    attraction: float = 1.0,
    absorption: float = 1.0,
    straying: float = 0.25,
    decay: float = 0.97,
) -> Found:
    """Look for the brightest place of the unit cube.

    Args:
        brightness: Larger is better; called `fireflies * (rounds + 1)` times at most.
        attraction: Share of the way a firefly flies towards a brighter one beside it.
        absorption: How fast attraction fades with the mean squared distance over the dimensions: 0 not at all, infinity
            at once.
        straying: Width of the random step, `decay` times smaller each round.

    Source:
        Yang 2009, doi 10.1007/978-3-642-04944-6_14. We differ: distances are means over the dimensions, so that
        attraction does not die out in a cube of many; a firefly strays once a round; the brightest tries a random step
        and takes it only if it is brighter there.
    """
    places = random.random((fireflies, dims))
    light = np.asarray([brightness(place) for place in places], np.float64)
    history = [light.max()]
    for _ in range(rounds):
        moved = np.stack(
            [_flown(number, places, light, attraction=attraction, absorption=absorption) for number in range(fireflies)]
        )
        moved = np.clip(moved + straying * (random.random(moved.shape) - 0.5), 0.0, 1.0)
        leader = int(light.argmax())
        for number in range(fireflies):
            if np.array_equal(moved[number], places[number]):
                continue
            seen = brightness(moved[number])
            if number != leader or seen > light[number]:
                places[number], light[number] = moved[number], seen
        straying *= decay
        history.append(max(history[-1], light.max()))
    best = int(light.argmax())
    return Found(places[best].copy(), float(light[best]), np.asarray(history))


def _flown(number: int, places: np.ndarray, light: np.ndarray, *, attraction: float, absorption: float) -> np.ndarray:
    """Where a firefly comes to, drawn by each brighter one in turn."""
    here = places[number].copy()
    for brighter in np.flatnonzero(light > light[number]):
        squared = float(np.square(places[brighter] - here).mean())
        faded = 0.0 if squared > 0 and np.isinf(absorption) else np.exp(-absorption * squared) if squared > 0 else 1.0
        here += attraction * faded * (places[brighter] - here)
    return here
