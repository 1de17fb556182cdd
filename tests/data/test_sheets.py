"""Tables of scans, as text and as spreadsheets."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from halescan.data.sheets import (
    ABNORMAL,
    HEALTHY,
    check_present,
    manifests_near,
    numbered_lines_of,
    read_table,
    separator_of,
)
from halescan.errors import TableError

LINES = [
    ["File", "Patient", "LABEL", "split", "mask", "detail"],
    ["a.png", "p1", "Normal", "train", "", "x"],
    ["b.png", "p2", "1", "test", "m/b.png", ""],
    ["", "", "", "", "", ""],
]


def write(folder: Path, kind: str, lines: list[list[str]] = LINES) -> Path:
    file = folder / f"table.{kind}"
    if kind == "xlsx":
        book = Workbook()
        for line in lines:
            book.active.append([int(cell) if cell.isdigit() else cell for cell in line])  # type: ignore[union-attr]
        book.save(file)
    else:
        file.write_text("\n".join(("\t" if kind == "tsv" else ",").join(line) for line in lines), encoding="utf-8-sig")
    return file


@pytest.mark.parametrize("kind", ["tsv", "csv", "xlsx"])
def test_every_kind_of_table_says_the_same(tmp_path: Path, kind: str) -> None:
    first, second = read_table(write(tmp_path, kind))
    assert (first.file, first.patient, first.label, first.split, first.mask) == (
        tmp_path / "a.png", "p1", "healthy", "train", None,
    )  # fmt: skip
    assert (second.label, second.mask, second.extra) == ("abnormal", tmp_path / "m" / "b.png", {})
    assert first.extra == {"detail": "x"}


def test_a_table_of_a_spreadsheet_with_semicolons_is_read(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("path;label\na,1.png;good\n")
    assert read_table(file)[0].file.name == "a,1.png"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(HEALTHY | ABNORMAL | {""})), min_size=1, max_size=8))
def test_every_known_spelling_of_a_label_is_understood(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    file = tmp_path_factory.mktemp("t") / "t.csv"
    file.write_text("file,label\n" + "\n".join(f"f{at},{word.upper()}" for at, word in enumerate(words)))
    expected = ["healthy" if word in HEALTHY else "abnormal" if word in ABNORMAL else None for word in words]
    assert [row.label for row in read_table(file)] == expected


def test_labels_that_mean_neither_are_listed(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"the labels '\?', 'maybe' mean neither healthy"):
        read_table(write(tmp_path, "csv", [["file", "label"], ["a", "maybe"], ["b", "?"], ["c", "good"]]))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "holds no rows"),
        ("t.csv", b"file,label\n", "holds no rows"),
        ("t.csv", b"name,label\na,1\n", "must be called 'file'"),
        ("t.csv", b"\xff\xfe\x00file", "not UTF-8"),
        ("t.xlsx", b"no zip at all", "not a spreadsheet"),
    ],
)
def test_a_broken_table_is_refused_in_a_sentence(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=said):
        read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a.png,p1\n", "line 2 has 2 cells, expected 3 as in the heading. Put a cell that holds a comma into quotes"),
        ("a.png,p1,good\nb.png\n", "line 3 has 1 cell, expected 3"),
        ("a.png,Smith, J,good\nb.png,p2,good\n", "line 2 has 4 cells, expected 3 as in the heading. Put"),
        ("a,b,c,d\n\ne,f\ng\n", "line 2 has 4 cells, expected 3 as in the heading; 2 more lines do not fit. Put"),
    ],
)
def test_a_line_with_other_cells_than_the_heading_is_refused_by_its_number(
    tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / "manifest.csv").write_text("file,patient,label\n" + content)
    with pytest.raises(TableError) as caught:
        read_table(tmp_path / "manifest.csv")
    assert said in str(caught.value)
    assert "Smith" not in str(caught.value)
    assert list(manifests_near(tmp_path)) == [tmp_path / "manifest.csv"]  # it is not passed over either


@pytest.mark.parametrize(
    "content",
    [
        "file,label\na.png,good,,\nb.png,bad\n,,,\n\n",  # a spreadsheet's empty cells behind the last column
        "file,label,,\na.png,good,,\nb.png,bad\n",
        "file,label,\na.png,good,a remark\nb.png,bad,\n",
        'file,label,site\na.png,good,"north, south"\nb.png,bad,\n',
        "file,label,site\na.png,good,north\u2028south\nb.png,bad,\n",
    ],
)
def test_empty_lines_and_empty_cells_behind_the_last_column_do_no_harm(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    assert [row.label for row in read_table(tmp_path / "t.csv")] == ["healthy", "abnormal"]


def test_a_spreadsheet_may_leave_cells_out(tmp_path: Path) -> None:
    (row,) = read_table(write(tmp_path, "xlsx", [["file", "label", "patient"], ["a.png"]]))
    assert (row.label, row.patient) == (None, None)


def test_an_absent_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read"):
        read_table(tmp_path / "none.csv")


def test_missing_files_are_counted_and_the_first_few_named(tmp_path: Path) -> None:
    lines = [["file"], *([f"{number:02}.png"] for number in range(9))]
    rows = read_table(write(tmp_path, "csv", lines))
    (tmp_path / "00.png").touch()
    with pytest.raises(TableError, match=r"8 of 9 files .*01\.png.*05\.png and 3 more"):
        check_present(tmp_path / "table.csv", [row.file for row in rows])


def test_ids_stay_out_of_what_is_printed(tmp_path: Path) -> None:
    assert "p1" not in repr(read_table(write(tmp_path, "csv"))[0])


def test_manifests_are_looked_for_up_to_two_folders_above_nearest_first(tmp_path: Path) -> None:
    place = tmp_path / "set" / "train" / "healthy"
    place.mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "set", place):
        (folder / "manifest.csv").write_text("file\nx\n")
    assert list(manifests_near(place)) == [place / "manifest.csv", tmp_path / "set" / "manifest.csv"]


def test_a_list_of_checksums_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.tsv").write_text("d639  a.png\n2651  b.png\n")
    assert list(manifests_near(tmp_path)) == []


@pytest.mark.parametrize(("kind", "separator"), [("tsv", "\t"), ("csv", ","), ("xlsx", None)])
def test_lines_keep_their_number_in_the_file_past_empty_ones(tmp_path: Path, kind: str, separator: str | None) -> None:
    path = write(tmp_path, kind, [*LINES, ["c.png", "p3", "0", "test", "", ""]])
    assert [number for number, _ in numbered_lines_of(path)] == [2, 3, 5]
    assert separator_of(path) == separator
