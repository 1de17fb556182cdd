"""The report as PDF, set by typst from the same content; every text travels as data, never as markup."""

import json
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from halescan.errors import OutputError
from halescan.reporting.content import Picture, ReportContent, ScanSection

_TEMPLATE = Path(__file__).parent / "templates" / "report.typ"


def write_pdf(content: ReportContent, path: Path) -> None:
    """Set the report and write it; the same content gives the same bytes.

    Only the fonts inside typst are used, and nothing is fetched.

    Raises:
        OutputError: if the report cannot be set or written.
    """
    try:
        path.write_bytes(render_pdf(content))
    except OSError as problem:
        raise OutputError(f"{path}: the report cannot be written ({problem.strerror or problem})") from problem


def render_pdf(content: ReportContent) -> bytes:
    """The PDF as bytes.

    Raises:
        OutputError: if typst refuses the content.
    """
    import typst  # 30 MB of native code, and only where a PDF is written

    with tempfile.TemporaryDirectory(prefix="halescan-pdf-") as name:
        folder = Path(name)
        (folder / "report.typ").write_bytes(_TEMPLATE.read_bytes())
        (folder / "data.json").write_text(json.dumps(_data(content, folder)), encoding="utf-8")
        try:
            compiler = typst.Compiler(input=folder / "report.typ", root=folder, ignore_system_fonts=True)
            pdf = compiler.compile(format="pdf", timestamp=_timestamp(content.created_utc))
        except RuntimeError as problem:
            raise OutputError(f"report.pdf could not be set: {problem}. Leave pdf out of the formats.") from problem
    assert isinstance(pdf, bytes)
    return pdf


def _data(content: ReportContent, folder: Path) -> dict[str, Any]:
    """The content as JSON values; pictures and drawings become files beside the template, named by their number."""
    files = _Files(folder)
    data = {name: value for name, value in vars(content).items() if name != "scans"}
    data["verdict_facts"] = [asdict(fact) for fact in content.verdict_facts]
    data["model_facts"] = [asdict(fact) for fact in content.model_facts]
    data["legend_svg"] = files.keep(content.legend_svg, "svg")
    data["histogram_svg"] = files.keep(content.histogram_svg, "svg")
    data["scans"] = [_scan(scan, files) for scan in content.scans]
    return data


class _Files:
    """Files beside the template; the same bytes are kept once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[bytes, str] = {}

    def keep(self, body: bytes | str | None, ending: str) -> str | None:
        """Keep a file and return its name; None for nothing."""
        if not body:
            return None
        raw = body.encode("utf-8") if isinstance(body, str) else body
        if raw not in self.names:
            self.names[raw] = f"{len(self.names)}.{ending}"
            (self.folder / self.names[raw]).write_bytes(raw)
        return self.names[raw]


def _scan(scan: ScanSection, files: _Files) -> dict[str, Any]:
    return {
        "title": scan.title,
        "facts": scan.facts,
        "remarks": scan.remarks,
        "has_map": scan.has_map,
        "findings_sentence": scan.findings_sentence,
        "pictures": [_picture(picture, files) for picture in scan.pictures],
        "panels": [_picture(picture, files) for picture in scan.panels],
        "montage": _picture(scan.montage, files),
        "montage_title": scan.montage_title,
        "neighbours": _picture(scan.neighbours, files),
        "slice_scores_svg": files.keep(scan.slice_scores_svg, "svg"),
        "findings": [
            {
                "number": finding.number,
                "title": finding.title,
                "place": finding.place,
                "decision": finding.decision,
                "above": finding.above,
                "facts": [asdict(fact) for fact in finding.facts],
                "picture": _picture(finding.picture, files),
            }
            for finding in scan.findings
        ],
    }


def _picture(picture: Picture | None, files: _Files) -> dict[str, Any] | None:
    if picture is None:
        return None
    return {
        "base": files.keep(picture.base, "png"),
        "over": files.keep(picture.over, "png"),
        "alt": picture.alt,
        "caption": picture.caption,
        "width": picture.width_px,
        "height": picture.height_px,
    }


def _timestamp(time: str) -> int:
    """Seconds since 1970 of the examination, so that the file does not depend on the clock."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return 0
    return max(0, int((moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()))
