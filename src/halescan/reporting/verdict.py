"""The verdict in words and numbers: what was decided, how sure that is, and first of all whether to believe it."""

from dataclasses import dataclass

from halescan.reporting.notes import doubts_of
from halescan.reporting.numerals import Lang, apart, listed, p_value, percent
from halescan.reporting.words import note_sentence, sentence
from halescan.types import CaseResult, Note, Verdict


@dataclass(frozen=True)
class Fact:
    """A label and its value."""

    label: str
    value: str


def verdict_kind(result: CaseResult) -> str:
    """ "doubtful" where the model has no business with the case, else the decision."""
    return "doubtful" if doubts_of(result) else result.verdict.decision


def headline(result: CaseResult, lang: Lang) -> str:
    """The one line that is read for certain."""
    doubts = doubts_of(result)
    decided = "region-alone" if _region_alone(result) else result.verdict.decision
    return sentence(f"headline-{doubts[0].key if doubts else decided}", lang)


def verdict_sentences(result: CaseResult, lang: Lang) -> tuple[str, ...]:
    """Any doubt, the decision, the p-value in words, and what a p-value is not."""
    verdict, doubts = result.verdict, doubts_of(result)
    said = [note_sentence(note, lang) for note in doubts]
    if verdict.why_withheld is not None:
        said.append(_why(result, verdict.why_withheld, lang))
    said += _decision(verdict, lang, doubtful=bool(doubts))
    if _region_alone(result):
        said.append(sentence("region-alone", lang, rate=verdict.false_alarms))
    if verdict.p_value is None:
        return (*said, *(() if verdict.why_withheld is not None else (sentence("p-missing", lang),)))
    return (*said, *_p_in_words(verdict, verdict.p_value, lang))


def verdict_facts(verdict: Verdict, lang: Lang) -> tuple[Fact, ...]:
    """The numbers beside the verdict; a threshold and its rate only where they decided something."""
    shown = p_value(verdict.p_value, lang, bound=verdict.bound)
    score, threshold = apart(verdict.score, verdict.threshold, lang)
    facts = [
        Fact(sentence("score", lang), score),
        Fact(sentence("p-value", lang), bare(shown)),
    ]
    if verdict.threshold is not None:
        facts.append(Fact(sentence("threshold", lang), threshold))
        facts.append(Fact(sentence("false-alarms", lang), percent(verdict.false_alarms, lang)))
    if verdict.guarantee == "none" or not verdict.units:
        none = "calibration-none" if verdict.units else "calibration-nobody"
        return (*facts, Fact(sentence("calibration", lang), sentence(none, lang)))
    units = sentence(f"units-{verdict.unit}", lang)
    base = sentence("calibrated-on-value", lang, units_count=verdict.units, units=units)
    guarantee = sentence(f"guarantee-{verdict.guarantee}", lang)
    return (*facts, Fact(sentence("calibrated-on", lang), listed((base, guarantee), lang)))


def bare(shown: str) -> str:
    """A p-value beside its label: without the letter, and without the sign where it is equal."""
    return shown.removeprefix("p\u00a0").removeprefix("=\u00a0")


def _region_alone(result: CaseResult) -> bool:
    """Whether a region lies above its threshold and the score does not: each has one of its own."""
    regions = (finding for scan in result.scans for finding in scan.findings)
    return result.verdict.decision == "not-above" and any(finding.above for finding in regions)


def _why(result: CaseResult, why: Note, lang: Lang) -> str:
    """Why the decision is withheld, in the words of this case."""
    if why.key == "uncalibrated-level":
        volume = any(scan.slice_scores is not None for scan in result.scans)
        return sentence("uncalibrated-volume" if volume else "uncalibrated-image", lang)
    return note_sentence(why, lang)


def _decision(verdict: Verdict, lang: Lang, *, doubtful: bool) -> list[str]:
    if verdict.decision == "withheld":  # with a doubt, nothing of it "stands"
        return [] if doubtful or verdict.p_value is None else [sentence("decision-withheld", lang)]
    units = sentence(f"units-{verdict.unit}", lang)
    key = f"decision-{verdict.decision}" + ("-doubtful" if doubtful else "")
    return [sentence(key, lang, rate=verdict.false_alarms, units=units)]


def _p_in_words(verdict: Verdict, p: float, lang: Lang) -> tuple[str, str]:
    units = sentence(f"units-{verdict.unit}", lang)
    stranger = min(verdict.units, p * (verdict.units + 1) - 1)
    words = sentence(
        f"p-in-words-{_how_many(verdict, stranger)}",
        lang,
        units_count=verdict.units,
        units=units,
        count=round(stranger),
        share=stranger / verdict.units,
        p=p_value(p, lang, bound=verdict.bound),
    )
    return words, sentence("p-is-not", lang, units=units)


def _how_many(verdict: Verdict, stranger: float) -> str:
    """Which words say how many healthy units are at least as strange: of one with several scans a part may be."""
    if verdict.bound:
        return "none"
    if abs(stranger - round(stranger)) > 1e-3:
        return "share"
    return "all" if round(stranger) >= verdict.units else "one" if round(stranger) == 1 else "many"
