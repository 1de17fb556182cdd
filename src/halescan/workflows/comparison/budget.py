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
    few = trial_settings(request["settings"])
    learner = new_detector(recipe, request["detector"], request["size"], {**request["settings"], **few})
    cohort = _few(healthy_cohort(Path(request["train"]), None, request["train_split"]))
    images = prepared(cohort, recipe, folder / "images", jobs=request["jobs"], listen=listen)
    watch = _Watch()
    weights = None if request["weights"] is None else Path(request["weights"])
    run = Run(0, request["device"], weights=weights, listen=watch)
    learner.fit(images, check=images if learner.watches else None, run=run)
    found = fitted_settings(request["settings"], few, watch.stages(), seconds=request["seconds"])
    return {"settings": found, "stages": {name: vars(stage) for name, stage in watch.stages().items()}}


def trial_settings(settings: Mapping[str, Any]) -> dict[str, int]:
    """Every setting that may be the length of a stage, shortened; each to another number, to know them again."""
    lengths = [name for name, value in settings.items() if _is_length(name, value)]
    return {name: FEW_STEPS + place for place, name in enumerate(sorted(lengths, key=lambda name: name != "steps"))}


def fitted_settings(
    settings: Mapping[str, Any], few: Mapping[str, int], stages: Mapping[str, Stage], *, seconds: float
) -> dict[str, int]:
    """The settings that were lengths of stages, all stretched alike so that learning takes so many seconds.

    Raises:
        TrainingError: if no stage has a length that was asked for.
    """
    by_length = {length: name for name, length in few.items()}
    longest = max(few.values(), default=0)
    fixed = scaled = 0.0
    found = {"steps"} & set(few)
    for stage in stages.values():
        name = by_length.get(stage.steps)
        if name is None and stage.steps > _DERIVED * longest:
            fixed += stage.steps * stage.seconds_a_step
            continue
        found |= {name} if name else set()
        length = settings[name] if name else settings["steps"] * stage.steps / few["steps"]
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
    return (name == "steps" or name.endswith("_steps")) and isinstance(value, int) and value >= LEAST_STEPS


class _Watch:
    """Hears how the stages of learning go on; what tells of no loss (reading, measuring) does not learn."""

    def __init__(self) -> None:
        self.seen: dict[str, list[tuple[float, int, int]]] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.loss is not None:
            self.seen.setdefault(progress.stage, []).append((time.monotonic(), progress.done, progress.total))

    def stages(self) -> dict[str, Stage]:
        """What was seen; the first step of a stage is slower than the others, and left out."""
        found = {}
        for name, marks in self.seen.items():
            (begun, first, total), (ended, last, _) = marks[0], marks[-1]
            if last > first:
                found[name] = Stage(total, (ended - begun) / (last - first))
        return found


def _few(cohort: Cohort) -> Cohort:
    """Scans spread over the cohort."""
    count = len(cohort.items)
    where = np.unique(np.linspace(0, count - 1, min(count, _SCANS)).round().astype(int))
    return replace(cohort, items=tuple(cohort.items[int(place)] for place in where))
