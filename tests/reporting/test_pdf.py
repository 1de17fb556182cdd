"""The report on paper."""

import io
from dataclasses import replace

import pytest
from pypdf import PdfReader

from halescan.errors import OutputError
from halescan.reporting.content import build_content
from halescan.reporting.pdf import render_pdf, write_pdf
from halescan.types import Note
from tests.reporting.cases import ALL_CASES, case_of, model_of


def _pages(content) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(render_pdf(content))).pages]


@pytest.mark.parametrize("name", sorted(ALL_CASES))
def test_every_page_says_research_use_only(name):
    pages = _pages(build_content(ALL_CASES[name]()))
    assert all("RESEARCH USE ONLY" in page for page in pages)


@pytest.mark.parametrize("name", sorted(ALL_CASES))
def test_the_last_page_is_never_near_empty(name):
    content = build_content(ALL_CASES[name]())
    last = _pages(content)[-1]
    for said in (content.words["histogram"], content.blind_spots_title, content.words["model"]):
        assert said in last


def test_french_accents_are_printed():
    pages = _pages(build_content(case_of(), "fr"))
    assert "USAGE RÉSERVÉ À LA RECHERCHE" in pages[0]
    assert "référence" in pages[0]


def test_page_and_paper_say_the_same():
    content = build_content(case_of())
    printed = " ".join(_pages(content))
    for said in (content.headline, content.case, *content.blind_spots):
        assert " ".join(said.split()) in printed


def test_text_from_outside_is_data_and_never_markup():
    strange = '#panic("x") $x$ *b* _i_ <a> @b `c` \\ [d] "'
    result = replace(
        case_of(), case=strange, model=model_of(name=strange), notes=(Note("unlike-training", {"features": strange}),)
    )
    assert '#panic("x")' in " ".join(_pages(build_content(result)))


def test_the_same_content_gives_the_same_bytes():
    content = build_content(case_of())
    assert render_pdf(content) == render_pdf(content)


def test_a_report_that_cannot_be_written_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_pdf(build_content(case_of()), tmp_path / "missing" / "report.pdf")
