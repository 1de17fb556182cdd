"""Evaluation: figures with intervals, beside the trivial baselines."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score

from halescan.errors import OutputError, TableError
from halescan.workflows.evaluate import evaluate


@pytest.fixture(scope="module")
def evaluated(model_folder: Path, test_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluated") / "out"
    evaluate(model_folder, test_set, out=out, false_alarms=0.1)
    return out


def test_the_auroc_is_that_of_the_scores_it_writes(evaluated: Path) -> None:
    rows = list(csv.DictReader((evaluated / "scores.csv").read_text().splitlines()))
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
    for name in ("roc.png", "pr.png", "scores.png"):
        assert (evaluated / name).read_bytes().startswith(b"\x89PNG")


def test_planted_lesions_are_told_from_healthy_phantoms(evaluated: Path) -> None:
    assert json.loads((evaluated / "metrics.json").read_text())["image"]["auroc"]["value"] > 0.6


def test_scans_without_labels_are_refused_with_the_way_out(model_folder: Path, test_set: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    shutil.copy(next((test_set / "healthy").iterdir()), tmp_path / "plain")
    with pytest.raises(TableError, match="healthy/ and abnormal/"):
        evaluate(model_folder, tmp_path / "plain", out=tmp_path / "out")


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
