"""Published figures: read with their source, refused without."""

from pathlib import Path

import pytest

from halescan.errors import TableError
from halescan.workflows.comparison.published import check_published, read_published

HEAD = "set,method,metric,value,source,same_split,note\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "published.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_row_is_a_figure_with_its_source_and_split(tmp_path: Path) -> None:
    (row,) = read_published(written(tmp_path, HEAD + "busi,SomeNet,auroc,0.91,doi:10.1000/xyz,No,their split\n"))
    assert (row["value"], row["low"], row["same_split"]) == (0.91, None, False)
    assert (row["method"], row["source"], row["note"]) == ("SomeNet", "doi:10.1000/xyz", "their split")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("busi,SomeNet,auc,0.91,doi,yes,", "metric is 'auc'"),
        ("busi,SomeNet,auroc,91,doi,yes,", "from 0 to 1"),
        ("busi,SomeNet,auroc,,doi,yes,", "value is missing"),
        ("busi,SomeNet,auroc,0.91,,yes,", "needs its source"),
        ("busi,SomeNet,auroc,0.91,doi,perhaps,", "same_split is 'perhaps'"),
    ],
)
def test_a_row_that_tells_too_little_is_refused_by_its_line(tmp_path: Path, row: str, why: str) -> None:
    with pytest.raises(TableError, match="line 2") as refused:
        read_published(written(tmp_path, HEAD + row + "\n"))
    assert why in str(refused.value)


@pytest.mark.parametrize(("text", "why"), [("", "no row"), ("a,b\n1,2\n", "no column set")])
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(TableError, match=why):
        read_published(written(tmp_path, text))


def test_a_table_none_of_whose_sets_is_compared_is_refused_with_both_names(tmp_path: Path) -> None:
    rows = read_published(written(tmp_path, HEAD + "busi,SomeNet,auroc,0.91,doi,no,\n"))
    check_published(rows, ["busi", "other"], tmp_path)
    with pytest.raises(TableError, match=r"no set is called 'busi'; there is echo.*busi=PATH"):
        check_published(rows, ["echo"], tmp_path)
