"""What a report says: every sentence, row and picture is decided here once; HTML and PDF only lay it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from halescan.reporting.figures import (
    Layered,
    close_up,
    grey_window,
    key_slice,
    montage,
    plane_picture,
    png,
    slices_to_show,
)
from halescan.reporting.histogram import axis_bounds, histogram_svg, ticks_between
from halescan.reporting.legend import legend_svg
from halescan.reporting.numerals import MISSING, Lang, area, fixed, length, number, p_value, percent, tick, volume
from halescan.reporting.panels import neighbour_strip, reconstruction_panels
from halescan.reporting.slice_scores import slice_scores_svg
from halescan.reporting.view import view_of
from halescan.reporting.words import language, note_sentence, sentence
from halescan.types import CaseResult, Finding, ModelFacts, Note, ScanResult, Verdict

MOST_SCANS = 4  # shown with pictures; a patient of 25 patches is listed in full and pictured by the strangest
MOST_CLOSE_UPS = 6
TAIL_CAP = 4.0


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
class Fact:
    """A label and its value."""

    label: str
    value: str


@dataclass(frozen=True)
class FindingRow:
    """A finding in words, with its close-up where there is room."""

    number: str
    title: str
    place: str
    facts: tuple[Fact, ...]
    decision: str
    above: bool
    picture: Picture | None


@dataclass(frozen=True)
class ScanSection:
    """One scan of the case as it is laid out."""

    title: str
    facts: str
    pictures: tuple[Picture, ...]
    remarks: tuple[str, ...]
    has_map: bool
    findings: tuple[FindingRow, ...]
    findings_sentence: str
    montage: Picture | None
    slice_scores_svg: str
    panels: tuple[Picture, ...]
    neighbours: Picture | None


@dataclass(frozen=True)
class ReportContent:
    """All of one report. `words` holds the headings by key."""

    lang: Lang
    case: str
    examined: str
    created_utc: str
    kind: str
    headline: str
    sentences: tuple[str, ...]
    verdict_facts: tuple[Fact, ...]
    notes: tuple[str, ...]
    legend_svg: str
    histogram_svg: str
    histogram_missing: str
    scans: tuple[ScanSection, ...]
    all_scans: tuple[tuple[str, ...], ...]
    model_facts: tuple[Fact, ...]
    blind_spots: tuple[str, ...]
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
    "findings-p-help",
    "montage",
    "slice-scores",
    "reconstruction",
    "difference-scale",
    "neighbours",
    "histogram",
    "model",
    "blind-spots",
    "look-next",
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
    order = sorted(range(len(result.scans)), key=lambda place: -_sortable(result.scans[place].score))
    pictured = sorted(order[:MOST_SCANS])
    sections = tuple(_section(result, place, chosen) for place in pictured)
    return ReportContent(
        lang=chosen,
        case=result.case,
        examined=_moment(result.examined_utc),
        created_utc=result.examined_utc,
        kind=result.verdict.decision,
        headline=sentence(f"headline-{result.verdict.decision}", chosen),
        sentences=_verdict_sentences(result.verdict, chosen),
        verdict_facts=_verdict_facts(result.verdict, chosen),
        notes=_notes(result, chosen),
        legend_svg=_legend(chosen) if any(section.has_map for section in sections) else "",
        histogram_svg=_histogram(result, chosen),
        histogram_missing="" if result.verdict.p_value is not None else sentence("p-missing", chosen),
        scans=sections,
        all_scans=_all_scans(result, order, chosen),
        model_facts=_model_facts(result.model, chosen),
        blind_spots=tuple(sentence(key, chosen) for key in result.model.blind_spots),
        look_next=tuple(sentence(key, chosen) for key in result.model.look_next),
        words={key: sentence(key, chosen) for key in _HEADINGS},
    )


def _verdict_sentences(verdict: Verdict, lang: Lang) -> tuple[str, ...]:
    """The decision, the p-value in words, and what a p-value is not."""
    units = sentence(f"units-{verdict.unit}", lang)
    said = []
    if verdict.why_withheld is not None:
        said.append(note_sentence(verdict.why_withheld, lang))
    said.append(sentence(f"decision-{verdict.decision}", lang, rate=verdict.false_alarms, units=units))
    if verdict.p_value is None:
        if verdict.why_withheld is None or verdict.why_withheld.key != "uncalibrated-level":
            said.append(sentence("p-missing", lang))
        return tuple(said)
    stranger = max(0, round(verdict.p_value * (verdict.units + 1)) - 1)
    how_many = "none" if stranger == 0 else "all" if stranger >= verdict.units else "one" if stranger == 1 else "many"
    shown = p_value(verdict.p_value, lang, bound=verdict.bound)
    said.append(
        sentence(f"p-in-words-{how_many}", lang, units_count=verdict.units, units=units, count=stranger, p=shown)
    )
    said.append(sentence("p-is-not", lang, units=units))
    return tuple(said)


def _verdict_facts(verdict: Verdict, lang: Lang) -> tuple[Fact, ...]:
    """The numbers beside the verdict."""
    shown = p_value(verdict.p_value, lang, bound=verdict.bound)
    units = sentence(f"units-{verdict.unit}", lang)
    base = sentence("calibrated-on-value", lang, units_count=verdict.units, units=units)
    guarantee = sentence(f"guarantee-{verdict.guarantee}", lang)
    return (
        Fact(sentence("score", lang), number(verdict.score, lang)),
        Fact(sentence("p-value", lang), _bare(shown)),
        Fact(sentence("threshold", lang), number(verdict.threshold, lang)),
        Fact(sentence("false-alarms", lang), percent(verdict.false_alarms, lang)),
        Fact(sentence("calibrated-on", lang), f"{base}, {guarantee}" if verdict.units else guarantee),
    )


def _notes(result: CaseResult, lang: Lang) -> tuple[str, ...]:
    """The notes of the case, then those of each scan; said once, and not again if the verdict has said it."""
    withheld = result.verdict.why_withheld
    general = [note_sentence(note, lang) for note in result.notes if withheld is None or note.key != withheld.key]
    where: dict[str, list[int]] = {}
    for place, scan in enumerate(result.scans, start=1):
        for text in {note_sentence(note, lang): None for note in (*scan.scan.notes, *_own_notes(scan))}:
            where.setdefault(text, []).append(place)
    for text, places in where.items():
        if len(places) < len(result.scans):
            numbers = ", ".join(str(place) for place in places)
            text = sentence("about-scan" if len(places) == 1 else "about-scans", lang, number=numbers, text=text)
        general.append(text)
    return tuple(dict.fromkeys(general))


def _own_notes(scan: ScanResult) -> tuple[Note, ...]:
    """What a report notices by itself."""
    notes = []
    if scan.map is None:
        notes.append(Note("no-location"))
    elif scan.findings and scan.scan.spacing_mm is None:
        notes.append(Note("no-spacing"))
    return tuple(notes)


def _section(result: CaseResult, place: int, lang: Lang) -> ScanSection:
    """One scan: its pictures, findings, slices, reconstruction and healthy neighbours."""
    scan, model = result.scans[place], result.model
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
        findings_sentence=_findings_sentence(scan, model, lang),
        montage=_montage(scan, model, window, lang) if volume else None,
        slice_scores_svg=_slice_scores(scan, lang) if volume else "",
        panels=_panels(scan, lang),
        neighbours=_neighbours(scan, lang),
    )


def _scan_facts(scan: ScanResult, window: tuple[float, float], lang: Lang) -> str:
    """One line: modality, size, spacing, window, score."""
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


def _main_pictures(scan: ScanResult, model: ModelFacts, window: tuple[float, float], lang: Lang) -> tuple[Picture, ...]:
    """The scan as acquired and, where there is something to lay over it, the same with map and outlines."""
    plane = key_slice(scan) if scan.scan.dims == 3 else None
    layered = plane_picture(scan, number=plane, window=window, threshold=model.map_threshold, longest_px=600)
    base = png(layered.base)
    caption = sentence("picture-scan", lang)
    if plane is not None:
        caption = sentence("picture-scan-slice", lang, slice=plane + 1, count=scan.scan.shape[0])
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
    for rank, finding in enumerate(scan.findings):
        picture = None
        if rank < MOST_CLOSE_UPS:
            layered = close_up(scan, finding, window=window, threshold=model.map_threshold)
            picture = _picture(layered, alt=sentence("finding-alt", lang, number=finding.number), caption="")
        rows.append(_finding_row(scan, finding, picture, units, lang))
    return tuple(rows)


def _finding_row(scan: ScanResult, finding: Finding, picture: Picture | None, units: int, lang: Lang) -> FindingRow:
    place = ", ".join(sentence(word, lang) for word in finding.place)
    if scan.scan.dims == 3:
        place = ", ".join(part for part in (place, _slice_words(finding, lang)) if part)
    decision = (
        "" if finding.above is None else sentence("finding-above" if finding.above else "finding-not-above", lang)
    )
    facts = [
        Fact(sentence("finding-size", lang), _size(finding, lang)),
        Fact(sentence("finding-peak", lang), _rarity(finding, scan, lang)),
    ]
    if finding.p_value is not None:
        facts.append(Fact(sentence("finding-p", lang), _finding_p(finding.p_value, units, lang)))
    index = ", ".join(str(place) for place in reversed(finding.peak_index))
    facts.append(Fact(sentence("finding-index" if scan.scan.dims == 3 else "finding-index-2d", lang), index))
    if finding.centre_lps_mm is not None and scan.scan.dims == 3:
        centre = " / ".join(fixed(x, lang, decimals=1) for x in finding.centre_lps_mm)
        facts.append(Fact(sentence("finding-centre", lang), centre))
    return FindingRow(
        number=str(finding.number),
        title=sentence("finding-number", lang, number=finding.number),
        place=place,
        facts=tuple(facts),
        decision=decision,
        above=finding.above is True,
        picture=picture,
    )


def _finding_p(p: float, units: int, lang: Lang) -> str:
    """The p-value of a finding; "≤" where no healthy case showed a place as strange."""
    return _bare(p_value(p, lang, bound=p * (units + 1) < 1.0 + 1e-6))


def _bare(shown: str) -> str:
    """A p-value beside its label: without the letter, and without the sign where it is equal."""
    return shown.removeprefix("p\u00a0").removeprefix("=\u00a0")


def _slice_words(finding: Finding, lang: Lang) -> str:
    return sentence("finding-slice", lang, slice=finding.peak_index[0] + 1)


def _size(finding: Finding, lang: Lang) -> str:
    """Longest diameter, then volume or area; in pixels where millimetres are unknown."""
    across = f"{number(float(finding.diameter_px), lang)} px"
    if finding.diameter_mm is not None:
        across = length(finding.diameter_mm, lang)
    parts = [sentence("longest-diameter", lang, value=across)]
    if finding.volume_mm3 is not None:
        parts.append(volume(finding.volume_mm3, lang))
    elif finding.area_mm2 is not None:
        parts.append(area(finding.area_mm2, lang))
    else:
        parts.append(f"{number(int(finding.voxels), lang)} {'voxels' if len(finding.box) == 3 else 'px'}")
    return "; ".join(parts)


def _rarity(finding: Finding, scan: ScanResult, lang: Lang) -> str:
    """How rare the peak is among healthy places, in words; the raw value where the map is not calibrated."""
    if scan.tail is None or not np.isfinite(finding.peak_tail):
        return number(float(finding.peak), lang)
    capped = finding.peak_tail >= TAIL_CAP - 1e-6
    count = 10 ** min(float(finding.peak_tail), TAIL_CAP)
    digits = 1 if capped else 2
    shown = number(float(count), lang, digits=digits)
    return sentence("finding-rarity-cap" if capped else "finding-rarity", lang, count=shown)


def _findings_sentence(scan: ScanResult, model: ModelFacts, lang: Lang) -> str:
    if scan.map is None:
        return sentence("no-location-short", lang)
    said = [] if scan.findings else [sentence("no-findings", lang)]
    if model.map_quantile is not None:
        said.append(sentence("findings-threshold", lang, quantile=model.map_quantile))
    return " ".join(said)


def _montage(scan: ScanResult, model: ModelFacts, window: tuple[float, float], lang: Lang) -> Picture:
    numbers = slices_to_show(scan)
    layered = montage(scan, numbers, window=window, threshold=model.map_threshold)
    caption = sentence("montage-caption", lang, shown=len(numbers), count=scan.scan.shape[0])
    return _picture(layered, alt=caption, caption=caption)


def _slice_scores(scan: ScanResult, lang: Lang) -> str:
    if scan.slice_scores is None or len(scan.slice_scores) < 3:
        return ""
    key = key_slice(scan)
    alt = sentence("slice-scores-alt", lang, count=len(scan.slice_scores), slice=key + 1)
    return slice_scores_svg(
        scan.slice_scores, key=key, key_text=sentence("finding-slice", lang, slice=key + 1), alt=alt
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
    score, threshold = number(float(verdict.score), lang), number(verdict.threshold, lang)
    low, high = axis_bounds(healthy, verdict.score, verdict.threshold)
    return histogram_svg(
        healthy,
        score=verdict.score,
        threshold=verdict.threshold,
        score_text=sentence("histogram-score", lang, value=score),
        threshold_text=sentence("histogram-threshold", lang, value=threshold),
        healthy_text=sentence("histogram-healthy", lang, count=len(healthy)),
        axis_text=sentence("histogram-axis", lang),
        tick_texts={value: tick(value, lang) for value in ticks_between(low, high)},
        alt=sentence("histogram-alt", lang, count=len(healthy), score=score, threshold=threshold),
    )


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
