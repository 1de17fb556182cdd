"""Masks: how much is hidden, that everything is hidden at least once, and what is pasted back."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from halescan.errors import SettingError
from halescan.networks.masking import (
    blank,
    complementary_cells,
    cut_around,
    disjoint_cells,
    draws_of,
    grid_masks,
    grown,
    in_painted,
    mean_where_hidden,
    paste,
    piece_means,
    random_boxes,
    random_cells,
    sliding_boxes,
    spread_cells,
    superpixels,
)
from halescan.training.chance import noise

GRIDS = st.one_of(st.tuples(*[st.integers(3, 20)] * 2), st.tuples(*[st.integers(3, 9)] * 3))
quick = settings(max_examples=25, deadline=None)


def some_noise() -> torch.Generator:
    return noise(0, "test")


@quick
@given(cells=st.integers(1, 40), share=st.floats(0, 1))
def test_each_row_hides_exactly_as_many_cells_as_asked(cells: int, share: float) -> None:
    hidden = round(share * cells)
    assert (random_cells(5, cells, hidden=hidden, generator=some_noise()).sum(1) == hidden).all()


def test_every_cell_is_hidden_as_often_as_the_others_in_the_long_run() -> None:
    often = random_cells(4000, 8, hidden=6, generator=some_noise()).float().mean(0)
    assert torch.allclose(often, torch.full((8,), 0.75), atol=0.03)


@quick
@given(cells=st.integers(2, 50), share=st.floats(0.05, 0.95), more=st.integers(0, 4))
def test_complementary_draws_hide_every_cell_equally_often_give_or_take_one(
    cells: int, share: float, more: int
) -> None:
    hidden = max(1, round(share * cells))
    draws = math.ceil(cells / hidden) + more
    masks = complementary_cells(cells, hidden=hidden, draws=draws, generator=some_noise())
    often = masks.sum(0)
    assert (masks.sum(1) == hidden).all()
    assert often.min() >= 1
    assert often.max() - often.min() <= 1


def test_too_few_draws_to_hide_every_cell_are_refused() -> None:
    with pytest.raises(SettingError, match="4 draws or more"):
        complementary_cells(16, hidden=4, draws=3, generator=some_noise())


@quick
@given(cells=st.integers(1, 60), parts=st.integers(1, 7))
def test_disjoint_cells_are_each_hidden_once_in_sets_of_equal_size(cells: int, parts: int) -> None:
    masks = disjoint_cells(cells, parts=parts, generator=some_noise())
    assert (masks.sum(0) == 1).all()
    assert masks.sum(1).max() - masks.sum(1).min() <= 1


@quick
@given(grid=GRIDS, cell=st.integers(1, 8), parts=st.integers(2, 4))
def test_the_masks_of_a_grid_hide_every_place_once(grid: tuple[int, ...], cell: int, parts: int) -> None:
    masks = grid_masks(grid, cell_px=cell, parts=parts, generator=some_noise())
    assert masks.shape == (parts, 1, *grid)
    assert (masks.sum(0) == 1).all()


def test_cells_spread_over_their_places_and_are_cut_at_the_border() -> None:
    spread = spread_cells(torch.tensor([True, False, False, True]), (3, 4), cell_px=2)
    assert spread[0].int().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]]


@quick
@given(grid=GRIDS, smallest=st.integers(1, 5), more=st.integers(0, 5))
def test_a_random_box_is_whole_and_no_larger_than_asked(grid: tuple[int, ...], smallest: int, more: int) -> None:
    masks = random_boxes(6, grid, smallest_px=smallest, largest_px=smallest + more, generator=some_noise())
    for mask in masks[:, 0]:
        places = mask.nonzero()
        sides = places.amax(0) - places.amin(0) + 1
        assert int(mask.sum()) == math.prod(sides.tolist())
        for side, length in zip(sides.tolist(), grid, strict=True):
            assert min(smallest, length) <= side <= smallest + more


def test_a_box_may_touch_every_border() -> None:
    masks = random_boxes(300, (8, 8), smallest_px=3, largest_px=3, generator=some_noise())
    assert bool(masks.any(dim=0).all())


@quick
@given(grid=GRIDS, hole=st.integers(1, 12), stride=st.integers(1, 12))
def test_sliding_boxes_cover_every_place(grid: tuple[int, ...], hole: int, stride: int) -> None:
    masks = sliding_boxes(grid, hole_px=hole, stride_px=min(stride, hole))
    assert masks.shape[1:] == (1, *grid)
    assert masks.any(0).all()
    assert (masks.flatten(1).sum(1) == math.prod(min(hole, side) for side in grid)).all()


def test_a_hole_of_16_every_8_pixels_of_64_has_49_places() -> None:
    assert len(sliding_boxes((64, 64), hole_px=16, stride_px=8)) == 49


def test_a_stride_that_would_leave_places_unseen_is_refused() -> None:
    with pytest.raises(SettingError, match="stride"):
        sliding_boxes((8, 8), hole_px=2, stride_px=3)


def test_what_is_hidden_is_blank_and_what_is_pasted_is_the_drawing() -> None:
    images, drawn = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    hidden = torch.rand(2, 1, 4, 4) < 0.5
    seen = blank(images, hidden, fill=-1)
    where = hidden.expand_as(images)
    assert (seen[where] == -1).all()
    assert torch.equal(seen[~where], images[~where])
    pasted = paste(images, drawn, hidden)
    assert torch.equal(pasted[where], drawn[where])
    assert torch.equal(pasted[~where], images[~where])


def test_the_mean_where_hidden_knows_nothing_of_the_other_draws() -> None:
    hidden = torch.tensor([[True, False], [True, True], [False, True]])[:, None]
    drawn = torch.tensor([[[[1.0, 100.0]], [[3.0, 5.0]], [[100.0, 7.0]]]])
    assert mean_where_hidden(drawn, hidden).flatten().tolist() == [2.0, 6.0]
    assert mean_where_hidden(drawn, hidden[None]).flatten().tolist() == [2.0, 6.0]


def test_an_oracle_paints_the_truth() -> None:
    images = torch.rand(2, 1, 9, 7)
    masks = grid_masks((9, 7), cell_px=2, parts=3, generator=some_noise())
    assert torch.allclose(in_painted(lambda seen: images, images, masks), images)


def test_no_place_is_drawn_by_a_network_that_saw_it() -> None:
    images = torch.rand(2, 1, 8, 8) + 1
    masks = sliding_boxes((8, 8), hole_px=4, stride_px=2)
    assert (in_painted(lambda seen: seen, images, masks) == 0).all()
    for one, seen in draws_of(lambda seen: seen, images, masks, fill=-2.0):
        assert (seen[:, one] == -2).all()


def test_superpixels_partition_the_image_and_follow_its_edges() -> None:
    images = torch.zeros(2, 1, 24, 24)
    images[:, :, :, 11:] = 1
    labels = superpixels(images, segments=16)
    assert labels.shape == (2, 24, 24)
    for image, pieces in zip(images[:, 0], labels, strict=True):
        assert torch.equal(pieces.unique(), torch.arange(int(pieces.max()) + 1))
        assert len(pieces.unique()) > 4
        assert all(len(image[pieces == piece].unique()) == 1 for piece in pieces.unique())


def test_colour_images_have_superpixels_too() -> None:
    assert superpixels(torch.rand(1, 3, 16, 16), segments=9).shape == (1, 16, 16)


def test_the_mean_over_pieces_of_one_value_is_that_value() -> None:
    labels = superpixels(torch.rand(2, 1, 16, 16), segments=9)
    assert torch.allclose(piece_means(torch.full((2, 16, 16), 0.3), labels), torch.full((2, 16, 16), 0.3))


def test_the_mean_over_pieces_is_what_numpy_says() -> None:
    maps, labels = torch.rand(2, 16, 16), superpixels(torch.rand(2, 1, 16, 16), segments=9)
    means = piece_means(maps, labels).numpy()
    for number in range(2):
        for piece in np.unique(labels[number]):
            inside = labels[number].numpy() == piece
            np.testing.assert_allclose(means[number][inside], maps[number].numpy()[inside].mean(), rtol=1e-5)


@pytest.mark.parametrize("grid", [(12, 12), (10, 9, 8)])
def test_a_piece_is_cut_around_the_hole_and_within_the_image(grid: tuple[int, ...]) -> None:
    images = torch.rand(20, 2, *grid)
    hidden = random_boxes(20, grid, smallest_px=3, largest_px=3, generator=some_noise())
    pieces = cut_around(images, hidden, size_px=6)
    holes = cut_around(hidden, hidden, size_px=6)
    assert pieces.shape == (20, 2, *[6] * len(grid))
    assert (holes.flatten(1).sum(1) == 3 ** len(grid)).all()


def test_a_grown_box_reaches_further_on_every_side() -> None:
    hidden = torch.zeros(1, 1, 9, 9, dtype=torch.bool)
    hidden[0, 0, 3:5, 4] = True
    more = torch.zeros_like(hidden)
    more[0, 0, 1:7, 2:7] = True
    assert torch.equal(grown(hidden, by_px=2), more)
