"""One fixed colour scale for every map ever printed: healthy-tail units 0 to 4, readable without red and green."""

import numpy as np

TAIL_MAX = 4.0  # 1 in 10,000 healthy places; `HealthyTail` caps there
TAIL_SEEN = 1.0  # below 1 in 10 a place is ordinary and stays uncoloured
OPAQUE = 120  # of 255: the opacity at `TAIL_MAX`
LEVELS = 200  # palette entries of the map; the other 56 draw outlines and numbers

OUTLINE = (94, 231, 255)  # cyan: does not occur in the scale nor in grey images

# Nine even steps of "inferno" (van der Walt & Smith, CC0): even in lightness, so that it survives a grey printer.
_INFERNO = np.array(
    [
        [0, 0, 4],
        [33, 12, 74],
        [87, 16, 110],
        [138, 34, 106],
        [188, 55, 84],
        [227, 89, 51],
        [249, 142, 9],
        [249, 203, 53],
        [252, 255, 164],
    ],
    dtype=np.float64,
)


def scale_rgb(tail: np.ndarray) -> np.ndarray:
    """Colours `(..., 3)` uint8 of healthy-tail values `(...)`, on the fixed scale."""
    places = np.clip(np.asarray(tail, dtype=np.float64), 0.0, TAIL_MAX) / TAIL_MAX * (len(_INFERNO) - 1)
    steps = np.arange(len(_INFERNO))
    return np.stack([np.interp(places, steps, channel) for channel in _INFERNO.T], axis=-1).round().astype(np.uint8)


def scale_alpha(tail: np.ndarray) -> np.ndarray:
    """Opacity `(...)` uint8: nothing up to `TAIL_SEEN`, then growing evenly with strangeness up to `OPAQUE`.

    Without a step at its beginning, which would draw outlines around the most ordinary places. Under the strongest
    colour the anatomy keeps more than half of its contrast.
    """
    risen = np.clip((np.asarray(tail, dtype=np.float64) - TAIL_SEEN) / (TAIL_MAX - TAIL_SEEN), 0.0, 1.0)
    return (OPAQUE * risen).round().astype(np.uint8)


def level_of(tail: np.ndarray) -> np.ndarray:
    """Palette entry `(...)` uint8 in [0, LEVELS) of healthy-tail values; no number and no map count as 0."""
    finite = np.nan_to_num(tail, nan=0.0, posinf=TAIL_MAX, neginf=0.0)
    return (np.clip(finite, 0.0, TAIL_MAX) * ((LEVELS - 1) / TAIL_MAX)).astype(np.uint8)


def palette() -> tuple[bytes, bytes]:
    """The 256 colours of a map layer and their opacities, for an indexed PNG.

    Entries: the scale, then 16 strengths of the outline, 16 of its dark halo, and 24 greys for numbers on badges.
    """
    tail = np.arange(LEVELS) * (TAIL_MAX / (LEVELS - 1))
    ramp = np.linspace(0, 255, 16).round().astype(np.uint8)
    greys = np.linspace(0, 255, 24).round().astype(np.uint8)
    colours = np.concatenate(
        [
            scale_rgb(tail),
            np.tile(np.array(OUTLINE, np.uint8), (16, 1)),
            np.zeros((16, 3), np.uint8),
            np.repeat(greys[:, None], 3, 1),
        ]
    )
    opacities = np.concatenate([scale_alpha(tail), ramp, (ramp * 0.7).astype(np.uint8), np.full(24, 255, np.uint8)])
    return colours.tobytes(), opacities.tobytes()


def difference_rgb(difference: np.ndarray, *, full: float) -> np.ndarray:
    """Colours `(h, w, 3)` of a signed difference: blue below, white at zero, orange above, full at ±`full`."""
    share = np.clip(np.nan_to_num(difference) / full, -1.0, 1.0)[..., None]
    orange, blue = np.array([200.0, 80.0, 0.0]), np.array([0.0, 90.0, 181.0])
    end = np.where(share > 0, orange, blue)
    return (255.0 + (end - 255.0) * np.abs(share)).round().astype(np.uint8)
