"""The pages of `halescan patients`, from a made-up record."""

import re
from typing import Any

import pytest

from halescan.reporting.patients_page import figure, p_words, render_patient_page, render_patients_page

FIGURE = {"value": 0.9, "low": 0.8, "high": 0.95}
NOTHING = {"value": None, "low": None, "high": None, "why": "no such case"}
DECISIONS = {
    **dict.fromkeys(("recall", "f1", "specificity", "negative_precision", "negative_f1", "accuracy"), FIGURE),
    "precision": NOTHING,
    "counts": {"hits": 3, "misses": 1, "false_alarms": 2, "passes": 14},
}
RANKED = {"auroc": FIGURE, "average_precision": FIGURE}
SAID = {
    "score": 0.4,
    "positive_share": 0.4,
    "p_value": 0.05,
    "p_value_is_bound": True,
    "positive": True,
    "answer": "LOW",
}


def record(*, methods: tuple[str, ...] = ("detector", "classifier", "fusion"), **changes: Any) -> dict[str, Any]:
    cut = {"used": 0.25, "folds": [0.2, None, 0.3], "how": "corner"}
    level = {"order": ["NEG", "LOW", "HIGH"], "table": [[5, 0, 0], [1, 2, 0], [0, 1, 4]]}
    figures = {
        "patch": {**RANKED, "decisions": DECISIONS, "n": {"abnormal": 4, "healthy": 16, "patients": 5}}
        | {"with_negative_patients": RANKED},
        "patient": {**RANKED, "decisions": DECISIONS, "n": {"positive": 4, "negative": 16}}
        | {"levels": {**level, "accuracy": 0.85, "quadratic_kappa": None}},
        "cuts": {"patch": [cut, cut], "patient": [cut, cut], "level": [cut, cut], "negative_units": [8, 8]},
    }
    about = {
        "version": "0.1.0", "profile": "histology", "folds": 2, "made_up": "", "notes": [], "detector": "patchcore",
        "detector_settings": {}, "classifier": "frozen-head", "classifier_settings": {}, "seed": 0, "layout": "table",
        "fingerprint": "0" * 64, "command": "", "pooling_words": "the share of patches above the cut",
    }  # fmt: skip
    person = {"case": "case-0123456789ab", "diagnosis": "LOW", "fold": 1, "patches": 5}
    return {
        "created_utc": "2026-01-31T08:30:00Z",
        "about": {**about, **changes},
        "n": {
            "patients": 20, "negative": 16, "positive": 4, "without_diagnosis": 1, "patches": 90, "augmented_copies": 8,
            "labelled_abnormal": 4, "labelled_healthy": 16, "healthy_by_diagnosis": 3, "low": 2, "high": 2,
        },
        "remarks": ["3 patients <b>without</b> images"],
        "methods": dict.fromkeys(methods, figures),
        "baselines": {"red-count": figures},
        "patients": [{**person, "methods": dict.fromkeys(methods, SAID)}],
    }  # fmt: skip


CURVES = {"patch": {"detector": [(0.0, 0.0), (0.1, 0.8), (1.0, 1.0)]}, "patient": {}}


def test_the_page_tells_figures_cuts_and_patients() -> None:
    page = render_patients_page(record(), curves=CURVES, lead="fusion")
    assert "0.800–0.950" in page
    assert "0.25, the median of 0.2, –, 0.3" in page
    assert 'href="patients/case-0123456789ab.html"' in page
    assert "≤ 0.05" in page
    assert page.count("says HIGH") == 4


def test_the_trivial_baseline_stands_beside_the_methods_wherever_figures_do() -> None:
    page = render_patients_page(record(), curves=CURVES, lead="fusion")
    assert page.count("red-count (nothing learned) 0.900") == 2  # the headlines
    assert page.count("red-count (nothing learned)</td>") == 2  # patches, patients
    assert "<h3>Cuts: red-count (nothing learned)</h3>" in page
    bare = render_patients_page({**record(), "baselines": {}}, curves=CURVES, lead="fusion")
    assert "red-count" not in bare


def test_what_comes_from_the_data_cannot_write_markup() -> None:
    page = render_patients_page(record(), curves=CURVES, lead="fusion")
    assert "<b>without</b>" not in page
    assert "&lt;b&gt;without&lt;/b&gt;" in page


def test_a_made_up_cohort_is_said_to_be_one_on_every_page() -> None:
    told = record(made_up="No such patient exists.")
    person = told["patients"][0]
    assert "No such patient exists." in render_patients_page(told, curves=CURVES, lead="fusion")
    assert "No such patient exists." in render_patient_page(told, person, pictures=[], tails=[], cut=None)


def test_a_detector_alone_makes_a_page_too() -> None:
    page = render_patients_page(record(methods=("detector",), classifier=None), curves={}, lead="detector")
    assert "classifier" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


def test_the_patients_page_frames_what_lies_above_the_cut() -> None:
    told = record()
    shown = [
        {"bytes": b"one", "methods": [{"name": "fusion", "tail": 2.5, "above": True}]},
        {"bytes": b"two", "methods": [{"name": "fusion", "tail": 0.5, "above": False}]},
    ]
    page = render_patient_page(told, told["patients"][0], pictures=shown, tails=[2.5, 0.5, 0.1], cut=1.0)
    assert page.count('<figure class="above">') == 1
    assert "2 of 3, the strangest by the fusion first; 1 of all lie above its cut" in page
    assert "the fusion's is the mean of the others" in page
    assert page.count("data:image/jpeg;base64,") == 2


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (FIGURE, "0.900 (0.800–0.950)"),
        (NOTHING, "–"),
        (None, "–"),
        ({"value": 0.5, "low": None, "high": None}, "0.500"),
    ],
)
def test_figures_are_told_with_their_interval_or_not_at_all(told: dict[str, Any] | None, words: str) -> None:
    assert figure(told) == words


def test_a_bound_is_told_as_one() -> None:
    assert p_words(SAID) == "≤ 0.05"
    assert p_words({**SAID, "p_value_is_bound": False}) == "= 0.05"
    assert p_words({**SAID, "p_value": None}) == "–"
