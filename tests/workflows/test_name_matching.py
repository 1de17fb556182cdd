"""Names of another program find the scans they mean, or say what is in the way."""

from pathlib import Path

import pytest

from halescan.data.item import Item
from halescan.errors import TableError
from halescan.io import Source
from halescan.workflows.name_matching import match_names

HERE = Path("scores.csv")


def items(*paths: str) -> list[Item]:
    return [Item(source=Source(Path("/data/set") / path, "raster", ())) for path in paths]


SCANS = items("healthy/1.png", "healthy/2.png", "abnormal/1.png", "abnormal/3.nii.gz")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("2.png", 1),
        ("2", 1),
        ("healthy/1.png", 0),
        ("abnormal/1", 2),
        ("set/abnormal/1.npy", 2),
        (r"abnormal\1.png", 2),
        ("./abnormal/3.png", 3),
        ("3.png.npy", 3),
        ("/data/set/healthy/1.png", 0),
        ("abnormal/2.png", None),
        ("2.5", None),
        ("/very/long/way/to/another/data/set/healthy/1.png", None),
    ],
)
def test_a_name_means_the_scan_whose_path_ends_so(name: str, place: int | None) -> None:
    assert match_names([name], SCANS, where=HERE) == [place]


def test_a_name_that_could_be_two_scans_is_refused_with_the_way_out() -> None:
    with pytest.raises(TableError, match=r"any of 2 scans \(abnormal/1.png, healthy/1.png\).*folder"):
        match_names(["1.png"], SCANS, where=HERE)


def test_two_names_of_one_scan_are_refused() -> None:
    for names in (["2.png", "healthy/2.png"], ["2.png", "2.png"]):
        with pytest.raises(TableError, match="mean the same scan"):
            match_names(names, SCANS, where=HERE)


def test_images_of_one_file_are_told_by_their_number() -> None:
    source = Source(Path("/data/set.npz"), "arrays", ())
    several = [Item(source=Source(source.path, "arrays", (), index=number)) for number in range(3)]
    assert match_names(["set.npz#2", "set#0", "set.npz#1.npy"], several, where=HERE) == [2, 0, 1]
    assert match_names(["set.npz"], several, where=HERE) == [None]


def test_dots_within_a_name_are_part_of_it() -> None:
    dotted = items("a/p1.v2.png", "a/p1.v3.png")
    assert match_names(["p1.v3.png", "p1.v2"], dotted, where=HERE) == [1, 0]
