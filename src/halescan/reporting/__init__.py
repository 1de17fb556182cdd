"""The door out: what was found on a case, as pages, pictures, volumes and tables.

Nothing is imported before it is used, so that the command line starts in a blink.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from halescan.reporting.card import model_card
    from halescan.reporting.case_folder import FORMATS, write_case
    from halescan.reporting.content import ReportContent, build_content
    from halescan.reporting.html import render_html, write_html
    from halescan.reporting.json_out import case_record, write_cases_csv, write_json
    from halescan.reporting.nifti_out import write_map
    from halescan.reporting.overlay import overlay_png
    from halescan.reporting.pdf import render_pdf, write_pdf
    from halescan.reporting.words import LANGUAGES, note_sentence, sentence

_PLACES = {
    "model_card": "card",
    "FORMATS": "case_folder",
    "write_case": "case_folder",
    "ReportContent": "content",
    "build_content": "content",
    "render_html": "html",
    "write_html": "html",
    "case_record": "json_out",
    "write_cases_csv": "json_out",
    "write_json": "json_out",
    "write_map": "nifti_out",
    "overlay_png": "overlay",
    "render_pdf": "pdf",
    "write_pdf": "pdf",
    "LANGUAGES": "words",
    "note_sentence": "words",
    "sentence": "words",
}

__all__ = [
    "FORMATS",
    "LANGUAGES",
    "ReportContent",
    "build_content",
    "case_record",
    "model_card",
    "note_sentence",
    "overlay_png",
    "render_html",
    "render_pdf",
    "sentence",
    "write_case",
    "write_cases_csv",
    "write_html",
    "write_json",
    "write_map",
    "write_pdf",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
