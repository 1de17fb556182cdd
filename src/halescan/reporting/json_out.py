"""One case as JSON and many as a table: units in every name, null for what is missing, never NaN, times in UTC."""

import csv
import io
import json
import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from halescan.errors import OutputError, way_out
from halescan.reporting.words import note_sentence
from halescan.types import CaseResult, Finding, ModelFacts, Note, ScanResult, SlideView, Verdict

SCHEMA = "halescan.case/1"

CASES_COLUMNS = (
    "case",
    "examined_utc",
    "score",
    "p_value",
    "p_value_is_bound",
    "decision",
    "false_alarm_rate",
    "threshold",
    "calibration_units",
    "unit",
    "guarantee",
    "scans",
    "findings",
    "findings_above",
    "longest_diameter_mm",
    "detector",
    "profile",
    "model",
    "fingerprint",
    "notes",
)


def case_record(result: CaseResult) -> dict[str, Any]:
    """A case as plain values ready for JSON; described by `docs/reference/schemas/case-1.schema.json`."""
    return {
        "schema": SCHEMA,
        "research_use_only": True,
        "case": result.case,
        "examined_utc": utc(result.examined_utc),
        "verdict": _verdict(result.verdict),
        "model": _model(result.model),
        "scans": [_scan(number, scan) for number, scan in enumerate(result.scans, start=1)],
        "notes": [_note(note) for note in result.notes],
        "request_sha256": result.request or None,
    }


def write_json(record: Mapping[str, Any], path: Path) -> None:
    """Write a record whole or not at all.

    Raises:
        OutputError: if the file cannot be written.
    """
    write_atomically(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


def write_cases_csv(records: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write one row a case, the strangest first; columns are `CASES_COLUMNS`, an empty cell is a missing value.

    Raises:
        OutputError: if the file cannot be written.
    """
    rows = sorted(records, key=lambda record: -_or(record["verdict"]["score"], -math.inf))
    lines: list[list[Any]] = [list(CASES_COLUMNS), *([_cell(value) for value in _row(record)] for record in rows)]
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(lines)
    write_atomically(sink.getvalue(), path)


def json_lines(record: Mapping[str, Any]) -> str:
    """A record as JSON, a line for each part of it: to indent the parts too takes Python ten times as long."""
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    parts = [f"{encode(name)}: {encode(part)}" for name, part in record.items()]
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"


def write_atomically(text: str, path: Path) -> None:
    """Put a text in place in one step: a reader sees the old file or the new one, never a part.

    Raises:
        OutputError: if the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("x", encoding="utf-8", newline="") as sink:
            sink.write(text)
        draft.replace(path)
    except OSError as problem:
        raise OutputError(f"{path}: cannot be written ({problem.strerror or problem}); {way_out(problem)}") from problem
    finally:
        with suppress(OSError):  # on a read-only disk even this fails
            draft.unlink(missing_ok=True)


def utc(time: str) -> str | None:
    """An ISO 8601 time as UTC to the second, "2026-01-31T08:30:00Z"; None for what is no time."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "score": _finite(verdict.score),
        "p_value": _finite(verdict.p_value),
        "p_value_is_bound": bool(verdict.bound),
        "decision": verdict.decision,
        "why_withheld": None if verdict.why_withheld is None else _note(verdict.why_withheld),
        "false_alarm_rate": _finite(verdict.false_alarms),
        "threshold": _finite(verdict.threshold),
        "calibration_units": int(verdict.units),
        "unit": verdict.unit,
        "guarantee": verdict.guarantee,
    }


def _model(model: ModelFacts) -> dict[str, Any]:
    return {
        "name": model.name,
        "fingerprint": model.fingerprint,
        "detector": model.detector,
        "source": model.source,
        "profile": model.profile,
        "trained_utc": utc(model.trained_utc),
        "halescan_version": model.version,
        "healthy_images": int(model.healthy_images),
        "healthy_patients": None if model.healthy_patients is None else int(model.healthy_patients),
        "map_threshold": _finite(model.map_threshold),
        "map_threshold_healthy_quantile": _finite(model.map_quantile),
    }


def _scan(number: int, result: ScanResult) -> dict[str, Any]:
    scan = result.scan
    return {
        "number": number,
        "dims": scan.dims,
        "shape_zyx": [int(side) for side in scan.shape],
        "spacing_zyx_mm": None if scan.spacing_mm is None else [_finite(gap) for gap in scan.spacing_mm],
        "modality": scan.modality or None,
        "unit": scan.unit or None,
        "score": _finite(result.score),
        "gives_location": result.map is not None,
        "map_peak_neg_log10_healthy_tail": None if result.tail is None else _finite(np.nanmax(result.tail)),
        "key_slice": None if result.key_slice is None else int(result.key_slice),
        "slice_scores": None if result.slice_scores is None else [_finite(score) for score in result.slice_scores],
        "findings": [_finding(finding) | _on_slide(finding, result.slide) for finding in result.findings],
        "notes": [_note(note) for note in scan.notes],
        **({} if result.slide is None else {"slide": _slide(result.slide)}),
    }


def _slide(slide: SlideView) -> dict[str, Any]:
    """The whole slide; the scan's own shape and spacing are those of its overview and map."""
    return {
        "size_xy_px": [slide.shape_px[1], slide.shape_px[0]],
        "um_per_px_xy": [_finite(step) for step in reversed(slide.um_per_px)],
        "um_per_px_given": slide.given,
        "px_per_map_px_xy": [_finite(step) for step in reversed(slide.factor)],
        "tile_size_xy_px": [slide.tile_px[1], slide.tile_px[0]],
        "tile_um_per_px_xy": [_finite(step) for step in reversed(slide.tile_um_per_px)],
        "tile_um_per_px_assumed": slide.assumed,
        "tiles": slide.tiles,
        "tissue_mm2": _finite(slide.tissue_mm2),
        "strangest_tiles": [
            {"score": _finite(tile.score), "box_xy_px": _box_xy(slide, tile.box_px)} for tile in slide.strangest
        ],
    }


def _on_slide(finding: Finding, slide: SlideView | None) -> dict[str, Any]:
    """Where a finding lies on the slide: pixels of level 0, and mm from its top left corner."""
    if slide is None:
        return {}
    peak, bounds = slide.pixel(finding.peak_index), slide.bounds(finding.box)
    corners = [slide.millimetres([side[number] for side in bounds]) for number in (0, 1)]
    return {
        "slide": {
            "peak_xy_px": [peak[1], peak[0]],
            "peak_xy_mm": [_finite(mm) for mm in reversed(slide.millimetres(peak))],
            "box_xy_px": _box_xy(slide, bounds),
            "box_xy_mm": [[_finite(corner[axis]) for corner in corners] for axis in (1, 0)],
        }
    }


def _box_xy(slide: SlideView, box: Sequence[Sequence[float]]) -> list[list[int]]:
    """Half-open bounds `(rows, columns)` as whole pixels within the slide, x first."""
    return [[max(0, round(box[axis][0])), min(slide.shape_px[axis], round(box[axis][1]))] for axis in (1, 0)]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "number": int(finding.number),
        "peak_index_zyx": [int(place) for place in finding.peak_index],
        "box_zyx": [[int(start), int(stop)] for start, stop in finding.box],
        "centre_lps_mm": None if finding.centre_lps_mm is None else [_finite(x) for x in finding.centre_lps_mm],
        "place": list(finding.place),
        "voxels": int(finding.voxels),
        "volume_mm3": _finite(finding.volume_mm3),
        "area_mm2": _finite(finding.area_mm2),
        "longest_diameter_mm": _finite(finding.diameter_mm),
        "longest_diameter_px": _finite(finding.diameter_px),
        "peak": _finite(finding.peak),
        "peak_neg_log10_healthy_tail": _finite(finding.peak_tail),
        "p_value": _finite(finding.p_value),
        "above": None if finding.above is None else bool(finding.above),
    }


def _note(note: Note) -> dict[str, Any]:
    values = {name: _plain(value) for name, value in note.values.items()}
    return {"key": note.key, "values": values, "text": note_sentence(note, "en")}


def _plain(value: Any) -> Any:
    """A note's value as JSON knows it."""
    if isinstance(value, bool | str | int):
        return value
    return _finite(value) if isinstance(value, float | np.floating) else str(value)


def _finite(value: Any) -> float | None:
    """A number, or None for a missing one, NaN and infinity."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def listed_findings(record: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The findings of a case's record that its report lists; None where the map tells no regions apart."""
    if any(note["key"] == "map-tells-little" for note in record["notes"]):
        return None
    return [finding for scan in record["scans"] for finding in scan["findings"]]


def _row(record: Mapping[str, Any]) -> list[Any]:
    """The cells of one case, in the order of `CASES_COLUMNS`."""
    findings = listed_findings(record)
    notes = [note["key"] for notes in (record["notes"], *(scan["notes"] for scan in record["scans"])) for note in notes]
    cells = {
        **{name: record[name] for name in ("case", "examined_utc")},
        **{name: record["verdict"][name] for name in CASES_COLUMNS if name in record["verdict"]},
        "scans": len(record["scans"]),
        "findings": None if findings is None else len(findings),
        "findings_above": None if findings is None else sum(found["above"] is True for found in findings),
        "longest_diameter_mm": max((_or(finding["longest_diameter_mm"], 0.0) for finding in findings or ()), default=0)
        or None,
        **{name: record["model"][name] for name in ("detector", "profile", "fingerprint")},
        "model": record["model"]["name"],
        "notes": ";".join(dict.fromkeys(notes)),
    }
    return [cells[name] for name in CASES_COLUMNS]


def _cell(value: Any) -> Any:
    """A cell a spreadsheet will not run as a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value[:1] in "=+-@\t\r" and value:
        return "'" + value
    return value


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
