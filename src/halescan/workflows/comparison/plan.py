"""Plan of a comparison: which sets, which methods, how many seeds, and the cells that follow from them."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from halescan import __version__
from halescan.data.layouts import parted
from halescan.data.profiles import Profile, load_profile, profile_names
from halescan.data.split import deals_folds
from halescan.data.table import Cohort, Item, read_cohort
from halescan.detectors import Detector, catalogue, find_detector
from halescan.errors import HalescanError, SettingError, TableError
from halescan.io import read
from halescan.scoring.calibration import units_support
from halescan.training.run import Run
from halescan.workflows.cases import item_key
from halescan.workflows.comparison.steps import has_steps, with_steps
from halescan.workflows.healthy import cohort_fingerprint, unreadable
from halescan.workflows.judged import TEST_FIRST, check_columns
from halescan.workflows.train import new_detector

BASELINE = "healthy-atlas"  # the trivial detector that stands beside all others
PROFILES_OWN = "default"  # the word for whatever detector the profile recommends
MANY_IMAGES = 10**9  # where volumes may bring any number of slices
_FLAT = {".png", ".jpg", ".jpeg", ".bmp"}  # files of one image; a TIFF may hold a stack
_LOOKED_AT = 8  # scans that are opened to see what kind they are
_MOST_COMPARED = 2000  # scans whose patients are guessed from near-copies; of more it would take too long


@dataclass(frozen=True, eq=False)
class DataSet:
    """One data set: where its healthy training scans and its labelled test scans lie.

    Args:
        name: What it is called in tables; never taken from inside the data.
        train, test: Folders or tables; the same one where the scans name their split.
        train_split, test_split: The split to take there; None takes all.
        profile: As resolved.
        profile_name: Name or file to load it again.
        detected: Whether the profile was chosen by looking at the scans.
        train_cohort, test_cohort: What is found there.
        fingerprints: SHA-256 of contents and labels of either.
    """

    name: str
    train: Path
    test: Path
    train_split: str | None
    test_split: str | None
    profile: Profile
    profile_name: str
    detected: bool
    train_cohort: Cohort = field(repr=False)
    test_cohort: Cohort = field(repr=False)
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def units(self) -> int | None:
        """Healthy patients to learn from; None where they are not all named, and too many scans to guess."""
        if self.train_cohort.patients is None and len(self.train_cohort) > _MOST_COMPARED:
            return None
        return len(set(self.train_cohort.groups()))


@dataclass(frozen=True)
class Method:
    """One row of the tables: a detector's name, or "default", and what was asked of its settings."""

    name: str
    seeds: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    baseline: bool = False

    def detector_on(self, profile: Profile) -> str:
        """The detector's own name; the profile decides for "default"."""
        return profile.detector if self.name == PROFILES_OWN else self.name


@dataclass(frozen=True, eq=False)
class Cell:
    """One training and its evaluation. `request` holds all that decides its figures; `why_not` what forbids it.

    `once`: whether every other seed would give the same scores, so that this one is all there is to do.
    """

    dataset: DataSet
    method: Method
    seed: int
    detector: str
    request: dict[str, Any]
    why_not: str = ""
    once: bool = False

    @property
    def key(self) -> str:
        """Name of its folder: for people first, then a digest of the request."""
        text = json.dumps(self.request, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        return f"{_plain_name(self.dataset.name)}.{self.detector}.seed-{self.seed}.{digest}"


def plan_sets(
    data: Sequence[str | Path],
    *,
    test: Path | None,
    profile: str | Path | None,
    profile_settings: Mapping[str, Any],
) -> list[DataSet]:
    """The sets of `[name=]path[:profile]`, read and checked.

    Raises:
        SettingError: if two sets have one name, or `test` is given for several.
        TableError: if a set has no test part, no label there, or a scan in both parts.
    """
    if not data:
        raise SettingError("no data set was named; give a folder with train/ and test/, or a table with a split column")
    if test is not None and len(data) > 1:
        raise SettingError(f"--test holds the test scans of one set, but {len(data)} sets were named")
    sets = [_one_set(str(word), test, profile, profile_settings) for word in data]
    twice = [name for name, count in Counter(one.name for one in sets).items() if count > 1]
    if twice:
        raise SettingError(f"two sets are called {twice[0]!r}; name them, as first=PATH second=PATH")
    return sets


def plan_methods(
    names: Sequence[str], *, seeds: int | Mapping[str, int], settings: Mapping[str, Mapping[str, Any]]
) -> list[Method]:
    """The methods by name, the trivial baseline among them; "all" is every detector that learns from healthy alone.

    Args:
        names: Detectors, "default" and "all"; "patchcore:1" asks for its own number of seeds.
        seeds: For all, or by name.
        settings: By detector, or "detector" for all that have such a setting.

    Raises:
        SettingError: for a detector that does not exist or that needs abnormal examples, settings of a detector that is
            not compared, or no seed.
    """
    counts: dict[str, int] = {}
    for word in names:
        name, colon, own = word.strip().partition(":")
        if colon and not own.isdigit():
            raise SettingError(f"{word}: expected a number of seeds after the colon, as {name}:3")
        for one in _meant(name):
            counts[one] = int(own) if colon else _seeds_of(one, seeds)
    if not counts:
        raise SettingError(f"no detector was named; there are {', '.join(catalogue())}, default and all")
    counts.setdefault(BASELINE, min(counts.values()))
    if min(counts.values()) < 1:
        raise SettingError("every method needs at least one seed; 3 are usual")
    stray = set(settings) - set(counts) - {"detector"}
    if stray:
        raise SettingError(f"settings were given for {sorted(stray)[0]}, which is not among those compared")
    _check_for_all(settings.get("detector", {}), list(counts))
    asked = {name.partition(":")[0].strip() for name in names}
    return [
        Method(name, count, _settings_of(name, settings), baseline=name == BASELINE and name not in asked)
        for name, count in counts.items()
    ]


def plan_cells(
    sets: Sequence[DataSet],
    methods: Sequence[Method],
    *,
    size: str,
    steps: int | None,
    false_alarms: float,
    weights: Path | None,
    device: str,
) -> list[Cell]:
    """Every cell, first seeds first, so that a comparison cut short has a row for every method.

    A method that gives the same scores with every seed has one cell.

    Raises:
        SettingError: for a setting that a method does not have, or a value that it does not take.
    """
    rounds = max(method.seeds for method in methods)
    cells = [
        _cell(dataset, method, seed, size=size, steps=steps, false_alarms=false_alarms, weights=weights, device=device)
        for seed in range(rounds)
        for dataset in sets
        for method in sorted(methods, key=lambda one: one.name != BASELINE)
        if seed < method.seeds
    ]
    return [cell for cell in cells if cell.seed == 0 or not cell.once]


def check_by(sets: Sequence[DataSet], by: Sequence[str]) -> None:
    """Refuse, before anything is learned, columns that a set does not have or that make no groups there.

    Raises:
        SettingError: naming the set, and the columns there are.
    """
    for dataset in sets:
        try:
            check_columns(dataset.test_cohort, by)
        except SettingError as error:
            raise SettingError(f"{dataset.name}: {error}; leave --by out, or name another column") from error


def with_settings(cell: Cell, changes: Mapping[str, Any]) -> Cell:
    """The same cell with other settings."""
    settings = {**cell.request["settings"], **changes}
    return replace(cell, request={**cell.request, "settings": settings})


def _meant(name: str) -> list[str]:
    if name == "all":
        return [one for one in catalogue() if not find_detector(one).needs_abnormal]
    if name != PROFILES_OWN:
        _refuse_supervised(find_detector(name))
    return [name]


def _refuse_supervised(kind: type[Detector]) -> None:
    if kind.needs_abnormal:
        raise SettingError(
            f"{kind.name} learns from abnormal examples too, and a comparison of unsupervised methods has none; leave "
            "it out here, and train it by itself: halescan train --abnormal FOLDER"
        )


def _seeds_of(name: str, seeds: int | Mapping[str, int]) -> int:
    return seeds if isinstance(seeds, int) else seeds.get(name, 3)


def _settings_of(name: str, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The method's own settings, and those for all that it has."""
    for_all = dict(settings.get("detector", {}))
    if name != PROFILES_OWN:
        known = find_detector(name)().settings
        for_all = {key: value for key, value in for_all.items() if key in known}
    return {**for_all, **settings.get(name, {})}


def _check_for_all(settings: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuse settings for all that none of the methods has; what a profile recommends is not known here."""
    if PROFILES_OWN in names:
        return
    known = {key for name in names for key in find_detector(name)().settings}
    if stray := sorted(set(settings) - known):
        raise SettingError(f"detector.{stray[0]}: no method that is compared has a setting {stray[0]}")


def _cell(
    dataset: DataSet,
    method: Method,
    seed: int,
    *,
    size: str,
    steps: int | None,
    false_alarms: float,
    weights: Path | None,
    device: str,
) -> Cell:
    """A cell with its detector's settings as resolved; one that cannot be is kept with the reason."""
    name = method.detector_on(dataset.profile)
    request: dict[str, Any] = {
        "profile": dataset.profile.model_dump(mode="json"),
        "detector": name,
        "settings": dict(method.settings),
        "size": size,
        "seed": seed,
        "data": dict(dataset.fingerprints),
        "false_alarms": false_alarms,
        "version": __version__,
    }
    # what cannot be asked of a method is a slip in the call, and not the method's failure
    _refuse_supervised(find_detector(name))
    learner = new_detector(dataset.profile, name, size, dict(method.settings))
    if steps is not None and has_steps(learner.settings):
        budget = _changes(learner.settings, with_steps(learner.settings, steps))
        learner = new_detector(dataset.profile, name, size, {**method.settings, **budget})
    try:
        why_not = _unfit(learner, dataset.profile)
        encoder = "" if why_not else learner.check_run(Run(seed, device, weights=weights))
    except SettingError:
        raise
    except HalescanError as error:
        return Cell(dataset, method, seed, name, request, str(error))
    settled = {**request, "settings": learner.settings, "encoder": encoder}
    settled |= {"folds": False} if _decides_nothing(dataset, false_alarms) else {}
    once = not why_not and method.seeds > 1 and _same_in_every_seed(learner, encoder, dataset)
    return Cell(dataset, method, seed, name, settled, why_not, once)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in after.items() if value != before[name]}


def _same_in_every_seed(learner: Detector, encoder: str, dataset: DataSet) -> bool:
    """Whether neither the method nor the parts it learns from depend on the seed; where it is not known, they do."""
    items = dataset.train_cohort.items
    images = len(items) if all(_is_one_image(item) for item in items) else MANY_IMAGES
    return learner.same_in_every_seed(images, encoder) and dataset.units is not None and deals_folds(dataset.units)


def _decides_nothing(dataset: DataSet, false_alarms: float) -> bool:
    """Whether models learned without some patients, to calibrate by, would decide nothing in a comparison.

    So few patients do not support the rate that is asked for, and there is no outline to hold a threshold against. How
    well a method ranks does not hang on them, and they are five trainings of six.
    """
    if any(item.outlined for item in dataset.test_cohort.items) or dataset.units is None:
        return False
    return deals_folds(dataset.units) and not units_support(dataset.units, false_alarms)


def _is_one_image(item: Item) -> bool:
    """Whether a scan is sure to be one image, without opening it."""
    return item.source.index is not None or item.source.path.suffix.lower() in _FLAT


def _unfit(learner: Detector, profile: Profile) -> str:
    """Why a detector cannot take a profile's images, in words; "" where it can."""
    if profile.dims not in learner.dims:
        return f"{learner.name} works in {_either(learner.dims)} dimensions, the images have {profile.dims}"
    if profile.channels not in learner.channels:
        return f"{learner.name} takes {_either(learner.channels)} channels, the images have {profile.channels}"
    return ""


def _either(numbers: Sequence[int]) -> str:
    return " or ".join(map(str, numbers))


def _one_set(word: str, test: Path | None, profile: str | Path | None, profile_settings: Mapping[str, Any]) -> DataSet:
    name, path, own = _parted(word)
    train_part, test_part = (None, None) if test is not None else ("train", "test")
    if test is None:
        learned, judged = read_cohort(path, label="healthy", split="train"), read_cohort(path, split="test")
        _check_parted(path, learned, judged)
    else:
        learned = _of_part(path, read_cohort(path, label="healthy"), ("train",))  # as train and evaluate will
        judged = _of_part(test, read_cohort(test), TEST_FIRST)
    _check_parts(name, learned, judged)
    chosen = own or (None if profile is None else str(profile))
    found = chosen or _likely_profile(learned)
    return DataSet(
        name=name,
        train=path,
        test=path if test is None else test,
        train_split=train_part,
        test_split=test_part,
        profile=load_profile(found, profile_settings),
        profile_name=found,
        detected=chosen is None,
        train_cohort=learned,
        test_cohort=judged,
        fingerprints={"train": cohort_fingerprint(learned), "test": cohort_fingerprint(judged)},
    )


def _parted(word: str) -> tuple[str, Path, str | None]:
    """`[name=][layout@]path[:profile]`: name, path with its layout, profile. A path that exists is taken whole."""
    name, place = "", word
    if not Path(word).exists():
        head, equals, rest = word.partition("=")
        if equals and head and not set(head) & set("/\\") and parted(word)[0] is None:
            name, place = head, rest
    profile = None
    if not Path(place).exists():
        front, colon, last = place.rpartition(":")
        if colon and (last in profile_names() or last.endswith(".toml")):
            place, profile = front, last
        elif colon and Path(front).exists():
            raise SettingError(f"{word}: there is no profile {last!r}; choose one of {', '.join(profile_names())}")
    path = Path(place)
    return name or path.resolve().name.partition(".")[0] or "data", path, profile


def _of_part(place: Path, cohort: Cohort, parts: Sequence[str]) -> Cohort:
    """The scans of the first of these parts that there is, and those of none; as `read_cohort` prefers them."""
    there = {item.split for item in cohort.items}
    if not there - {None}:
        return cohort
    part = next((one for one in parts if one in there), parts[0])
    kept = [number for number, item in enumerate(cohort.items) if item.split in (None, part)]
    if not kept:
        raise TableError(
            f"{place}: holds no {parts[0]} part, only {_words(there)}. Name training scans as the set and test scans "
            "with --test"
        )
    return cohort.subset(kept)


def _check_parted(path: Path, learned: Cohort, judged: Cohort) -> None:
    """Refuse a set that does not say which scans are for testing, or puts one on both sides."""
    learned_from, tested_on = ({item.split for item in part.items} for part in (learned, judged))
    if "train" not in learned_from or "test" not in tested_on:
        raise TableError(
            f"{path}: nothing says which scans are for training and which for testing. Put them into train/ and test/, "
            "give a table with a split column, or name the test scans with --test"
        )


def _check_parts(name: str, learned: Cohort, judged: Cohort) -> None:
    """Refuse parts that are empty, unlabelled, or share a scan."""
    if not learned.items:
        raise TableError(
            f"{name}: no healthy scan to learn from{unreadable(learned)}. Put some into train/healthy/, or give a "
            "table with the columns file, label and split"
        )
    labels = {item.label for item in judged.items}
    if not {"healthy", "abnormal"} <= labels:
        raise TableError(
            f"{name}: the test scans must be healthy and abnormal, found {_words(labels)}{unreadable(judged)}. Put the "
            "others into test/healthy/ or test/abnormal/, or name labelled test scans with --test or a label column"
        )
    both = {item_key(item) for item in learned.items} & {item_key(item) for item in judged.items}
    if both:
        raise TableError(
            f"{name}: {len(both)} scans are in training and test alike; give every scan a split, train or test"
        )


def _words(labels: set[Any]) -> str:
    return ", ".join(sorted(str(label or "scans without a label") for label in labels)) or "none"


def _likely_profile(cohort: Cohort) -> str:
    """The profile made for what the scans say they are; "generic" where they say nothing."""
    step = max(1, len(cohort.items) // _LOOKED_AT)
    kinds: Counter[str] = Counter()
    for item in cohort.items[::step][:_LOOKED_AT]:
        try:
            kinds[read(item.source).modality] += 1
        except HalescanError:  # told of where it is read for training
            continue
    modality = kinds.most_common(1)[0][0] if kinds else ""
    fitting = [name for name in profile_names() if modality and modality in load_profile(name).modalities]
    return fitting[0] if fitting else "generic"


def _plain_name(text: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in text)
