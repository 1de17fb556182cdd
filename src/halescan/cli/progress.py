"""Progress: a bar on a terminal, plain lines in a pipe, nothing when quiet."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from halescan.cli.telling import plain


@contextmanager
def listening(quiet: bool = False, one_bar: bool = False) -> Iterator[Callable[[Any], None]]:
    """A listener for `Progress`; a Ctrl-C goes on as the end it means, with all notes on it: typer would lose them."""
    try:
        with _progress(quiet, one_bar) as listen:
            yield listen
    except KeyboardInterrupt as stop:
        end = SystemExit(130)
        for note in getattr(stop, "__notes__", ()):
            end.add_note(note)
        raise end from stop


@contextmanager
def _progress(quiet: bool, one_bar: bool = False) -> Iterator[Callable[[Any], None]]:
    """A bar on a terminal, plain lines in a pipe, nothing when quiet."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Bars(*columns, TextColumn("{task.fields[remark]}"), console=Console(stderr=True)) as bars:
            yield _OneBar(bars) if one_bar else _Bar(bars)
    else:
        yield _PlainLines()


class _Bar:
    """One bar a stage, with the loss and the time left beside it."""

    def __init__(self, bars: Any) -> None:
        self.bars = bars
        self.tasks: dict[str, Any] = {}

    def __call__(self, progress: Any) -> None:
        if progress.note:
            self.bars.console.print(plain(progress.note), markup=False, highlight=False)
            return
        if progress.stage not in self.tasks:
            self.tasks[progress.stage] = self.bars.add_task(progress.stage, total=progress.total, remark="")
        loss = "" if progress.loss is None else f"loss {progress.loss:.4g}"
        left = "" if progress.seconds_left is None else f"{progress.seconds_left:.0f} s left"
        task = self.tasks[progress.stage]
        self.bars.update(task, completed=progress.done, total=progress.total, remark=f"{loss}  {left}".strip())


class _OneBar(_Bar):
    """One bar for all stages, for a command that has hundreds of them."""

    def __call__(self, progress: Any) -> None:
        if progress.note:
            self.bars.console.print(plain(progress.note), markup=False, highlight=False)
            return
        if not self.tasks:
            self.tasks["all"] = self.bars.add_task(progress.stage, total=progress.total, remark="")
        left = "" if progress.seconds_left is None else f"{_duration(progress.seconds_left)} left"
        task = self.tasks["all"]
        self.bars.update(task, description=_stage(progress), completed=progress.done, total=progress.total, remark=left)


def _stage(progress: Any) -> str:
    """The stage, and how far the running one of several jobs has come in it."""
    return f"{progress.stage} {progress.within}".rstrip()


def _duration(seconds: float) -> str:
    """`40 s`, `12 min` or `3 h 20 min`."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class _PlainLines:
    """One line when a stage begins, every ten seconds, and when it ends; never the same line twice in a row."""

    def __init__(self) -> None:
        self.stage = self.line = ""
        self.last = 0.0

    def __call__(self, progress: Any) -> None:
        from time import monotonic

        if progress.note:
            typer.echo(f"note: {plain(progress.note)}", err=True)
            return
        new = progress.stage != self.stage
        if not new and progress.done < progress.total and monotonic() - self.last < 10:
            return
        self.stage, self.last = progress.stage, monotonic()
        left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
        loss = "" if progress.loss is None else f", loss {progress.loss:.4g}"
        line = f"{_stage(progress)}: {progress.done}/{progress.total}{loss}{left}"
        if line != self.line:
            typer.echo(line, err=True)
        self.line = line
