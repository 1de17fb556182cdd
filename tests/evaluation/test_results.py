"""The record of metrics.json: valid by its schema, free of NaN, in Python's own types."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from halescan.evaluation.baselines import baseline_metrics
from halescan.evaluation.confusion import operating_point
from halescan.evaluation.metrics import count_cases, image_metrics, pixel_metrics
from halescan.evaluation.results import metrics_record, plain

SCHEMA = Path(__file__).parents[2] / "docs/reference/schemas/metrics-1.schema.json"


def _record(labels: np.ndarray, **more) -> dict:
    scores = np.random.default_rng(0).normal(size=len(labels)) + labels
    pairs = [(np.full((4, 4), score), np.eye(4) * label) for score, label in zip(scores, labels, strict=True)]
    return metrics_record(
        image=image_metrics(labels, scores, draws=100),
        pixel=pixel_metrics(pairs, threshold=0.5, draws=100),
        patient={**image_metrics(labels, scores, draws=100), "n": {"healthy": 12, "abnormal": 11}},
        operating_point=operating_point(labels, scores > 0.5, draws=100),
        baselines=baseline_metrics(labels, {"contrast": scores}, values={"contrast": scores}, draws=100),
        n=count_cases(labels, groups=range(len(labels))),
        **more,
    )


@pytest.mark.parametrize("labels", [np.arange(12) % 2, np.zeros(4, int), np.ones(4, int), np.zeros(0, int)])
def test_the_record_is_valid_whatever_the_cases(labels: np.ndarray) -> None:
    record = json.loads(json.dumps(_record(labels), allow_nan=False))
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))


def test_a_method_without_maps_or_decision_has_null_there() -> None:
    record = metrics_record(image=image_metrics([0, 1], [0, 1], draws=100), n=count_cases([0, 1]))
    assert record["pixel"] is record["patient"] is record["operating_point"] is None
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))


def test_a_record_that_lacks_a_figure_is_not_valid() -> None:
    record = _record(np.arange(12) % 2)
    del record["image"]["auroc"]["low"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, json.loads(SCHEMA.read_text()))


def test_time_is_utc_and_can_be_given() -> None:
    assert _record(np.arange(4) % 2, created_utc="2026-01-01T00:00:00Z")["created_utc"] == "2026-01-01T00:00:00Z"
    assert _record(np.arange(4) % 2)["created_utc"].endswith("Z")


def test_plain_leaves_nothing_that_json_cannot_hold() -> None:
    found = plain({1: np.float32("nan"), "a": np.array([1.5, np.inf]), "b": (np.int64(2), Path("x")), "c": np.True_})
    assert found == {"1": None, "a": [1.5, None], "b": [2, "x"], "c": True}
    assert type(found["b"][0]) is int
