"""Tables that read well and cannot be broken by a name."""

from halescan.evaluation.tables import baseline_rows, figure_text, markdown_table

FIGURE = {"value": 0.91234, "low": 0.88, "high": 0.9358}


def test_a_figure_shows_its_interval() -> None:
    assert figure_text(FIGURE) == "0.912 (0.880–0.936)"
    assert figure_text({"value": 0.5, "low": None, "high": None}, digits=2) == "0.50"
    assert figure_text({**FIGURE, "optimistic": True}, digits=1) == "0.9 (0.9–0.9)*"


def test_what_cannot_be_told_is_a_dash() -> None:
    assert figure_text({"value": None, "low": None, "high": None, "why": "no cases"}) == "–"
    assert figure_text(None) == "–"


def test_rows_become_an_aligned_table() -> None:
    rows = [{"method": "padim", "auroc": FIGURE, "n": 12}, {"method": "mean", "auroc": None, "n": None}]
    lines = markdown_table(rows, columns={"method": "method", "auroc": "AUROC", "n": "images"}, digits=2).splitlines()
    assert lines == [
        "| method |            AUROC | images |",
        "|--------|-----------------:|-------:|",
        "| padim  | 0.91 (0.88–0.94) |     12 |",
        "| mean   |                – |      – |",
    ]


def test_an_optimistic_figure_brings_its_footnote() -> None:
    text = markdown_table([{"a": {**FIGURE, "optimistic": True}}], columns={"a": "A"})
    assert "\\* |" in text
    assert text.endswith("chosen with the labels, so optimistic\n")


def test_a_name_cannot_break_out_of_its_cell() -> None:
    text = markdown_table([{"a": "x | y\nz"}], columns={"a": "A"})
    assert len(text.splitlines()) == 3
    assert "x \\| y z" in text


def test_no_rows_leave_the_headings() -> None:
    assert markdown_table([], columns={"a": "A"}).startswith("| A   |")


def test_baselines_become_rows() -> None:
    assert baseline_rows({"contrast": {"auroc": FIGURE}}) == [{"method": "contrast", "auroc": FIGURE}]


def test_figures_written_as_text_end_at_one_edge_and_words_begin_at_one() -> None:
    rows = [
        {"p": "< 0.001", "ms": "8.2", "auroc": "0.91 (0.88–0.94)*", "seeds": "1 (any)", "why": "12 scans"},
        {"p": None, "ms": "1,240", "auroc": "–", "seeds": 3, "why": "none"},
    ]
    lines = markdown_table(rows, columns={key: key for key in rows[0]}).splitlines()
    assert [cell.endswith(":") for cell in lines[1].strip("|").split("|")] == [True, True, True, True, False]
