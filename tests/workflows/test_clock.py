"""The time left follows from the jobs that were done now, each kind at its own pace."""

from halescan.training.run import Progress
from halescan.workflows.clock import Clock


class Watch:
    """A watch that is put forward by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def done(clock: Clock, watch: Watch, seconds: float, *, kind: str = "") -> None:
    clock.begin("a job", kind=kind)
    clock.work()
    watch.seconds += seconds
    clock.finish()


def test_nothing_is_promised_before_a_job_was_done() -> None:
    heard: list[Progress] = []
    clock = Clock(3, "jobs", heard.append, done=1)
    clock.begin("second")
    clock.tell(Progress("fitting", 4, 9, loss=0.5))
    assert heard == [Progress("second: fitting", 1, 3, 0.5, None, within="4 of 9")]


def test_a_job_that_outlasts_its_kind_is_promised_what_it_knows_itself_or_nothing() -> None:
    heard: list[Progress] = []
    watch = Watch()
    clock = Clock(3, "jobs", heard.append, now=watch)
    done(clock, watch, 10.0)
    clock.begin("second")
    watch.seconds += 15.0
    clock.tell(Progress("fitting", 4, 9, seconds_left=7.0))
    assert heard[-1].seconds_left == 7 + 10
    clock.tell(Progress("measuring", 1, 2))
    assert heard[-1].seconds_left is None


def test_the_rest_takes_as_long_as_the_jobs_of_its_kind_and_the_others_on_average() -> None:
    heard: list[Progress] = []
    watch = Watch()
    clock = Clock(4, "jobs", heard.append, now=watch)
    done(clock, watch, 10.0, kind="slow")
    done(clock, watch, 2.0, kind="quick")
    clock.begin("third", kind="slow")
    watch.seconds += 3.0
    clock.tell(None)
    assert heard[-1] == Progress("third", 2, 4, None, (10 - 3) + 6)


def test_what_was_found_on_disk_says_nothing_of_the_pace() -> None:
    heard: list[Progress] = []
    watch = Watch()
    clock = Clock(3, "jobs", heard.append, now=watch)
    clock.begin("found")
    clock.finish()
    assert heard == []
    done(clock, watch, 8.0)
    assert heard[-1] == Progress("jobs", 2, 3, None, 8.0)
    done(clock, watch, 4.0)
    assert heard[-1] == Progress("jobs", 3, 3, None, 0.0)
