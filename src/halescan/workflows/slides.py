"""Slides: whole slides examined tile by tile, and what a report and a record say of each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from halescan.data.item import Item
from halescan.data.profiles import Profile
from halescan.data.table import Cohort
from halescan.data.tiles import check_reads_slides, for_slides, open_slide_of
from halescan.errors import HalescanError, TrainingError
from halescan.io import is_slide
from halescan.io.slide import Slide
from halescan.scoring.calibration import Calibration
from halescan.scoring.patients import case_from_slices
from halescan.training.run import Progress, say_nothing
from halescan.types import CaseResult, Finding, Note, Scan, ScanResult, SlideView, TileView
from halescan.workflows.cases import Case
from halescan.workflows.interpret import COMMON, findings_of, map_notes, model_notes, neighbours_of
from halescan.workflows.model import Model
from halescan.workflows.slide_scan import Scanned, scan_slide

CLOSE_UP_PX = 320
_AROUND = 1.6  # a close-up shows so many times a finding's longer side
_LEAST_TILE = 0.5  # of a tile's side, at least
_TILES_DO = {"histology-architecture": "slide-architecture"}  # said of patches, and otherwise of slides


def holds_slide(case: Case) -> bool:
    """Whether a case holds a whole slide."""
    return any(is_slide(item.source) for item in case.items)


def told_scale(cohort: Cohort, um_per_px: float | None) -> Cohort:
    """The cohort with the scale a person named for slides whose files do not say it; a table's own word goes first."""
    if um_per_px is None:
        return cohort
    items = tuple(
        replace(item, extra={"um_per_px": str(um_per_px), **item.extra}) if is_slide(item.source) else item
        for item in cohort.items
    )
    return replace(cohort, items=items)


def learned_profile(profile: Profile, cohort: Cohort) -> Profile:
    """The profile as a cohort wants it learned: of slides, tile by tile at a scale that is written down.

    Raises:
        TrainingError: if the cohort mixes slides with images.
        SettingError: if it holds slides, and the profile reads no colour.
    """
    slides = sum(is_slide(item.source) for item in cohort.items)
    if not slides:
        return profile
    if slides < len(cohort.items):
        raise TrainingError(
            f"{slides} of these {len(cohort.items)} scans are whole slides, the others are images: a model learns "
            "from the one or the other. Put them in folders of their own"
        )
    return for_slides(profile)


def slide_results(
    model: Model,
    cases: Sequence[Case],
    *,
    false_alarms: float,
    um_per_px: float | None = None,
    jobs: int | None = None,
    listen: Callable[[Progress], None] = say_nothing,
) -> Iterator[tuple[Case, CaseResult | None, list[str]]]:
    """The result of each case of slides (None if none could be read), and the sentences about what could not.

    One slide at a time: however many there are and however large, memory stays what one tile batch and one heat map
    take.

    Args:
        um_per_px: Scale of the tiles where the model names none.
    """
    for case in cases:
        results: list[ScanResult] = []
        scanned: list[Scanned] = []
        errors: list[str] = []
        for item in case.items:
            try:
                _check(item, model)
                with open_slide_of(item) as slide:
                    found = scan_slide(model.measure, slide, um_per_px=um_per_px, jobs=jobs, listen=listen)
                    results.append(_result(model, slide, found, false_alarms))
                    scanned.append(_light(found))
            except HalescanError as error:
                errors.append(str(error))
        yield case, _case(model, results, scanned, false_alarms) if results else None, errors


def _check(item: Item, model: Model) -> None:
    """Refuse what is no slide beside slides, and a model that reads none."""
    if not is_slide(item.source):
        raise TrainingError(f"{item.source.path}: lies in one case with whole slides; examine it on its own")
    try:
        check_reads_slides(model.profile)
    except HalescanError as error:
        raise TrainingError(f"{item.source.path}: {error}") from None


def _light(found: Scanned) -> Scanned:
    """Without the pictures, which the result holds: what a case needs when all its slides are read."""
    nothing: Any = np.zeros((0, 0), bool)
    return replace(found, overview=nothing, map=None, mask=nothing, tissue=nothing, strangest=())


def _case(model: Model, results: Sequence[ScanResult], scanned: Sequence[Scanned], false_alarms: float) -> CaseResult:
    how, share = model.profile.slice_pooling
    calibration = model.healthy.calibration
    score = case_from_slices(np.concatenate([found.scores for found in scanned]), how=how, share=share).score
    facts = model.facts
    return CaseResult(
        case="",
        examined_utc="",
        scans=tuple(results),
        verdict=calibration.verdict(score, false_alarms, level="slide"),
        model=replace(facts, blind_spots=tuple(_TILES_DO.get(key, key) for key in facts.blind_spots)),
        notes=(*_notes(model, scanned, calibration), *map_notes(model, results)),
    )


def _notes(model: Model, scanned: Sequence[Scanned], calibration: Calibration) -> tuple[Note, ...]:
    notes: dict[str, Note] = {}
    for found in scanned:
        for note in found.notes:
            notes.setdefault(note.key, note)
        unlike = model.healthy.reference.unlike(found.facts, found.embedding)
        if unlike:
            notes.setdefault("unlike-training", Note("unlike-training", {"features": ", ".join(unlike)}))
    errors = np.concatenate([found.errors for found in scanned])
    for note in model_notes(model, calibration, errors):
        notes.setdefault(note.key, note)
    return tuple(notes.values())


def _result(model: Model, slide: Slide, found: Scanned, false_alarms: float) -> ScanResult:
    """A slide as a report knows it: its overview as the scan, the heat map on it, and the way back."""
    calibration = model.healthy.calibration
    usable = calibration if calibration.level == "slide" and calibration.units else None
    scan = _overview_scan(slide, found, model)
    tail = None
    if found.map is not None and model.healthy.tail is not None:
        tail = np.zeros(found.map.shape, np.float32)
        tail[found.mask] = model.healthy.tail.log_tail(found.map[found.mask])
    findings: tuple[Finding, ...] = ()
    if found.map is not None:
        findings = findings_of(model, scan, found.map, found.mask, usable, false_alarms)
    kept = tuple(finding for finding in findings if finding.p_value is None or finding.p_value <= COMMON)
    how, share = model.profile.slice_pooling
    first = found.strangest[0]
    return ScanResult(
        scan=scan,
        map=found.map,
        tail=tail,
        mask=found.mask,
        score=case_from_slices(found.scores, how=how, share=share).score,
        findings=kept,
        weaker=len(findings) - len(kept),
        shown=first.tile.prepared.image,
        reconstruction=first.reconstruction,
        neighbours=neighbours_of(model, first.neighbours),
        slide=_view(model, slide, found, kept),
    )


def _overview_scan(slide: Slide, found: Scanned, model: Model) -> Scan:
    notes = [
        Note(
            "slide-tiles",
            {"tiles": len(found.scores), "um_per_px": _um(found.tiling.tile_um_per_px), "share": _share(found)},
        )
    ]
    if slide.resolution_given:
        notes.append(Note("slide-scale-given", {"um_per_px": _um(found.tiling.slide_um_per_px)}))
    if model.profile.spacing_mm is None:
        notes.append(Note("slide-scale-assumed", {"um_per_px": _um(found.tiling.tile_um_per_px)}))
    header = {"Manufacturer": slide.pyramid.vendor} if slide.pyramid.vendor else {}
    return Scan(
        found.overview,
        2,
        found.tiling.cell_mm,
        modality="SM",
        source=slide.path,
        header=header,
        notes=tuple(notes),
    )


def _um(steps: tuple[float, float]) -> float:
    return round(float(np.sqrt(steps[0] * steps[1])), 4)


def _share(found: Scanned) -> float:
    """Share of the tissue that was looked at."""
    tissue = int(np.count_nonzero(found.tissue))
    return float(np.count_nonzero(found.mask & found.tissue) / tissue) if tissue else 0.0


def _view(model: Model, slide: Slide, found: Scanned, findings: Sequence[Finding]) -> SlideView:
    tiling = found.tiling
    view = SlideView(
        shape_px=tiling.slide_px,
        um_per_px=tiling.slide_um_per_px,
        given=slide.resolution_given,
        factor=tiling.factor,
        tile_px=tiling.tile_px,
        tile_um_per_px=tiling.tile_um_per_px,
        assumed=model.profile.spacing_mm is None,
        tiles=len(found.scores),
        tissue_mm2=float(np.count_nonzero(found.tissue) * tiling.cell_mm[0] * tiling.cell_mm[1]),
        strangest=tuple(
            TileView(tiling.box(shown.tile.place), shown.tile.pixels, shown.score) for shown in found.strangest
        ),
    )
    close = {finding.number: _close_up(slide, view, finding) for finding in findings}
    return replace(view, close_ups=close)


def _close_up(slide: Slide, view: SlideView, finding: Finding) -> TileView:
    """What lies around a finding's peak, square, wide enough for the finding and at least half a tile."""
    rows, columns = view.bounds((finding.box[-2], finding.box[-1]))
    tile = max(
        side * wide / fine for side, wide, fine in zip(view.tile_px, view.tile_um_per_px, view.um_per_px, strict=True)
    )
    long = max(rows[1] - rows[0], columns[1] - columns[0])
    half = max(_AROUND * long, _LEAST_TILE * tile) / 2
    middle = view.pixel(finding.peak_index) if long < tile else (sum(rows) / 2, sum(columns) / 2)
    box = ((middle[0] - half, middle[0] + half), (middle[1] - half, middle[1] + half))
    return TileView(box, slide.region(box, (CLOSE_UP_PX, CLOSE_UP_PX)))
