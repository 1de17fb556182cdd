"""An evaluation that is done: its record, where it lies, and what it says to a person."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halescan.evaluation.leaks import Shortcut, shortcut_sentence
from halescan.reporting.numerals import percent
from halescan.reporting.words import features_words

_UNLIKELY = 0.05  # p-values of healthy cases that would look like this less often are called unreliable
_FEW = 20  # healthy patients below which p-values that do not look wrong have shown nothing


@dataclass(frozen=True)
class Evaluation:
    """What came of it: the content of `metrics.json`, and the scans that could not be used."""

    out: Path
    record: dict[str, Any]
    problems: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What must not be overlooked: test scans that were learned from; trivial statistics that come near the model.

        Of the latter one sentence for all.
        """
        learned = (self.record["about"].get("learned_from") or {}).get("sentence")
        near = [Shortcut(one["statistic"], one["auroc"], one["model_auroc"]) for one in self.record.get("leaks") or ()]
        if self.record["about"].get("equal_scores"):
            return (*([learned] if learned else []), _equal_scores(self.record))
        return (*([learned] if learned else []), *([shortcut_sentence(near)] if near else []))

    def summary(self) -> dict[str, Any]:
        """For a program."""
        return {**self.record, "out": str(self.out), "problems": list(self.problems)}

    def lines(self) -> list[str]:
        """For a person; without the warnings, which have a colour of their own."""
        record = self.record
        n = record["n"]
        lines = [f"{n['healthy']} healthy and {n['abnormal']} abnormal {_counted(record)}"]
        lines += [f"{level} {name}: {figure_words(value)}" for level, name, value in _figures(record)]
        lines += _patient_lines(record)
        lines += _decision_lines(record)
        lines += [*_reliability_lines(record), *_lesion_lines(record), *_subgroup_lines(record)]
        lines += [*_reconstruction_lines(record), *_baseline_lines(record)]
        told = [*_map_notes(record), *(f"problem: {problem}" for problem in self.problems)]
        lines += ["", *told] if told else []
        return [*lines, f"figures, scores and plots: {self.out}"]


def figure_words(figure: dict[str, Any] | None, *, digits: int = 3) -> str:
    """`0.912 (0.885 to 0.936)`, and `optimistic` where the labels had a say."""
    if figure is None or figure["value"] is None:
        return "none" if figure is None else f"none ({figure.get('why', 'not defined')})"
    interval = "" if figure.get("low") is None else f" ({figure['low']:.{digits}f} to {figure['high']:.{digits}f})"
    return f"{figure['value']:.{digits}f}{interval}" + (" optimistic" if figure.get("optimistic") else "")


def _counted(record: dict[str, Any]) -> str:
    cases, scans = record["n"]["images"], record["about"].get("scans", 0)
    return f"cases, {scans} scans in all" if scans > cases else "scan" if record["n"]["abnormal"] == 1 else "scans"


def _figures(record: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for level, names in (
        ("image", ("auroc", "average_precision")),
        ("pixel", ("average_precision", "aupro", "best_dice", "dice")),
    ):
        for name in names:
            if record[level] is not None and name in record[level]:
                yield level, name, record[level][name]
    for share, figure in (record.get("sensitivity_at") or {}).items():
        yield "image", f"sensitivity at specificity {share}", figure


def _patient_lines(record: dict[str, Any]) -> list[str]:
    """Figures by patient, with the number of patients that they rest on."""
    found = record["patient"]
    if found is None:
        return []
    n, both = found["n"], found.get("with_both", 0)
    figures = f"auroc: {figure_words(found['auroc'])}, average_precision: {figure_words(found['average_precision'])}"
    if found["auroc"]["value"] is not None and found["auroc"]["low"] is None:
        figures += f"; too few patients for an interval: {n['healthy']} healthy, {n['abnormal']} abnormal"
        counted = "each patient counts"
    else:
        counted = f"of {n['healthy']} healthy and {n['abnormal']} abnormal patients; each counts"
    mixed = f"{both} patient{' has' if both == 1 else 's have'} healthy and abnormal cases"
    return [
        f"patient {figures}",
        f"  {counted} by the strangest of its cases",
        *([f"  {mixed}, and count{'s' * (both == 1)} as abnormal, by the strangest of them all"] if both else []),
    ]


def _equal_scores(record: dict[str, Any]) -> str:
    said = f"all {record['n']['images']} scores are equal: they tell nothing apart, and an AUROC of 0.5 says no more"
    if record["about"].get("maps"):
        said += (
            ". A scan's score is the largest value of its map; if each map was scaled to its own maximum, save them "
            "unscaled, or lay a scores.csv beside them"
        )
    return said


def _map_notes(record: dict[str, Any]) -> list[str]:
    """What was done to the maps of another program."""
    about = record["about"]
    stretched, mended, maps = (about.get(key) or 0 for key in ("maps_stretched", "maps_mended", "maps"))
    notes = []
    if stretched:
        notes.append(
            f"note: {stretched} of {maps} maps had another size than their scan and were stretched over it: wrong if "
            "the other program had cropped it"
        )
    if mended:
        notes.append(
            f"note: {mended} of {maps} maps held values that are no finite numbers (NaN); the smallest value of the "
            "map stands in for them"
        )
    return notes


def _decision_lines(record: dict[str, Any]) -> list[str]:
    alarms, point = record["about"]["false_alarms"], record["operating_point"]
    if point is None:
        if alarms["units"] is None:
            return [
                "no decision: not every score came with a p-value or a decision, nor was a threshold given "
                "(--threshold)"
            ]
        return [
            f"no decision at {percent(alarms['asked'], 'en')} false alarms: too few healthy {alarms['unit']}s "
            f"({alarms['units']})"
        ]
    realised, threshold = figure_words(alarms["realised"]), record["about"].get("threshold")
    if alarms["asked"] is not None:
        where = f"at {percent(alarms['asked'], 'en')} asked false alarms: realised {realised}"
    elif threshold is not None:
        where = f"at the threshold {threshold:g}: false alarms {realised}"
    else:
        where = f"by the decisions that came with the scores: false alarms {realised}"
    lines = [
        f"{where}, sensitivity {figure_words(point['sensitivity'])}",
        f"  balanced accuracy {figure_words(point['balanced_accuracy'])}, F1 {figure_words(point['f1'])}",
    ]
    if record["about"].get("differs_from_reference"):
        features = features_words([found["feature"] for found in record["about"]["differs_from_reference"]], "en")
        lines.append(
            f"the healthy scans differ from the reference ({features}): another site, protocol or patient mix; "
            "halescan recalibrate sets the false-alarm rate anew"
        )
    return lines


def _reliability_lines(record: dict[str, Any]) -> list[str]:
    """Whether the p-values of the healthy cases are what they promise."""
    found = record.get("reliability")
    if not found or found["uniform"].get("p_value") is None:
        return []
    test = found["uniform"]
    if test["p_value"] > _UNLIKELY and found["patients"] < _FEW:
        said = "too few to tell whether they keep what calibration promises"
    elif test["p_value"] > _UNLIKELY:
        said = "nothing speaks against what calibration promises"
    else:
        said = (
            "not as promised, too many small ones: more false alarms than asked for"
            if test["excess"] >= test["shortfall"]
            else "not as promised, too few small ones: fewer false alarms than asked for, and less found"
        )
    return [
        f"p-values of {found['patients']} healthy {found.get('unit') or 'case'}s: {said} "
        f"(largest distance {test['statistic']:.3f}, p = {test['p_value']:.3g})"
    ]


def _lesion_lines(record: dict[str, Any]) -> list[str]:
    found = record.get("lesions")
    if not found or not found["lesions"]:
        return []
    at, peak, all_of_them = found["sensitivity_at"], found["by_peak"]["sensitivity_at"], found["at_threshold"]
    reached = [f"{rate}: {figure['value']:.2f}" for rate, figure in at.items() if figure["reached"]]
    lines = [
        f"lesions ({found['lesions']} in {found['cases']} cases): {figure_words(all_of_them['sensitivity'])} found "
        f"with {figure_words(all_of_them['false_findings_per_case'])} false findings a case; "
        f"FROC score {figure_words(found['froc_score'])}",
        *([f"  sensitivity at false findings a case: {', '.join(reached)} (optimistic)"] if reached else []),
        f"  a hit is an overlap, and findings cover {found['covered']:.1%} of a scan; where the peak must lie in the "
        f"lesion, at 1 a case: {figure_words(peak['1'])}",
    ]
    for band in found["by_size"]:
        lines.append(
            f"  {_size_words(band, found['size_unit'])} ({band['lesions']}), at 1 a case: "
            f"{figure_words(band['sensitivity_at']['1'])}"
        )
    return lines


def _size_words(band: dict[str, Any], unit: str) -> str:
    low, high = band["from"], band["to"]
    if low is None:
        return "all sizes" if high is None else f"below {high:.3g} {unit}"
    return f"{low:.3g} {unit} and more" if high is None else f"{low:.3g} to below {high:.3g} {unit}"


def _subgroup_lines(record: dict[str, Any]) -> list[str]:
    lines = []
    for column, groups in (record.get("subgroups") or {}).items():
        against = next((found["against"] for found in groups.values() if found.get("against")), None)
        lines += [
            "",
            f"by {column}" + (f", said of abnormal cases only: each group against {against}:" if against else ":"),
        ]
        for name, found in groups.items():
            n = found["n"]
            lines.append(
                f"  {name:<18} {n['healthy']} healthy, {n['abnormal']} abnormal: AUROC {figure_words(found['auroc'])}"
                + (f", false alarms {figure_words(found['false_alarms'])}" if "false_alarms" in found else "")
                + (f", sensitivity {figure_words(found['sensitivity'])}" if "sensitivity" in found else "")
            )
    return lines


def _reconstruction_lines(record: dict[str, Any]) -> list[str]:
    found = record.get("reconstruction")
    if not found:
        return []
    lines = ["", f"reconstruction ({found['note']}):"]
    for kind in ("healthy", "abnormal"):
        told = [f"{name} {figure_words(figure, digits=4)}" for name, figure in found[kind].items()]
        lines.append(f"  {kind:<9} " + ", ".join(told))
    return lines


def _baseline_lines(record: dict[str, Any]) -> list[str]:
    if not record["baselines"]:
        return []
    rows = [("", "strange either way", "larger or smaller, chosen with the labels")]
    for name, figures in record["baselines"].items():
        told = [figures.get("auroc"), figures.get("auroc_either_direction")]
        rows.append((name, *("–" if figure is None else figure_words(figure) for figure in told)))
    return [
        "",
        "trivial baselines, image AUROC of the scans as the profile prepares them:",
        *(f"  {name:<14} {told:<24} {either}" for name, told, either in rows),
    ]
