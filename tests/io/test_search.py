import os

import pytest

from halescan.io import Problem, find, formats
from halescan.io.search import format_by_content, format_by_ending
from tests.io.made import GREY, WRITERS, write, write_dicom


def names(found):
    return [source.path.name for source in found.sources]


def test_a_tree_is_searched_in_the_order_of_names(tmp_path):
    for folder in ("b", "a/z", "a"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        write(tmp_path / folder, "a.png")
    paths = [source.path.relative_to(tmp_path).as_posix() for source in find(tmp_path).sources]
    assert paths == ["a/a.png", "a/z/a.png", "b/a.png"]


def test_tables_texts_and_hidden_files_are_passed_over(tmp_path):
    write(tmp_path, "a.png")
    for name in (
        "manifest.tsv",
        "labels.csv",
        "README.md",
        "a.json",
        "boxes.xml",
        "Thumbs.db",
        ".hidden.png",
        "notes.txt",
    ):
        (tmp_path / name).write_bytes(b"not an image")
    (tmp_path / ".cache").mkdir()
    write(tmp_path / ".cache", "a.png")
    found = find(tmp_path)
    assert names(found) == ["a.png"]
    assert not found.problems


def test_a_dicomdir_is_passed_over(tmp_path):
    write_dicom(tmp_path / "DICOMDIR", GREY)
    assert find(tmp_path).sources == ()


def test_dicom_is_found_under_any_name(tmp_path):
    path = write(tmp_path, "a.dcm")
    path.rename(tmp_path / "1.2.840.113619.77")
    assert names(find(tmp_path)) == ["1.2.840.113619.77"]


def test_an_unknown_file_named_itself_is_a_problem(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    assert find(path).problems == (Problem(path, f"{path}: not an image that can be read."),)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_a_problem(tmp_path):
    write(tmp_path, "a.png")
    (tmp_path / "closed").mkdir(mode=0o000)
    found = find(tmp_path)
    assert names(found) == ["a.png"]
    assert "cannot be opened" in found.problems[0].message


def test_a_link_back_up_does_not_loop(tmp_path):
    write(tmp_path, "a.png")
    os.symlink(tmp_path, tmp_path / "again", target_is_directory=True)
    assert names(find(tmp_path)) == ["a.png"]


def test_a_broken_link_is_no_reason_to_stop(tmp_path):
    write(tmp_path, "a.png")
    os.symlink(tmp_path / "gone", tmp_path / "IM01")
    found = find(tmp_path)
    assert names(found) == ["a.png"]
    assert found.problems[0].path.name == "IM01"


@pytest.mark.parametrize("name", WRITERS)
def test_name_and_content_agree_about_the_format(tmp_path, name):
    path = write(tmp_path, name)
    by_ending = format_by_ending(formats(), path.with_name(name.upper()))
    assert by_ending == format_by_content(formats(), path.read_bytes()[:1024]) is not None
