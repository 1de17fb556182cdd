"""What a report says: every sentence, row and picture is decided here once; HTML and PDF only lay it out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from halescan.reporting.extent import as_told, useless_share
from halescan.reporting.figures import (
    Layered,
    close_up,
    grey_window,
    key_slice,
    montage,
    plane_picture,
    png,
    slices_to_show,
    why_key,
)
from halescan.reporting.finding_words import decision_of, finding_facts, peak_of, place_of
from halescan.reporting.histogram import axis_bounds, histogram_svg, ticks_between
from halescan.reporting.legend import legend_svg
from halescan.reporting.notes import said_notes
from halescan.reporting.numerals import MISSING, Lang, apart, area, length, number, tick
from halescan.reporting.panels import neighbour_strip, reconstruction_panels
from halescan.reporting.slice_scores import examined_scores, slice_scores_svg
from halescan.reporting.slide_pictures import region_picture, tile_strip
from halescan.reporting.verdict import Fact, headline, verdict_facts, verdict_kind, verdict_sentences
from halescan.reporting.view import view_of
from halescan.reporting.words import language, sentence
from halescan.reporting.words_clinical import ABOUT_A_PLACE
from halescan.types import CaseResult, Finding, ModelFacts, ScanResult, SlideView

MOST_SCANS = 4  # shown with pictures; a patient of 25 patches is listed in full and pictured by the strangest


@dataclass(frozen=True)
class Picture:
    """PNG bytes of a scan, and of the layer over it where there is one, of `width_px` by `height_px`."""

    base: bytes
    over: bytes | None
    alt: str
    caption: str
    width_px: int
    height_px: int


@dataclass(frozen=True)
class FindingRow:
    """A finding in words, with its close-up."""

    number: str
    title: str
    place: str
    facts: tuple[Fact, ...]
    decision: str
    above: bool
    picture: Picture


@dataclass(frozen=True)
class ScanSection:
    """One scan of the case as it is laid out; its montage shows slices of a volume, or tiles of a slide."""

    title: str
    facts: str
    pictures: tuple[Picture, ...]
    remarks: tuple[str, ...]
    has_map: bool
    findings: tuple[FindingRow, ...]
    findings_sentence: str
    montage: Picture | None
    montage_title: str
    slice_scores_svg: str
    panels: tuple[Picture, ...]
    neighbours: Picture | None


@dataclass(frozen=True)
class ReportContent:
    """All of one report. `words` holds the headings by key.

    `kind` is "doubtful", "above", "not-above" or "withheld"; `caution` says whether a note is more than information.
    """

    lang: Lang
    case: str
    examined: str
    created_utc: str
    kind: str
    headline: str
    sentences: tuple[str, ...]
    verdict_facts: tuple[Fact, ...]
    notes: tuple[str, ...]
    caution: bool
    legend_svg: str
    histogram_svg: str
    histogram_missing: str
    scans: tuple[ScanSection, ...]
    all_scans: tuple[tuple[str, ...], ...]
    model_facts: tuple[Fact, ...]
    blind_spots_title: str
    blind_spots: tuple[str, ...]
    look_next_title: str
    look_next: tuple[str, ...]
    words: dict[str, str]


_HEADINGS = (
    "research-use",
    "research-use-long",
    "report-title",
    "case",
    "examined",
    "page",
    "notes",
    "images",
    "map-strength",
    "legend-fixed",
    "findings",
    "montage",
    "slice-scores",
    "slice-scores-help",
    "reconstruction",
    "difference-scale",
    "neighbours",
    "histogram",
    "model",
    "footer",
    "verdict",
    "all-scans",
    "score",
    "finding-place",
)


def build_content(result: CaseResult, lang: str = "en") -> ReportContent:
    """Decide everything a report of this case says and shows.

    Raises:
        SettingError: if reports are not written in this language.
    """
    chosen = language(lang)
    told = replace(result, scans=tuple(as_told(scan, result.model.map_threshold) for scan in result.scans))
    order = sorted(range(len(result.scans)), key=lambda place: -_sortable(result.scans[place].score))
    pictured = sorted(order[:MOST_SCANS])
    sections = tuple(_section(result, told, place, chosen) for place in pictured)
    notes, caution = said_notes(told, chosen)
    marked = any(scan.findings for scan in told.scans)
    open_still = not marked and result.verdict.decision == "not-above"
    return ReportContent(
        lang=chosen,
        case=result.case,
        examined=_moment(result.examined_utc),
        created_utc=result.examined_utc,
        kind=verdict_kind(result),
        headline=headline(told, chosen),
        sentences=verdict_sentences(told, chosen),
        verdict_facts=verdict_facts(result.verdict, chosen),
        notes=notes,
        caution=caution,
        legend_svg=_legend(chosen) if any(section.has_map for section in sections) else "",
        histogram_svg=_histogram(result, chosen),
        histogram_missing="" if result.verdict.p_value is not None else sentence("p-missing", chosen),
        scans=sections,
        all_scans=_all_scans(result, order, chosen),
        model_facts=_model_facts(result.model, chosen),
        blind_spots_title=sentence("blind-spots-remain" if open_still else "blind-spots", chosen),
        blind_spots=tuple(sentence(key, chosen) for key in result.model.blind_spots),
        look_next_title=sentence("look-next-any" if open_still else "look-next", chosen),
        look_next=_advice(result.model, marked, chosen),
        words={key: sentence(key, chosen) for key in _HEADINGS},
    )


def _advice(model: ModelFacts, marked: bool, lang: Lang) -> tuple[str, ...]:
    """What to look at next; advice about the marked place only where one is marked."""
    return tuple(sentence(key, lang) for key in model.look_next if marked or key not in ABOUT_A_PLACE)


def _section(result: CaseResult, told: CaseResult, place: int, lang: Lang) -> ScanSection:
    """One scan: its pictures, findings, slices, reconstruction and healthy neighbours."""
    scan, model = told.scans[place], result.model
    window = grey_window(scan.scan, model.window)
    many = len(result.scans) > 1
    volume = scan.scan.dims == 3
    return ScanSection(
        title=sentence("scan-number", lang, number=place + 1, count=len(result.scans)) if many else "",
        facts=_scan_facts(scan, window, lang),
        pictures=_main_pictures(scan, model, window, lang),
        remarks=_remarks(scan, lang),
        has_map=scan.tail is not None,
        findings=_finding_rows(scan, model, window, result.verdict.units, lang),
        findings_sentence=_findings_sentence(result.scans[place], model, lang),
        montage=_montage(scan, model, window, lang) if volume else _strangest(scan, lang),
        montage_title=sentence("strangest-tiles" if scan.slide is not None else "montage", lang),
        slice_scores_svg=_slice_scores(scan, lang) if volume else "",
        panels=_panels(scan, lang),
        neighbours=_neighbours(scan, lang),
    )


def _scan_facts(scan: ScanResult, window: tuple[float, float], lang: Lang) -> str:
    """One line: modality, size, spacing, window, score."""
    if scan.slide is not None:
        return _slide_facts(scan, scan.slide, lang)
    size = " × ".join(str(side) for side in reversed(scan.scan.shape))
    gaps = scan.scan.spacing_mm
    spacing = sentence("fact-spacing-unknown", lang)
    if gaps is not None:
        spacing = " × ".join(length(float(gap), lang) for gap in reversed(gaps))
    parts = [scan.scan.modality] if scan.scan.modality else []
    parts += [size, f"{sentence('fact-spacing', lang)} {spacing}"]
    if scan.scan.unit:
        low, high = (number(round(edge), lang) for edge in window)
        parts.append(f"{sentence('fact-window', lang)} {low} … {high} {scan.scan.unit}".replace("-", "−"))
    parts.append(f"{sentence('fact-score', lang)} {number(float(scan.score), lang)}")
    return "  ·  ".join(parts)


def _slide_facts(scan: ScanResult, slide: SlideView, lang: Lang) -> str:
    """One line: size and scale of the slide, its tiles, its tissue, its score."""
    rows, columns = slide.shape_px
    parts = [
        scan.scan.modality,
        sentence("fact-slide-size", lang, width=columns, height=rows, um=number(slide.um_per_px[1], lang)),
        sentence("fact-slide-tiles", lang, tiles=slide.tiles, um=number(slide.tile_um_per_px[1], lang)),
        sentence("fact-slide-tissue", lang, area=area(slide.tissue_mm2, lang)),
        f"{sentence('fact-score', lang)} {number(float(scan.score), lang)}",
    ]
    return "  ·  ".join(parts)


def _main_pictures(scan: ScanResult, model: ModelFacts, window: tuple[float, float], lang: Lang) -> tuple[Picture, ...]:
    """The scan as acquired and, where there is something to lay over it, the same with map and outlines."""
    plane = key_slice(scan) if scan.scan.dims == 3 else None
    layered = plane_picture(scan, number=plane, window=window, threshold=model.map_threshold, longest_px=600)
    base = png(layered.base)
    caption = sentence("picture-scan" if scan.slide is None else "picture-slide", lang)
    if plane is not None:
        caption = sentence("picture-scan-slice", lang, slice=plane + 1, count=scan.scan.shape[0])
        why = why_key(scan)
        caption += f" ({sentence(why, lang)})" if why else ""
    width, height = layered.base.size
    plain = Picture(base, None, sentence("picture-scan-alt", lang), caption, width, height)
    if layered.over is None:
        return (plain,)
    key = "picture-map" if scan.tail is not None else "picture-outlines"
    alt = sentence("picture-map-alt", lang, count=len(scan.findings))
    return plain, Picture(base, png(layered.over), alt, sentence(key, lang), width, height)


def _remarks(scan: ScanResult, lang: Lang) -> tuple[str, ...]:
    """What has to be known to read the pictures."""
    remarks = []
    edges = view_of(scan.scan).edges
    sides = {word for finding in scan.findings for word in finding.place} & {"left", "right"}
    if edges is None and sides:
        remarks.append(sentence("sides-assumed", lang))
    elif edges is None and not scan.scan.colour:  # a slide has no left and right
        remarks.append(sentence("orientation-unknown", lang))
    elif edges is not None and edges[0] == "R":
        remarks.append(sentence("radiological", lang))
    if scan.map is not None and scan.tail is None:
        remarks.append(sentence("no-tail", lang))
    return tuple(remarks)


def _finding_rows(
    scan: ScanResult, model: ModelFacts, window: tuple[float, float], units: int, lang: Lang
) -> tuple[FindingRow, ...]:
    rows = []
    for finding in scan.findings:
        layered = _close_up(scan, finding, model, window)
        picture = _picture(layered, alt=sentence("finding-alt", lang, number=finding.number), caption="")
        rows.append(_finding_row(scan, finding, picture, units, lang))
    return tuple(rows)


def _close_up(scan: ScanResult, finding: Finding, model: ModelFacts, window: tuple[float, float]) -> Layered:
    """A finding close by: of a slide, as it looks under the microscope."""
    view = None if scan.slide is None else scan.slide.close_ups.get(finding.number)
    if scan.slide is None or view is None:
        return close_up(scan, finding, window=window, threshold=model.map_threshold)
    return Layered(region_picture(view, scan.slide.um_per_px), None)


def _finding_row(scan: ScanResult, finding: Finding, picture: Picture, units: int, lang: Lang) -> FindingRow:
    return FindingRow(
        number=str(finding.number),
        title=sentence("finding-number", lang, number=finding.number),
        place=place_of(finding, lang),
        facts=finding_facts(finding, scan, units, lang),
        decision=decision_of(finding, lang),
        above=finding.above is True,
        picture=picture,
    )


def _findings_sentence(scan: ScanResult, model: ModelFacts, lang: Lang) -> str:
    """What is to be said below the list of regions, or in its place."""
    if scan.map is None:
        return sentence("no-location-short", lang)
    share = useless_share(scan, model.map_threshold)
    if share is not None:
        said = [sentence("no-regions-told", lang, share=share)]
        if scan.findings and (place := peak_of(scan.findings[0], lang)):
            said.append(sentence("strangest-place", lang, place=place))
        return " ".join(said)
    tested = any(finding.p_value is not None for finding in scan.findings)
    said = [sentence("no-findings" if not scan.findings else "findings-p-help" if tested else "findings-help", lang)]
    if model.map_quantile is not None:
        said.append(sentence("findings-threshold", lang, quantile=model.map_quantile))
    return " ".join(said)


def _montage(scan: ScanResult, model: ModelFacts, window: tuple[float, float], lang: Lang) -> Picture:
    numbers = slices_to_show(scan)
    layered = montage(scan, numbers, window=window, threshold=model.map_threshold)
    caption = sentence("montage-caption", lang, shown=len(numbers), count=scan.scan.shape[0])
    return _picture(layered, alt=caption, caption=caption)


def _strangest(scan: ScanResult, lang: Lang) -> Picture | None:
    """The strangest tiles of a slide; nothing for other scans."""
    if scan.slide is None or not scan.slide.strangest:
        return None
    tiles = scan.slide.strangest
    caption = sentence("strangest-tiles-caption", lang, count=len(tiles), tiles=scan.slide.tiles)
    return _picture(Layered(tile_strip(tiles, scan.slide.um_per_px), None), alt=caption, caption=caption)


def _slice_scores(scan: ScanResult, lang: Lang) -> str:
    scores = examined_scores(scan)
    if scores is None or len(scores) < 3 or not np.isfinite(scores).any():
        return ""
    key, strangest = key_slice(scan), int(np.nanargmax(scores))
    same = key == strangest
    return slice_scores_svg(
        scores,
        key=key,
        key_text=sentence("slice-shown-strangest" if same else "slice-shown", lang, slice=key + 1),
        strangest_text="" if same else sentence("slice-strangest", lang, slice=strangest + 1),
        tick_texts=(number(float(np.nanmin(scores)), lang), number(float(np.nanmax(scores)), lang)),
        alt=sentence("slice-scores-alt", lang, count=len(scores), slice=strangest + 1),
    )


def _panels(scan: ScanResult, lang: Lang) -> tuple[Picture, ...]:
    captions = ("picture-shown", "picture-reconstruction", "picture-difference")
    return tuple(
        _picture(Layered(image, None), alt=sentence(key, lang), caption=sentence(key, lang))
        for image, key in zip(reconstruction_panels(scan), captions, strict=False)
    )


def _neighbours(scan: ScanResult, lang: Lang) -> Picture | None:
    strip = neighbour_strip(scan)
    if strip is None:
        return None
    caption = sentence("neighbours-caption", lang)
    return _picture(Layered(strip, None), alt=caption, caption=caption)


def _picture(layered: Layered, *, alt: str, caption: str) -> Picture:
    image: Image.Image = layered.base
    over = None if layered.over is None else png(layered.over)
    return Picture(png(image), over, alt, caption, image.width, image.height)


def _legend(lang: Lang) -> str:
    ticks = tuple(sentence("legend-tick", lang, count=10**step) for step in (1, 2, 3, 4))
    title = sentence("legend", lang)
    return legend_svg(title=title, tick_texts=ticks, alt=f"{title}: {', '.join(ticks)}")


def _histogram(result: CaseResult, lang: Lang) -> str:
    """The drawing; empty where the score was not calibrated at this level, as it would compare unlike things."""
    verdict, healthy = result.verdict, result.model.calibration_scores
    if verdict.p_value is None or not any(np.isfinite(healthy)) or not np.isfinite(verdict.score):
        return ""
    score, threshold = apart(float(verdict.score), verdict.threshold, lang)
    low, high = axis_bounds(healthy, verdict.score, verdict.threshold)
    return histogram_svg(
        healthy,
        score=verdict.score,
        threshold=verdict.threshold,
        score_text=sentence("histogram-score", lang, value=score),
        threshold_text=sentence("histogram-threshold", lang, value=threshold),
        healthy_text=_healthy_text(result, lang),
        axis_text=sentence("histogram-axis", lang),
        tick_texts={value: tick(value, lang) for value in ticks_between(low, high)},
        alt=sentence("histogram-alt", lang, count=len(healthy), score=score, threshold=threshold),
    )


def _healthy_text(result: CaseResult, lang: Lang) -> str:
    """How many scores the bars are, and of how many patients or images where that is another number, and why."""
    count, units = len(result.model.calibration_scores), result.verdict.units
    if not units or units == count:
        return sentence("histogram-healthy", lang, count=count)
    of = sentence(f"units-{result.verdict.unit}", lang)
    key = "histogram-healthy-of" if result.verdict.unit == "patient" else "histogram-healthy-copies"
    return sentence(key, lang, count=count, units_count=units, units=of)


def _all_scans(result: CaseResult, order: Sequence[int], lang: Lang) -> tuple[tuple[str, ...], ...]:
    """Every scan with its score, strangest first, where the case has more than are pictured."""
    if len(result.scans) <= MOST_SCANS:
        return ()
    return tuple((str(place + 1), number(float(result.scans[place].score), lang)) for place in order)


def _model_facts(model: ModelFacts, lang: Lang) -> tuple[Fact, ...]:
    profile = sentence(f"profile-{model.profile}", lang)
    if profile.startswith("Profile"):  # a profile of one's own has no title here
        profile = model.profile
    key = "model-trained-on-images" if model.healthy_patients is None else "model-trained-on-patients"
    trained_on = sentence(key, lang, images=model.healthy_images, patients=model.healthy_patients or 0)
    return (
        Fact(sentence("model-name", lang), model.name),
        Fact(sentence("model-fingerprint", lang), model.fingerprint),
        Fact(sentence("model-profile", lang), profile),
        Fact(sentence("model-detector", lang), model.detector),
        Fact(sentence("model-source", lang), model.source or MISSING),
        Fact(sentence("model-trained-on", lang), trained_on),
        Fact(sentence("model-trained", lang), _moment(model.trained_utc)),
        Fact(sentence("model-version", lang), model.version),
    )


def _moment(time: str) -> str:
    """ "2026-01-31 08:30 UTC"; what is no time is shown as it stands."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return time or MISSING
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _sortable(score: float) -> float:
    return float(score) if np.isfinite(score) else -np.inf
