"""Ahead: work is done on threads a little before it is asked for, and comes back in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def _no_bytes(thing: object) -> int:
    return 0


def ahead(
    work: Callable[[Thing], Result],
    things: Iterable[Thing],
    *,
    jobs: int,
    most: int,
    bytes_of: Callable[[Thing], int] = _no_bytes,
    most_bytes: int = 2**62,
) -> Iterator[Result]:
    """`work(thing)` for each thing, in order, some of them done before they are asked for.

    An error of `work` is raised where its result would have come. Leaving early cancels what has not begun. The next
    thing is begun before a result is handed over, so that even with one waiting, the caller and a thread both work.

    Args:
        jobs: Threads; 0 does the work just when it is asked for, and spares threads that would only get in each
            other's way.
        most: Results waiting at most beside the one handed over, so that memory stays flat.
        bytes_of: How large a thing's result is.
        most_bytes: Bytes waiting at most; one thing may be larger by itself.
    """
    if not jobs:
        yield from map(work, things)
        return
    with ThreadPoolExecutor(jobs, thread_name_prefix="ahead") as pool:
        waiting: deque[tuple[Future[Result], int]] = deque()
        held = 0
        try:
            for thing in things:
                size = bytes_of(thing)
                due: Future[Result] | None = None
                while waiting and (len(waiting) >= most or held + size > most_bytes):
                    if due is not None:
                        yield due.result()
                    due, gone = waiting.popleft()
                    held -= gone
                waiting.append((pool.submit(work, thing), size))
                held += size
                if due is not None:
                    yield due.result()
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            for future, _ in waiting:
                future.cancel()
