"""All files of one case in one folder, which is there whole or not at all."""

import errno
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from halescan.errors import OutputError, SettingError
from halescan.reporting.content import build_content
from halescan.reporting.html import write_html
from halescan.reporting.json_out import case_record, json_lines
from halescan.reporting.nifti_out import write_map
from halescan.reporting.numerals import Lang
from halescan.reporting.overlay import overlay_png
from halescan.reporting.pdf import write_pdf
from halescan.reporting.slide_map import write_slide_map
from halescan.reporting.words import language
from halescan.types import CaseResult

FORMATS = ("html", "pdf", "json", "overlay", "map")


def write_case(result: CaseResult, folder: Path, *, lang: str = "en", formats: Iterable[str] = FORMATS) -> None:
    """Write report.html, report.pdf, case.json, overlay.png and map.nii.gz of one case.

    A case of several scans numbers the pictures and maps after the first (overlay-2.png, map-2.nii.gz). The map of a
    whole slide is a pyramid, map.tiff. A method
    without location leaves no map and no picture of one; a map without calibration leaves no map file, as it has no
    unit. An earlier result in `folder` is replaced; anything else there is left alone and refused.

    Raises:
        OutputError: if the folder is read-only, the disk is full, or something else is in the way.
        SettingError: if a format or language is unknown.
    """
    asked = tuple(formats)
    unknown = sorted(set(asked) - set(FORMATS))
    if unknown:
        raise SettingError(f"formats must be among {list(FORMATS)}, got {unknown}")
    chosen = language(lang)
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        _check_free(folder)
        draft.mkdir(parents=True)
        _write_files(result, draft, chosen, asked)
        _put_in_place(draft, folder)
    except OSError as problem:
        reason = problem.__cause__ if isinstance(problem, OutputError) else problem
        if not isinstance(reason, OSError):
            raise
        raise OutputError(
            f"{folder}: cannot be written ({reason.strerror or reason}); free space or choose another folder"
        ) from problem
    finally:
        if draft.exists():
            shutil.rmtree(draft, ignore_errors=True)


def _write_files(result: CaseResult, folder: Path, lang: Lang, formats: tuple[str, ...]) -> None:
    if "html" in formats or "pdf" in formats:
        content = build_content(result, lang)
        if "html" in formats:
            write_html(content, folder / "report.html")
        if "pdf" in formats:
            write_pdf(content, folder / "report.pdf")
    if "json" in formats:
        (folder / "case.json").write_text(json_lines(case_record(result)), encoding="utf-8", newline="")
    for number, scan in enumerate(result.scans, start=1):
        mark = "" if number == 1 else f"-{number}"
        if "overlay" in formats:
            picture = overlay_png(scan, result.model, lang=lang)
            if picture is not None:
                (folder / f"overlay{mark}.png").write_bytes(picture)
        if "map" in formats and scan.tail is not None and scan.slide is not None:
            write_slide_map(scan.slide, scan.tail, folder / f"map{mark}.tiff")
        elif "map" in formats and scan.tail is not None:
            write_map(scan.scan, scan.tail, folder / f"map{mark}.nii.gz")


def _check_free(folder: Path) -> None:
    """Refuse to replace what no earlier run has written."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: a file is in the way of the folder; choose another output folder")
    strange = sorted(entry.name for entry in folder.iterdir() if not _ours(entry))
    if strange:
        raise OutputError(
            f"{folder}: holds {len(strange)} files that are no result of a case; choose another output folder"
        )


def _ours(entry: Path) -> bool:
    """Whether a name is one that `write_case` gives."""
    name = entry.name
    if name in ("report.html", "report.pdf", "case.json"):
        return True
    for stem, ending in (("overlay", ".png"), ("map", ".nii.gz"), ("map", ".tiff")):
        if name.startswith(stem) and name.endswith(ending):
            middle = name.removeprefix(stem).removesuffix(ending)
            return middle == "" or (middle[0] == "-" and middle[1:].isdigit())
    return False


def _put_in_place(draft: Path, folder: Path) -> None:
    """Rename the finished folder to its name; an earlier result steps aside and is removed afterwards."""
    if not folder.exists():
        try:
            draft.rename(folder)
            return
        except OSError as problem:
            if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # another run has just put its own there
                raise
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.old")
    folder.rename(aside)
    try:
        draft.rename(folder)
    except BaseException:
        aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
