"""What a person should know before reading on: doubts about validity first, plain information last."""

from halescan.reporting.numerals import Lang
from halescan.reporting.words import note_sentence, sentence
from halescan.types import CaseResult, Note, ScanResult

#: Notes that say that the model has no business with a scan: the verdict itself opens with them.
DOUBTS = ("other-modality", "unlike-training")

#: Notes by weight, the heaviest first; within a weight in this order. What is not listed counts as a limit.
_VALIDITY = (*DOUBTS, "poor-reconstruction", "differs-from-reference", "map-tells-little")
_EXAMINED = (
    "mask-everything",
    "lungs-not-found",
    "missing-slices",
    "unread-files",
    "unread-scans",
    "already-windowed",
    "unknown-grey-scale",
    "stain-not-found",
    "assumed-hounsfield",
    "non-finite-pixels",
    "nominal-orientation",
    "bad-spacing",
    "slide-scale-assumed",
    "slide-scale-given",
)
_INFORMATION = (
    "frames-without-positions",
    "tilted-stack",
    "uneven-gaps",
    "no-spacing",
    "detector-spacing",
    "no-location",
    "colour-to-grey",
    "grey-to-colour",
    "alpha-dropped",
    "mislabelled",
    "duplicate-slices",
    "blank-slices",
    "duplicates",
    "own-encoder",
    "sought-darker",
    "sought-brighter",
    "more-findings",
    "slide-tiles",
    "quantile-rule-above",
    "quantile-rule-below",
)
_WEIGHTS = (_VALIDITY, _EXAMINED, ("",), _INFORMATION)
_UNLISTED = (2, 0)
_PLACES = {key: (weight, place) for weight, keys in enumerate(_WEIGHTS) for place, key in enumerate(keys)}


def doubts_of(result: CaseResult) -> tuple[Note, ...]:
    """The notes that say that the model has no business with this case, another kind of scan first; each key once."""
    every = (*result.notes, *(note for scan in result.scans for note in scan.scan.notes))
    found = {note.key: note for note in reversed(every) if note.key in DOUBTS}
    return tuple(found[key] for key in DOUBTS if key in found)


def said_notes(result: CaseResult, lang: Lang) -> tuple[tuple[str, ...], bool]:
    """The notes in their order, and whether any of them is more than information.

    Said once, and not again if the verdict has said it. What holds for some scans of several names them.
    """
    said = {note.key for note in (result.verdict.why_withheld, *doubts_of(result)) if note is not None}
    told = {note_sentence(note, lang): note.key for note in result.notes if note.key not in said}
    where: dict[str, list[int]] = {}
    keys: dict[str, str] = {}
    for place, scan in enumerate(result.scans, start=1):
        own = {note_sentence(note, lang): note.key for note in (*scan.scan.notes, *_own_notes(scan))}
        keys |= {text: key for text, key in own.items() if key not in said}
        for text in own:
            where.setdefault(text, []).append(place)
    for text, key in keys.items():
        if text not in told:
            told[_about(text, where[text], len(result.scans), lang)] = key
    ordered = sorted(told, key=lambda text: weight_of(told[text]))
    return tuple(ordered), any(told[text] not in _INFORMATION for text in ordered)


def weight_of(key: str) -> tuple[int, int]:
    """Where a note stands among others: the smaller, the earlier."""
    return _PLACES.get(key, _UNLISTED)


def _about(text: str, places: list[int], scans: int, lang: Lang) -> str:
    """A sentence that names the scans it is about, unless it is about all."""
    if len(places) == scans:
        return text
    numbers = ", ".join(str(place) for place in places)
    return sentence("about-scan" if len(places) == 1 else "about-scans", lang, number=numbers, text=text)


def _own_notes(scan: ScanResult) -> tuple[Note, ...]:
    """What a report notices by itself."""
    if scan.map is None:
        return (Note("no-location"),)
    told = any(note.key == "bad-spacing" for note in scan.scan.notes)
    return (Note("no-spacing"),) if scan.findings and scan.scan.spacing_mm is None and not told else ()
