"""Scores and maps of another program: the same figures, without a model."""

import csv
import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from openpyxl import Workbook
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, roc_auc_score

from halescan.errors import SettingError, TableError
from halescan.evaluation.pixels import pixel_metrics
from halescan.io import read
from halescan.workflows.evaluate import evaluate
from halescan.workflows.score_files import evaluate_scores
from tests.workflows.csv_rows import csv_rows

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten healthy and ten abnormal grey pictures with masks, and a table with sex and age."""
    root = tmp_path_factory.mktemp("pictures")
    for folder in ("healthy", "abnormal", "masks"):
        (root / folder).mkdir()
    lines = ["file,label,patient,sex,age,mask"]
    for number in range(20):
        label = "abnormal" if number >= 10 else "healthy"
        save(root / label / f"{number:02d}.png", RANDOM.integers(0, 255, (24, 32)))
        mask = np.zeros((24, 32), bool)
        mask[4:10, 5 : 9 + number % 5] = True
        if label == "abnormal":
            save(root / "masks" / f"{number:02d}.png", 255 * mask)
        drawn = f"masks/{number:02d}.png" if label == "abnormal" else ""
        lines.append(f"{label}/{number:02d}.png,{label},p{number},{'FM'[number % 2]},{20 + 3 * number},{drawn}")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    return root


def save(path: Path, values: np.ndarray) -> None:
    Image.fromarray(values.astype(np.uint8)).save(path)


def scores(folder: Path, *, extra: dict[str, list[str]] | None = None, drop: int = 0) -> Path:
    path = folder / "theirs.csv"
    values = np.round(np.random.default_rng(1).normal(size=20) + (np.arange(20) >= 10), 2)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "score", *(extra or {})])
        for number in range(drop, 20):
            kind = "abnormal" if number >= 10 else "healthy"
            more = [column[number] for column in (extra or {}).values()]
            writer.writerow([f"{kind}/{number:02d}.png", values[number], *more])
    return path


def values_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = csv_rows(path)
    return np.array([row["file"].startswith("abnormal") for row in rows]), np.array([float(r["score"]) for r in rows])


def maps(folder: Path, pictures: Path, *, kind: str = ".npy", shape: tuple[int, int] = (24, 32)) -> Path:
    """A map a picture: noise, and warmth on the lesions."""
    random = np.random.default_rng(2)
    for number in range(20):
        label = "abnormal" if number >= 10 else "healthy"
        strangeness = random.random(shape)
        if number >= 10 and shape == (24, 32):
            strangeness += 0.6 * (read(pictures / "masks" / f"{number:02d}.png").pixels > 0)
        path = folder / label / f"{number:02d}{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == ".npy":
            np.save(path, strangeness.astype(np.float32))
        elif kind == ".nii.gz":
            nibabel.save(nibabel.Nifti1Image(strangeness.T[..., None].astype(np.float32), np.eye(4)), path)
        else:
            save(path, strangeness * 100)
    return folder


def test_scores_of_a_table_have_the_figures_of_scikit_learn(pictures: Path, tmp_path: Path) -> None:
    path = scores(tmp_path)
    record = evaluate_scores(path, pictures, out=tmp_path / "out").record
    labels, values = values_of(path)
    assert record["image"]["auroc"]["value"] == pytest.approx(roc_auc_score(labels, values), abs=1e-9)
    average = record["image"]["average_precision"]["value"]
    assert average == pytest.approx(average_precision_score(labels, values), abs=1e-9)
    assert record["operating_point"] is None
    assert record["about"]["false_alarms"]["realised"] is None
    assert record["pixel"] is record["lesions"] is record["reliability"] is None
    assert "brightness" in record["baselines"]
    assert (tmp_path / "out" / "roc.png").stat().st_size > 1000


def test_the_order_of_the_rows_does_not_matter(pictures: Path, tmp_path: Path) -> None:
    path = scores(tmp_path)
    first = evaluate_scores(path, pictures, out=tmp_path / "a").record
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *reversed(rows)]) + "\n")
    assert evaluate_scores(path, pictures, out=tmp_path / "b").record["image"] == first["image"]


def test_a_threshold_makes_an_operating_point(pictures: Path, tmp_path: Path) -> None:
    path = scores(tmp_path)
    record = evaluate_scores(path, pictures, out=tmp_path / "out", threshold=0.5).record
    labels, values = values_of(path)
    assert record["operating_point"]["sensitivity"]["value"] == pytest.approx((values[labels] > 0.5).mean())
    found = record["about"]["false_alarms"]["realised"]
    exact = binomtest(int((values[~labels] > 0.5).sum()), 10).proportion_ci()
    assert (found["low"], found["high"]) == (exact.low, exact.high)


def test_p_values_are_checked_and_decide(pictures: Path, tmp_path: Path) -> None:
    p_values = [f"{(number + 1) / 11:.4f}" if number < 10 else "0.0909" for number in range(20)]
    path = scores(tmp_path, extra={"p_value": p_values})
    record = evaluate_scores(path, pictures, out=tmp_path / "out", false_alarms=0.1).record
    assert record["reliability"]["healthy"] == 10
    assert record["reliability"]["uniform"]["p_value"] > 0.5
    assert record["operating_point"]["counts"] == {"hits": 10, "misses": 0, "false_alarms": 1, "passes": 9}
    assert (tmp_path / "out" / "reliability.png").stat().st_size > 1000


def test_a_column_of_decisions_is_taken(pictures: Path, tmp_path: Path) -> None:
    said = ["above" if number in (3, 12, 13) else "not-above" for number in range(20)]
    path = scores(tmp_path, extra={"decision": said})
    counts = evaluate_scores(path, pictures, out=tmp_path / "out").record["operating_point"]["counts"]
    assert counts == {"hits": 2, "misses": 8, "false_alarms": 1, "passes": 9}


@pytest.mark.parametrize("kind", [".npy", ".nii.gz", ".png"])
def test_maps_are_counted_and_their_largest_value_is_the_score(kind: str, pictures: Path, tmp_path: Path) -> None:
    folder = maps(tmp_path / "maps", pictures, kind=kind)
    done = evaluate_scores(folder, pictures, out=tmp_path / "out", map_threshold=100.0 if kind == ".png" else 1.0)
    assert done.problems == ()
    pairs = []
    for path in sorted(folder.rglob(f"*{kind}")):
        mask = np.zeros((24, 32), bool)
        if path.parent.name == "abnormal":
            mask = read(pictures / "masks" / path.name.replace(kind, ".png")).pixels > 0
        values = read(path).pixels
        pairs.append((values[0] if values.ndim == 3 else values, mask))
    expected = pixel_metrics(pairs, draws=100)
    for name in ("average_precision", "auroc", "aupro"):
        assert done.record["pixel"][name]["value"] == pytest.approx(expected[name]["value"], abs=1e-9)
    assert done.record["pixel"]["dice"]["value"] > 0
    assert done.record["lesions"]["lesions"] == 10
    rows = csv_rows(tmp_path / "out" / "scores.csv")
    largest = {path.name.partition(".")[0]: float(read(path).pixels.max()) for path in folder.rglob(f"*{kind}")}
    for row in rows:
        assert float(row["score"]) == pytest.approx(largest[Path(row["file"]).stem], rel=1e-6)
    assert (tmp_path / "out" / "froc.png").stat().st_size > 1000


def test_scores_beside_the_maps_are_the_scores(pictures: Path, tmp_path: Path) -> None:
    folder = maps(tmp_path / "maps", pictures)
    shutil.copy(scores(tmp_path), folder / "scores.csv")
    record = evaluate_scores(folder, pictures, out=tmp_path / "out").record
    labels, values = values_of(folder / "scores.csv")
    assert record["image"]["auroc"]["value"] == pytest.approx(roc_auc_score(labels, values), abs=1e-9)
    assert record["pixel"]["images"] == 20
    assert "dice" not in record["pixel"]
    assert record["lesions"] is None


def test_a_map_of_another_size_is_stretched_over_its_picture_and_counted(pictures: Path, tmp_path: Path) -> None:
    record = evaluate_scores(maps(tmp_path / "maps", pictures, shape=(12, 16)), pictures, out=tmp_path / "out").record
    assert record["about"]["maps_stretched"] == 20
    assert record["pixel"]["pixels"] == 20 * 24 * 32


def test_a_map_that_is_the_same_everywhere_is_an_answer(pictures: Path, tmp_path: Path) -> None:
    folder = maps(tmp_path / "maps", pictures)
    np.save(folder / "healthy" / "00.npy", np.zeros((24, 32), np.float32))
    done = evaluate_scores(folder, pictures, out=tmp_path / "out")
    assert done.problems == ()
    assert done.record["pixel"]["images"] == 20


def test_a_heat_map_in_colours_is_no_map(pictures: Path, tmp_path: Path) -> None:
    folder = maps(tmp_path / "maps", pictures, kind=".png")
    Image.fromarray(RANDOM.integers(0, 255, (24, 32, 3)).astype(np.uint8)).save(folder / "healthy" / "00.png")
    done = evaluate_scores(folder, pictures, out=tmp_path / "out")
    assert "picture in colours" in done.problems[0]
    assert done.record["pixel"]["images"] == 19


def test_scans_without_a_score_are_left_out_aloud(pictures: Path, tmp_path: Path) -> None:
    done = evaluate_scores(scores(tmp_path, drop=4), pictures, out=tmp_path / "out")
    assert "4 of 20 labelled scans have no score" in done.problems[0]
    assert done.record["about"]["left_out"] == {"healthy": 4, "abnormal": 0}
    assert done.record["n"]["healthy"] == 6


def test_names_of_no_scan_are_told(pictures: Path, tmp_path: Path) -> None:
    path = scores(tmp_path)
    path.write_text(path.read_text() + "healthy/99.png,1\n")
    done = evaluate_scores(path, pictures, out=tmp_path / "out")
    assert done.problems == ("theirs.csv: 1 name is of no labelled scan, and left out: line 22",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file,value\na,1\n", "expected 'file' and 'score'"),
        ("file,score\n", "no rows"),
        ("", "no rows"),
        ("file,score\nhealthy/00.png,high\n", "line 2: score is 'high'"),
        ("file,score\nhealthy/00.png,nan\n", "finite"),
        ("file,score,p_value\nhealthy/00.png,1,0\n", "p_value is 0"),
        ("file,score\nnobody.png,1\n", "none of its 1 names"),
        ("file,score,decision\nhealthy/00.png,1,yes\n", "line 2: decision is 'yes', expected above or not-above"),
        ('file,score\nhealthy/00.png,"1,234"\n', "line 2: score is '1,234'"),
        ("file;score\nhealthy/00.png;33,7\n\nhealthy/01.png;1.234\n", "line 2 .* '33,7', line 4 the score '1.234'"),
        ("file,score\nhealthy/00.png,1\n\nhealthy/00.png,2\n", "line 2 and line 4 mean the same scan"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_its_fault(
    text: str, why: str, pictures: Path, tmp_path: Path
) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text(text)
    with pytest.raises(TableError, match=why):
        evaluate_scores(path, pictures, out=tmp_path / "out")


def test_what_is_neither_table_nor_folder_of_maps_is_refused(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read"):
        evaluate_scores(tmp_path / "none.csv", pictures, out=tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TableError, match="holds no map"):
        evaluate_scores(tmp_path / "empty", pictures, out=tmp_path / "out")
    with pytest.raises(SettingError, match="finite"):
        evaluate_scores(scores(tmp_path), pictures, out=tmp_path / "out", threshold=np.nan)


def test_groups_come_from_any_column_of_the_table(pictures: Path, tmp_path: Path) -> None:
    record = evaluate_scores(
        scores(tmp_path), pictures, out=tmp_path / "out", by=("sex", "age=30,50"), threshold=0.5
    ).record
    assert {name: group["n"]["images"] for name, group in record["subgroups"]["sex"].items()} == {"F": 10, "M": 10}
    assert list(record["subgroups"]["age"]) == ["below 30", "30 to below 50", "50 and above"]
    assert "false_alarms" in record["subgroups"]["sex"]["F"]
    with pytest.raises(SettingError, match="no scan has a column 'scanner'; there are age, sex"):
        evaluate_scores(scores(tmp_path), pictures, out=tmp_path / "other", by=("scanner",))


def test_a_statistic_as_good_as_the_scores_is_a_warning(pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    rows = ["file,score"]
    for kind in ("healthy", "abnormal"):
        (tmp_path / "test" / kind).mkdir(parents=True)
        for picture in sorted((pictures / kind).iterdir()):
            brighter = read(picture).pixels * 0.9 + (20 if kind == "abnormal" else 0)
            save(tmp_path / "test" / kind / picture.name, brighter)
            rows.append(f"{kind}/{picture.name},{brighter.mean()}")
    path.write_text("\n".join(rows) + "\n")
    done = evaluate_scores(path, tmp_path / "test", out=tmp_path / "out")
    assert any(warning.startswith("brightness alone reaches") for warning in done.warnings)


def test_our_own_scores_give_our_own_figures(model_folder: Path, test_set: Path, tmp_path: Path) -> None:
    ours = evaluate(model_folder, test_set, out=tmp_path / "ours", false_alarms=0.1).record
    again = evaluate_scores(tmp_path / "ours" / "scores.csv", test_set, out=tmp_path / "again", false_alarms=0.1)
    for key in ("image", "sensitivity_at", "n", "patient"):
        assert again.record[key] == ours[key]
    assert again.record["operating_point"]["counts"] == ours["operating_point"]["counts"]
    assert again.record["reliability"]["rates"][3]["realised"] == ours["reliability"]["rates"][3]["realised"]


def test_the_same_request_is_not_done_twice(pictures: Path, tmp_path: Path) -> None:
    path = scores(tmp_path)
    evaluate_scores(path, pictures, out=tmp_path / "out")
    written = (tmp_path / "out" / "metrics.json").stat().st_mtime_ns
    evaluate_scores(path, pictures, out=tmp_path / "out")
    assert (tmp_path / "out" / "metrics.json").stat().st_mtime_ns == written
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["about"]["scores_from"] == "theirs.csv"


def test_names_in_a_table_which_may_be_patients_are_never_repeated(pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("file,score\nMueller Jean 1950/00.png,1\nMueller Jean 1950/SECRET.png,1\n")
    with pytest.raises(TableError, match=r"none of its 2 names \(lines 2, 3\)") as caught:
        evaluate_scores(path, pictures, out=tmp_path / "out")
    assert "Mueller" not in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_decimal_commas_between_semicolons_and_spreadsheets_are_read(pictures: Path, tmp_path: Path) -> None:
    path = scores(tmp_path)
    expected = evaluate_scores(path, pictures, out=tmp_path / "a").record["image"]
    text = path.read_text().replace(",", ";").replace(".", ",").replace(",png", ".png")
    (tmp_path / "german.csv").write_text(text)
    assert evaluate_scores(tmp_path / "german.csv", pictures, out=tmp_path / "b").record["image"] == expected
    book = Workbook()
    for row in csv.reader(path.read_text().splitlines()):
        book.active.append([row[0], row[1] if row[1] == "score" else float(row[1])])
    book.save(tmp_path / "theirs.xlsx")
    assert evaluate_scores(tmp_path / "theirs.xlsx", pictures, out=tmp_path / "c").record["image"] == expected


def test_a_threshold_is_no_asked_rate_of_false_alarms(pictures: Path, tmp_path: Path) -> None:
    done = evaluate_scores(scores(tmp_path), pictures, out=tmp_path / "out", threshold=0.5)
    assert done.record["about"]["false_alarms"]["asked"] is None
    (line,) = [one for one in done.lines() if one.startswith("at the threshold 0.5: false alarms ")]
    assert ", sensitivity " in line
    said = scores(tmp_path, extra={"decision": ["above"] * 20})
    done = evaluate_scores(said, pictures, out=tmp_path / "said")
    assert done.record["about"]["false_alarms"]["asked"] is None
    assert any(one.startswith("by the decisions that came with the scores") for one in done.lines())


def test_maps_with_holes_and_stretched_ones_are_told_to_the_person(pictures: Path, tmp_path: Path) -> None:
    folder = maps(tmp_path / "maps", pictures)
    holed = np.load(folder / "healthy" / "00.npy")
    holed[:, 0] = np.nan
    np.save(folder / "healthy" / "00.npy", holed)
    np.save(folder / "healthy" / "01.npy", np.load(folder / "healthy" / "01.npy")[::2, ::2])
    done = evaluate_scores(folder, pictures, out=tmp_path / "out")
    assert (done.record["about"]["maps_mended"], done.record["about"]["maps_stretched"]) == (1, 1)
    assert sum(line.startswith("note: 1 of 20 maps h") for line in done.lines()) == 2
    assert done.problems == ()


@pytest.mark.parametrize(("shape", "kind", "why"), [
    ((24, 32, 5), ".npy", "its shape"),
    ((12, 16), ".nii.gz", "a file with a position is never stretched"),
])  # fmt: skip
def test_a_constant_map_must_fit_its_scan_as_any_other(
    shape: tuple[int, ...], kind: str, why: str, pictures: Path, tmp_path: Path
) -> None:
    folder = maps(tmp_path / "maps", pictures)
    (folder / "abnormal" / "10.npy").unlink()
    path = folder / "abnormal" / f"10{kind}"
    flat = np.ones(shape, np.float32)
    if kind == ".npy":
        np.save(path, flat)
    else:
        nibabel.save(nibabel.Nifti1Image(flat.T[..., None], np.eye(4)), path)
    done = evaluate_scores(folder, pictures, out=tmp_path / "out")
    assert done.problems[0].startswith(
        f"abnormal/10.png: map not used: {why}" if kind == ".npy" else "abnormal/10.png: "
    )
    assert why in done.problems[0]
    assert done.record["about"]["left_out"] == {"healthy": 0, "abnormal": 1}
    assert done.record["n"]["abnormal"] == 9


def test_scores_that_are_all_equal_are_said_to_be_in_one_warning(pictures: Path, tmp_path: Path) -> None:
    folder = maps(tmp_path / "maps", pictures)
    for path in folder.rglob("*.npy"):
        values = np.load(path)
        np.save(path, values / values.max())
    done = evaluate_scores(folder, pictures, out=tmp_path / "out")
    (warning,) = done.warnings
    assert warning.startswith("all 20 scores are equal")
    assert "scores.csv beside them" in warning
