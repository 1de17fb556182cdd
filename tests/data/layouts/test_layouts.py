"""What every layout promises: recognised by its structure and by nothing else, read as it is, refused in a sentence."""

import json
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from halescan.data import layouts as shelf
from halescan.data.layouts import LAYOUTS, Layout, Listing, choose, layouts, parted
from halescan.data.table import read_cohort
from halescan.errors import HalescanError, LayoutError, ScanError, SettingError
from halescan.io import read
from tests.data.layouts.made import MADE, bmad, brats, chexpert, medmnist, mvtec, pictures, pneumonia
from tests.data.scenes import REAL

every_layout = pytest.mark.parametrize("name", MADE)


def test_every_layout_but_our_own_has_a_tiny_set() -> None:
    assert set(MADE) == set(LAYOUTS) - {"own"}


@every_layout
def test_it_is_recognised_and_no_other_layout_claims_it(name: str, tmp_path: Path) -> None:
    place = MADE[name](tmp_path / "set")
    assert [layout.name for layout in layouts().values() if layout.recognises(place)] == [name]
    assert choose(place).layout.name == name


@every_layout
def test_it_holds_scans_that_can_be_read_and_masks_are_none_of_them(name: str, tmp_path: Path) -> None:
    cohort = read_cohort(MADE[name](tmp_path / "set"))
    assert cohort.items
    assert not cohort.problems
    for item in cohort.items:
        read(item.source)
        assert "mask" not in item.source.path.name.lower()
        assert item.split in ("train", "valid", "test", None)
        assert item.mask is None or read(item.mask).shape == read(item.source).shape


@every_layout
def test_what_was_chosen_reads_the_same_again(name: str, tmp_path: Path) -> None:
    place = MADE[name](tmp_path / "set")
    first = read_cohort(place)
    assert first.layout.partition(":")[0] == name
    again = read_cohort(f"{first.layout}@{place}")
    assert again.items == first.items
    assert again.layout == first.layout


@every_layout
def test_no_name_of_a_patient_is_shown(name: str, tmp_path: Path) -> None:
    cohort = read_cohort(MADE[name](tmp_path / "set"))
    shown = " ".join(cohort.remarks) + repr(cohort.notes)
    assert not [item.patient for item in cohort.items if item.patient and item.patient in shown]


@every_layout
def test_an_empty_folder_is_not_claimed_and_named_it_is_refused(name: str, tmp_path: Path) -> None:
    assert choose(tmp_path).layout.name == "own"
    with pytest.raises(HalescanError) as refused:
        read_cohort(tmp_path, layout=name)
    assert isinstance(refused.value, LayoutError)
    assert str(refused.value).count("\n") == 0


@every_layout
def test_train_and_test_share_no_scan_and_no_patient(name: str, tmp_path: Path) -> None:
    items = read_cohort(MADE[name](tmp_path / "set")).items
    sides = [{item.patient for item in items if item.split == part and item.patient} for part in ("train", "test")]
    assert not sides[0] & sides[1]


@pytest.mark.parametrize("part", ["test", "train", "test/Ungood", "train/good/img"])
def test_a_folder_within_a_set_stands_for_its_scans_with_all_that_the_set_knows(part: str, tmp_path: Path) -> None:
    root = bmad(tmp_path / "Brain")
    cohort = read_cohort(root / part)
    whole = {item.source.path: item for item in read_cohort(root).items}
    assert 0 < len(cohort) < len(whole)
    assert all(whole[item.source.path] == item for item in cohort.items)
    assert all(item.source.path.is_relative_to(root / part) for item in cohort.items)


def test_training_on_a_whole_set_takes_its_training_part(tmp_path: Path) -> None:
    cohort = read_cohort(pneumonia(tmp_path / "set"), label="healthy", prefer=("train",))
    assert {item.split for item in cohort.items} == {"train"}
    assert [note.key for note in cohort.notes] == ["left-out"]
    asked = read_cohort(tmp_path / "set", label="healthy", split="val", prefer=("train",))
    assert {item.split for item in asked.items} == {"valid"}


@pytest.mark.parametrize(("there", "wanted", "said"), [("test", "train", "training"), ("train", "test", "test")])
def test_a_set_without_the_preferred_part_is_refused_with_the_way_out(
    there: str, wanted: str, said: str, tmp_path: Path
) -> None:
    pictures(tmp_path / "set" / there / "healthy", "a.png", "b.png")
    with pytest.raises(LayoutError, match=rf"holds no {said} part, only {there}, .* --split {there} takes it"):
        read_cohort(tmp_path / "set", prefer=(wanted,))
    assert len(read_cohort(tmp_path / "set", split=there, prefer=(wanted,))) == 2


def test_scans_of_no_part_are_taken_and_those_of_another_part_are_not(tmp_path: Path) -> None:
    pictures(tmp_path / "set" / "more" / "healthy", "a.png")
    pictures(tmp_path / "set" / "test" / "healthy", "b.png")
    (taken,) = read_cohort(tmp_path / "set", prefer=("train",)).items
    assert taken.source.path.name == "a.png"


def test_scans_without_the_preferred_part_are_all_kept(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    assert len(read_cohort(tmp_path, prefer=("train",))) == 2


def test_a_manifest_adds_what_the_layout_does_not_know(tmp_path: Path) -> None:
    root = mvtec(tmp_path / "bottle")
    (root / "manifest.csv").write_text("file,patient,scanner\ntrain/good/000.png,p7,A\n")
    cohort = read_cohort(root)
    first = next(item for item in cohort.items if item.patient == "p7")
    assert (first.label, first.split, first.extra["scanner"]) == ("healthy", "train", "A")
    assert [(note.key, note.values["count"]) for note in cohort.notes] == [("not-in-table", 4)]


def test_a_folder_that_holds_one_set_alone_is_that_set(tmp_path: Path) -> None:
    mvtec(tmp_path / "unpacked" / "bottle")
    assert choose(tmp_path / "unpacked").root.name == "bottle"


def test_a_folder_of_several_sets_is_asked_about(tmp_path: Path) -> None:
    mvtec(tmp_path / "bottle")
    bmad(tmp_path / "Brain")
    with pytest.raises(LayoutError, match=r"holds 2 data sets \(Brain, bottle\), expected one\. Name one"):
        read_cohort(tmp_path)


def test_sets_that_lie_one_folder_deeper_are_asked_about_too(tmp_path: Path) -> None:
    mvtec(tmp_path / "defects" / "bottle")
    bmad(tmp_path / "bmad" / "Brain")
    pictures(tmp_path / "drafts", "a.png")
    with pytest.raises(LayoutError, match=r"holds 2 data sets \(bmad/Brain, defects/bottle\), expected one"):
        read_cohort(tmp_path)


def test_a_folder_that_could_be_two_layouts_is_asked_about(tmp_path: Path) -> None:
    root = mvtec(tmp_path / "set")
    pictures(root / "images", "a.png")
    (root / "data.json").write_text(json.dumps({"train": {"0": []}, "test": {"0": ["a.png"], "1": []}}))
    with pytest.raises(LayoutError, match=r"Say which, before the path: medianomaly@.*set or mvtec@.*set"):
        read_cohort(root)
    with pytest.raises(LayoutError, match=r"Say which, before the path: medianomaly@.*set or mvtec@.*set"):
        read_cohort(tmp_path)  # the folder around it, as archives unpack
    assert len(read_cohort(root, layout="mvtec")) == 5
    assert len(read_cohort(f"mvtec@{root}")) == 5


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("bratz", "there is no layout 'bratz'; there are own, table, bmad"),
        ("brats:contrst=t1", "'contrst=t1' is no option of brats; there are contrast=..., take=..."),
        ("brats:contrast", "'contrast' is no option"),
        ("brats:contrast=t7", "contrast must be one of flair, t1, t1ce, t2"),
        ("bmad:a=1", "there are none"),
    ],
)
def test_a_layout_or_option_that_does_not_exist_is_refused(spelled: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as refused:
        read_cohort(tmp_path, layout=spelled)
    assert said in str(refused.value)


def test_a_slip_in_the_layout_before_a_path_is_told_from_a_path_that_is_not_there(tmp_path: Path) -> None:
    root = bmad(tmp_path / "Brain")
    with pytest.raises(SettingError, match="there is no layout 'bnad'; there are own, table, bmad"):
        read_cohort(f"bnad@{root}")
    with pytest.raises(ScanError, match="no such file"):
        read_cohort(f"someone@{tmp_path}/none")


def test_a_table_and_a_layout_are_not_given_together(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="not both"):
        read_cohort(tmp_path, table=tmp_path / "t.csv", layout="bmad")


def test_a_layout_may_stand_before_the_path(tmp_path: Path) -> None:
    assert parted("brats:contrast=t1@/data/BraTS") == ("brats:contrast=t1", Path("/data/BraTS"))
    assert parted("own@data/x") == ("own", Path("data/x"))
    assert parted("/here/own@data/x") == ("own", Path("/here/data/x"))
    assert parted("/here/own@/data/x") == ("own", Path("/data/x"))
    assert parted("someone@/data") == (None, Path("someone@/data"))
    (tmp_path / "own@here").mkdir()
    assert parted(tmp_path / "own@here") == (None, tmp_path / "own@here")
    with pytest.raises(ScanError, match="no such file"):
        read_cohort(f"bmad@{tmp_path}/none")


def test_a_layout_named_own_reads_any_folder_as_it_is(tmp_path: Path) -> None:
    root = bmad(tmp_path / "Brain")
    assert len(read_cohort(root, layout="own")) == 12  # the masks among them


def test_another_package_may_add_a_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("ours", f"{__name__}:OURS", "halescan.layouts")
    monkeypatch.setattr(shelf, "entry_points", lambda group: [point] if group == "halescan.layouts" else [])
    layouts.cache_clear()
    try:
        (tmp_path / "ours.marker").touch()
        assert choose(tmp_path).layout is OURS
    finally:
        layouts.cache_clear()


OURS = Layout(
    "ours", "a folder with our marker", lambda place: (place / "ours.marker").exists(), lambda *_: Listing(())
)


def test_a_ward_s_archive_is_not_taken_for_a_published_set(tmp_path: Path) -> None:
    """Folders of patients, of DICOM without ending, of normal and pneumonia CT series, of loose volumes, of sets."""
    for number in range(3):
        pictures(tmp_path / "ward" / f"patient{number}", "image.png")
        pictures(tmp_path / "ct" / "NORMAL" / f"patient{number}", "image.png")
        pictures(tmp_path / "ct" / "PNEUMONIA" / f"patient{number}", "image.png")
    brats(tmp_path / "loose")
    for file in sorted((tmp_path / "loose").glob("*/*")):
        file.rename(tmp_path / "loose" / file.name)
    brats(tmp_path / "shelf" / "BraTS")
    bmad(tmp_path / "shelf" / "more" / "Brain")
    medmnist(tmp_path / "shelf")
    for place in ("ward", "ct", "loose"):
        assert choose(tmp_path / place).layout.name == "own", place
    with pytest.raises(LayoutError, match="holds 2 data sets"):
        choose(tmp_path / "shelf")


@pytest.mark.real
@pytest.mark.parametrize(
    "place", ["cxr-kermany", "us-busi", "mri-lgg-flair/test", "volumes/nifti", "volumes/dicom", "."]
)
def test_the_real_sets_in_our_own_layout_stay_our_own(place: str) -> None:
    if not (REAL / place).is_dir():
        pytest.skip("no real images; point HALESCAN_DATA to them")
    assert choose(REAL / place).layout.name == "own"


@every_layout
def test_where_scans_are_only_examined_no_label_is_needed_and_none_is_left_out_for_it(
    name: str, tmp_path: Path
) -> None:
    place = MADE[name](tmp_path / "set")
    cohort = read_cohort(place, examined=True)
    assert len(cohort) >= len({item.source.path for item in read_cohort(place).items})
    assert all(item.source.slice_index is None for item in cohort.items)


def test_scans_without_a_choice_of_what_is_healthy_can_be_examined(tmp_path: Path) -> None:
    assert len(read_cohort(medmnist(tmp_path / "path", "pathmnist"), examined=True)) == 12
    root = chexpert(tmp_path / "set")
    assert [item.label for item in read_cohort(root, examined=True).items].count(None) == 2


DOCS = (Path(__file__).parents[3] / "docs" / "how-to" / "public-data.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_and_every_option_of_it_is_told_of(name: str) -> None:
    _, found, rest = DOCS.partition(f"\n## {name}\n")
    assert found
    told = rest.partition("\n## ")[0]
    assert [option for option in layouts()[name].options if f"| `{option}` |" not in told] == []
    choices = [choice for option in layouts()[name].options.values() for choice in option.choices]
    assert [choice for choice in choices if f"`{choice}`" not in told] == []
    assert name in ("own", "table") or ("**Where**" in told and "**Licence**" in told)


def test_the_layout_of_the_how_to_works(tmp_path: Path) -> None:
    shelf_of: dict[str, Any] = {}
    code = DOCS.partition("```python\n")[2].partition("```")[0]
    exec(compile(code, "public-data.md", "exec"), shelf_of)
    pictures(tmp_path / "clear", "a.png")
    pictures(tmp_path / "report", "b.png")
    ward: Layout = shelf_of["WARD"]
    assert ward.recognises(tmp_path)
    assert [item.label for item in ward.read(tmp_path, {}).items] == ["healthy", "abnormal"]
