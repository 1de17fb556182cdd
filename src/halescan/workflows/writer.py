"""Writer: reports are laid out beside the scoring, on the other cores."""

from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Self

from halescan.errors import HalescanError
from halescan.reporting import write_case
from halescan.types import CaseResult

FEW = 8  # below so many cases, starting another process costs more than it saves


class Writer:
    """Writes cases, on worker processes where there are many of them.

    Args:
        lang: Language of the reports.
        formats: What to write.
        jobs: Worker processes at most.
        cases: How many cases will come.
    """

    def __init__(self, *, lang: str, formats: tuple[str, ...], jobs: int, cases: int) -> None:
        self.lang, self.formats = lang, formats
        self.jobs = jobs
        self.pool = None if cases < FEW or jobs < 2 else ProcessPoolExecutor(jobs, get_context("spawn"))
        self.waiting: deque[tuple[str, Future[str]]] = deque()
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)

    def write(self, result: CaseResult, folder: Path) -> None:
        """Write a case, now or soon; waits when too many are on their way, so that memory stays flat."""
        if self.pool is None:
            self._note(result.case, _write(result, folder, self.lang, self.formats))
            return
        while len(self.waiting) >= 2 * self.jobs:
            self._collect()
        self.waiting.append((result.case, self.pool.submit(_write, result, folder, self.lang, self.formats)))

    def finish(self) -> list[str]:
        """Wait for all; the sentences about what could not be written."""
        while self.waiting:
            self._collect()
        return self.problems

    def _collect(self) -> None:
        case, future = self.waiting.popleft()
        self._note(case, future.result())

    def _note(self, case: str, error: str) -> None:
        if error:
            self.problems.append(f"{case}: {error}")


def _write(result: CaseResult, folder: Path, lang: str, formats: tuple[str, ...]) -> str:
    """Write one case; the error of ours as a sentence, empty if there was none."""
    try:
        write_case(result, folder, lang=lang, formats=formats)
    except HalescanError as error:
        return str(error)
    return ""
