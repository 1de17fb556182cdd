"""The page."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from halescan.errors import OutputError
from halescan.reporting.content import build_content
from halescan.reporting.html import render_html, write_html
from tests.reporting.cases import ALL_CASES, case_of, model_of

_VOID = {"meta", "img", "input", "br", "rect", "line", "circle", "path"}


class _Page(HTMLParser):
    """Collects tags and complains about what is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def _read(page: str) -> _Page:
    reader = _Page()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("name", sorted(ALL_CASES))
def test_every_case_gives_a_whole_page_that_needs_nothing_else(name, lang):
    page = render_html(build_content(ALL_CASES[name](), lang))
    read = _read(page)
    assert ("html", {"lang": lang}) in read.tags
    sources = [attributes.get("src") or attributes.get("href") for tag, attributes in read.tags if tag != "svg"]
    assert all(source.startswith("data:image/png;base64,") for source in sources if source)
    assert re.findall(r"url\(|@import|<link", page) == []


@pytest.mark.parametrize("name", sorted(ALL_CASES))
def test_every_picture_of_a_scan_is_described(name):
    read = _read(render_html(build_content(ALL_CASES[name]())))
    for tag, attributes in read.tags:
        if tag == "img" and attributes.get("class") != "over":
            assert attributes["alt"]
        if tag == "svg":
            assert attributes["aria-label"]


def test_it_says_research_use_only_on_screen_and_at_the_head_of_each_printed_page():
    page = render_html(build_content(case_of()))
    assert page.count("Research use only") >= 3
    assert re.search(r"<thead>.*Research use only.*</thead>", page)
    assert "table-header-group" in page


def test_text_from_outside_cannot_become_markup():
    model = model_of(name="<script>alert(1)</script>", source='"><img src=x>')
    page = render_html(build_content(replace(case_of(), model=model, case="<b>case</b>")))
    assert "<script>alert" not in page
    assert "<b>case" not in page
    assert "<img src=x>" not in page


def test_the_page_of_one_x_ray_is_light():
    assert len(render_html(build_content(case_of()))) < 1_500_000


def test_a_page_that_cannot_be_written_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_html(build_content(case_of()), tmp_path / "missing" / "report.html")
