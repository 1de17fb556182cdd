"""Writer: reports are laid out beside the scoring, on the other cores."""

import os
import signal
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Self

from halescan.errors import HalescanError
from halescan.reporting import write_case
from halescan.types import CaseResult

HELD_BYTES = 64 * 2**20  # of pixels in results on their way; their maps and masks are twice as much again
LAID_OUT = {"html", "pdf", "overlay"}  # to write the others takes less than to send a case to another process
FEW = 8  # below so many cases, starting another process costs more than it saves


class Writer:
    """Writes cases, on worker processes where there are many of them and each takes its time.

    Args:
        lang: Language of the reports.
        formats: What to write.
        jobs: Worker processes at most.
        cases: How many cases will come.
    """

    def __init__(self, *, lang: str, formats: tuple[str, ...], jobs: int, cases: int) -> None:
        self.lang, self.formats = lang, formats
        self.jobs = jobs
        worth = cases >= FEW and jobs > 1 and not LAID_OUT.isdisjoint(formats)
        self.pool = ProcessPoolExecutor(jobs, get_context("spawn"), _be_a_worker) if worth else None
        self.waiting: deque[tuple[CaseResult, Path, Future[str]]] = deque()
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)

    def write(self, result: CaseResult, folder: Path) -> None:
        """Write a case, now or soon; waits when too many are on their way, so that memory stays flat."""
        while self.pool is not None and self.waiting and self._full():
            self._collect()
        if self.pool is None:
            self._note(result, _write(result, folder, self.lang, self.formats))
            return
        try:
            with _quiet_birth():
                future = self.pool.submit(_write, result, folder, self.lang, self.formats)
            self.waiting.append((result, folder, future))
        except BrokenProcessPool:
            self._let_go()
            self.write(result, folder)

    def _full(self) -> bool:
        """Whether enough results are on their way, by number or by size."""
        held = sum(scan.scan.pixels.nbytes for result, _, _ in self.waiting for scan in result.scans)
        return len(self.waiting) >= 2 * self.jobs or held >= HELD_BYTES

    def finish(self) -> list[str]:
        """Wait for all; the sentences about what could not be written."""
        while self.waiting:
            self._collect()
        return self.problems

    def _collect(self) -> None:
        """The oldest case on its way; written here if its worker died, as when memory ran out."""
        result, folder, future = self.waiting.popleft()
        try:
            error = future.result()
        except BrokenProcessPool:
            self._let_go()
            error = _write(result, folder, self.lang, self.formats)
        self._note(result, error)

    def _let_go(self) -> None:
        """Leave a pool that takes no more work, so that the program can end.

        Before Python 3.12 a thread of it waits for ever for the dead worker to read the case it was being sent
        (CPython issue 94777): nobody reads any more, and it is told so.
        """
        queue = getattr(self.pool, "_call_queue", None)
        if queue is not None:
            queue._reader.close()
        self.pool = None

    def _note(self, result: CaseResult, error: str) -> None:
        if error:
            self.problems.append(f"{result.case}: {error}")


def _write(result: CaseResult, folder: Path, lang: str, formats: tuple[str, ...]) -> str:
    """Write one case; the error of ours as a sentence, empty if there was none."""
    try:
        write_case(result, folder, lang=lang, formats=formats)
    except HalescanError as error:
        return str(error)
    return ""


def _be_a_worker() -> None:
    """Leave Ctrl-C to the parent, which ends its workers when their case is written; and never outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _quiet_birth() -> Iterator[None]:
    """While a worker may be started: it must not hear a Ctrl-C before it can ignore it, nor run the caller's script.

    A spawned process runs the main module again, so that a script without `if __name__ == "__main__"` would begin its
    whole work anew in every worker. Ours need nothing of it, and are shown an empty one.
    """
    from multiprocessing import resource_tracker

    main = sys.modules["__main__"]
    if hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()  # it would unblock the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
