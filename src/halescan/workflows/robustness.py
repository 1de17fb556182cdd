"""Robustness: how far a model's figures hold when scans are noisier, darker, askew, cut, coarser or compressed."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from halescan import __version__
from halescan.data.ahead import ahead
from halescan.data.item import Item
from halescan.data.prepare import prepare
from halescan.errors import HalescanError, OutputError, SettingError
from halescan.evaluation.compare import bootstrap_test
from halescan.evaluation.metrics import image_metrics, wilson
from halescan.evaluation.resampling import can_resample, number_groups, strata_of, without_interval
from halescan.evaluation.results import plain
from halescan.io import read
from halescan.reporting.json_out import write_json
from halescan.reporting.robustness_plot import robustness_plot
from halescan.scoring.patients import case_from_slices
from halescan.synthesis.distortions import DISTORTIONS, distort
from halescan.training.run import Progress, say_nothing
from halescan.types import Verdict
from halescan.workflows.cases import Case, Opened, cases_of
from halescan.workflows.healthy import cohort_fingerprint
from halescan.workflows.interpret import level_of, measure_scans, together
from halescan.workflows.judged import label_of, labelled, patient_of
from halescan.workflows.model import Model, load_model
from halescan.workflows.train import digest

SCHEMA = "halescan.robustness/1"
MOST_AHEAD = 16  # cases read and distorted before they are measured
BYTES_AHEAD = 32 * 2**20  # of them, on disk
_NONE = ("", 0.0)

Figure = dict[str, Any]
Setting = tuple[str, float]


@dataclass
class _Seen:
    """What one setting gave, one entry a case that could be read."""

    cases: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    failed: int = 0


def robustness(
    model: Path | str | Model,
    test: Path | str,
    *,
    out: Path | str,
    distortions: Sequence[str] | None = None,
    false_alarms: float = 0.05,
    most_cases: int | None = None,
    table: Path | None = None,
    split: str | None = None,
    layout: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    device: str = "auto",
    jobs: int | None = None,
    listen: Callable[[Progress], None] = say_nothing,
) -> dict[str, Any]:
    """Measure a model on labelled scans, each distorted more and more, and write `robustness.json` and a plot.

    A scan is distorted as it was read, before it is prepared, by the same draw (noise, direction, place) at every
    strength. The threshold stays the model's own: a false-alarm rate that climbs says that the model would cry wolf on
    such scans, whatever the AUROC. Interrupted, it goes on after the last setting that was finished.

    Args:
        test: As for `evaluate`.
        out: Folder of the results.
        distortions: Rows of `DISTORTIONS`; None takes all.
        false_alarms: The rate asked of the calibrated threshold.
        most_cases: Cases used of each class, evenly spread; None takes all.
        layout: Name of a layout with options; None recognises it.
        seed: Of the draws and of the bootstrap.

    Returns:
        The content of `robustness.json`: `rows`, one a distortion and strength, each with `auroc`, `auroc_change`
        (against the undistorted scans, paired), `false_alarm`, `sensitivity` (figures with 95 % intervals) and
        `failed`, the cases none of whose scans could be prepared.

    Raises:
        SettingError: on an unknown distortion.
        TableError: if no scan has a label.
        OutputError: if `out` holds something else and `overwrite` is not set.
    """
    names = _checked(distortions)
    judge = load_model(model, device=device)
    cohort = labelled(Path(test), table=table, split=split, layout=layout)
    cases = _some(cases_of(cohort), most_cases)
    request = digest([__version__, judge.facts.fingerprint, names, false_alarms, seed, cohort_fingerprint(cohort)])
    kept = _Kept(Path(out), request, overwrite)
    if kept.record is not None:
        return kept.record
    settings = [_NONE, *((name, strength) for name in names for strength in DISTORTIONS[name].strengths[1:])]
    for number, setting in enumerate(settings, start=1):
        if kept.seen(setting) is None:
            kept.add(setting, _measure(judge, cases, setting, false_alarms, seed, jobs or os.cpu_count() or 1))
        listen(Progress("measuring distorted scans", number, len(settings)))
    record = _record(judge, cases, names, kept, false_alarms, seed) | {"request_sha256": request}
    robustness_plot(record, kept.out / "robustness.png")
    kept.finish(record)
    return record


class _Kept:
    """The folder of the results, with the scores of every finished setting until all are there."""

    def __init__(self, out: Path, request: str, overwrite: bool) -> None:
        self.out, self.request = out, request
        self.record: dict[str, Any] | None = None
        self._rows: dict[str, dict[str, Any]] = {}
        done = _json(out / "robustness.json")
        if done is not None and not overwrite:
            if done.get("request_sha256") != request:
                raise OutputError(f"{out} holds another measurement; choose another --out, or --overwrite")
            self.record = done
            return
        begun = _json(self._path)
        if begun is not None and begun.get("request_sha256") == request:
            self._rows = begun["settings"]
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error

    @property
    def _path(self) -> Path:
        return self.out / "robustness.partial.json"

    def seen(self, setting: Setting) -> dict[str, Any] | None:
        """What a setting gave: numbers of cases, scores, decisions, and how many cases failed; None before."""
        return self._rows.get(_key(setting))

    def add(self, setting: Setting, seen: _Seen) -> None:
        """Keep what a setting gave."""
        self._rows[_key(setting)] = {
            "cases": seen.cases,
            "scores": seen.scores,
            "decisions": [verdict.decision for verdict in seen.verdicts],
            "failed": seen.failed,
        }
        write_json({"request_sha256": self.request, "settings": self._rows}, self._path)

    def finish(self, record: dict[str, Any]) -> None:
        """Write the record; what was kept on the way goes."""
        write_json(record, self.out / "robustness.json")
        self._path.unlink(missing_ok=True)


def _key(setting: Setting) -> str:
    return f"{setting[0]}:{setting[1]:g}"


def _json(path: Path) -> dict[str, Any] | None:
    """What lies there; None without a file or with a broken one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _checked(names: Sequence[str] | None) -> tuple[str, ...]:
    wanted = tuple(DISTORTIONS if names is None else dict.fromkeys(names))
    unknown = [name for name in wanted if name not in DISTORTIONS]
    if unknown or not wanted:
        raise SettingError(
            f"no distortion is called {', '.join(unknown) or 'nothing'}; there are {', '.join(DISTORTIONS)}"
        )
    return wanted


def _some(cases: list[Case], most: int | None) -> list[Case]:
    """Up to `most` cases of each class, evenly spread, in their order."""
    if most is None:
        return cases
    if most < 2:
        raise SettingError(f"most_cases must be 2 or more, got {most}; 100 are quick, and leave it out for a report")
    places: list[int] = []
    for abnormal in (False, True):
        those = [place for place, case in enumerate(cases) if (label_of(case) == "abnormal") == abnormal]
        if those:
            spread = np.linspace(0, len(those) - 1, min(most, len(those))).round().astype(int)
            places += [those[place] for place in np.unique(spread)]
    return [cases[place] for place in sorted(places)]


def _measure(model: Model, cases: Sequence[Case], setting: Setting, false_alarms: float, seed: int, jobs: int) -> _Seen:
    """Every case under one setting, scored and decided as `examine` does."""
    seen = _Seen()
    how, share = model.profile.slice_pooling
    number = {id(case): place for place, case in enumerate(cases)}
    for group in together(_opened(model, cases, setting, seed, jobs)):
        readings = iter(measure_scans(model, [scan for _, scans in group for scan in scans if scan.scan is not None]))
        for case, scans in group:
            found = [next(readings) for scan in scans if scan.scan is not None]
            if not found:
                seen.failed += 1
                continue
            score = case_from_slices(np.concatenate([one.scores for one in found]), how=how, share=share).score
            seen.cases.append(number[id(case)])
            seen.scores.append(score)
            seen.verdicts.append(model.healthy.calibration.verdict(score, false_alarms, level=level_of(found)))
    return seen


def _opened(
    model: Model, cases: Sequence[Case], setting: Setting, seed: int, jobs: int
) -> Iterator[tuple[Case, list[Opened]]]:
    """Each case with its scans read, distorted and prepared, a few cases ahead of the one in use."""

    def work(numbered: tuple[int, Case]) -> list[Opened]:
        number, case = numbered
        return [_open(model, item, setting, (seed, number, place)) for place, item in enumerate(case.items)]

    ready = ahead(work, list(enumerate(cases)), jobs=jobs, most=MOST_AHEAD, bytes_of=_bytes, most_bytes=BYTES_AHEAD)
    yield from zip(cases, ready, strict=True)


def _open(model: Model, item: Item, setting: Setting, draw: tuple[int, ...]) -> Opened:
    """Read, distort and prepare one scan; an error of ours becomes a sentence."""
    try:
        scan = read(item.source)
        name, strength = setting
        distorted = scan if not name else distort(scan, name, strength, seed=draw)[0]
        return Opened(item, distorted, tuple(prepare(distorted, model.profile)))
    except HalescanError as error:
        return Opened(item, None, error=str(error))


def _bytes(numbered: tuple[int, Case]) -> int:
    """Size of a case's files on disk."""
    return sum(file.stat().st_size for item in numbered[1].items for file in item.source.files if file.exists())


def _record(
    model: Model, cases: Sequence[Case], names: Sequence[str], kept: _Kept, false_alarms: float, seed: int
) -> dict[str, Any]:
    """The content of `robustness.json`: every distortion begins with the undistorted scans."""
    labels = np.array([label_of(case) == "abnormal" for case in cases])
    patients = [patient_of(case) for case in cases]
    plainly = kept.seen(_NONE)
    assert plainly is not None
    untouched = _figures(labels, patients, plainly, plainly, seed)
    rows = []
    for name in names:
        row = DISTORTIONS[name]
        rows.append({"distortion": name, "strength": row.none, **untouched})
        for strength in row.strengths[1:]:
            found = kept.seen((name, strength))
            assert found is not None
            rows.append({"distortion": name, "strength": strength, **_figures(labels, patients, found, plainly, seed)})
    return {
        "schema": SCHEMA,
        "n": {"cases": len(cases), "healthy": int((~labels).sum()), "abnormal": int(labels.sum())},
        "about": {
            "model": model.facts.fingerprint,
            "detector": model.detector.name,
            "profile": model.profile.name,
            "false_alarms_asked": false_alarms,
            "seed": seed,
            "version": __version__,
        },
        "distortions": {name: {"title": DISTORTIONS[name].title, "unit": DISTORTIONS[name].unit} for name in names},
        "rows": plain(rows),
    }


def _figures(
    labels: np.ndarray, patients: list[str | None], found: dict[str, Any], before: dict[str, Any], seed: int
) -> dict[str, Any]:
    """AUROC, its change, false alarms and sensitivity of one setting."""
    places = np.asarray(found["cases"], np.intp)
    truth, scores = labels[places], np.asarray(found["scores"], float)
    who = [patients[place] for place in places]
    return {
        "auroc": image_metrics(truth, scores, groups=who, seed=seed)["auroc"],
        "auroc_change": _change(labels, patients, found, before, seed),
        "false_alarm": _share_above(~truth, found["decisions"], who),
        "sensitivity": _share_above(truth, found["decisions"], who),
        "failed": found["failed"],
    }


def _change(
    labels: np.ndarray, patients: list[str | None], found: dict[str, Any], before: dict[str, Any], seed: int
) -> Figure:
    """AUROC now minus AUROC of the undistorted scans, on the cases that both have."""
    now, then = (dict(zip(part["cases"], part["scores"], strict=True)) for part in (found, before))
    both = np.array(sorted(now.keys() & then.keys()), np.intp)
    who = [patients[place] for place in both]
    if not can_resample(strata_of(labels[both], number_groups(who, len(both)))):
        return without_interval(None, "fewer than two patients of a class")
    scores = [np.array([part[int(place)] for place in both]) for part in (now, then)]
    apart = bootstrap_test(labels[both], *scores, groups=who, seed=seed, draws=1000)
    return {"value": apart.difference, "low": apart.low, "high": apart.high}


def _share_above(those: np.ndarray, decisions: Sequence[str], patients: Sequence[str | None]) -> Figure:
    """Share of some cases above the threshold: exact interval, or Wilson's with n the patients where those repeat."""
    picked = [(decision, who) for decision, who, used in zip(decisions, patients, those, strict=True) if used]
    if not picked or any(decision == "withheld" for decision, _ in picked):
        why = "no case of this class" if not picked else "too few healthy units for a decision at this rate"
        return without_interval(None, why)
    above = sum(decision == "above" for decision, _ in picked)
    named = [who for _, who in picked if who]
    repeats = len(named) - len(set(named))
    if repeats:
        return wilson(above, len(picked), patients=len(picked) - repeats)
    interval = binomtest(above, len(picked)).proportion_ci()
    return {"value": above / len(picked), "low": float(interval.low), "high": float(interval.high)}
