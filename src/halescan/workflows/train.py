"""Train: healthy scans in, a model with a calibrated false-alarm rate out."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from halescan import __version__
from halescan.data.dataset import CohortImages
from halescan.data.profiles import Profile, load_profile
from halescan.data.split import Parts, split_parts
from halescan.data.table import Cohort
from halescan.detectors import CATALOGUE, Detector, find_detector
from halescan.detectors.tails import OpenTail
from halescan.errors import ModelError, OutputError, ShapeError
from halescan.evaluation.baselines import HealthyMean
from halescan.reporting.words import note_sentence
from halescan.scoring.brightness import levelled
from halescan.scoring.maps import PlaceStatistics
from halescan.training.picture import draw_history, draw_pictures
from halescan.training.run import Progress, Run, say_nothing
from halescan.training.settings import typed_settings
from halescan.types import Note, SomeImages
from halescan.workflows.abnormal import Abnormal, abnormal_cohort, check_apart, fit
from halescan.workflows.alone import refuse_beside_another
from halescan.workflows.calibrate import AT_ONCE, Pair, calibrate, chunks
from halescan.workflows.drawn import poor_reconstruction
from halescan.workflows.healthy import (
    Healthy,
    cohort_fingerprint,
    content_digests,
    healthy_cohort,
    prepared,
    problems_of,
    remarks,
    unit_numbers,
)
from halescan.workflows.measure import Measure
from halescan.workflows.model import Model, load_model, packages
from halescan.workflows.places import Direction, Places
from halescan.workflows.slides import learned_profile, told_scale
from halescan.workflows.work_folder import work_folder, work_folder_of

_PLACES = 4096  # of each healthy map, for how rare its values are
_PICTURED = 8  # images of which a method may show what it draws

log = logging.getLogger("halescan")


def train(
    healthy: Path | str,
    *,
    profile: str | Path,
    out: Path | str,
    detector: str | None = None,
    size: str = "cpu",
    detector_settings: dict[str, Any] | None = None,
    profile_settings: dict[str, Any] | None = None,
    table: Path | None = None,
    split: str | None = None,
    abnormal: Path | str | None = None,
    um_per_px: float | None = None,
    folds: bool = True,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    weights: Path | None = None,
    device: str = "auto",
    jobs: int | None = None,
    listen: Callable[[Progress], None] = say_nothing,
) -> Model:
    """Learn from healthy scans and calibrate the false-alarm rate.

    The healthy patients are parted into learn, choose and calibrate; no patient lies in two of them. Where there are
    too few for that, every patient is scored by a model that has not seen it (cross-conformal), a weaker guarantee.

    Args:
        healthy: Folder, file or table of scans that readers called healthy. What a table calls abnormal is left out.
        profile: Name in `PROFILES` or a TOML file.
        out: Folder of the new model. While it learns, `OUT.partial` holds the checkpoint.
        detector: Name in `CATALOGUE`; without it, the one the profile recommends.
        size: Preset of the detector's settings, "cpu" or "paper".
        split: Take only this split of the table.
        abnormal: Scans that readers called abnormal, for the detectors that need them; the others refuse them. Without
            it those that `healthy` itself or `table` calls abnormal. They calibrate nothing.
        um_per_px: µm per pixel of whole slides whose files do not say it.
        folds: Whether too few patients are scored by models that have not seen them, each a training of its own; else
            they calibrate nothing: the model scores and its decisions are withheld, and for want of unseen scans the
            colours and regions of its maps come from those it learned from and mark too much.
        resume: Go on with an unfinished training of the same request; its learning rate may be another one.
        overwrite: Replace a model, or an unfinished training, that is there.

    Raises:
        TrainingError: if there is no healthy scan to learn from, or no abnormal one for a detector that needs them.
        LayoutError: if the data set has parts and none is for training; `split` takes another all the same.
        ShapeError: if the detector cannot take the profile's images.
        ScanError: if no scan could be prepared.
        OutputError: if `out` holds anything but the model of this very request, or `OUT.partial` something learned that
            is not to be resumed, and `overwrite` is not set; or if another process trains the model of `out` just now.
        SettingError: if the training to be resumed has another request.
        KeyboardInterrupt: passed on, with a note of what is kept for `resume`.
    """
    out = Path(out)
    refuse_beside_another(work_folder_of(out), "training")
    recipe = load_profile(profile, profile_settings)
    learner = new_detector(recipe, detector, size, detector_settings)
    _check_kind(learner, recipe)
    encoder = learner.check_run(Run(seed, device, weights=weights, listen=listen))
    cohort = told_scale(healthy_cohort(Path(healthy), table, split), um_per_px)
    recipe = learned_profile(recipe, cohort)
    called_ill = abnormal_cohort(learner, Path(healthy), None if abnormal is None else Path(abnormal), table, split)
    wanted = request(recipe, learner, cohort, seed, encoder, abnormal=called_ill)
    wanted |= {} if um_per_px is None else {"um_per_px": um_per_px}
    wanted |= {} if folds else {"folds": False}
    if out.exists() and not overwrite:
        return _done_already(out, wanted, cohort, device)
    with work_folder(out, wanted, resume=resume, overwrite=overwrite) as begun:
        work = begun.path
        images = prepared(cohort, recipe, work / "images", jobs=jobs, listen=listen)
        ill = None
        if called_ill is not None:
            check_apart(cohort, called_ill)
            ill = Abnormal(
                called_ill, prepared(called_ill, recipe, work / "abnormal", jobs=jobs, listen=listen), cohort
            )
        parts = split_parts(
            np.asarray(cohort.groups())[images.item_of], seed=seed, choosing=sets_aside(learner, recipe)
        )
        parts = parts if folds else replace(parts, folds=())
        run = Run(seed, device, folder=work, resume=resume, weights=weights, listen=listen)
        learned = _learn(learner, images, parts, cohort, ill, run)
        units = unit_numbers(cohort, images.item_of)[0]
        places = learn_places(learned, recipe, images, parts.learn, parts.choose, units)
        healthy_facts = _calibrated(learned, recipe, places, images, parts, cohort, ill, run)
        mean = HealthyMean().fit(batch.images for batch in SomeImages(images, parts.learn, batch_size=AT_ONCE))
        poor = poor_reconstruction(learned, mean, images.subset(_unseen(parts)))
        record = {**_record(learned, recipe, cohort, images, parts, ill, poor, seed), "request_sha256": digest(wanted)}
        record["training_set"]["notes"] += begun.remarks
        if not folds and healthy_facts.calibration.guarantee == "none":
            record["training_set"]["notes"].append("trained without folds, as asked: nothing is calibrated")
        model = Model(record, learned, recipe, places, mean, healthy_facts, problems=problems_of(cohort, images))
        saved = model.save(out, beside=_history(work) | _pictures(work, learned, images, parts), overwrite=overwrite)
    log.info("trained %s on %d images", learned.name, len(images))
    return saved


def new_detector(
    recipe: Profile, name: str | None, size: str = "cpu", settings: dict[str, Any] | None = None
) -> Detector:
    """The detector by name, or the profile's own with the profile's settings; `settings` go on top.

    Raises:
        SettingError: for a name or a setting that does not exist; lists those there are.
    """
    kind = find_detector(name or recipe.detector)
    own = dict(recipe.detector_settings) if name in (None, recipe.detector) else {}
    return kind.preset(size, **typed_settings(kind, {**own, **(settings or {})}))


def _check_kind(detector: Detector, recipe: Profile) -> None:
    """Refuse a profile whose images the detector cannot take; where it is volumes, say which can.

    Raises:
        ShapeError: if so.
    """
    try:
        detector.check_kind((recipe.channels, *recipe.size))
    except ShapeError as error:
        if recipe.dims in detector.dims:
            raise
        others = [name for name in CATALOGUE if recipe.dims in find_detector(name)().dims]
        raise ShapeError(
            f"{error}. Set profile.dims=2, with two numbers in profile.size, to look slice by slice, or a detector "
            f"for {recipe.dims} dimensions: {', '.join(others)}"
        ) from error


def request(
    recipe: Profile, detector: Detector, cohort: Cohort, seed: int, encoder: str, *, abnormal: Cohort | None = None
) -> dict[str, Any]:
    """What makes two trainings the same: patients and labels too, since they decide who is learned from."""
    beside = {} if abnormal is None else {"abnormal_set": cohort_fingerprint(abnormal)}
    return {
        "profile": recipe.model_dump(mode="json"),
        "detector": detector.name,
        "settings": detector.settings,
        "seed": seed,
        "encoder": encoder,
        "version": __version__,
        "training_set": cohort_fingerprint(cohort),
        **beside,
    }


def digest(wanted: Any) -> str:
    """SHA-256 of a request."""
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def _done_already(out: Path, wanted: dict[str, Any], cohort: Cohort, device: str) -> Model:
    """The model of the same request, which need not be trained twice."""
    try:
        model = load_model(out, device=device)
        if model.record.get("request_sha256") == digest(wanted):
            return replace(model, problems=tuple(str(problem) for problem in cohort.problems))
    except ModelError:
        pass
    raise OutputError(
        f"{out} exists and was not made by this request; choose another --out, or --overwrite to replace it"
    )


def _learn(
    detector: Detector, images: CohortImages, parts: Parts, cohort: Cohort, ill: Abnormal | None, run: Run
) -> Detector:
    check = images.subset(parts.choose) if len(parts.choose) else None
    held = _patients(cohort, images, np.concatenate([parts.choose, parts.calibrate]))
    return fit(detector, images.subset(parts.learn), check=check, held=held, abnormal=ill, run=run)


def _patients(cohort: Cohort, images: CohortImages, where: np.ndarray) -> np.ndarray:
    """Names of the units that images at these places belong to."""
    return np.unique(np.asarray(cohort.groups())[images.item_of[where]])


def sets_aside(detector: Detector, recipe: Profile) -> bool:
    """Whether healthy scans must be set aside to watch the training or to learn how healthy maps vary."""
    return detector.watches or (recipe.standardise and detector.gives_map and not detector.leaves_out)


def learn_places(
    detector: Detector,
    recipe: Profile,
    images: CohortImages,
    learned: np.ndarray,
    choose: np.ndarray,
    units: np.ndarray,
) -> Places:
    """What health is like place by place, as far as the recipe asks for it."""

    def healthy_maps() -> Iterator[tuple[np.ndarray, np.ndarray]] | None:
        return _unseen_maps(Measure(detector, recipe), images, learned, choose, units)

    maps = healthy_maps() if recipe.standardise and detector.gives_map else None
    places = Places(None if maps is None else PlaceStatistics.fit_batches(maps))
    if recipe.sought == "any" or not detector.gives_map:
        return places
    measure = Measure(detector, recipe, places)
    known = healthy_maps() or _raw_maps(Measure(detector, recipe), images, learned)
    values = [
        some
        for found, masks in known
        for some in _some_inside(found if places.maps is None else places.maps.apply(found), masks)
    ]
    batches = (images.take(chunk.tolist()) for chunk, _ in chunks(learned, images))
    grey = PlaceStatistics.fit_batches((levelled(measure.grey(batch), batch.mask), batch.mask) for batch in batches)
    return replace(places, direction=Direction(grey, OpenTail.fit(np.concatenate(values))))


def _some_inside(maps: np.ndarray, masks: np.ndarray) -> Iterator[np.ndarray]:
    """Of each map `(*grid)` about `_PLACES` values inside its mask, `(k,)`."""
    for one, mask in zip(maps, masks, strict=True):
        inside = one[mask]
        yield inside[:: 1 + len(inside) // _PLACES]


def _unseen_maps(
    measure: Measure, images: CohortImages, learned: np.ndarray, choose: np.ndarray, units: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]] | None:
    """Healthy maps of images the detector has not seen, or can leave out, with their masks; None where there are none.

    Left out are images of `learned`, whose maps are made as if their patients had not been.
    """
    if measure.detector.leaves_out and len(np.unique(units[learned])) > 1:
        return _left_out(measure, images, learned, units)
    return _raw_maps(measure, images, choose) if len(choose) else None


def _raw_maps(measure: Measure, images: CohortImages, where: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Maps of the images at these places, and their masks."""
    for chunk, ordered in chunks(where, images):
        found, masks = measure.raw(images.take(chunk.tolist()), ordered=ordered)
        if found is not None:
            yield found, masks


def _left_out(
    measure: Measure, images: CohortImages, learned: np.ndarray, units: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Maps of learned images, each as if its patient had not been, a scan at a time; and their masks."""
    waiting: list[tuple[int, np.ndarray]] = []
    for where, coarse in measure.detector.left_out(images.subset(learned), groups=units[learned]):
        for place, one in zip(learned[where], coarse, strict=True):
            if waiting and images.item_of[waiting[0][0]] != images.item_of[place]:
                yield _laid(measure, images, waiting)
                waiting = []
            waiting.append((int(place), one))
    if waiting:
        yield _laid(measure, images, waiting)


def _laid(measure: Measure, images: CohortImages, scan: list[tuple[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The maps of one scan's images, finished as they are when it is examined."""
    batch = images.take([place for place, _ in scan])
    return measure.laid(np.stack([one for _, one in scan]), batch, ordered=len(scan) > 1)


def _calibrated(
    detector: Detector,
    recipe: Profile,
    places: Places,
    images: CohortImages,
    parts: Parts,
    cohort: Cohort,
    ill: Abnormal | None,
    run: Run,
) -> Healthy:
    """Calibrate on the part kept for it, or on every fold by a model that has not seen it."""
    whole = Measure(detector, recipe, places)
    if len(parts.calibrate):
        return calibrate([(whole, parts.calibrate)], images, cohort, guarantee="split", listen=run.listen)
    if not parts.folds:  # the scores of what was learned from are shown, and promise nothing
        return calibrate([(whole, parts.learn)], images, cohort, guarantee="none", listen=run.listen)
    pairs: list[Pair] = [
        (_fold(detector, number, held_out, images, recipe, run, cohort, ill), held_out)
        for number, held_out in enumerate(parts.folds)
    ]
    return calibrate(pairs, images, cohort, guarantee="cross", listen=run.listen)


def _fold(
    detector: Detector,
    number: int,
    held_out: np.ndarray,
    images: CohortImages,
    recipe: Profile,
    run: Run,
    cohort: Cohort,
    ill: Abnormal | None,
) -> Measure:
    """The same method, learned without one fold."""
    folder = None if run.folder is None else run.folder / f"fold-{number}"
    rest = np.setdiff1d(np.arange(len(images)), held_out)
    learned = fit(
        type(detector)(**detector.settings),
        images.subset(rest),
        check=None,
        held=_patients(cohort, images, held_out),
        abnormal=ill,
        run=replace(run, folder=folder),
    )
    units = unit_numbers(cohort, images.item_of)[0]
    return Measure(learned, recipe, learn_places(learned, recipe, images, rest, rest[:0], units))


def _unseen(parts: Parts) -> np.ndarray:
    """Places of healthy images that the model has not learned from; of all, where it has learned from all."""
    return next(part for part in (parts.calibrate, parts.choose, parts.learn) if len(part))


def _record(
    detector: Detector,
    recipe: Profile,
    cohort: Cohort,
    images: CohortImages,
    parts: Parts,
    ill: Abnormal | None,
    poor: Note | None,
    seed: int,
) -> dict[str, Any]:
    """The content of `model.json`."""
    used = cohort.subset(np.unique(images.item_of))
    seen_ill = [] if ill is None else content_digests(ill.cohort)
    return {
        "detector": detector.name,
        "settings": detector.settings,
        "profile": recipe.model_dump(mode="json"),
        "encoder": getattr(detector, "backbone_origin", None),
        "seed": seed,
        "trained_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "packages": packages(),
        "training_set": {
            "summary": used.summary(),
            "images": len(images),
            "scans": len(used),
            "patients": used.patients,
            "learn": len(parts.learn),
            "choose": len(parts.choose),
            "calibrate": len(parts.calibrate) or len(images) * bool(parts.folds),
            "fingerprint": cohort_fingerprint(cohort),
            "notes": [
                *([] if poor is None else [note_sentence(poor, "en")]),
                *remarks(cohort, images, recipe, parts.learn),
            ],
            **({} if poor is None else {"poor_reconstruction": dict(poor.values)}),
            "contents": sorted([*content_digests(used), *seen_ill]),
            "pixels": sorted([*images.pixels, *(() if ill is None else ill.images.pixels)]),
            **({} if ill is None else {"abnormal": ill.record()}),
        },
    }


def _history(work: Path) -> dict[str, Path]:
    """The history of the training and its picture, to lie beside the model; nothing for methods that do not iterate."""
    lines = work / "history.jsonl"
    if not lines.exists():
        return {}
    draw_history(lines, work / "training.png")
    return {"history.jsonl": lines, "training.png": work / "training.png"}


def _pictures(work: Path, detector: Detector, images: CohortImages, parts: Parts) -> dict[str, Path]:
    """What the method draws of a few healthy images, kept apart where some were; nothing for most methods."""
    where = parts.choose if len(parts.choose) else parts.learn
    some = where[:: max(1, len(where) // _PICTURED)][:_PICTURED]
    drawn = detector.pictures(images.take(some.tolist()))
    if not drawn:
        return {}
    draw_pictures(drawn, work / "pictures.png")
    return {"pictures.png": work / "pictures.png"}
