"""Evaluation: figures with intervals, beside the trivial baselines."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from halescan.errors import LayoutError, OutputError, SettingError, TableError
from halescan.evaluation.metrics import wilson
from halescan.io import read
from halescan.scoring.pooling import pool_slices
from halescan.synthesis.cohort import PhantomFolders
from halescan.workflows.evaluate import Evaluation, evaluate
from halescan.workflows.examine import examine
from halescan.workflows.model import Model, load_model
from halescan.workflows.train import train
from tests.data.layouts.made import brats
from tests.workflows.csv_rows import csv_rows


@pytest.fixture(scope="module")
def evaluated(model_folder: Path, test_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluated") / "out"
    evaluate(model_folder, test_set, out=out, false_alarms=0.1)
    return out


def test_the_auroc_is_that_of_the_scores_it_writes(evaluated: Path) -> None:
    rows = csv_rows(evaluated / "scores.csv")
    labels, scores = [row["label"] == "abnormal" for row in rows], [float(row["score"]) for row in rows]
    record = json.loads((evaluated / "metrics.json").read_text())
    assert record["image"]["auroc"]["value"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)


def test_everything_a_reader_of_the_paper_asks_for_is_there(evaluated: Path) -> None:
    record = json.loads((evaluated / "metrics.json").read_text())
    assert record["pixel"]["best_dice"]["optimistic"] is True
    assert "optimistic" not in record["pixel"]["dice"]
    assert {"brightness", "contrast", "file-size", "healthy-mean"} <= set(record["baselines"])
    assert record["image"]["auroc"]["low"] <= record["image"]["auroc"]["value"] <= record["image"]["auroc"]["high"]
    assert record["about"]["false_alarms"]["realised"] is not None
    assert record["pixel"]["aupro"]["value"] > 0
    assert set(record["sensitivity_at"]) == {"0.90", "0.95"}
    assert record["lesions"]["lesions"] == record["pixel"]["regions"] >= 12
    assert record["lesions"]["size_unit"] == "mm"
    assert record["reliability"]["healthy"] == 12
    assert record["reliability"]["units"] == 20
    assert record["reliability"]["unit"] == "patient"
    assert record["reconstruction"] is record["subgroups"] is None
    for name in ("roc.png", "pr.png", "scores.png", "reliability.png", "froc.png"):
        assert (evaluated / name).read_bytes().startswith(b"\x89PNG")


def test_planted_lesions_are_told_from_healthy_phantoms(evaluated: Path) -> None:
    assert json.loads((evaluated / "metrics.json").read_text())["image"]["auroc"]["value"] > 0.6


def test_scans_without_labels_are_refused_with_the_way_out(model_folder: Path, test_set: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    shutil.copy(next((test_set / "healthy").iterdir()), tmp_path / "plain")
    with pytest.raises(TableError, match="healthy/ and abnormal/"):
        evaluate(model_folder, tmp_path / "plain", out=tmp_path / "out")


def test_a_model_tested_on_the_scans_it_learned_from_is_warned_of(
    model_folder: Path, phantoms: PhantomFolders, test_set: Path, tmp_path: Path
) -> None:
    shutil.copytree(test_set, tmp_path / "set" / "test")
    learned = sorted(phantoms.healthy.rglob("*.dcm"))[:2]
    shutil.copy(learned[0], tmp_path / "set" / "test" / "healthy" / "same-bytes.dcm")
    changed = pydicom.dcmread(learned[1])
    changed.PatientID = "another"
    changed.save_as(tmp_path / "set" / "test" / "healthy" / "same-pixels.dcm")
    done = evaluate(model_folder, tmp_path / "set", out=tmp_path / "out")
    assert done.record["about"]["learned_from"]["healthy"] == {"seen": 2, "of": 14}
    assert done.record["about"]["learned_from"]["abnormal"] == {"seen": 0, "of": 12}
    assert done.warnings[0].startswith("2 of 14 healthy test scans were learned from or calibrated with")
    again = evaluate(model_folder, tmp_path / "set", out=tmp_path / "out")
    assert again.warnings == done.warnings


def test_new_scans_and_old_models_without_digests_raise_no_such_warning(
    evaluated: Path, model_folder: Path, test_set: Path, tmp_path: Path
) -> None:
    told = json.loads((evaluated / "metrics.json").read_text())["about"]["learned_from"]
    assert told["healthy"] == {"seen": 0, "of": 12}
    assert told["sentence"] == ""
    model = load_model(model_folder)
    training = {key: value for key, value in model.record["training_set"].items() if key not in ("contents", "pixels")}
    old = replace(model, record={**model.record, "training_set": training})
    assert evaluate(old, test_set, out=tmp_path / "out").record["about"]["learned_from"] is None


def test_a_set_without_a_test_part_is_refused_with_the_way_out(
    model_folder: Path, test_set: Path, tmp_path: Path
) -> None:
    shutil.copytree(test_set, tmp_path / "set" / "train")
    with pytest.raises(LayoutError, match=r"holds no test part, only train, .* --split train takes it all the same"):
        evaluate(model_folder, tmp_path / "set", out=tmp_path / "out")


def test_where_files_could_not_be_read_a_missing_label_is_not_all_that_is_said(
    model_folder: Path, tmp_path: Path
) -> None:
    root = brats(tmp_path / "BraTS")
    for seg in root.rglob("*_seg.nii.gz"):
        seg.write_bytes(seg.read_bytes()[:100])
    with pytest.raises(TableError, match=r"no scan has a label; 8 files could not be read, the first: .*_seg\.nii\.gz"):
        evaluate(model_folder, root, out=tmp_path / "out")


def test_one_class_alone_has_no_auroc_and_says_why(model_folder: Path, test_set: Path, tmp_path: Path) -> None:
    shutil.copytree(test_set / "healthy", tmp_path / "test" / "healthy")
    figure = evaluate(model_folder, tmp_path / "test", out=tmp_path / "out").record["image"]["auroc"]
    assert figure["value"] is None
    assert figure["why"]


def test_an_evaluation_in_the_way_is_never_replaced_unasked(
    evaluated: Path, model_folder: Path, test_set: Path
) -> None:
    with pytest.raises(OutputError, match="--overwrite"):
        evaluate(model_folder, test_set, out=evaluated)
    assert evaluate(model_folder, test_set, out=evaluated, false_alarms=0.1).record["n"]["healthy"] == 12


def test_the_record_is_what_its_schema_says(evaluated: Path) -> None:
    schema = Path(__file__).parents[2] / "docs/reference/schemas/metrics-1.schema.json"
    jsonschema.validate(
        json.loads((evaluated / "metrics.json").read_text()), json.loads(schema.read_text(encoding="utf-8"))
    )


def test_a_mask_with_nothing_in_it_is_an_empty_one(model_folder: Path, test_set: Path, tmp_path: Path) -> None:
    shutil.copytree(test_set, tmp_path / "test")
    before = evaluate(model_folder, test_set, out=tmp_path / "before", false_alarms=0.1).record["pixel"]
    first = sorted((tmp_path / "test" / "masks").iterdir())[0]
    drawn = int((read(first).pixels > 0).sum())
    Image.fromarray(np.zeros_like(np.asarray(Image.open(first)))).save(first)
    done = evaluate(model_folder, tmp_path / "test", out=tmp_path / "out", false_alarms=0.1)
    (problem,) = done.problems
    assert problem.startswith(f"1 of 12 abnormal scans has an empty mask (abnormal/{first.stem}.dcm)")
    assert done.record["pixel"]["abnormal_pixels"] == before["abnormal_pixels"] - drawn
    assert done.record["pixel"]["images"] == 24


def test_columns_of_the_table_make_groups_and_unknown_ones_are_refused_at_once(
    model_folder: Path, test_set: Path, tmp_path: Path
) -> None:
    test = with_manifest(test_set, tmp_path / "test", scanner=lambda n, _: "AB"[n % 2], age=lambda n, _: f"{20 + n}")
    record = evaluate(
        model_folder, test, out=tmp_path / "out", false_alarms=0.1, by=("scanner", "age=30"), lesion_sizes=(20,)
    ).record
    assert {name: group["n"]["images"] for name, group in record["subgroups"]["scanner"].items()} == {"A": 12, "B": 12}
    assert list(record["subgroups"]["age"]) == ["below 30", "30 and above"]
    assert "false_alarms" in record["subgroups"]["scanner"]["A"]
    assert [band["to"] for band in record["lesions"]["by_size"]] == [20, None]
    with pytest.raises(SettingError, match="there are age, scanner"):
        evaluate(model_folder, test, out=tmp_path / "other", by=("site",))
    with pytest.raises(SettingError, match="column 'scanner': bands were given"):
        evaluate(model_folder, test, out=tmp_path / "other", by=("scanner=3",))


def test_what_a_method_rebuilds_is_told_as_information(
    phantoms: PhantomFolders, test_set: Path, tmp_path: Path
) -> None:
    settings = {"steps": 3, "side": 32}
    model = train(
        phantoms.healthy,
        profile="lung-ct",
        detector="autoencoder",
        detector_settings=settings,
        profile_settings={"size": [32, 32]},
        out=tmp_path / "model",
    )
    done = evaluate(model, test_set, out=tmp_path / "out", false_alarms=0.2)
    found = done.record["reconstruction"]
    assert "never a ranking" in found["note"]
    assert found["healthy"]["mse"]["low"] <= found["healthy"]["mse"]["value"] <= found["healthy"]["mse"]["high"]
    assert any(line.startswith("reconstruction (information") for line in done.lines())


def test_a_person_is_told_everything_in_lines(model_folder: Path, test_set: Path, tmp_path: Path) -> None:
    lines = "\n".join(evaluate(model_folder, test_set, out=tmp_path / "out", false_alarms=0.1).lines())
    for words in ("sensitivity at specificity 0.95", "pixel aupro", " in 24 cases): ", "p-values of 12"):
        assert words in lines


Column = Callable[[int, Path], str]


def rows_of(out: Path) -> list[dict[str, str]]:
    return csv_rows(out / "scores.csv")


def with_manifest(test_set: Path, folder: Path, **columns: Column) -> Path:
    """A copy of the test set with a manifest whose columns are computed from a scan's number and file."""
    shutil.copytree(test_set, folder)
    files = [path for name in ("abnormal", "healthy") for path in sorted((folder / name).iterdir())]
    lines = ["\t".join(["file", "label", "mask", *columns])]
    for number, path in enumerate(files):
        mask = folder / "masks" / f"{path.stem}.png"
        facts = [str(path.relative_to(folder)), path.parent.name, str(mask.relative_to(folder)) * mask.exists()]
        lines.append("\t".join(facts + [column(number, path) for column in columns.values()]))
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return folder


def pairs(number: int, path: Path) -> str:
    return f"study-{number // 2}"


@pytest.fixture(scope="module")
def paired_model(model_folder: Path) -> Model:
    """The model, calibrated on cases of several images."""
    model = load_model(model_folder)
    calibration = replace(model.healthy.calibration, unit="case")
    return replace(model, healthy=replace(model.healthy, calibration=calibration))


def test_the_scans_of_a_study_are_pooled_into_one_row_and_decided_as_in_examine(
    paired_model: Model, evaluated: Path, test_set: Path, tmp_path: Path
) -> None:
    test = with_manifest(test_set, tmp_path / "test", study=pairs, patient=pairs)
    done = evaluate(paired_model, test, out=tmp_path / "out", false_alarms=0.1)
    how, share = paired_model.profile.slice_pooling
    alone = [float(row["score"]) for row in rows_of(evaluated)]
    pooled = [pool_slices(np.array(alone[n : n + 2]), how=how, share=share) for n in range(0, len(alone), 2)]
    rows = rows_of(tmp_path / "out")
    assert [float(row["score"]) for row in rows] == pytest.approx(pooled, rel=1e-6)
    assert {row["scans"] for row in rows} == {"2"}
    assert done.record["n"]["images"] == 12
    assert done.record["operating_point"] is not None
    assert done.lines()[0] == "6 healthy and 6 abnormal cases, 24 scans in all"
    examined = examine(paired_model, test, out=tmp_path / "cases", false_alarms=0.1, formats=("json",))
    assert sorted(row["decision"] for row in rows) == sorted(r["verdict"]["decision"] for r in examined.records)


def test_pixels_are_counted_scan_by_scan_however_scans_make_cases(
    paired_model: Model, evaluated: Path, test_set: Path, tmp_path: Path
) -> None:
    test = with_manifest(test_set, tmp_path / "test", study=pairs, patient=pairs)
    pixel = evaluate(paired_model, test, out=tmp_path / "out", false_alarms=0.1).record["pixel"]
    alone = json.loads((evaluated / "metrics.json").read_text())["pixel"]
    assert pixel["images"] == alone["images"] == 24
    assert pixel["average_precision"]["value"] == alone["average_precision"]["value"]


def test_a_study_labelled_both_ways_is_abnormal_and_said_to_be(
    paired_model: Model, test_set: Path, tmp_path: Path
) -> None:
    mixed = with_manifest(test_set, tmp_path / "test", study=lambda n, _: f"study-{n % 12}", patient=lambda n, _: "p")
    done = evaluate(paired_model, mixed, out=tmp_path / "out")
    assert (done.record["n"]["healthy"], done.record["n"]["abnormal"]) == (0, 12)
    assert sum("labelled healthy and abnormal" in problem for problem in done.problems) == 12


@pytest.mark.parametrize("turn", ["mirrored", "swapped"])
def test_a_mask_stored_another_way_round_counts_where_it_lies(
    turn: str, model_folder: Path, evaluated: Path, test_set: Path, tmp_path: Path
) -> None:
    shutil.copytree(test_set, tmp_path / "test")
    redraw(tmp_path / "test", mirrored=turn == "mirrored", swapped=turn == "swapped")
    done = evaluate(model_folder, tmp_path / "test", out=tmp_path / "out", false_alarms=0.1)
    assert done.problems == ()
    assert done.record["pixel"] == json.loads((evaluated / "metrics.json").read_text())["pixel"]


def test_a_mask_that_lies_between_the_voxels_is_not_used_and_said_to_be(
    model_folder: Path, test_set: Path, tmp_path: Path
) -> None:
    shutil.copytree(test_set, tmp_path / "test")
    redraw(tmp_path / "test", moved_voxels=0.5)
    done = evaluate(model_folder, tmp_path / "test", out=tmp_path / "out", false_alarms=0.1)
    assert sum("mask not used" in problem and "mm from the scan" in problem for problem in done.problems) == 12
    assert done.record["pixel"]["images"] == 12


def redraw(test: Path, *, mirrored: bool = False, swapped: bool = False, moved_voxels: float = 0.0) -> None:
    """Store the masks as NIfTI with their position, perhaps with rows from the bottom up or as columns."""
    for path in sorted((test / "masks").iterdir()):
        affine = read(test / "abnormal" / f"{path.stem}.dcm").affine_lps
        assert affine is not None
        drawn, affine = np.asarray(Image.open(path)), affine.copy()
        affine[:3, 3] += moved_voxels * affine[:3, 1]
        if mirrored:
            drawn = drawn[::-1]
            affine[:, 3] += (len(drawn) - 1) * affine[:, 1]
            affine[:, 1] *= -1
        stored, ras = drawn.T, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine[:, [2, 1, 0, 3]]
        if swapped:
            stored, ras = drawn, ras[:, [1, 0, 2, 3]]
        path.unlink()
        nibabel.save(nibabel.Nifti1Image(stored[..., None].astype(np.uint8), ras), path.with_suffix(".nii.gz"))


def test_images_of_one_patient_do_not_narrow_the_interval_of_the_false_alarms(
    model_folder: Path, evaluated: Path, test_set: Path, tmp_path: Path
) -> None:
    test = with_manifest(
        test_set, tmp_path / "test", patient=lambda number, _: f"p{number // 4}", study=lambda n, _: f"{n}"
    )
    evaluate(model_folder, test, out=tmp_path / "out", false_alarms=0.1)
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())["about"]["false_alarms"]["realised"]
    alarms = sum(row["decision"] == "above" for row in rows_of(evaluated) if row["label"] == "healthy")
    assert found == pytest.approx(wilson(alarms, 12, patients=3))
    exact = binomtest(alarms, 12).proportion_ci()
    single = json.loads((evaluated / "metrics.json").read_text())["about"]["false_alarms"]["realised"]
    assert (single["low"], single["high"]) == (exact.low, exact.high)
    assert found["high"] - found["low"] > single["high"] - single["low"]


def test_the_folder_of_a_scan_is_written_only_where_it_cannot_be_a_patients_name(
    model_folder: Path, evaluated: Path, test_set: Path, tmp_path: Path
) -> None:
    assert {row["file"].split("/")[0] for row in rows_of(evaluated)} == {"healthy", "abnormal"}
    named = tmp_path / "healthy" / "SMITH_JOHN_0"
    shutil.copytree(test_set / "healthy", named)
    series = tmp_path / "healthy" / "DOE_JANE"
    series.mkdir()
    for number in range(2):
        write_slice(next(iter(sorted(named.iterdir()))), series / f"{number}.dcm", number)
    evaluate(model_folder, tmp_path / "healthy", out=tmp_path / "out")
    written = [row["file"] for row in rows_of(tmp_path / "out")]
    assert written[0] == "series-1"
    assert written[1:] == sorted(path.name for path in named.iterdir())


def write_slice(like: Path, path: Path, number: int) -> None:
    """A slice of another person's volume."""
    data = pydicom.dcmread(like)
    data.SOPInstanceUID, data.SeriesInstanceUID, data.StudyInstanceUID = f"1.2.3.{number + 1}", "1.2.4", "1.2.5"
    data.PatientID, data.InstanceNumber = "DOE", number + 1
    place = [float(value) for value in data.ImagePositionPatient]
    data.ImagePositionPatient = [place[0], place[1], place[2] + 5 * number]
    data.save_as(path)


def test_masks_that_contradict_the_labels_are_told_now_and_when_asked_again(
    model_folder: Path, test_set: Path, tmp_path: Path
) -> None:
    test = tmp_path / "test"
    shutil.copytree(test_set, test)
    ill, well = (sorted(path.stem for path in (test / label).iterdir()) for label in ("abnormal", "healthy"))
    (test / "masks" / f"{ill[0]}.png").rename(test / "masks" / f"{well[0]}.png")
    shutil.copy(test / "masks" / f"{ill[1]}.png", test / "masks" / "nobody.png")
    done = evaluate(model_folder, test, out=tmp_path / "out", false_alarms=0.1)
    assert done.record["about"]["masks"] == {
        "abnormal": 12,
        "healthy_drawn": 1,
        "abnormal_without": 1,
        "abnormal_empty": 0,
        "spare": 1,
    }
    told = "\n".join(done.problems)
    assert f"1 healthy scan has a mask with something drawn (healthy/{well[0]}.dcm)" in told
    assert "1 mask belongs to no scan (masks/nobody.png)" in told
    assert "1 of 12 abnormal scans has no mask and is left out" in told
    assert f"(abnormal/{ill[0]}.dcm)" in told
    assert len(evaluate(model_folder, test, out=tmp_path / "out", false_alarms=0.1).problems) == 3


def test_a_figure_by_patient_says_of_how_many_and_has_no_interval_where_they_are_few(
    model_folder: Path, test_set: Path, tmp_path: Path
) -> None:
    test = with_manifest(test_set, tmp_path / "test", patient=lambda n, _: f"p{n // 4}", study=lambda n, _: f"{n}")
    done = evaluate(model_folder, test, out=tmp_path / "out", false_alarms=0.1)
    found = done.record["patient"]
    assert found["n"] == {"healthy": 3, "abnormal": 3}
    assert found["auroc"]["low"] is found["sensitivity_at"]["0.95"]["low"] is None
    (said,) = [line for line in done.lines() if line.startswith("patient auroc")]
    assert said.endswith("; too few patients for an interval: 3 healthy, 3 abnormal")
    assert not any("healthy and abnormal cases" in line for line in done.lines())


def test_a_patient_with_healthy_and_abnormal_slices_is_said_to_count_as_abnormal(
    model_folder: Path, test_set: Path, tmp_path: Path
) -> None:
    test = with_manifest(
        test_set, tmp_path / "test", patient=lambda n, _: "p0" if n in (0, 23) else f"p{n}", study=lambda n, _: f"{n}"
    )
    done = evaluate(model_folder, test, out=tmp_path / "out", false_alarms=0.1)
    assert done.record["patient"]["with_both"] == 1
    assert done.record["patient"]["n"] == {"healthy": 11, "abnormal": 12}
    at = next(place for place, line in enumerate(done.lines()) if line.startswith("patient auroc"))
    assert done.lines()[at + 1 : at + 3] == [
        "  of 11 healthy and 12 abnormal patients; each counts by the strangest of its cases",
        "  1 patient has healthy and abnormal cases, and counts as abnormal, by the strangest of them all",
    ]


def test_few_healthy_p_values_are_not_said_to_keep_their_promise(evaluated: Path) -> None:
    record = json.loads((evaluated / "metrics.json").read_text())
    assert record["reliability"]["uniform"]["p_value"] > 0.05
    (line,) = [one for one in Evaluation(evaluated, record, ()).lines() if one.startswith("p-values of 12")]
    assert "too few to tell" in line
    record["reliability"]["patients"] = 20
    assert any("nothing speaks against" in one for one in Evaluation(evaluated, record, ()).lines())


def test_a_damaged_scan_is_named_without_its_folders_and_counted_as_left_out(
    model_folder: Path, test_set: Path, tmp_path: Path
) -> None:
    shutil.copytree(test_set, tmp_path / "DOE_JANE" / "test")
    broken = sorted((tmp_path / "DOE_JANE" / "test" / "healthy").iterdir())[0]
    data = pydicom.dcmread(broken)
    data.PixelData = data.PixelData[: len(data.PixelData) // 4 * 2]
    data.save_as(broken)
    done = evaluate(model_folder, tmp_path / "DOE_JANE" / "test", out=tmp_path / "out", false_alarms=0.1)
    (problem,) = done.problems
    assert problem.startswith(f"healthy/{broken.name}: ")
    assert "DOE" not in problem
    assert done.record["about"]["left_out"] == {"healthy": 1, "abnormal": 0}
