"""Compare: every method on every data set with every seed, beside the trivial baselines, as one page and one table."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from halescan.errors import OutputError, SettingError
from halescan.reporting.compare_page import write_compare_page
from halescan.reporting.json_out import write_atomically, write_json
from halescan.training.run import Progress, say_nothing
from halescan.workflows.alone import alone_in
from halescan.workflows.clock import Clock
from halescan.workflows.comparison.curves import curves_of
from halescan.workflows.comparison.done import Done
from halescan.workflows.comparison.page_pictures import pictures_of
from halescan.workflows.comparison.plan import (
    Cell,
    DataSet,
    check_by,
    plan_cells,
    plan_methods,
    plan_sets,
    with_settings,
)
from halescan.workflows.comparison.published import check_published, read_published
from halescan.workflows.comparison.record import comparison_record
from halescan.workflows.comparison.run import Outcome, asked_of, forget_failure, outcome_of, run_cell
from halescan.workflows.comparison.steps import has_steps
from halescan.workflows.comparison.table import markdown, terminal_lines
from halescan.workflows.leaks import check_data

MOST_MINUTES = 240.0


@dataclass(frozen=True)
class Compared:
    """What came of it: the content of `comparison.json`, and where the page lies."""

    out: Path
    record: dict[str, Any]

    @property
    def failed(self) -> int:
        """Number of cells without figures."""
        return sum(cell["state"] == "failed" for cell in self.record["cells"])

    def summary(self) -> dict[str, Any]:
        """For a program."""
        return {**self.record, "out": str(self.out)}

    def lines(self) -> list[str]:
        """For a person."""
        return [*terminal_lines(self.record), f"page, table and figures: {self.out / 'report.html'}"]


@dataclass(frozen=True)
class Costs:
    """What every training may use, and where it runs."""

    steps: int | None
    minutes: float | None
    cell_minutes: float
    weights: Path | None
    device: str
    jobs: int | None


def compare(
    data: str | Path | Sequence[str | Path],
    *,
    detectors: str | Sequence[str],
    out: Path | str,
    test: Path | str | None = None,
    profile: str | Path | None = None,
    seeds: int | Mapping[str, int] = 3,
    size: str = "cpu",
    steps: int | None = None,
    minutes: float | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    profile_settings: Mapping[str, Any] | None = None,
    false_alarms: float = 0.05,
    by: Sequence[str] = (),
    robustness: bool = False,
    published: Path | str | None = None,
    pictures: bool = True,
    keep_models: bool = False,
    cell_minutes: float = MOST_MINUTES,
    retry: bool = False,
    weights: Path | None = None,
    device: str = "auto",
    jobs: int | None = None,
    command: str = "",
    listen: Callable[[Progress], None] = say_nothing,
) -> Compared:
    """Train and evaluate every method on every set, and write `report.html`, `table.md` and `comparison.json`.

    A cell is one method on one set with one seed. It runs in a process of its own, so that its memory is its own, and a
    crash or a lack of memory stops nothing. What is done stays on disk: the same call goes on where it was stopped, and
    a call with more methods, sets or seeds does only what is new. The trivial baseline is always among the methods.

    Args:
        data: Sets, each `[name=]path[:profile]`: a folder with `train/` and `test/`, or a table with a split column.
        detectors: Names, "default" (what each profile recommends) and "all"; "patchcore:1" has its own number of seeds.
        out: Folder of the results.
        test: The labelled test scans, where the one set holds training scans alone.
        profile: For the sets that do not name theirs; None looks at the scans.
        seeds: Trainings of each method on each set; or by method.
        steps: Steps of learning, for every detector that learns in steps; members of an ensemble share them.
        minutes: Minutes of learning instead: how many steps fit is measured once a method and set, and kept.
        settings: By detector name, or "detector" for all that have them.
        false_alarms: The rate at which decisions are counted.
        by: Columns of the sets' tables by whose values the best method's figures are told too, as in `evaluate`.
        robustness: Whether the first seed of each method is evaluated on distorted scans too.
        published: Table of figures from elsewhere, shown beside ours.
        pictures: Whether the page shows the worst false alarms and misses.
        keep_models: Keep the trained models in the cells' folders.
        cell_minutes: A cell that takes longer is stopped and shown as failed.
        retry: Try again what failed before.
        command: The call, to be shown among the conditions.

    Raises:
        SettingError: for a method, setting, profile, column or budget that does not exist.
        TableError: if a set has no test part, no labels there, or a scan in both parts.
        OutputError: if `out` holds something else, or cannot be written.
        KeyboardInterrupt: passed on, with a note of what is done.
    """
    out = Path(out)
    _check_budget(steps, minutes, cell_minutes)
    known = read_published(Path(published)) if published is not None else []
    words = [data] if isinstance(data, str | Path) else list(data)
    names = detectors.split(",") if isinstance(detectors, str) else list(detectors)
    methods = plan_methods([name for name in names if name.strip()], seeds=seeds, settings=settings or {})
    sets = plan_sets(
        words,
        test=None if test is None else Path(test),
        profile=profile,
        profile_settings=profile_settings or {},
    )
    check_published(known, [dataset.name for dataset in sets], Path(published or ""))
    check_by(sets, by)
    cells = plan_cells(sets, methods, size=size, steps=steps, false_alarms=false_alarms, weights=weights, device=device)
    _claim(out)
    costs = Costs(steps, minutes, cell_minutes, weights, device, jobs)
    work = _Work(
        out, costs, by=tuple(by), robustness=robustness, pictures=pictures, keep_models=keep_models, retry=retry
    )
    with alone_in(out / "cells", "comparison"):
        leaks = {dataset.name: _leaks_of(dataset, out, jobs, listen) for dataset in sets}
        done = _do_all(work, cells, listen)
    record = comparison_record(
        sets,
        methods,
        done,
        leaks=leaks,
        published=known,
        asked={
            "seeds": {method.name: method.seeds for method in methods},
            "size": size,
            "steps": steps,
            "minutes": minutes,
            "false_alarms": false_alarms,
            "device": device,
            "command": command,
        },
    )
    write_json(record, out / "comparison.json")
    write_atomically(markdown(record), out / "table.md")
    shown = pictures_of(record, done) if pictures else {}
    write_compare_page(record, curves=curves_of(done), pictures=shown, path=out / "report.html")
    return Compared(out, record)


def _check_budget(steps: int | None, minutes: float | None, cell_minutes: float) -> None:
    if steps is not None and minutes is not None:
        raise SettingError("steps and minutes are two budgets for one training; give one of them")
    if steps is not None and steps < 1:
        raise SettingError(f"steps must be 1 or more, got {steps}; 1000 is usual on a CPU")
    if minutes is not None and not 0.05 <= minutes <= 60 * 24 * 7:
        raise SettingError(f"minutes must lie in [0.05, 10080], got {minutes:g}; 2 is a quick look on a CPU")
    if not cell_minutes > 0:
        raise SettingError(f"cell_minutes must be above 0, got {cell_minutes:g}; {MOST_MINUTES:g} is usual")


def _claim(out: Path) -> None:
    """Make the folder, or take up one of ours."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "cells").is_dir())):
        raise OutputError(f"{out} holds something else than a comparison; choose another --out")
    try:
        (out / "cells").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error


def _leaks_of(dataset: DataSet, out: Path, jobs: int | None, listen: Callable[[Progress], None]) -> dict[str, Any]:
    """What the leak detector says of a set; looked for once."""
    name = f"leaks.{dataset.fingerprints['train'][:8]}{dataset.fingerprints['test'][:8]}.json"
    path = out / "cells" / name
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        pass

    def tell(progress: Progress) -> None:
        listen(replace(progress, stage=f"{dataset.name}: looking for leaks, {progress.stage}"))

    report = check_data(dataset.train_cohort, dataset.test_cohort, jobs=jobs, listen=tell)
    told = [{key: one.record()[key] for key in ("level", "sentence", "way_out")} for one in report.warnings]
    found = {"warnings": told}
    write_json(found, path)
    return found


@dataclass(frozen=True)
class _Work:
    """Where cells lie and what each is asked besides its figures."""

    out: Path
    costs: Costs
    by: tuple[str, ...]
    robustness: bool
    pictures: bool
    keep_models: bool
    retry: bool

    def folder(self, key: str) -> Path:
        return self.out / "cells" / key

    def known(self, cell: Cell) -> Outcome | None:
        """What is there of a cell, if it is all that is asked now."""
        folder = self.folder(cell.key)
        found = outcome_of(folder)
        if found is not None and found.result is None and not self.same_failure(folder, self.request(cell, "judge")):
            forget_failure(folder)
            return None
        if found is None or found.result is None or not self._lacks(cell, found.result):
            return found
        (folder / "result.json").unlink()
        return None

    def same_failure(self, folder: Path, request: Mapping[str, Any]) -> bool:
        """Whether a failure would come again: nothing else is asked now, and nobody wants to try."""
        return not self.retry and asked_of(folder) == json.loads(json.dumps(request))

    def _lacks(self, cell: Cell, result: Mapping[str, Any]) -> bool:
        """Whether more is asked than when the cell was done."""
        robust = (self.folder(cell.key) / "robustness.json").exists()
        shown = (self.folder(cell.key) / "pictures").exists()
        return (
            (self.wants_robustness(cell) and not robust)
            or (self.pictures and cell.seed == 0 and not shown)
            or list(result.get("by", [])) != list(self.by)
        )

    def wants_robustness(self, cell: Cell) -> bool:
        return self.robustness and cell.seed == 0

    def request(self, cell: Cell, job: str) -> dict[str, Any]:
        """What the cell's process is told; paths stay out of what decides the figures."""
        dataset, costs = cell.dataset, self.costs
        return {
            **cell.request,
            "job": job,
            "train": str(dataset.train.resolve()),
            "test": str(dataset.test.resolve()),
            "train_split": dataset.train_split,
            "test_split": dataset.test_split,
            "weights": None if costs.weights is None else str(costs.weights.resolve()),
            "device": costs.device,
            "jobs": costs.jobs,
            "by": list(self.by),
            "robustness": self.wants_robustness(cell),
            "pictures": self.pictures and cell.seed == 0,
            "keep_models": self.keep_models,
            "seconds": None if costs.minutes is None else 60 * costs.minutes,
            "cell_minutes": costs.cell_minutes,
        }


def _do_all(work: _Work, cells: Sequence[Cell], listen: Callable[[Progress], None]) -> list[Done]:
    """Every cell, one after the other: they are timed, and a machine's cores are not two machines."""
    clock = Clock(len(cells), "cells", listen)
    done: list[Done] = []
    steps: dict[tuple[str, str], Outcome] = {}
    try:
        for cell in cells:
            clock.begin(f"{cell.dataset.name}, {cell.method.name}, seed {cell.seed}", kind=cell.method.name)
            done.append(_do_one(work, cell, clock, steps))
            clock.finish()
    except KeyboardInterrupt as stop:
        stop.add_note(f"{len(done)} of {len(cells)} cells are done and kept; the same command goes on from there")
        raise
    return done


def _do_one(work: _Work, cell: Cell, clock: Clock, steps: dict[tuple[str, str], Outcome]) -> Done:
    """One cell: planned to fail, done before, or done now."""
    if cell.why_not:
        return Done(cell, None, Outcome(None, cell.why_not))
    if work.costs.minutes is not None and has_steps(cell.request["settings"]):
        place = (cell.dataset.name, cell.method.name)
        if place not in steps:
            steps[place] = _steps_of(work, cell, clock)
        if (found := steps[place].result) is None:
            return Done(cell, None, _with_way_out(steps[place]))
        cell = with_settings(cell, found["settings"])
    outcome = work.known(cell)
    if outcome is None:
        clock.work()
        outcome = run_cell(
            work.folder(cell.key), work.request(cell, "judge"), minutes=work.costs.cell_minutes, tell=clock.tell
        )
    return Done(cell, work.folder(cell.key), _with_way_out(outcome))


def _with_way_out(outcome: Outcome) -> Outcome:
    """A failure is kept, so that the rest need not wait for it again: say how it is tried anew."""
    if outcome.result is not None:
        return outcome
    return replace(outcome, why_not=f"{outcome.why_not.rstrip('.')}; --retry tries it again")


def _steps_of(work: _Work, cell: Cell, clock: Clock) -> Outcome:
    """How many steps fit into the budget: measured once for all seeds, and kept."""
    seconds = 60 * (work.costs.minutes or 0)
    budget = {**cell.request, "seconds": seconds, "seed": 0}
    wanted = replace(cell, request={**budget, "settings": {**cell.request["settings"], "steps": 0}}, seed=0)
    folder = work.folder(f"pilot.{wanted.key}")
    found = outcome_of(folder)
    asked = work.request(cell, "pilot")
    if found is not None and (found.result is not None or work.same_failure(folder, asked)):
        return found
    forget_failure(folder)
    clock.work()
    return run_cell(folder, asked, minutes=work.costs.cell_minutes, tell=clock.tell)
