"""Budget: how many steps of learning fit into so many seconds, measured by a short trial of the same method.

The schedule of a training counts steps, never seconds, so that a busy machine learns the same. A comparison that asks
for minutes measures once how long a step takes, and from then on trains every seed with that many steps.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from halescan.data.profiles import load_profile
from halescan.data.table import Cohort
from halescan.errors import TrainingError
from halescan.training.run import Progress, Run
from halescan.workflows.comparison.steps import STEPS, laid_back, laid_out
from halescan.workflows.healthy import healthy_cohort, prepared
from halescan.workflows.train import new_detector

FEW_STEPS = 11  # of the shortest stage of the trial
LEAST_STEPS = 20  # a setting called ..._steps below this is no length of a stage: critic_steps = 5
_SCANS = 48  # enough for any batch
_DERIVED = 4  # a stage at most so many times as long as those asked for follows from them; a longer one is fixed


@dataclass(frozen=True)
class Stage:
    """One stage of learning as the trial saw it: its steps, and the seconds each of them took."""

    steps: int
    seconds_a_step: float


def settings_within(
    request: dict[str, Any], folder: Path, *, profile: Path, listen: Callable[[Progress], None]
) -> dict[str, Any]:
    """The lengths of all stages, as settings, that fit into `request["seconds"]` of learning.

    The stages of a method keep their proportions. What a method does before and after its steps (reading scans,
    calibrating) is not counted.

    Raises:
        TrainingError: if the method tells of no step.
    """
    recipe = load_profile(profile)
    settings = laid_out(request["settings"])
    few = trial_settings(settings)
    learner = new_detector(recipe, request["detector"], request["size"], laid_back(request["settings"], few))
    cohort = _few(healthy_cohort(Path(request["train"]), None, request["train_split"]))
    images = prepared(cohort, recipe, folder / "images", jobs=request["jobs"], listen=listen)
    watch = Watch()
    weights = None if request["weights"] is None else Path(request["weights"])
    run = Run(0, request["device"], weights=weights, listen=watch)
    learner.fit(images, check=images if learner.watches else None, run=run)
    found = fitted_settings(settings, few, watch.stages(), seconds=request["seconds"])
    changed = laid_back(request["settings"], found)
    told = {name: value for name, value in changed.items() if value != request["settings"][name] or name in found}
    return {"settings": told, "stages": {name: vars(stage) for name, stage in watch.stages().items()}}


def trial_settings(settings: Mapping[str, Any]) -> dict[str, int]:
    """Every setting that may be the length of a stage, shortened; each to another number, to know them again."""
    lengths = [name for name, value in settings.items() if _is_length(name, value)]
    return {name: FEW_STEPS + place for place, name in enumerate(sorted(lengths, key=lambda name: not _is_main(name)))}


def fitted_settings(
    settings: Mapping[str, Any], few: Mapping[str, int], stages: Mapping[str, Stage], *, seconds: float
) -> dict[str, int]:
    """The settings that were lengths of stages, all stretched alike so that learning takes so many seconds.

    Raises:
        TrainingError: if no stage has a length that was asked for.
    """
    by_length = {length: name for name, length in few.items()}
    main = next(iter(few), "")  # what a stage follows whose length was not asked for
    longest = max(few.values(), default=0)
    fixed = scaled = 0.0
    found = {name for name in few if _is_main(name)}
    for stage in stages.values():
        name = by_length.get(stage.steps)
        if name is None and stage.steps > _DERIVED * longest:
            fixed += stage.steps * stage.seconds_a_step
            continue
        found |= {name} if name else set()
        length = settings[name] if name else settings[main] * stage.steps / few[main]
        scaled += length * stage.seconds_a_step
    if scaled <= 0:
        raise TrainingError("the method tells of no step of learning; give --steps rather than --minutes")
    stretch = max(0.0, seconds - fixed) / scaled
    return {name: round_steps(settings[name] * stretch) for name in sorted(found)}


def round_steps(steps: float) -> int:
    """Two digits that count, at least 10: a budget is no finer than that."""
    whole = max(10, int(steps))
    unit = 10 ** max(0, len(str(whole)) - 2)
    return whole // unit * unit


def _is_length(name: str, value: Any) -> bool:
    return (_is_main(name) or name.endswith("_steps")) and isinstance(value, int) and value >= LEAST_STEPS


def _is_main(name: str) -> bool:
    """Whether it is the length of a method's own learning, or of a member's (`members.0.steps`)."""
    return name.rpartition(".")[2] == STEPS


class Watch:
    """Hears how the stages of learning go on; what tells of no loss (reading, measuring) does not learn."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, int], list[tuple[float, int]]] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.loss is not None:  # two members of an ensemble may name their stages alike
            place = (progress.stage, progress.total)
            self.seen.setdefault(place, []).append((time.monotonic(), progress.done))

    def stages(self) -> dict[str, Stage]:
        """What was seen; the first step of a stage is slower than the others, and left out."""
        found = {}
        for (name, total), marks in self.seen.items():
            (begun, first), (ended, last) = marks[0], marks[-1]
            if last > first:
                found[f"{name}, {total} steps" if name in found else name] = Stage(
                    total, (ended - begun) / (last - first)
                )
        return found


def _few(cohort: Cohort) -> Cohort:
    """Scans spread over the cohort."""
    count = len(cohort.items)
    where = np.unique(np.linspace(0, count - 1, min(count, _SCANS)).round().astype(int))
    return replace(cohort, items=tuple(cohort.items[int(place)] for place in where))
