"""Whole steps: a word to stop that comes in the middle of a step of learning is heard at its end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_STOPS = (signal.SIGINT, signal.SIGTERM)


class Stops:
    """The words to stop that have come and wait: Ctrl-C, and a scheduler's SIGTERM."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, FrameType | None]] = []
        self._before: dict[int, Any] = {}

    def hold(self) -> None:
        """From now on they wait; a second one does not."""
        if threading.current_thread() is threading.main_thread():
            for number in _STOPS:
                if callable(before := signal.getsignal(number)):
                    self._before[number] = before
                    signal.signal(number, self._wait)

    def let_go(self) -> None:
        """From now on they are heard at once, by whoever heard them before."""
        for number, before in self._before.items():
            signal.signal(number, before)

    def hear(self) -> None:
        """Let the first that waits do what it does: raise KeyboardInterrupt, or end."""
        if self.waiting:
            number, frame = self.waiting.pop(0)
            self._before[number](number, frame)

    def _wait(self, number: int, frame: FrameType | None) -> None:
        if self.waiting:  # somebody insists
            self._before[number](number, frame)
        self.waiting.append((number, frame))


@contextmanager
def stops_at_whole_steps() -> Iterator[Stops]:
    """While this lasts, learning asks between two steps whether it is to stop; in the first thread alone."""
    stops = Stops()
    stops.hold()
    try:
        yield stops
    finally:
        stops.let_go()
    stops.hear()
