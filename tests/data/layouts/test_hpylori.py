"""The H. pylori folders: labels, copies, parts, and a sentence for everything that does not fit together."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halescan.data.layouts.hpylori import _plain, read_hpylori
from halescan.data.table import read_cohort
from halescan.errors import LayoutError, TableError
from tests.data.layouts.made import HPYLORI_WINDOWS, hpylori, picture, stained_patch, windows_xlsx
from tests.data.scenes import REAL

TABLE = "HP_WSI-CoordAnnotatedWindows.xlsx"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return hpylori(tmp_path / "study")


def said(root: Path, words: str) -> list[str]:
    return [problem for problem in read_hpylori(root).problems if words in problem]


def test_patches_have_patient_section_window_and_label(root: Path) -> None:
    study = read_hpylori(root)
    assert [(p.patient, p.section, p.window, p.label, p.augmented) for p in study.annotated] == [
        ("B22-01", "0", "7", "healthy", False),
        ("B22-01", "0", "392", "abnormal", False),
        ("B22-01", "0", "392", "abnormal", True),
        ("B22-01", "0", "392", "abnormal", True),
        ("B22-02", "0", "11", "healthy", False),
    ]
    assert [(p.patient, p.window, p.label) for p in study.crops] == [
        ("B22-03", "3", None),
        ("B22-03", "44", None),
        ("B22-04", "5", None),
    ]
    assert study.patients == {"B22-01": "HIGH", "B22-02": "NEG", "B22-03": "NEG", "B22-04": "LOW"}
    assert study.problems == ("1 annotated image left out as uncertain",)


def test_an_uncertain_window_is_never_healthy(root: Path) -> None:
    """A mistake of published code: `label = 1 if presence == 1 else 0` with the skip forgotten."""
    assert not [patch for patch in read_hpylori(root).annotated if patch.section == "1"]
    windows_xlsx(root / TABLE, [(*row[:3], 0) for row in HPYLORI_WINDOWS])
    assert read_hpylori(root).annotated == ()
    assert [item.label for item in read_cohort(root).items if "Annotated" in str(item.source.path)] == []


def test_the_parts_share_no_patient_and_copies_are_not_tested_on(root: Path) -> None:
    items = read_cohort(root).items
    assert [(item.patient, item.split, item.label) for item in items] == [
        ("B22-01", "test", "healthy"),
        ("B22-01", "test", "abnormal"),
        ("B22-02", "test", "healthy"),
        ("B22-03", "train", "healthy"),
        ("B22-03", "train", "healthy"),
    ]
    assert "2 augmented copies in the test part" in read_cohort(root).remarks[0]
    kept = read_cohort(root, layout="hpylori:unlabelled=keep").items
    assert Counter(item.label for item in kept) == {"healthy": 4, "abnormal": 3, None: 1}
    assert {item.split for item in kept if item.extra.get("augmented")} == {"test"}


def test_of_negative_patients_who_are_all_annotated_half_are_learned_from(root: Path) -> None:
    for folder in ("B22-03_0", "B22-03_1"):
        (root / "CroppedPatches" / folder).rename(root / "AnnotatedPatches" / folder)
    windows_xlsx(root / TABLE, [*HPYLORI_WINDOWS, ("B22-03", 0, 3, -1), ("B22-03", 1, 44, -1)])
    items = read_cohort(root).items
    parts = {part: {item.patient for item in items if item.split == part} for part in ("train", "test")}
    assert len(parts["train"]) == 1
    assert parts["train"] < {"B22-02", "B22-03"}
    assert not parts["train"] & parts["test"]


def test_copies_of_a_healthy_patient_may_be_learned_from(root: Path) -> None:
    stained_patch(root / "CroppedPatches/B22-03_0/3_Aug1.png", 99)
    assert [item.split for item in read_cohort(root).items if item.extra.get("augmented")] == ["train"]


def test_a_row_of_a_copy_s_own_counts_more_than_its_original_s(root: Path) -> None:
    windows_xlsx(root / TABLE, [*HPYLORI_WINDOWS, ("B22-01", 0, "00392_Aug1", 0)])
    windows = Counter(patch.window for patch in read_hpylori(root).annotated if patch.augmented)
    assert windows == {"392": 1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "CoordAnnotatedAllPatches.csv",
            "Pat_ID,Section_ID,Window_ID,Presence\nB22-01,0,00007,-1\nB22-01,0,392,1\nB22-01,1,7,0\nB22-02,0,11,-1\n",
        ),
        (
            "window_metadata.csv",
            "ID,Presence\nB22-01_0.00007,-1\nB22-01_0.00392,1\nB22-01_1.7,0\nB22-02_0.00011.png,-1\n",
        ),
        (
            "HP_WSI-CoordAnnotatedWindows.csv",
            "Pat_ID;WSI_ID;Window_ID;Presence\nB22-01;0.0;7.0;-1.0\nB22-01;0;392;1\nB22-01;1;7;0\nB22-02;0;11;-1\n",
        ),
    ],
)  # fmt: skip
def test_the_table_is_read_in_each_of_its_forms(root: Path, name: str, text: str) -> None:
    before = read_hpylori(root)
    (root / TABLE).unlink()
    (root / name).write_text(text)
    assert read_hpylori(root).annotated == before.annotated


def test_the_older_name_of_the_diagnoses_and_the_repository_s_further_folder_are_known(root: Path) -> None:
    before = read_hpylori(root)
    (root / "PatientDiagnosis.csv").rename(root / "metadata.csv")
    for name in ("AnnotatedPatches", "CroppedPatches"):
        (root / name).rename(root / "inner")
        (root / name).mkdir()
        (root / "inner").rename(root / name / "SubImage")
    after = read_hpylori(root)
    assert [p.path.name for p in after.patches] == [p.path.name for p in before.patches]
    assert after.patients == before.patients


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([*HPYLORI_WINDOWS, ("B22-02", 0, 999, 1)], "1 window of the table without an image"),
        (HPYLORI_WINDOWS[:3], "1 annotated image without a row"),
        ([*HPYLORI_WINDOWS[:3], ("B22-02", 0, 11, 2)], "1 row of HP_WSI-CoordAnnotatedWindows.xlsx with a Presence"),
        ([*HPYLORI_WINDOWS, ("B22-02", 0, 11, 1)], "1 window of HP_WSI-CoordAnnotatedWindows.xlsx with rows that"),
        ([*HPYLORI_WINDOWS, ("B22-02", 0, None, 1)], "1 row of HP_WSI-CoordAnnotatedWindows.xlsx that name no window"),
        ([*HPYLORI_WINDOWS[:3], ("B22-02", 0, 11, 1)], "1 patient diagnosed as negative with"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_windows_is_said(root: Path, rows: list[tuple[object, ...]], words: str) -> None:
    assert not said(root, words)
    windows_xlsx(root / TABLE, rows)
    assert said(root, words)


@pytest.mark.parametrize("presence", [2, -2, "yes", None, 0.5])
def test_a_presence_that_means_nothing_makes_no_label_and_no_healthy_patch(root: Path, presence: object) -> None:
    windows_xlsx(root / TABLE, [*HPYLORI_WINDOWS[:3], ("B22-02", 0, 11, presence)])
    assert "B22-02" not in {patch.patient for patch in read_hpylori(root).annotated}
    assert "B22-02" not in {item.patient for item in read_cohort(root).items}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("B22-01,ALTA\nB22-02,NEGATIVA\nB22-03,NEGATIVA\n", "1 patient with images, but without a diagnosis"),
        ("B22-01,ALTA\nB22-09,NEGATIVA\n", "1 patient of 2 with a diagnosis, but without any image"),
        ("B22-01,ALTA\nB22-02,POCA\n", "1 patient of PatientDiagnosis.csv without NEGATIVA"),
        ("B22-01,ALTA\nB22-01,NEGATIVA\n", "1 patient of PatientDiagnosis.csv with several diagnoses"),
    ],
)
def test_what_is_wrong_with_the_diagnoses_is_said(root: Path, text: str, words: str) -> None:
    assert not said(root, words)
    (root / "PatientDiagnosis.csv").write_text(f"CODI,DENSITAT\n{text}")
    assert said(root, words)


def test_what_is_wrong_with_the_images_is_said_and_left_out(root: Path) -> None:
    stained_patch(root / "CroppedPatches/B22-03_0/77.png", side=12)
    (root / "CroppedPatches/B22-03_0/78.png").write_bytes(b"no picture")
    (root / "CroppedPatches/B22-05_0").mkdir()
    (root / "CroppedPatches/B22-03_0/Thumbs.db").write_bytes(b"\0")
    picture(root / "CroppedPatches/loose.png")
    study = read_hpylori(root)
    assert {patch.window for patch in study.crops} == {"3", "44", "5"}
    assert set(study.problems) >= {
        "1 folder of CroppedPatches without any image",
        "1 image of CroppedPatches outside the patients' folders: left out",
        "1 image file that cannot be opened: left out",
        "1 patch of another size than 16 x 16: left out",
    }


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("PatientDiagnosis.csv", "no patient is known to be negative"),
        (TABLE, "no patch has a label of its own"),
    ],
)
def test_a_missing_table_is_said_and_the_rest_is_read(root: Path, gone: str, words: str) -> None:
    (root / gone).unlink()
    assert said(root, words)
    assert read_hpylori(root).patches


def test_a_missing_folder_is_said_and_without_either_there_is_no_study(root: Path) -> None:
    (root / "CroppedPatches").rename(root / "elsewhere")
    assert said(root, "the folder CroppedPatches is missing")
    (root / "AnnotatedPatches").rename(root / "away")
    with pytest.raises(LayoutError, match="neither AnnotatedPatches/ nor CroppedPatches/"):
        read_hpylori(root)


def test_a_table_without_the_columns_or_that_is_none_is_refused(root: Path) -> None:
    (root / "PatientDiagnosis.csv").write_text("CODI,DENSITY\nB22-01,ALTA\n")
    with pytest.raises(LayoutError, match="has no column 'densitat'"):
        read_hpylori(root)
    hpylori(root)
    (root / TABLE).write_bytes(b"no spreadsheet")
    with pytest.raises(TableError, match="is not a spreadsheet"):
        read_hpylori(root)


def test_no_sentence_and_no_repr_names_a_patient(root: Path) -> None:
    windows_xlsx(root / TABLE, [*HPYLORI_WINDOWS, ("B22-02", 0, 999, 1), ("B22-77", 0, 1, 5)])
    (root / "PatientDiagnosis.csv").write_text("CODI,DENSITAT\nB22-02,NEGATIVA\nB22-88,ALTA\n")
    assert "B22" not in " ".join((*read_hpylori(root).problems, *read_cohort(root).remarks))
    assert "'B22" not in repr(read_hpylori(root).annotated[0])


@pytest.mark.parametrize("part", ["AnnotatedPatches", "CroppedPatches"])
def test_a_folder_of_the_study_stands_for_its_patches_with_all_that_is_known(root: Path, part: str) -> None:
    whole = [item for item in read_cohort(root).items if part in item.source.path.parts]
    assert read_cohort(root / part).items == tuple(whole)


@given(number=st.integers(0, 99999), zeros=st.integers(0, 5), copy=st.sampled_from(["", "_Aug1", "_Aug23"]))
def test_a_window_s_number_is_the_same_however_it_is_written(number: int, zeros: int, copy: str) -> None:
    padded = f"{'0' * zeros}{number}{copy}"
    assert _plain(padded) == _plain(f" {padded}.png ") == f"{number}{copy}"
    assert _plain(f"{number}.0") == str(number)


@pytest.mark.real
def test_the_real_sample_counts_as_by_eye() -> None:
    if not (REAL / "hpylori-original").is_dir():
        pytest.skip("no real images; point HALESCAN_DATA to them")
    study = read_hpylori(REAL / "hpylori-original")
    counted = Counter((patch.label, patch.augmented) for patch in study.annotated)
    assert counted == {("abnormal", True): 152, (None, False): 90, ("healthy", False): 72, ("abnormal", False): 19}
    assert (len(study.crops), len({patch.patient for patch in study.annotated})) == (250, 23)
    assert Counter(study.patients.values()) == {"NEG": 151, "LOW": 72, "HIGH": 86}
    assert study.problems == (
        "4 windows of HP_WSI-CoordAnnotatedWindows.xlsx with rows that disagree: taken as uncertain",
        "1120 windows of the table without an image",
        "90 annotated images without a row in the table of windows",
        "276 patients of 309 with a diagnosis, but without any image",
    )
    items = read_cohort(REAL / "hpylori-original").items
    assert Counter((item.split, item.label) for item in items) == {
        ("train", "healthy"): 76,
        ("test", "healthy"): 72,
        ("test", "abnormal"): 19,
    }
