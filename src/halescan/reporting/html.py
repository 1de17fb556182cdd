"""The report as one HTML file that needs nothing else: pictures inside, no script from elsewhere, prints on A4."""

import base64
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from halescan.errors import OutputError
from halescan.reporting.content import ReportContent


def render_html(content: ReportContent) -> str:
    """The whole page as text."""
    return _template().render(content=content, words=content.words)


def write_html(content: ReportContent, path: Path) -> None:
    """Write the page.

    Raises:
        OutputError: if the file cannot be written.
    """
    try:
        path.write_text(render_html(content), encoding="utf-8")
    except OSError as problem:
        raise OutputError(f"{path}: the report cannot be written ({problem.strerror or problem})") from problem


@cache
def _template() -> Template:
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["data_uri"] = _data_uri
    pages.filters["drawing"] = Markup  # our own SVG, whose texts were escaped where they were drawn
    return pages.get_template("report.html.j2")


def _data_uri(picture: bytes) -> Markup:
    return Markup("data:image/png;base64," + base64.b64encode(picture).decode("ascii"))  # base64 holds no markup
