"""A finding in words: where it lies, over which slices, how large and how rare it is."""

import numpy as np

from halescan.reporting.numerals import Lang, area, fixed, length, listed, number, p_value, volume
from halescan.reporting.verdict import Fact, bare
from halescan.reporting.words import sentence
from halescan.types import Finding, ScanResult, SlideView

TAIL_CAP = 4.0


def place_of(finding: Finding, lang: Lang) -> str:
    """Where it lies, in words; of a volume also its slices, counted from 1 as viewers do."""
    parts = [sentence(word, lang) for word in finding.place]
    if len(finding.box) == 3:
        parts.append(_slices(finding, lang))
    return ", ".join(parts)


def peak_of(finding: Finding, lang: Lang) -> str:
    """The slice of its peak; nothing in 2-D, where the words for the place are its centre's."""
    return sentence("finding-slice", lang, slice=finding.peak_index[0] + 1) if len(finding.box) == 3 else ""


def decision_of(finding: Finding, lang: Lang) -> str:
    """Whether it lies above the threshold on its own; nothing where that cannot be decided."""
    if finding.above is None:
        return ""
    return sentence("finding-above" if finding.above else "finding-not-above", lang)


def finding_facts(finding: Finding, scan: ScanResult, units: int, lang: Lang) -> tuple[Fact, ...]:
    """Size, rarity of the peak, p-value, and where the peak is."""
    solid = scan.scan.dims == 3
    facts = [
        Fact(sentence("finding-size", lang), size_of(finding, lang)),
        Fact(sentence("finding-peak", lang), _rarity(finding, scan, lang)),
    ]
    if finding.p_value is not None:
        # "≤" where no healthy case showed a place as strange
        bound = finding.p_value * (units + 1) < 1.0 + 1e-6
        facts.append(Fact(sentence("finding-p", lang), bare(p_value(finding.p_value, lang, bound=bound))))
    if scan.slide is not None:
        return (*facts, *_on_slide(finding, scan.slide, lang))
    index = ", ".join(str(place) for place in reversed(finding.peak_index))
    facts.append(Fact(sentence("finding-index" if solid else "finding-index-2d", lang), index))
    if finding.centre_lps_mm is not None and solid:
        centre = " / ".join(fixed(x, lang, decimals=1) for x in finding.centre_lps_mm)
        facts.append(Fact(sentence("finding-centre", lang), centre))
    return tuple(facts)


def _on_slide(finding: Finding, slide: SlideView, lang: Lang) -> tuple[Fact, ...]:
    """Where a viewer of slides finds it: in pixels of level 0, and in millimetres."""
    row, column = slide.pixel(finding.peak_index)
    down, across = slide.millimetres((row, column))
    corner = " / ".join(f"{fixed(mm, lang, decimals=2)} mm" for mm in (across, down))
    return (
        Fact(sentence("finding-index-slide", lang), f"{column}, {row}"),
        Fact(sentence("finding-from-corner", lang), corner),
    )


def size_of(finding: Finding, lang: Lang) -> str:
    """Longest diameter, then volume or area; in pixels (px, px²) or voxels where millimetres are unknown."""
    solid = len(finding.box) == 3
    across = f"{number(float(finding.diameter_px), lang)} {'voxels' if solid else 'px'}"
    if finding.diameter_mm is not None:
        across = length(finding.diameter_mm, lang)
    extent = f"{number(int(finding.voxels), lang)} {'voxels' if solid else 'px²'}"
    if solid and finding.volume_mm3 is not None:
        extent = volume(finding.volume_mm3, lang)
    elif not solid and finding.area_mm2 is not None:
        extent = area(finding.area_mm2, lang)
    return listed((sentence("longest-diameter", lang, value=across), extent), lang)


def _slices(finding: Finding, lang: Lang) -> str:
    first, last, peak = finding.box[0][0] + 1, finding.box[0][1], finding.peak_index[0] + 1
    if first == last:
        return sentence("finding-slice", lang, slice=peak)
    return sentence("finding-slices", lang, first=first, last=last, peak=peak)


def _rarity(finding: Finding, scan: ScanResult, lang: Lang) -> str:
    """How rare the peak is among healthy places, in words; the raw value where the map is not calibrated."""
    if scan.tail is None or not np.isfinite(finding.peak_tail):
        return number(float(finding.peak), lang)
    capped = finding.peak_tail >= TAIL_CAP - 1e-6
    count = 10 ** min(float(finding.peak_tail), TAIL_CAP)
    shown = number(float(count), lang, digits=1 if capped else 2)
    return sentence("finding-rarity-cap" if capped else "finding-rarity", lang, count=shown)
