"""What an evaluation says to a person."""

from pathlib import Path
from typing import Any

from halescan.workflows.evaluation import Evaluation, _baseline_lines, _counted, _decision_lines


def near(*names: str) -> Evaluation:
    told = [{"statistic": name, "auroc": 0.8, "model_auroc": 0.7, "sentence": "..."} for name in names]
    return Evaluation(Path("out"), {"leaks": told, "about": {}}, ())


def test_however_many_statistics_come_near_the_model_it_warns_in_one_sentence() -> None:
    assert near().warnings == ()
    (one,) = near("contrast").warnings
    assert one.startswith("contrast alone reaches an AUROC of 0.80, above the model's 0.70")
    (several,) = near("contrast", "sharpness", "file-size").warnings
    assert "(contrast 0.80, sharpness 0.80, file-size 0.80)" in several


def test_trivial_statistics_have_headings_and_a_dash_where_there_is_no_figure() -> None:
    figure = {"value": 0.6, "low": None, "high": None}
    record: dict[str, Any] = {"baselines": {"contrast": {"auroc_either_direction": figure}}}
    _, caption, heads, row = _baseline_lines(record)
    assert "as the profile prepares them" in caption
    assert heads.split("  ")[-1].strip() == "larger or smaller, chosen with the labels"
    assert row.split() == ["contrast", "–", "0.600"]


def test_one_abnormal_scan_is_one_scan() -> None:
    assert _counted({"n": {"images": 2, "abnormal": 1}, "about": {}}) == "scan"
    assert _counted({"n": {"images": 3, "abnormal": 2}, "about": {}}) == "scans"


def test_a_tiny_rate_is_said_as_it_was_asked() -> None:
    about = {"false_alarms": {"asked": 1e-9, "units": 165, "unit": "patient"}}
    (line,) = _decision_lines({"about": about, "operating_point": None})
    assert line == "no decision at 0.0000001\u202f% false alarms: too few healthy patients (165)"
