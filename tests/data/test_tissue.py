"""Tissue is told from glass, and glass from nothing at all."""

import numpy as np
import pytest

from halescan.data.tissue import slide_tissue
from tests.slides import GLASS, MadeSlide


def drawn(colour: tuple[int, int, int], glass: tuple[int, int, int] = GLASS, noise: float = 1.0) -> np.ndarray:
    """A disc of tissue on glass."""
    y, x = np.mgrid[:300, :300]
    picture = np.full((300, 300, 3), glass, float)
    picture[np.hypot(y - 150, x - 120) < 60] = colour
    picture += np.random.default_rng(0).normal(0, noise, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


DISC = np.hypot(np.mgrid[:300, :300][0] - 150, np.mgrid[:300, :300][1] - 120) < 60


@pytest.mark.parametrize("colour", [(196, 150, 196), (225, 205, 225), (90, 60, 120), (150, 110, 80)])
@pytest.mark.parametrize("glass", [GLASS, (232, 228, 221)])
def test_stained_tissue_is_found_on_any_lamp(colour: tuple[int, int, int], glass: tuple[int, int, int]) -> None:
    found = slide_tissue(drawn(colour, glass))
    assert (found & DISC).sum() / (found | DISC).sum() > 0.93


def test_glass_alone_holds_no_tissue() -> None:
    assert not slide_tissue(drawn(GLASS, noise=1.5)).any()


def test_dust_is_no_tissue() -> None:
    picture = drawn(GLASS)
    picture[40:42, 50:52] = 60
    assert not slide_tissue(picture).any()


def test_a_black_border_of_the_scanner_is_no_tissue() -> None:
    picture = drawn((196, 150, 196))
    picture[:, 260:] = 0
    assert not slide_tissue(picture)[:, 262:].any()


def test_a_slide_full_of_tissue_is_all_tissue() -> None:
    picture = np.full((200, 200, 3), (180, 120, 180), np.uint8)
    assert slide_tissue(picture).all()


def test_a_large_overview_is_looked_at_in_small_and_answered_in_full() -> None:
    made = MadeSlide.of(1500, seed=3)
    picture = np.concatenate(
        [np.concatenate([made.pixels(1, y, x, 250, 250) for x in range(0, 1500, 250)], 1) for y in range(0, 1500, 250)]
    )
    found = slide_tissue(picture)
    truth = picture[..., 1] < 230
    assert found.shape == (1500, 1500)
    assert (found & truth).sum() / (found | truth).sum() > 0.95
