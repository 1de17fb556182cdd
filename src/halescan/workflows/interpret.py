"""Interpret: from prepared images to a case's result, with maps and findings on the scanner's own voxels."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from halescan.data.ahead import ahead
from halescan.data.prepare import Prepared
from halescan.reporting.extent import useless_share
from halescan.scoring.calibration import Calibration, Level
from halescan.scoring.findings import find
from halescan.scoring.patients import case_from_slices
from halescan.types import Batch, CaseResult, Finding, Note, Scan, ScanResult
from halescan.workflows.cases import Case, Opened
from halescan.workflows.healthy import embedding
from halescan.workflows.measure import TOGETHER, Measured
from halescan.workflows.model import Model

HELD_BYTES = 64 * 2**20  # of pixels waiting to be measured together
COMMON = 0.25  # a place as strange as in a quarter of healthy cases is counted, not shown


@dataclass(frozen=True, eq=False)
class Read:
    """A scan, its images, and their measurements in the same order."""

    scan: Scan
    images: tuple[Prepared, ...]
    measured: tuple[Measured, ...]

    @property
    def scores(self) -> np.ndarray:
        """`(images,)`."""
        return np.concatenate([found.scores for found in self.measured])


def interpret(
    model: Model, stream: Iterable[tuple[Case, list[Opened]]], *, false_alarms: float, jobs: int = 1
) -> Iterator[tuple[Case, CaseResult | None, list[str]]]:
    """The result of each case (None if no scan of it could be read), and the sentences about what could not.

    Cases of single images share a pass of the network; a volume has its own. With more than one of `jobs` the next
    cases are measured while these are interpreted.
    """

    def measured(group: list[tuple[Case, list[Opened]]]) -> tuple[list[tuple[Case, list[Opened]]], list[Read]]:
        return group, measure_scans(model, [scan for _, scans in group for scan in scans if scan.scan is not None])

    for group, found in ahead(measured, together(stream), jobs=min(1, jobs - 1), most=1):
        readings = iter(found)
        for case, scans in group:
            errors = [scan.error for scan in scans if scan.scan is None]
            read = [next(readings) for scan in scans if scan.scan is not None]
            yield case, case_result(model, read, false_alarms=false_alarms) if read else None, errors


def measure_scans(model: Model, scans: Sequence[Opened]) -> list[Read]:
    """Measure scans, single images of one spacing together."""
    singles: dict[object, list[int]] = {}
    found: dict[int, tuple[Measured, ...]] = {}
    for number, opened in enumerate(scans):
        if len(opened.images) == 1:
            singles.setdefault(opened.images[0].spacing_mm, []).append(number)
        else:
            found[number] = (model.measure(_batch(opened.images), ordered=True),)
    for numbers in singles.values():
        for start in range(0, len(numbers), TOGETHER):
            some = numbers[start : start + TOGETHER]
            measured = model.measure(_batch([scans[number].images[0] for number in some]))
            found |= {number: (measured.only(place),) for place, number in enumerate(some)}
    return [
        Read(opened.scan, opened.images, found[number])
        for number, opened in enumerate(scans)
        if opened.scan is not None
    ]


def case_result(model: Model, scans: Sequence[Read], *, false_alarms: float) -> CaseResult:
    """Everything about one case but its name and date."""
    scores = np.concatenate([read.scores for read in scans])
    level = level_of(scans)
    how, share = model.profile.slice_pooling
    score = case_from_slices(scores, how=how, share=share).score
    calibration = model.healthy.calibration
    usable = calibration if level == calibration.level and calibration.units else None
    results = tuple(_scan_result(model, read, usable, false_alarms) for read in scans)
    return CaseResult(
        case="",
        examined_utc="",
        scans=results,
        verdict=calibration.verdict(score, false_alarms, level=level),
        model=model.facts,
        notes=(*_case_notes(model, scans, calibration), *map_notes(model, results)),
    )


def level_of(scans: Sequence[Read]) -> Level:
    """What a case's score stands for: "volume" where a scan of it was read slice by slice."""
    sliced = any(image.slice_index is not None for read in scans for image in read.images)
    return "volume" if sliced else "image"


def place_back(read: Read) -> tuple[np.ndarray | None, np.ndarray]:
    """Map and mask of a scan on its own voxels; places no image covers hold the least value of the map."""
    shape = read.scan.shape
    mask = np.zeros(shape, bool)
    maps = [layer for found in read.measured for layer in (found.maps if found.maps is not None else ())]
    masks = [layer for found in read.measured for layer in found.masks]
    whole = np.full(shape, min((float(layer.min()) for layer in maps), default=0.0), np.float32) if maps else None
    for number, image in enumerate(read.images):
        where = ... if image.slice_index is None else image.slice_index
        mask[where] = image.grid.back_mask(masks[number])
        if whole is not None:
            np.copyto(whole[where], image.grid.back(maps[number]), where=mask[where])
    return whole, mask


def together(stream: Iterable[tuple[Case, list[Opened]]]) -> Iterator[list[tuple[Case, list[Opened]]]]:
    """Cases in groups of about as many images as one pass of the network takes, or as few as memory wants."""
    group: list[tuple[Case, list[Opened]]] = []
    size = held = 0
    for case, scans in stream:
        group.append((case, scans))
        size += sum(len(scan.images) for scan in scans)
        held += sum(0 if scan.scan is None else scan.scan.pixels.nbytes for scan in scans)
        if size >= TOGETHER or held >= HELD_BYTES:
            yield group
            group, size, held = [], 0, 0
    if group:
        yield group


def _batch(images: Sequence[Prepared]) -> Batch:
    return Batch(
        np.stack([image.image for image in images]), np.stack([image.mask for image in images]), images[0].spacing_mm
    )


def _scan_result(model: Model, read: Read, calibration: Calibration | None, false_alarms: float) -> ScanResult:
    scan = read.scan
    how, share = model.profile.slice_pooling
    numbers = [image.slice_index for image in read.images]
    sliced = None
    if None not in numbers:
        places = [number for number in numbers if number is not None]
        sliced = case_from_slices(read.scores, how=how, share=share, indices=places, depth=scan.shape[0])
    strangeness, mask = place_back(read)
    tail = None
    if strangeness is not None and model.healthy.tail is not None:
        tail = np.zeros(mask.shape, np.float32)
        tail[mask] = model.healthy.tail.log_tail(strangeness[mask])
    findings = () if strangeness is None else findings_of(model, scan, strangeness, mask, calibration, false_alarms)
    kept = tuple(finding for finding in findings if finding.p_value is None or finding.p_value <= COMMON)
    key_slice = _key_slice(scan, kept, sliced.key_slice if sliced else None)
    key = numbers.index(key_slice) if key_slice in numbers else int(np.argmax(read.scores))
    return ScanResult(
        scan=scan,
        map=strangeness,
        tail=tail,
        mask=mask,
        score=float(read.scores[0]) if sliced is None else sliced.score,
        findings=kept,
        weaker=len(findings) - len(kept),
        shown=read.images[key].image,
        reconstruction=_of_image([found.reconstruction for found in read.measured], key),
        neighbours=neighbours_of(model, _of_image([found.neighbours for found in read.measured], key)),
        slice_scores=None if sliced is None else sliced.slice_scores,
        key_slice=key_slice,
    )


def findings_of(
    model: Model,
    scan: Scan,
    strangeness: np.ndarray,
    mask: np.ndarray,
    calibration: Calibration | None,
    false_alarms: float,
) -> tuple[Finding, ...]:
    if model.map_threshold is None:
        return ()
    recipe = model.profile
    return find(
        strangeness,
        threshold=model.map_threshold,
        tail=model.healthy.tail,
        mask=mask,
        spacing_mm=scan.spacing_mm,
        affine_lps=scan.affine_lps,
        min_diameter_mm=recipe.min_finding_mm,
        min_diameter_px=recipe.min_finding_px,
        calibration=calibration,
        false_alarms=false_alarms,
        places=recipe.places,
        directions=scan.directions,
    ).findings


def _key_slice(scan: Scan, findings: tuple[Finding, ...], strangest: int | None) -> int | None:
    """The slice to see first: that of the first finding, else the strangest, else the middle."""
    if scan.dims == 2:
        return None
    if findings:
        return findings[0].peak_index[0]
    return scan.shape[0] // 2 if strangest is None else strangest


def _of_image(parts: Sequence[np.ndarray | None], number: int) -> np.ndarray | None:
    rows = [row for part in parts if part is not None for row in part]
    return rows[number] if rows else None


def neighbours_of(model: Model, numbers: np.ndarray | None) -> tuple[np.ndarray, ...]:
    examples = getattr(model.detector, "examples", None)
    if numbers is None or examples is None:
        return ()
    return tuple(examples[int(number)] for number in numbers)


def _case_notes(model: Model, scans: Sequence[Read], calibration: Calibration) -> tuple[Note, ...]:
    notes: dict[str, Note] = {}
    for read in scans:
        for note in (*read.scan.notes, *(note for image in read.images[:1] for note in image.notes)):
            notes.setdefault(note.key, note)
        unlike = model.healthy.reference.unlike(
            read.images[0].facts, embedding(np.stack([image.image for image in read.images]))
        )
        if unlike:
            notes.setdefault("unlike-training", Note("unlike-training", {"features": ", ".join(unlike)}))
    for note in model_notes(model, calibration, _rule_values(scans, calibration)):
        notes.setdefault(note.key, note)
    return tuple(notes.values())


def _rule_values(scans: Sequence[Read], calibration: Calibration) -> np.ndarray | None:
    """What the plain rule judges; None at a level it has not learned: slices are not compared with whole volumes."""
    if level_of(scans) != calibration.level:
        return None
    found = [measured for read in scans for measured in read.measured]
    return np.concatenate([measured.scores if measured.errors is None else measured.errors for measured in found])


def map_notes(model: Model, results: Sequence[ScanResult]) -> Iterator[Note]:
    """That a map is strange nearly everywhere, and how many common regions were left out."""
    widest = max((useless_share(result, model.map_threshold) or 0.0 for result in results), default=0.0)
    if widest:
        yield Note("map-tells-little", {"share": widest})
    count = sum(result.weaker for result in results)
    if count:
        yield Note("more-findings", {"count": count})


def model_notes(model: Model, calibration: Calibration, errors: np.ndarray | None) -> Iterator[Note]:
    """What is to be said of the model, and its plain rule on the errors `(n,)` of a case's images, if it applies."""
    if model.poor_reconstruction is not None:
        yield model.poor_reconstruction
    if calibration.guarantee == "cross":
        yield Note("cross-conformal", {"units": calibration.units})
    if model.record.get("encoder") == "own":
        yield Note("own-encoder")
    if "abnormal" in model.record["training_set"]:
        yield Note("supervised", {"count": model.record["training_set"]["abnormal"]["scans"]})
    if model.places.direction is not None:
        yield Note(f"sought-{model.profile.sought}")
    if calibration.guarantee == "none":
        yield Note("measured-on-learned")
    elif errors is not None:
        yield _rule_note(model, errors)


def _rule_note(model: Model, errors: np.ndarray) -> Note:
    """The source system's own rule beside the p-value: mean absolute error against a quantile of healthy."""
    rule = model.healthy.rule
    value = float(errors.mean())
    return Note(
        "quantile-rule-above" if rule.above(value) else "quantile-rule-below",
        {"value": value, "threshold": rule.threshold, "share": rule.share, "unit": rule.unit},
    )
