"""CheXpert's tables."""

from pathlib import Path

import pytest

from halescan.data.table import read_cohort
from halescan.errors import LayoutError, TableError
from tests.data.layouts.made import CHEXPERT_HEAD, chexpert, chexpert_line


def told(place: Path, layout: str | None = None) -> list[tuple[str, str | None, str | None]]:
    cohort = read_cohort(place, layout=layout)
    return [(str(item.source.path.relative_to(place)), item.label, item.split) for item in cohort.items]


def test_frontal_images_with_a_clear_statement_are_kept(tmp_path: Path) -> None:
    root = chexpert(tmp_path / "CheXpert-v1.0-small")
    assert told(root) == [
        ("train/patient00001/study1/view1_frontal.jpg", "healthy", "train"),
        ("train/patient00002/study1/view1_frontal.jpg", "abnormal", "train"),
        ("valid/patient64541/study1/view1_frontal.jpg", "healthy", "valid"),
        ("valid/patient64542/study1/view1_frontal.jpg", "abnormal", "valid"),
    ]
    cohort = read_cohort(root)
    first = cohort.items[0]
    assert (first.patient, first.study, first.extra["sex"], first.extra["ap/pa"]) == (
        "patient00001", "study1", "Female", "AP",
    )  # fmt: skip
    assert cohort.remarks == ("CheXpert: images left out: 1 not frontal, 2 uncertain or without any statement",)


@pytest.mark.parametrize(("choice", "count"), [("leave", 0), ("abnormal", 1), ("healthy", 1)])
def test_what_uncertain_means_is_a_choice(choice: str, count: int, tmp_path: Path) -> None:
    found = told(chexpert(tmp_path / "set"), f"chexpert:uncertain={choice}")
    uncertain = [label for place, label, _ in found if "patient00002/study2" in place]
    assert uncertain == [choice] * count


def test_lateral_images_may_be_asked_for(tmp_path: Path) -> None:
    assert len(told(chexpert(tmp_path / "set"), "chexpert:view=all")) == 5


def test_the_folder_may_be_called_anything_or_lie_one_deeper(tmp_path: Path) -> None:
    root = chexpert(tmp_path / "anything")
    inner = root / "CheXpert-v1.0-small"
    inner.mkdir()
    for part in ("train", "valid"):
        (root / part).rename(inner / part)
    assert len(read_cohort(root)) == 4


def test_images_that_are_missing_are_counted(tmp_path: Path) -> None:
    root = chexpert(tmp_path / "set")
    (root / "train/patient00002/study1/view1_frontal.jpg").unlink()
    with pytest.raises(TableError, match=r"train\.csv: 1 of 2 files it names are not there: .*patient00002"):
        read_cohort(root)


def test_an_unknown_statement_or_a_missing_column_is_refused(tmp_path: Path) -> None:
    root = chexpert(tmp_path / "set")
    line = chexpert_line("train/patient00001/study1/view1_frontal.jpg", none="2.0")
    (root / "train.csv").write_text(f"{CHEXPERT_HEAD}\n{line}\n")
    with pytest.raises(LayoutError, match="holds '2' under 'no finding', which is none of 1, 0, -1 and blank"):
        read_cohort(root)
    (root / "train.csv").write_text(CHEXPERT_HEAD.replace("Edema", "Oedema") + f"\n{line}\n")
    with pytest.raises(LayoutError, match="has no column 'edema'"):
        read_cohort(root)


def test_without_its_tables_it_says_so(tmp_path: Path) -> None:
    root = chexpert(tmp_path / "set")
    for part in ("train", "valid"):
        (root / f"{part}.csv").unlink()
    with pytest.raises(LayoutError, match=r"has neither train\.csv nor valid\.csv"):
        read_cohort(root, layout="chexpert")
