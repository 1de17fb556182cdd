"""Results from elsewhere: the same figures for scores and maps that any other program made; no model is needed."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from halescan import __version__
from halescan.data.ahead import ahead
from halescan.data.grid import resample
from halescan.data.table import Cohort, Item
from halescan.errors import BlankScan, HalescanError, SettingError, ShapeError, TableError
from halescan.evaluation.baselines import trivial_statistics
from halescan.evaluation.pixels import PixelTally
from halescan.evaluation.results import plain
from halescan.io import read
from halescan.training.run import Progress, say_nothing
from halescan.types import Scan
from halescan.workflows.cases import Case, case_keys
from halescan.workflows.evaluation import Evaluation
from halescan.workflows.evaluation_files import done_already, write_evaluation
from halescan.workflows.judged import Judged, Mapped, check_columns, labelled
from halescan.workflows.judged_record import Asked, judged_record
from halescan.workflows.mask_check import Fault, fault_of, mask_sentences, spare_masks
from halescan.workflows.mask_geometry import drawn_on, laid
from halescan.workflows.scan_names import listed_names, shown_scan, told_of_file, told_of_mask, told_of_scan
from halescan.workflows.score_table import FromElsewhere, Given, read_scores
from halescan.workflows.train import cohort_fingerprint, digest

_MOST_AHEAD = 32  # scans read before they are counted
_WITH_POSITION = (".nii", ".nii.gz", ".nrrd", ".mha")
_NOT_STRETCHED = "; a file with a position is never stretched: resample it onto the scan, or save it as .npy or PNG"


@dataclass(frozen=True, eq=False)
class _Looked:
    """One scan: its trivial statistics, its map and where it is abnormal, on the scan's voxels.

    Args:
        fault: What does not fit between the scan's mask and its label.
        stretched: Whether the map had another size than the scan.
        mended: Share of the map's values that were no finite numbers.
    """

    scan: Scan | None = None
    trivial: dict[str, float] | None = None
    map: np.ndarray | None = None
    truth: np.ndarray | None = None
    fault: Fault | None = None
    stretched: bool = False
    mended: float = 0.0
    problem: str = ""


@dataclass(frozen=True, eq=False)
class _Map:
    """A map on its scan's voxels `(*scan.shape)`, and what was done to it."""

    values: np.ndarray
    stretched: bool = False
    mended: float = 0.0


def evaluate_scores(
    scores: Path | str,
    test: Path | str,
    *,
    out: Path | str,
    false_alarms: float = 0.05,
    threshold: float | None = None,
    map_threshold: float | None = None,
    by: Sequence[str] = (),
    lesion_sizes: Sequence[float] = (),
    table: Path | None = None,
    split: str | None = None,
    layout: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    jobs: int | None = None,
    listen: Callable[[Progress], None] = say_nothing,
) -> Evaluation:
    """Measure the scores or maps of another program on labelled scans and write what `evaluate` writes.

    Larger must be stranger. A scan's score is that of the table, else its map's largest value; a case's is the largest
    of its scans'. Decisions come from the threshold, else from p-values, else from a column `decision`; without any
    there is no operating point. A flat map without a position, of another size than its scan, is stretched over it.

    Args:
        scores: A CSV of scores, or a folder of maps; see `score_table.read_scores`.
        threshold: Score above which a case is called abnormal, chosen without these labels.
        map_threshold: Map value from which a place counts as a finding, chosen without these masks; needed for Dice
            and for figures lesion by lesion.
        test, out, by, lesion_sizes, table, split, layout, seed: As for `evaluate.evaluate`.

    Raises:
        TableError: if no scan has a label, the scores cannot be read, or no name fits.
        SettingError: on thresholds that are not finite.
        OutputError: if `out` holds another evaluation and `overwrite` is not set.
    """
    out, source, asked = Path(out), Path(scores), Asked(false_alarms, tuple(by), tuple(lesion_sizes), seed)
    if not np.isfinite([value for value in (threshold, map_threshold) if value is not None]).all():
        raise SettingError("a threshold must be a finite number")
    cohort = labelled(Path(test), table=table, split=split, layout=layout)
    check_columns(cohort, by)
    elsewhere = read_scores(source, cohort.items)
    request = _request(cohort, elsewhere, asked, threshold, map_threshold)
    done = done_already(out, request, cohort, overwrite=overwrite)
    if done is not None:
        return done
    judged = Judged(PixelTally(threshold=map_threshold), threshold=threshold)
    done_to_maps = _judge_all(judged, cohort, elsewhere, asked, map_threshold, jobs or os.cpu_count() or 1, listen)
    judged.problems += _unmatched(cohort, elsewhere, source)
    if not judged.cases:
        raise TableError(f"{source}: none of its maps could be used: {judged.problems[0]}")
    judged.by_rate = threshold is None and None not in judged.p_values
    judged.left_out += [item.label for place, item in enumerate(cohort.items) if place not in elsewhere.given]
    spare = spare_masks(cohort) if judged.masks.abnormal else []
    record = judged_record(
        judged,
        asked,
        strangeness={},
        units=None,
        unit=None,
        spare=len(spare),
        about={
            "scores_from": source.name,
            "maps": sum(given.map is not None for given in elsewhere.given.values()),
            **done_to_maps,
            "threshold": threshold,
            "map_threshold": map_threshold,
            "layout": cohort.layout,
            "request_sha256": request,
        },
    )
    judged.problems += mask_sentences(record["about"]["masks"], {**judged.masks.names, "spare": spare})
    write_evaluation(out, record, judged, title=f"scores from {source.name}")
    return Evaluation(out, record, (*(told_of_file(problem) for problem in cohort.problems), *judged.problems))


def _request(
    cohort: Cohort, elsewhere: FromElsewhere, asked: Asked, threshold: float | None, map_threshold: float | None
) -> str:
    """What was asked, so that the same need not be done again: maps count by size and time."""
    given = []
    for place, one in sorted(elsewhere.given.items()):
        facts = None if one.map is None else (one.map.stat().st_size, one.map.stat().st_mtime_ns)
        given.append([place, one.score, one.p_value, one.above, facts])
    return digest([__version__, given, plain(vars(asked)), threshold, map_threshold, cohort_fingerprint(cohort)])


def _judge_all(
    judged: Judged,
    cohort: Cohort,
    elsewhere: FromElsewhere,
    asked: Asked,
    map_threshold: float | None,
    jobs: int,
    listen: Callable[[Progress], None],
) -> dict[str, int]:
    """Look at every scan that has a score, case by case; how many maps were stretched, and how many mended."""
    cases = _cases(cohort, elsewhere)
    flat = [(item, given) for _, scans in cases for item, given in scans]
    looks = ahead(lambda pair: _look(*pair), flat, jobs=jobs, most=_MOST_AHEAD)
    counts = {"maps_stretched": 0, "maps_mended": 0}
    done = 0
    for case, scans in cases:
        looked = [(given, next(looks)) for _, given in scans]
        judged.problems += [look.problem for _, look in looked if look.problem]
        counts["maps_stretched"] += sum(look.stretched for _, look in looked)
        counts["maps_mended"] += sum(look.mended > 0 for _, look in looked)
        _note_scans(judged, scans, [look for _, look in looked])
        _judge(judged, case, looked, asked.false_alarms, map_threshold)
        done += len(scans)
        if done % 100 < len(scans) or done == len(flat):
            listen(Progress("reading scores", done, len(flat)))
    return counts


def _note_scans(judged: Judged, scans: Sequence[tuple[Item, Given]], looks: Sequence[_Looked]) -> None:
    """Whose mask does not fit, and who could not be used though somebody had scored it."""
    for (item, given), look in zip(scans, looks, strict=True):
        if look.map is not None and (look.truth is not None or look.fault is not None):
            judged.masks.note(item, look.fault)
        if look.scan is None or _score(given, look) is None:
            judged.left_out.append(item.label)


def _cases(cohort: Cohort, elsewhere: FromElsewhere) -> list[tuple[Case, list[tuple[Item, Given]]]]:
    """Each case of which a scan has a score, with these scans."""
    together: dict[str, list[int]] = {}
    for place, key in enumerate(case_keys(cohort)):
        together.setdefault(key, []).append(place)
    found = []
    for key, places in together.items():
        scans = [(cohort.items[place], elsewhere.given[place]) for place in places if place in elsewhere.given]
        if scans:
            found.append((Case(key, tuple(cohort.items[place] for place in places)), scans))
    return found


def _look(item: Item, given: Given) -> _Looked:
    """Read a scan, and its map and mask where there is a map."""
    try:
        scan = read(item.source)
    except HalescanError as error:
        return _Looked(problem=told_of_scan(item.source, error))
    trivial = _trivial(scan, item)
    if given.map is None:
        return _Looked(scan, trivial)
    try:
        drawn = _map_on(given.map, scan)
    except HalescanError as error:
        why = str(error).replace(str(given.map), given.map.name)
        return _Looked(scan, trivial, problem=told_of_scan(item.source, f"map not used: {why}"))
    looked = _Looked(scan, trivial, drawn.values, stretched=drawn.stretched, mended=drawn.mended)
    try:
        outline = drawn_on(item, scan)
    except HalescanError as error:
        why = told_of_mask(item, error)
        return replace(looked, problem=told_of_scan(item.source, f"mask not used: {why}"))
    truth = np.zeros(scan.shape, bool) if item.label == "healthy" else outline
    return replace(looked, truth=truth, fault=fault_of(item, outline))


def _map_on(path: Path, scan: Scan) -> _Map:
    """A map on its scan's voxels."""
    try:
        drawn = read(path)
    except BlankScan as blank:  # nothing strange anywhere is an answer too
        return _blank_on(path, blank, scan)
    if drawn.colour:
        raise ShapeError(f"{path.name} is a picture in colours; save the map's values as grey PNG, NIfTI or .npy")
    values = drawn.pixels.astype(np.float32)
    mended = sum(float(note.values["share"]) for note in drawn.notes if note.key == "non-finite-pixels")
    if drawn.dims == scan.dims == 2 and drawn.affine_lps is None and values.shape != scan.shape:
        return _Map(resample(values, scan.shape), True, mended)
    try:
        return _Map(laid(values, drawn, scan), False, mended)
    except ShapeError as error:
        wrong_size = drawn.affine_lps is not None and sorted(values.shape) != sorted(scan.shape)
        raise ShapeError(f"{error}{_NOT_STRETCHED if wrong_size else ''}") from error


def _blank_on(path: Path, blank: BlankScan, scan: Scan) -> _Map:
    """A map with one value everywhere: its shape must fit as that of any other."""
    if blank.value is None or blank.shape is None:
        raise blank
    with_position = path.name.lower().endswith(_WITH_POSITION)
    own, others = ([side for side in shape if side > 1] for shape in (blank.shape, scan.shape))
    fits = sorted(own) == sorted(others) if with_position else own == others  # a position may swap the axes
    flat = len(blank.shape) == scan.dims == 2 and not with_position
    if not fits and not flat:
        raise ShapeError(
            f"its shape {blank.shape} is not the scan's {scan.shape}{_NOT_STRETCHED if with_position else ''}"
        )
    return _Map(np.full(scan.shape, blank.value, np.float32), stretched=not fits)


def _judge(
    judged: Judged,
    case: Case,
    looked: Sequence[tuple[Given, _Looked]],
    false_alarms: float,
    map_threshold: float | None,
) -> None:
    """Keep the numbers of one case; its maps are counted and let go."""
    scores = [_score(given, look) for given, look in looked]
    known = [score for score in scores if score is not None]
    trivial = [look.trivial for _, look in looked if look.trivial is not None]
    if not known or not trivial:
        return
    maps = [
        Mapped(look.map, look.truth, spacing_mm=look.scan.spacing_mm)
        for _, look in looked
        if look.map is not None and look.truth is not None and look.scan is not None
    ]
    judged.count_maps(case, maps, threshold=map_threshold)
    score, p_value = max(known), looked[0][0].p_value if len(looked) == 1 else None
    decision = _decision(score, judged.threshold, p_value, [given.above for given, _ in looked], false_alarms)
    judged.add(case, score=score, p_value=p_value, decision=decision, trivial=trivial[len(trivial) // 2])


def _score(given: Given, look: _Looked) -> float | None:
    if given.score is not None:
        return given.score
    return None if look.map is None else float(look.map.max())


def _decision(
    score: float, threshold: float | None, p_value: float | None, said: Sequence[bool | None], false_alarms: float
) -> str:
    if threshold is not None:
        above: bool | None = score > threshold
    elif p_value is not None:
        above = p_value <= false_alarms * (1 + 1e-9)
    else:
        above = None if None in said else any(said)
    return "withheld" if above is None else "above" if above else "not-above"


def _trivial(scan: Scan, item: Item) -> dict[str, float]:
    """Of a scan as it is stored, or of the middle slice of a volume; entropy within its own range of grey values."""
    pixels = scan.pixels if scan.dims == 2 else scan.pixels[scan.shape[0] // 2]
    image = pixels.astype(np.float32)
    image = np.moveaxis(image, -1, 0) if scan.colour else image[None]
    found = trivial_statistics(image, file_bytes=sum(file.stat().st_size for file in item.source.files))
    low, high = float(image.min()), float(image.max())
    within = (image - low) / (high - low if high > low else 1.0)
    return {
        **found,
        "entropy": trivial_statistics(within)["entropy"],
        "pixels": float(np.prod(scan.shape)),
    }


def _unmatched(cohort: Cohort, elsewhere: FromElsewhere, source: Path) -> list[str]:
    """What was left out on either side, in a sentence each."""
    missing = [shown_scan(item.source) for n, item in enumerate(cohort.items) if n not in elsewhere.given]
    problems = []
    if missing:
        problems.append(
            f"{len(missing)} of {len(cohort)} labelled scans have no score in {source.name} and are left out, "
            f"which may flatter it: {listed_names(missing)}"
        )
    if elsewhere.unknown_count:
        names = "1 name is" if elsewhere.unknown_count == 1 else f"{elsewhere.unknown_count} names are"
        problems.append(f"{source.name}: {names} of no labelled scan, and left out: {elsewhere.unknown}")
    return problems
