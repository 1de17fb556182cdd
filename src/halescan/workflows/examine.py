"""Examine: new scans in; scores, findings and a report for each case out."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from halescan.data.table import Cohort, read_cohort
from halescan.errors import OutputError, ScanError, SettingError
from halescan.io.identity import case_name, remember
from halescan.reporting import FORMATS, LANGUAGES
from halescan.reporting.json_out import SCHEMA, listed_findings, write_cases_csv
from halescan.reporting.words import features_words
from halescan.scoring.shift import Difference
from halescan.training.run import Progress, say_nothing
from halescan.types import CaseResult, Identity, Note
from halescan.workflows.cases import Case, Kept, cases_of, item_key, opened
from halescan.workflows.interpret import interpret
from halescan.workflows.model import Model, load_model
from halescan.workflows.shift import shift_of
from halescan.workflows.slides import holds_slide, slide_results, told_scale
from halescan.workflows.writer import Writer

log = logging.getLogger("halescan")
_COHORT = ("items", "problems", "notes")
DECISIONS = {"above": "above the set threshold", "not-above": "no deviation above the set threshold"}


@dataclass(frozen=True)
class Examination:
    """What came of an examination: one record a case, as in `case.json`, and what could not be done."""

    out: Path
    records: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    differences: tuple[Difference, ...]
    skipped: int = 0

    def summary(self) -> dict[str, Any]:
        """For a program."""
        return {
            "schema": "halescan.examination/1",
            "out": str(self.out),
            "cases": [_brief(record) for record in self.records],
            "skipped": self.skipped,
            "problems": list(self.problems),
            "differs_from_reference": [_difference(found) for found in self.differences],
        }

    def lines(self) -> list[str]:
        """For a person."""
        lines = [_line(record) for record in self.records]
        withheld = [record["verdict"]["why_withheld"] for record in self.records]
        lines += [f"withheld: {why}" for why in dict.fromkeys(reason["text"] for reason in withheld if reason)]
        if self.differences:
            lines += ["", "These scans differ from the reference: another site, protocol or patient mix."]
            lines += [f"  {_difference_line(found)}" for found in self.differences]
            lines.append("  Calibrate on healthy scans of this site: halescan recalibrate MODEL HEALTHY --out MODEL2")
        lines += ["", *(f"not done: {problem}" for problem in self.problems)] if self.problems else []
        cases = f"{len(self.records)} case{'s' * (len(self.records) != 1)}"
        already = f" ({self.skipped} done already)" if self.skipped else ""
        return [*lines, f"{cases}{already} in {self.out}"]


def examine(
    model: Path | str | Model,
    paths: Path | str | Sequence[Path | str],
    *,
    out: Path | str,
    false_alarms: float = 0.05,
    lang: str = "en",
    formats: Sequence[str] = FORMATS,
    table: Path | None = None,
    split: str | None = None,
    identity: bool = False,
    um_per_px: float | None = None,
    tile_um_per_px: float | None = None,
    overwrite: bool = False,
    device: str = "auto",
    jobs: int | None = None,
    listen: Callable[[Progress], None] = say_nothing,
) -> Examination:
    """Score new scans, find what departs from healthy, and write one folder a case.

    A case that cannot be read is listed in `problems` and stops nothing. A case already done with the same model, scans
    and settings is skipped.

    Args:
        paths: Files or folders.
        out: Folder of the results: `out/case-.../report.html` and so on, and `out/cases.csv`.
        false_alarms: Share of healthy cases that may be called above the threshold, in (0, 1).
        formats: One or more of "html", "pdf", "json", "overlay", "map"; `case.json` is always written.
        identity: Note in the owner-only `identity.csv` at home which person each case is.
        um_per_px: µm per pixel of whole slides whose files do not say it.
        tile_um_per_px: µm per pixel at which slides are looked at, for a model that learned from images without a
            scale; else 0.5.

    Raises:
        SettingError: for a rate, language, format or scale that does not exist, or another scale than the model's own.
        ScanError: if there is no scan at all.
        OutputError: if results of another model or other settings lie in the way and `overwrite` is not set.
        KeyboardInterrupt: passed on, with a note of how many cases are done; `cases.csv` lists them.
    """
    _check(false_alarms, lang, formats)
    out = Path(out)
    opened_model = load_model(model, device=device)
    _check_scales(opened_model, um_per_px, tile_um_per_px)
    cohort, problems = new_scans(paths, table, split)
    cohort = told_scale(cohort, um_per_px)
    _make_folder(out)
    cases = cases_of(cohort)
    settings: dict[str, Any] = {"false_alarms": false_alarms, "lang": lang, "formats": sorted(formats)}
    scales = {"um_per_px": um_per_px, "tile_um_per_px": tile_um_per_px}
    settings |= {name: scale for name, scale in scales.items() if scale is not None}
    plan = [_Planned.of(case, out, opened_model, settings) for case in cases]
    done = [_finished(planned, overwrite) for planned in plan]
    todo = [planned for planned, record in zip(plan, done, strict=True) if record is None]
    if identity:  # before the work: a list that cannot be written is told at once, and no report is without its person
        for planned in plan:
            _remember(planned)
    workers = jobs or os.cpu_count() or 1
    flat = [case for case in cases if not holds_slide(case)]
    kept = Kept({planned.case.key for planned in todo})
    asked = tuple(dict.fromkeys((*formats, "json")))  # the record says that a case is done
    with _telling_what_is_done(plan, out, overwrite=overwrite):
        differences = shift_of(opened_model, flat, jobs=workers, kept=kept, listen=listen) if todo else ()
        with Writer(lang=lang, formats=asked, jobs=workers, cases=len(todo)) as writer:
            results = case_results(
                opened_model,
                todo,
                false_alarms=false_alarms,
                differences=differences,
                kept=kept,
                tile_um_per_px=tile_um_per_px,
                jobs=workers,
                listen=listen,
            )
            for number, (planned, result, errors) in enumerate(results, 1):
                problems += errors
                if result is not None:
                    writer.write(result, planned.folder)
                listen(Progress("examining", number, len(todo)))
            problems += writer.finish()
    found = _listed(plan, out)
    log.info("examined %d cases", len(found))
    return Examination(out, found, tuple(problems), differences, sum(record is not None for record in done))


@dataclass(frozen=True)
class _Planned:
    """A case, its name, its folder, and the digest of what is asked of it."""

    case: Case
    name: str
    folder: Path
    request: str

    @classmethod
    def of(cls, case: Case, out: Path, model: Model, settings: dict[str, Any]) -> "_Planned":
        name = case_name(case.key)
        digest = hashlib.sha256(json.dumps([model.facts.fingerprint, settings], sort_keys=True).encode())
        for item in case.items:
            for file in item.source.files:
                digest.update(f"{file.name}:{_stamp(file)};".encode(errors="surrogateescape"))
            if item.source.unread:  # the record says so, and is made anew once these files are mended or gone
                digest.update(f"unread:{item.source.unread};".encode())
        return cls(case, name, out / name, digest.hexdigest())


def case_results(
    model: Model,
    plan: Sequence[_Planned],
    *,
    false_alarms: float,
    differences: Sequence[Difference] = (),
    kept: Kept | None = None,
    tile_um_per_px: float | None = None,
    jobs: int = 1,
    listen: Callable[[Progress], None] = say_nothing,
) -> Iterator[tuple[_Planned, CaseResult | None, list[str]]]:
    """The results of cases one after the other, and the sentences about scans that could not be examined."""
    by_case = {planned.case.key: planned for planned in plan}
    extra = tuple(Note("differs-from-reference", {"features": _features(differences)}) for _ in differences[:1])
    slides = [planned.case for planned in plan if holds_slide(planned.case)]
    images = [planned.case for planned in plan if not holds_slide(planned.case)]
    whole = slide_results(model, slides, false_alarms=false_alarms, um_per_px=tile_um_per_px, jobs=jobs, listen=listen)
    stream = opened(images, model.profile, jobs=jobs, detector=model.detector, kept=kept)
    for case, results, errors in chain(interpret(model, stream, false_alarms=false_alarms, jobs=jobs), whole):
        planned = by_case[case.key]
        if results is None:
            yield planned, None, errors
            continue
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lost = (Note("unread-scans", {"count": len(errors)}),) if errors else ()
        named = replace(
            results, case=planned.name, examined_utc=now, notes=(*results.notes, *extra, *lost), request=planned.request
        )
        yield planned, named, errors


def new_scans(
    paths: Path | str | Sequence[Path | str], table: Path | None, split: str | None
) -> tuple[Cohort, list[str]]:
    """All scans under the paths as one cohort, and the sentences about files that cannot be read.

    Raises:
        ScanError: if there is no scan at all.
        SettingError: if something else than a path is given.
    """
    several = [paths] if isinstance(paths, Path | str) else list(paths)
    for path in several:
        if not isinstance(path, os.PathLike | str):
            raise SettingError(
                f"expected paths of files or folders, got {type(path).__name__}; save an array with numpy.save and "
                "give the path of its .npy"
            )
    cohorts = [read_cohort(Path(path), table=table, split=split, examined=True) for path in several]
    items, found, notes = ([part for cohort in cohorts for part in getattr(cohort, kind)] for kind in _COHORT)
    once = {item_key(item): item for item in items}  # two of the paths may hold the same scan
    whole = Cohort(tuple(once.values()), tuple(dict.fromkeys(found)), tuple(notes))
    problems = [str(problem) for problem in whole.problems]
    if not whole.items:
        where = ", ".join(str(path) for path in several)
        why = f": {problems[0]}" if problems else ". Give files or folders of images, volumes or DICOM series"
        raise ScanError(f"{where}: no scan found{why}")
    return whole, problems


def _check(false_alarms: float, lang: str, formats: Sequence[str]) -> None:
    if not 0 < false_alarms < 1:
        raise SettingError(f"the false-alarm rate must lie in (0, 1), got {false_alarms}; 0.05 is usual")
    if lang not in LANGUAGES:
        raise SettingError(f"reports are written in {', '.join(LANGUAGES)}; got {lang!r}")
    if not formats:
        raise SettingError(f"no report format is named; choose some of {', '.join(FORMATS)}")
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise SettingError(f"unknown report formats {', '.join(unknown)}; there are {', '.join(FORMATS)}")


def _check_scales(model: Model, um_per_px: float | None, tile_um_per_px: float | None) -> None:
    for name, scale in (("--um-per-px", um_per_px), ("--tile-um-per-px", tile_um_per_px)):
        if scale is not None and not 0 < scale < 1000:
            raise SettingError(f"{name} must be a number of µm above 0, such as 0.5; got {scale}")
    own = model.profile.spacing_mm
    if tile_um_per_px is not None and own is not None and abs(1000 * own[-1] - tile_um_per_px) > 1e-6:
        raise SettingError(
            f"the model looks at {1000 * own[-1]:g} µm per pixel, as it has learned; leave --tile-um-per-px out"
        )


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK):
            raise PermissionError(13, "read-only")
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error


def _finished(planned: _Planned, overwrite: bool) -> dict[str, Any] | None:
    """The record of a case done already by the same request; None if it is still to do.

    Raises:
        OutputError: if the folder holds results of another request.
    """
    record = _read_record(planned.folder)
    if record is None or overwrite:
        return None
    if record.get("request_sha256") == planned.request:
        return record
    raise OutputError(
        f"{planned.folder} holds results of another model, other settings or a changed scan; "
        "choose another --out, or --overwrite to replace them"
    )


@contextmanager
def _telling_what_is_done(plan: Sequence[_Planned], out: Path, *, overwrite: bool) -> Iterator[None]:
    """List what is done at a person's Ctrl-C too, or a scheduler's word to end, and add to it how far it was."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        with suppress(OutputError):  # a full disk takes no table, and how far it was is told all the same
            _listed(plan, out)
        records = [(_read_record(planned.folder) or {}, planned) for planned in plan]
        done = sum(record.get("request_sha256") == planned.request for record, planned in records)
        way = "with its --overwrite the same command does all of them again"
        way = way if overwrite else "the same command goes on where it stopped"
        stop.add_note(f"{done} of {len(plan)} cases are done and lie in {out}; {way}")
        raise


def _listed(plan: Sequence[_Planned], out: Path) -> tuple[dict[str, Any], ...]:
    """The records of the planned cases that are done, once `cases.csv` lists all that lie in the folder."""
    records = [_read_record(planned.folder) for planned in plan]
    found = tuple(record for record in records if record is not None)
    write_cases_csv((*found, *_earlier(out, plan)), out / "cases.csv")
    return found


def _earlier(out: Path, plan: Sequence[_Planned]) -> Iterator[dict[str, Any]]:
    """The records of cases that lie in the folder from other runs: a table of the folder names them too."""
    now = {planned.folder for planned in plan}
    for folder in sorted(out.glob("case-*")):
        record = None if folder in now else _read_record(folder)
        if record is not None and record.get("schema") == SCHEMA:
            yield record


def _read_record(folder: Path) -> dict[str, Any] | None:
    try:
        return json.loads((folder / "case.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _remember(planned: _Planned) -> None:
    for item in planned.case.items:
        remember(planned.name, Identity(item.patient, item.study, item.source.series), source=item.source.path)


def _stamp(file: Path) -> str:
    """Size and time of change; a file that is not there is told about where it is read."""
    try:
        facts = file.stat()
    except OSError:
        return "missing"
    return f"{facts.st_size}:{facts.st_mtime_ns}"


def _brief(record: dict[str, Any]) -> dict[str, Any]:
    verdict = record["verdict"]
    return {"case": record["case"], **{key: verdict[key] for key in ("score", "p_value", "decision")}}


def _line(record: dict[str, Any]) -> str:
    verdict = record["verdict"]
    p_value = verdict["p_value"]
    said = "p not available" if p_value is None else f"p {'≤' if verdict['p_value_is_bound'] else '='} {p_value:.3g}"
    return (
        f"{record['case']}  score {verdict['score']:.4g}  {said}  {decision(record)}  {regions(record)}{_doubt(record)}"
    )


def decision(record: dict[str, Any]) -> str:
    """The decision on a case in words."""
    decided = record["verdict"]["decision"]
    regions_above = any(found["above"] for found in listed_findings(record) or ())
    if decided == "not-above" and regions_above:  # each has a threshold of its own
        return "score not above the set threshold"
    return DECISIONS.get(decided, "decision withheld")


def _doubt(record: dict[str, Any]) -> str:
    """A mark for a scan that the model has no business with."""
    found = {note["key"] for note in record["notes"]}
    if "other-modality" in found:
        return "  (another modality than the model's: see the report)"
    return "  (unlike the training scans: see the report)" if "unlike-training" in found else ""


def regions(record: dict[str, Any]) -> str:
    """How many regions were found, and how many of them lie above the threshold on their own; if there is a map."""
    found = listed_findings(record)
    if found is None:
        return "no regions told apart"
    if not any(scan["gives_location"] for scan in record["scans"]):
        return "no map"
    counted = f"{len(found)} region{'s' * (len(found) != 1)}"
    if not found:
        return counted
    if all(finding["above"] is None for finding in found):
        return f"{counted}, not judged"
    above = sum(finding["above"] is True for finding in found)
    return f"{counted}, {above} above {'its' if len(found) == 1 else 'their'} own threshold"


def _features(differences: Sequence[Difference]) -> str:
    return ", ".join(found.feature for found in differences)


def _difference(found: Difference) -> dict[str, Any]:
    return {
        "feature": found.feature,
        "effect": found.effect,
        "p_value": found.p_value,
        "reference_median": found.reference_median,
        "new_median": found.new_median,
    }


def _difference_line(found: Difference) -> str:
    reference, new = (
        f"{value:.4g}" if isinstance(value, float) else value for value in (found.reference_median, found.new_median)
    )
    return (
        f"{features_words([found.feature], 'en')}: {reference} in the reference, {new} here "
        f"(effect {found.effect:+.2f}, p = {found.p_value:.2g})"
    )
