"""Places: what health is like at each place, of the maps that a detector gives and of the images themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from halescan.scoring.maps import PlaceStatistics

ROOMS = {"maps": "place", "grey": "brightness"}  # names of the stored arrays


@dataclass(frozen=True, eq=False)
class Places:
    """Healthy mean and spread per place.

    Args:
        maps: Of the maps; None where the profile does not compare places.
        grey: Of the smoothed images; None where disease may be darker or brighter.
    """

    maps: PlaceStatistics | None = None
    grey: PlaceStatistics | None = None

    def state(self) -> dict[str, np.ndarray]:
        """All of it as arrays."""
        parts = {ROOMS["maps"]: self.maps, ROOMS["grey"]: self.grey}
        return {
            f"{room}/{name}": value
            for room, part in parts.items()
            if part is not None
            for name, value in part.state().items()
        }

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Back from `state`, whatever else lies among the arrays."""
        return cls(**{field: _stored(state, room) for field, room in ROOMS.items()})


NO_PLACES = Places()  # nothing is known of any place


def _stored(state: Mapping[str, np.ndarray], room: str) -> PlaceStatistics | None:
    mine = {name.removeprefix(room + "/"): value for name, value in state.items() if name.startswith(room + "/")}
    return PlaceStatistics.from_state(mine) if mine else None
