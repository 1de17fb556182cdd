"""Copies found whatever was done to them, and different pictures left alone."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from halescan.data.copies import SIDE, find_copies, picture
from halescan.types import Scan

CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved as a poor JPEG": lambda one: jpeg(one, 30),
    "half the size": lambda one: one.resize((one.width // 2, one.height // 2), Image.Resampling.BICUBIC),
    "squashed": lambda one: one.resize((int(one.width * 0.7), int(one.height * 1.2)), Image.Resampling.BILINEAR),
    "brighter": lambda one: one.point(lambda value: int(255 * (value / 255) ** 0.6)),
    "more contrast": lambda one: ImageEnhance.Contrast(one).enhance(1.5),
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "a quarter turned": lambda one: one.transpose(Image.Transpose.ROTATE_90),
    "cropped": lambda one: cropped(one, 0.04),
    "cropped and mirrored": lambda one: ImageOps.mirror(cropped(one, 0.05)),
    "a little askew": lambda one: one.rotate(2, Image.Resampling.BILINEAR),
}


def body(seed: int, side: int = 160) -> Image.Image:
    """An oval with shades and detail of its own, as bodies have."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    shades = np.zeros((side, side))
    for cells, weight in ((5, 60), (12, 45), (28, 35)):
        coarse = Image.fromarray((random.random((cells, cells)) * 255).astype(np.uint8))
        shades += weight / 255 * np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), float)
    inside = (x / 0.8) ** 2 + (y / 0.9) ** 2 < 1
    return Image.fromarray(np.where(inside, 60 + shades, 10).astype(np.uint8))


def jpeg(one: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    one.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("L")


def cropped(one: Image.Image, share: float) -> Image.Image:
    across, down = int(one.width * share), int(one.height * share)
    return one.crop((across, down, one.width - across, one.height - down))


def small(one: Image.Image) -> np.ndarray:
    return picture(Scan(np.asarray(one), 2))


@pytest.fixture(scope="module")
def people() -> np.ndarray:
    return np.stack([small(body(seed)) for seed in range(24)])


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found_whatever_was_done_to_it(people: np.ndarray, change: str) -> None:
    changed = small(CHANGES[change](body(7)))
    found = find_copies(np.concatenate([people, changed[None]]), [0] * 24 + [1])
    assert [(copy.first, copy.second) for copy in found] == [(7, 24)]


def test_pictures_of_different_people_are_no_copies(people: np.ndarray) -> None:
    assert find_copies(people) == []


def test_a_mirror_image_is_called_one(people: np.ndarray) -> None:
    plain, mirrored = small(body(3)), small(ImageOps.mirror(body(5)))
    found = find_copies(np.concatenate([people, plain[None], mirrored[None]]), of=[24, 25])
    assert {(copy.first, copy.mirrored) for copy in found} == {(3, False), (5, True)}


def test_a_bright_frame_that_all_share_makes_no_copies() -> None:
    framed = []
    for seed in range(12):
        pixels = np.asarray(body(seed)).copy()
        pixels[:8] = pixels[-8:] = 255
        pixels[:, :8] = pixels[:, -8:] = 255
        framed.append(picture(Scan(pixels, 2)))
    assert find_copies(np.stack(framed)) == []


def test_a_picture_without_contrast_is_like_no_other(people: np.ndarray) -> None:
    flat = np.zeros((2, SIDE, SIDE), np.float32)
    assert find_copies(np.concatenate([people, flat])) == []


def test_copies_are_looked_for_where_asked_alone(people: np.ndarray) -> None:
    twice = np.concatenate([people, people[:2]])
    assert [(copy.first, copy.second) for copy in find_copies(twice, of=[24])] == [(0, 24)]
    assert find_copies(twice, of=[]) == []


def test_an_array_on_disk_and_half_precision_will_do(people: np.ndarray, tmp_path) -> None:
    both = np.concatenate([people, people[4][None]])
    on_disk = np.memmap(tmp_path / "pictures.f16", np.float16, mode="w+", shape=both.shape)
    on_disk[:] = both
    assert [(copy.first, copy.second) for copy in find_copies(on_disk)] == [(4, 24)]


def test_no_pictures_and_one_have_no_copies(people: np.ndarray) -> None:
    assert find_copies(people[:0]) == []
    assert find_copies(people[:1]) == []


@given(order=st.permutations(range(9)))
@settings(max_examples=10, deadline=None)
def test_the_order_of_the_pictures_does_not_matter(people: np.ndarray, order: list[int]) -> None:
    nine = np.concatenate([people[:7], people[2:4, :, ::-1]])
    pairs = {frozenset((copy.first, copy.second)) for copy in find_copies(nine)}
    shuffled = {frozenset((order[copy.first], order[copy.second])) for copy in find_copies(nine[order])}
    assert pairs == shuffled == {frozenset((2, 7)), frozenset((3, 8))}


def test_the_middle_slice_stands_for_a_volume_and_grey_for_colour() -> None:
    slices = np.stack([np.asarray(body(seed)) for seed in range(5)])
    np.testing.assert_array_equal(picture(Scan(slices, 3)), small(body(2)))
    np.testing.assert_allclose(picture(Scan(np.repeat(slices[2][..., None], 3, axis=-1), 2)), small(body(2)), atol=1e-3)
