"""Studies: what was said of each patient and patch, and a sentence for all that does not fit together."""

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from halescan.data.dataset import CohortImages
from halescan.data.profiles import load_profile
from halescan.errors import SettingError, TableError
from halescan.workflows.patient_level.plan import patient_folds
from halescan.workflows.patient_level.study import Study, patches_of, read_study, size_remark
from tests.workflows.csv_rows import csv_rows
from tests.workflows.patient_studies import cohort, patch, write_hpylori, write_table

PEOPLE = cohort(3, 2, 2)


def rewritten(root: Path, change: dict[str, str], *, keep: tuple[str, ...] | None = None) -> Path:
    """The manifest with cells of every row changed, and perhaps only some columns kept."""
    rows = csv_rows(root / "manifest.csv")
    columns = keep or tuple(rows[0])
    with (root / "manifest.csv").open("w", newline="") as sink:
        table = csv.DictWriter(sink, columns, extrasaction="ignore")
        table.writeheader()
        table.writerows([{**row, **change} for row in rows])
    return root


def images(study: Study, folder: Path, **changes: object) -> CohortImages:
    profile = load_profile("generic", {"size": [16, 16], **changes})
    return CohortImages(study.items, profile, folder=folder)


def test_a_table_gives_patients_answers_and_labels(tmp_path: Path) -> None:
    study = read_study(write_table(tmp_path / "set", PEOPLE))
    assert [(name, answer) for name, answer in zip(study.names, study.answers, strict=True)] == PEOPLE
    assert study.has_levels
    assert study.positive.tolist() == [False] * 3 + [True] * 4
    patches = patches_of(study, images(study, tmp_path / "images"))
    assert np.bincount(patches.own + 1).tolist() == [0, 42 - 12, 12]


def test_without_diagnoses_a_patient_has_what_their_patches_show(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", cohort(3, 3, 0))
    study = read_study(rewritten(root, {}, keep=("file", "patient", "label")))
    assert study.answers == ("NEG",) * 3 + ("POS",) * 3
    assert not study.has_levels


def test_a_table_of_patients_beside_the_images_is_taken(tmp_path: Path) -> None:
    root = rewritten(write_table(tmp_path / "set", PEOPLE), {}, keep=("file", "patient"))
    rows = [["patient", "diagnosis"], *PEOPLE[:-1], ["Doe-900", "negative"], ["Doe-901", ""]]
    with (root / "patients.csv").open("w", newline="") as sink:
        csv.writer(sink).writerows(rows)
    with pytest.raises(SettingError, match="too few patients: 2 negative and 3 positive"):
        read_study(root.joinpath("manifest.csv"), diagnoses=_without(root, "NEG"))
    study = read_study(root)
    assert study.answers == ("NEG", "NEG", "NEG", "LOW", "LOW", "HIGH", None)
    assert [problem for problem in study.problems if "diagnosis" in problem] == [
        "1 of 7 patients with a diagnosis, but without any image",
        "1 of 7 patients with images, but without a diagnosis: not counted as patients",
    ]
    assert "Doe" not in " ".join(study.problems) + repr(study)


def test_the_hpylori_folders_are_read_with_their_problems(tmp_path: Path) -> None:
    study = read_study(write_hpylori(tmp_path / "study", PEOPLE, presence=7))
    assert study.profile == "histology"
    assert study.answers == ("NEG",) * 3 + ("LOW",) * 2 + ("HIGH",) * 2
    assert any("Presence outside -1, 0 and 1" in problem for problem in study.problems)
    assert len(study.items) == 41


def test_patients_judged_by_crops_and_by_chosen_patches_are_not_compared_in_silence(tmp_path: Path) -> None:
    root = write_hpylori(tmp_path / "study", PEOPLE)
    for name, kind in PEOPLE:
        if kind != "NEG":
            (root / "CroppedPatches" / f"{name}_0").mkdir(parents=True)
            Image.new("RGB", (64, 64), "lightblue").save(root / "CroppedPatches" / f"{name}_0" / "00001.png")
    study = read_study(root)
    assert any("compare unlike things" in problem for problem in study.problems)
    judged = [item.source.path.parts[-3] for item, use in zip(study.items, study.judged, strict=True) if use]
    assert judged.count("CroppedPatches") == 4
    assert judged.count("AnnotatedPatches") == 18


@pytest.mark.parametrize(
    ("change", "keep", "said"),
    [
        ({"patient": ""}, None, "no image names its patient"),
        ({"diagnosis": "maybe"}, None, "'maybe' is none of NEG"),
        ({"diagnosis": "", "label": ""}, None, "nobody says what any patient has"),
        ({"diagnosis": "HIGH"}, None, "too few patients: 0 negative"),
        ({"fold": "a"}, ("file", "patient", "label", "diagnosis", "fold"), ""),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(
    tmp_path: Path, change: dict[str, str], keep: tuple[str, ...] | None, said: str
) -> None:
    root = rewritten(write_table(tmp_path / "set", PEOPLE), change, keep=keep)
    if not said:  # one fold for all: readable, but nothing to cross-validate
        study = read_study(root)
        patches = patches_of(study, images(study, tmp_path / "images"))
        with pytest.raises(SettingError, match="names 1 folds"):
            patient_folds(study, patches, folds=5, seed=0)
        return
    with pytest.raises((TableError, SettingError), match=said) as raised:
        read_study(root)
    assert "Doe" not in str(raised.value)


def test_one_patient_with_two_diagnoses_is_refused(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", PEOPLE)
    text = (root / "manifest.csv").read_text()
    (root / "manifest.csv").write_text(
        text.replace("Doe-000-0.png,Doe-000,healthy,NEG", "Doe-000-0.png,Doe-000,healthy,LOW")
    )
    with pytest.raises(TableError, match="two different diagnoses"):
        read_study(root)


def test_images_of_mixed_size_are_told_of(tmp_path: Path) -> None:
    root = write_table(tmp_path / "set", PEOPLE)
    Image.fromarray(patch(np.random.default_rng(0), ill=False, side=48)[:32]).save(root / "Doe-000-0.png")
    study = read_study(root)
    (said,) = size_remark(images(study, tmp_path / "images", mask="everything", intensity="range"))
    assert said.startswith("1 of 42 images are of another size than 32 x 32")


def test_slices_of_a_volume_are_patches_of_their_patient_and_only_healthy_ones_are_labelled(tmp_path: Path) -> None:
    root = tmp_path / "volumes"
    root.mkdir()
    random = np.random.default_rng(0)
    rows = [["file", "patient", "label"]]
    for number in range(6):
        volume = nibabel.Nifti1Image(random.random((20, 20, 5), np.float32), np.eye(4))
        nibabel.save(volume, root / f"{number}.nii.gz")
        rows.append([f"{number}.nii.gz", f"Doe-{number}", "healthy" if number < 3 else "abnormal"])
    with (root / "manifest.csv").open("w", newline="") as sink:
        csv.writer(sink).writerows(rows)
    study = read_study(root)
    patches = patches_of(study, images(study, tmp_path / "images"))
    assert np.bincount(patches.patient).tolist() == [5] * 6
    assert set(patches.own[patches.patient < 3]) == {0}
    assert set(patches.own[patches.patient >= 3]) == {-1}
    assert set(patches.known[patches.patient >= 3]) == {-1}


def test_bug_7_and_sanity_vii_the_patches_of_a_patient_all_lie_in_one_fold(tmp_path: Path) -> None:
    """A mistake of published code: folds dealt by patch put one patient on both sides."""
    study = read_study(write_table(tmp_path / "set", cohort(6, 4, 4), apiece=3))
    patches = patches_of(study, images(study, tmp_path / "images"))
    fold = patient_folds(study, patches, folds=4, seed=0)
    sides = [{study.names[at] for at in patches.patient[fold[patches.patient] == one]} for one in range(4)]
    assert all(sides)
    assert sum(len(side) for side in sides) == len(set().union(*sides)) == 14
    for one in range(4):
        assert len({study.answers[at] for at in np.flatnonzero(fold == one)}) == 3


def _without(root: Path, answer: str) -> Path:
    """A table of patients with the last one healthy left out."""
    table = root / "fewer.csv"
    with table.open("w", newline="") as sink:
        kept = [row for row in PEOPLE if row[1] != answer][:3] + [row for row in PEOPLE if row[1] == answer][:2]
        csv.writer(sink).writerows([["patient", "diagnosis"], *kept])
    return table
