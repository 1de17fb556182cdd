"""Side by side: the same answers, on several threads."""

from collections.abc import Iterator
from threading import current_thread

import pytest
import torch

from halescan.workflows.side_by_side import side_by_side

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_answers_come_in_order_and_torch_has_its_threads_back() -> None:
    def work(number: int) -> tuple[int, int]:
        return number, torch.get_num_threads()

    assert side_by_side(work, list(range(9)), device=CPU) == [(number, 1) for number in range(9)]
    assert torch.get_num_threads() == 2


def test_one_part_keeps_all_threads() -> None:
    assert side_by_side(lambda _: torch.get_num_threads(), ["alone"], device=CPU) == [2]


def test_an_accelerator_takes_one_part_after_the_other() -> None:
    names = side_by_side(lambda _: current_thread().name, [0, 1], device=torch.device("meta"))
    assert names == [current_thread().name] * 2


def test_an_error_reaches_the_caller_and_torch_has_its_threads_back() -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda number: 1 // number, [1, 0, 1], device=CPU)
    assert torch.get_num_threads() == 2
