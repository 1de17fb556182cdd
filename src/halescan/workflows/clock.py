"""Clock: how far many jobs have come, and how long the rest will take at the pace of those done now."""

import time
from collections.abc import Callable

from halescan.training.run import Progress


class Clock:
    """One job after the other; those whose results are found on disk say nothing of the pace.

    Args:
        total: How many jobs there are.
        what: Their name in the plural, which is the stage between two of them.
        listen: Told how far it is.
        done: Jobs that were done before.
        now: Seconds, as `time.monotonic` has them.
    """

    def __init__(
        self,
        total: int,
        what: str,
        listen: Callable[[Progress], None],
        *,
        done: int = 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.what, self.listen, self.done, self.now = total, what, listen, done, now
        self.took: dict[str, list[float]] = {}
        self.begun, self.working, self.stage, self.kind = now(), False, what, ""

    def begin(self, stage: str, *, kind: str = "") -> None:
        """A job is at hand; jobs of one kind take about as long as each other."""
        self.begun, self.working, self.stage, self.kind = self.now(), False, stage, kind

    def work(self) -> None:
        """It has to be done: nothing was found on disk."""
        self.working = True

    def tell(self, progress: Progress | None) -> None:
        """Pass on what happens within it, and how far that is."""
        if progress is None:
            self.listen(Progress(self.stage, self.done, self.total, None, self._left(0.0)))
            return
        within = progress.within or f"{progress.done} of {progress.total}"
        stage, left = f"{self.stage}: {progress.stage}", self._left(progress.seconds_left or 0.0)
        self.listen(Progress(stage, self.done, self.total, progress.loss, left, progress.note, within))

    def finish(self) -> None:
        """It is done."""
        self.done += 1
        if self.working:
            self.took.setdefault(self.kind, []).append(self.now() - self.begun)
        if self.working or self.done == self.total:
            self.begun = self.now()
            left = 0.0 if self.done == self.total else self._left(0.0)
            self.listen(Progress(self.what, self.done, self.total, seconds_left=left))

    def _left(self, known: float) -> float | None:
        """What is left of this job by the mean of its kind, but not less than is known; and the others by the mean.

        A job that takes longer than its kind did, and does not know how long, leaves nothing to be promised.
        """
        every = [seconds for many in self.took.values() for seconds in many]
        if not every:
            return None
        here = self.took.get(self.kind, every)
        rest = max(known, sum(here) / len(here) - (self.now() - self.begun))
        if rest <= 0:
            return None
        return rest + (self.total - self.done - 1) * sum(every) / len(every)
