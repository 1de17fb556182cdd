"""Plots are written, readable as pictures, and refuse what cannot be drawn."""

import numpy as np
import pytest
from PIL import Image

from halescan.errors import OutputError, SettingError, ShapeError
from halescan.reporting.plots import (
    _edges,
    _running_counts,
    froc_plot,
    pr_plot,
    reliability_plot,
    roc_plot,
    score_histogram,
)

LABELS = np.arange(40) % 2 == 0
SCORES = np.random.default_rng(0).normal(size=40) + LABELS
AUROC = {"value": 0.8, "low": 0.7, "high": 0.9}


@pytest.mark.parametrize("plot", [roc_plot, pr_plot, score_histogram])
def test_a_plot_is_a_png_900_pixels_wide(plot, tmp_path) -> None:
    plot(LABELS, SCORES, tmp_path / "plot.png", title="phantoms $x_1 & 5 %")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.format == "PNG"
        assert picture.width == 900
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_the_same_scores_draw_the_same_picture(tmp_path) -> None:
    for name in ("a.png", "b.png"):
        roc_plot(LABELS, SCORES, tmp_path / name, auroc=AUROC)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_threshold_and_the_operating_point_are_drawn(tmp_path) -> None:
    point = {"sensitivity": {"value": 0.5}, "specificity": {"value": 0.9}}
    withheld = {"sensitivity": {"value": None}, "specificity": {"value": 0.9}}
    roc_plot(LABELS, SCORES, tmp_path / "with.png", point=point)
    roc_plot(LABELS, SCORES, tmp_path / "without.png", point=withheld)
    assert _share_of(tmp_path / "with.png", (213, 94, 0)) > 2 * _share_of(tmp_path / "without.png", (213, 94, 0))
    score_histogram(LABELS, SCORES, tmp_path / "line.png", threshold=0.5)
    score_histogram(LABELS, SCORES, tmp_path / "no-line.png")
    assert (tmp_path / "line.png").read_bytes() != (tmp_path / "no-line.png").read_bytes()


def test_one_class_alone_makes_a_histogram_but_no_curve(tmp_path) -> None:
    score_histogram(np.zeros(5), np.arange(5.0), tmp_path / "a.png", auroc={"value": None})
    assert (tmp_path / "a.png").stat().st_size > 1000
    for plot in (roc_plot, pr_plot):
        with pytest.raises(SettingError, match="one class only"):
            plot(np.zeros(5), np.arange(5.0), tmp_path / "b.png")


def test_ties_are_one_step_of_the_curve() -> None:
    hits, alarms = _running_counts(np.array([True, False, True]), np.array([1.0, 1.0, 0.0]))
    assert hits.tolist() == [1, 2]
    assert alarms.tolist() == [1, 1]


@pytest.mark.parametrize("threshold", [None, 50.0, -3.0, np.inf])
def test_bins_hold_every_score_and_the_threshold(threshold) -> None:
    for values in (SCORES, np.full(3, 2.0), np.zeros(1)):
        edges = _edges(values, threshold)
        assert np.histogram(values, edges)[0].sum() == len(values)
        assert np.all(np.diff(edges) > 0)


@pytest.mark.parametrize(
    ("labels", "scores", "error"),
    [([0, 1], [0.0], ShapeError), ([0, 1], [0.0, np.nan], SettingError), ([], [], SettingError)],
)
def test_what_cannot_be_drawn_is_refused(labels, scores, error: type, tmp_path) -> None:
    with pytest.raises(error):
        score_histogram(labels, scores, tmp_path / "a.png")


def test_a_folder_that_is_not_there_is_our_own_error(tmp_path) -> None:
    with pytest.raises(OutputError, match="cannot write the plot"):
        roc_plot(LABELS, SCORES, tmp_path / "none" / "a.png")


def _share_of(path, colour: tuple[int, int, int]) -> float:
    with Image.open(path) as picture:
        return float((np.asarray(picture.convert("RGB")) == colour).all(axis=-1).mean()) + 1e-6


def _reliability(units: int | None) -> dict:
    asked = [0.25, 0.5, 0.75, 1.0]
    curve = {"asked": asked, "realised": [0.3, 0.4, 0.9, 1.0], "low": [0, 0.1, 0.4, 1.0], "high": [0.6, 0.9, 1.0, 1.0]}
    return {"patients": 9, "units": units, "unit": "patient", "uniform": {"p_value": 0.4}, "curve": curve}


def _froc(low: float | None = 0.1) -> dict:
    figures = {rate: {"value": 0.5, "low": low, "high": 0.8} for rate in ("0.125", "0.25", "0.5", "1", "2", "4", "8")}
    curve = {"false_findings_per_case": [0.0, 0.5, 1.5], "sensitivity": [0.0, 0.4, 0.5]}
    found = {"curve": curve, "sensitivity_at": figures, "froc_score": {"value": 0.4}, "lesions": 5, "cases": 8}
    return {**found, "by_peak": found}


@pytest.mark.parametrize("units", [None, 3])
def test_p_values_are_drawn_with_what_chance_leaves(units: int | None, tmp_path) -> None:
    reliability_plot(_reliability(units), tmp_path / "plot.png", title="phantoms")
    assert _share_of(tmp_path / "plot.png", (0, 114, 178)) > 0
    with pytest.raises(SettingError, match="no healthy case"):
        reliability_plot({**_reliability(units), "curve": None}, tmp_path / "none.png")


@pytest.mark.parametrize("low", [None, 0.1])
def test_lesions_found_are_drawn_by_both_rules(low: float | None, tmp_path) -> None:
    froc_plot(_froc(low), tmp_path / "plot.png")
    assert _share_of(tmp_path / "plot.png", (213, 94, 0)) > 0
    with pytest.raises(SettingError, match="no lesion"):
        froc_plot({**_froc(), "curve": None}, tmp_path / "none.png")
