"""Nearest healthy patches: exact, by place or among all."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from halescan.networks.nearest import BankByPlace, BankOfAll, places_around, spread_out


def patches(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [1, 3])
def test_one_bank_agrees_with_scikit_learn(count: int) -> None:
    bank, queries = patches(200, 5), patches(2, 30, 5, seed=1)
    distances, rows = BankOfAll(bank).nearest(queries, count=count)
    wanted, numbers = NearestNeighbors(n_neighbors=count).fit(bank.numpy()).kneighbors(queries.reshape(60, 5).numpy())
    torch.testing.assert_close(distances.reshape(60, count), torch.from_numpy(wanted).float(), atol=1e-5, rtol=1e-5)
    assert torch.equal(rows.reshape(60, count), torch.from_numpy(numbers))


@settings(max_examples=25, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    steps=st.integers(0, 3),
    count=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_a_place_is_compared_with_the_places_around_it_and_no_others(
    grid: tuple[int, int], steps: int, count: int, seed: int
) -> None:
    places = grid[0] * grid[1]
    bank, queries = patches(places, 4, 3, seed=seed), patches(2, places, 3, seed=seed + 1)
    distances, images = BankByPlace(bank, grid=grid, steps=steps).nearest(queries, count=count)
    for place in range(places):
        y, x = divmod(place, grid[1])
        near = [p for p in range(places) if max(abs(p // grid[1] - y), abs(p % grid[1] - x)) <= steps]
        wanted, order = torch.cdist(queries[:, place], bank[near].flatten(0, 1)).sort(dim=1)
        torch.testing.assert_close(distances[:, place], wanted[:, :count], atol=1e-5, rtol=1e-4)
        assert torch.equal(images[:, place], order[:, :count] % 4)


def test_a_place_around_stands_opposite_to_its_way_back() -> None:
    around, inside = places_around((3, 4), 1)
    for place in range(12):
        for column in range(9):
            if inside[place, column]:
                assert around[around[place, column], 8 - column] == place


def test_the_order_of_the_bank_changes_nothing() -> None:
    bank, queries = patches(50, 4), patches(1, 9, 4, seed=1)
    shuffled = bank[torch.randperm(50, generator=torch.Generator().manual_seed(2))]
    assert torch.equal(BankOfAll(bank).nearest(queries)[0], BankOfAll(shuffled).nearest(queries)[0])


def test_a_patch_that_is_in_the_bank_has_distance_nought() -> None:
    bank = 1000 + patches(50, 4)  # far from the origin, where expanded squares lose their digits
    assert float(BankOfAll(bank).nearest(bank[None, :5])[0].max()) < 0.05
    by_place = BankByPlace(patches(6, 5, 4), grid=(2, 3), steps=1)
    assert float(by_place.nearest(by_place.patches[None, :, 2])[0].max()) == 0


def test_a_search_in_blocks_is_the_search_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bank, queries = patches(12, 6, 4), patches(5, 12, 4, seed=1)
    whole = BankByPlace(bank, grid=(3, 4), steps=1).nearest(queries)
    flat = BankOfAll(bank.flatten(0, 1)).nearest(queries)
    monkeypatch.setattr("halescan.networks.nearest._ROOM", 1)
    torch.testing.assert_close(BankByPlace(bank, grid=(3, 4), steps=1).nearest(queries)[0], whole[0])
    for room in (1, 7 * 72):  # a query at a time, and sevens of sixty with four left over
        monkeypatch.setattr("halescan.networks.nearest._ROOM_OF_ALL", room)
        torch.testing.assert_close(BankOfAll(bank.flatten(0, 1)).nearest(queries)[0], flat[0])


def radius(rows: torch.Tensor, kept: torch.Tensor) -> float:
    return float(torch.cdist(rows, rows[kept]).min(1).values.max())


def test_more_kept_rows_leave_none_as_far_away() -> None:
    rows = patches(400, 3)
    reach = [radius(rows, spread_out(rows, keep=keep, seed=0)) for keep in (5, 20, 80, 320)]
    assert reach == sorted(reach, reverse=True)
    assert reach[-1] < 0.5 * reach[0]


def test_spread_out_rows_cover_better_than_rows_at_random() -> None:
    rows = torch.cat([0.1 * patches(500, 40), 5 + patches(10, 40, seed=1)])  # a crowd, and a few of another kind
    chosen = spread_out(rows, keep=30, seed=0)
    at_random = torch.randperm(510, generator=torch.Generator().manual_seed(0))[:30]
    assert len(set(chosen.tolist())) == 30
    assert radius(rows, chosen) < radius(rows, at_random)


def test_keeping_all_keeps_all_and_a_seed_keeps_the_same() -> None:
    rows = patches(40, 30)
    assert torch.equal(spread_out(rows, keep=40, seed=0), torch.arange(40))
    assert torch.equal(spread_out(rows, keep=9, seed=3), spread_out(rows, keep=9, seed=3))
