"""Places: what health is like at each place, of the maps that a detector gives and of the images themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from halescan.detectors.tails import OpenTail
from halescan.scoring.brightness import Sought, both, direction_rarity
from halescan.scoring.maps import PlaceStatistics
from halescan.training.weights import part_of

ROOMS = ("place", "brightness")  # of the stored arrays that are as large as an image


@dataclass(frozen=True, eq=False)
class Direction:
    """What it takes to point at what is strange and darker, or brighter, than in health.

    Args:
        grey: Of the levelled, smoothed brightness of healthy images, place by place.
        tail: How rare a value of the map is among healthy places.
    """

    grey: PlaceStatistics
    tail: OpenTail

    def apply(self, maps: np.ndarray, grey: np.ndarray, masks: np.ndarray, *, sought: Sought) -> np.ndarray:
        """Maps `(n, *grid)` that point; `grey` is the brightness of the images, smoothed as the maps are."""
        if sought == "any":
            return maps
        return both(self.tail(maps), direction_rarity(grey, masks, self.grey, sought=sought))


@dataclass(frozen=True, eq=False)
class Places:
    """Healthy mean and spread per place.

    Args:
        maps: Of the maps; None where the profile does not compare places.
        direction: None where disease may be darker or brighter.
    """

    maps: PlaceStatistics | None = None
    direction: Direction | None = None

    def state(self) -> dict[str, np.ndarray]:
        """All of it as arrays."""
        found = {} if self.maps is None else {f"place/{name}": value for name, value in self.maps.state().items()}
        if self.direction is not None:
            found |= {f"brightness/{name}": value for name, value in self.direction.grey.state().items()}
            found |= {f"map_tail/{name}": value for name, value in self.direction.tail.state().items()}
        return found

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Back from `state`, whatever else lies among the arrays."""
        maps, grey, tail = (part_of(state, room) for room in ("place", "brightness", "map_tail"))
        return cls(
            PlaceStatistics.from_state(maps) if maps else None,
            Direction(PlaceStatistics.from_state(grey), OpenTail.from_state(tail)) if grey else None,
        )


NO_PLACES = Places()  # nothing is known of any place
