"""Ahead: in order, a little early, and never too much at once."""

from threading import Event, active_count

import pytest

from halescan.data.ahead import ahead


def test_results_come_in_order_whatever_takes_longest():
    last = Event()

    def work(number: int) -> int:
        if number == 0:
            last.wait(5)
        if number == 2:
            last.set()
        return number

    assert list(ahead(work, range(6), jobs=2, most=4)) == list(range(6))


def test_no_more_than_so_many_wait_and_no_more_than_so_many_bytes():
    begun: list[int] = []
    stream = ahead(begun.append, range(20), jobs=1, most=3)
    next(stream)
    assert len(begun) <= 4
    heavy: list[int] = []
    stream = ahead(heavy.append, range(20), jobs=1, most=10, bytes_of=lambda _: 60, most_bytes=100)
    next(stream)
    assert len(heavy) <= 2


def test_the_next_is_begun_before_a_result_is_handed_over():
    second = Event()
    stream = ahead(lambda number: number and second.set(), range(20), jobs=1, most=1)
    next(stream)
    assert second.wait(5)


def test_one_thing_larger_than_the_limit_is_done_all_the_same():
    assert list(ahead(lambda size: size, [500, 5, 700], jobs=1, most=2, bytes_of=int, most_bytes=100)) == [500, 5, 700]


def test_an_error_comes_where_its_result_would_have():
    stream = ahead(lambda number: 1 // number, [1, 0, 1], jobs=1, most=5)
    assert next(stream) == 1
    with pytest.raises(ZeroDivisionError):
        next(stream)


def test_leaving_early_ends_the_threads():
    before = active_count()
    stream = ahead(lambda number: number, range(1000), jobs=2, most=4)
    next(stream)
    stream.close()
    assert active_count() == before


def test_without_threads_the_work_is_done_when_it_is_asked_for():
    before = active_count()
    begun: list[int] = []
    stream = ahead(begun.append, range(20), jobs=0, most=3)
    next(stream)
    assert begun == [0]
    assert active_count() == before
