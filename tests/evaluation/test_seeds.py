"""Several seeds: the interval holds patients and seeds, and a method is no better than itself."""

import numpy as np
import pytest

from halescan.errors import SettingError, ShapeError
from halescan.evaluation.compare import bootstrap_test
from halescan.evaluation.metrics import image_metrics
from halescan.evaluation.seeds import draw, over_seeds, paired

LABELS = np.arange(80) % 2 == 0


def scores(seeds: int, shift: float, *, noise: float = 1.0, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    shared = random.normal(size=80) + shift * LABELS
    return shared + noise * random.normal(size=(seeds, 80))


def test_one_seed_has_the_interval_of_its_metrics() -> None:
    rows = scores(1, 1.0)
    found, told = over_seeds(draw(LABELS, rows)), image_metrics(LABELS, rows[0])["auroc"]
    assert (found["value"], found["low"], found["high"]) == pytest.approx(
        tuple(told[k] for k in ("value", "low", "high"))
    )
    assert found["seeds"]["sd"] is None


def test_seeds_that_differ_widen_the_interval() -> None:
    base = scores(1, 1.0)[0]
    steady = np.stack([base, base, base])
    unsteady = np.stack([base + 2 * LABELS, base, base - 1.5 * LABELS])
    narrow, wide = (over_seeds(draw(LABELS, rows)) for rows in (steady, unsteady))
    assert wide["high"] - wide["low"] > 1.5 * (narrow["high"] - narrow["low"])
    assert narrow["seeds"]["sd"] == pytest.approx(0)


def test_one_seed_each_on_independent_cases_is_delong() -> None:
    found = paired(draw(LABELS, scores(1, 3.0)), draw(LABELS, scores(1, 0.3, seed=1)))
    assert found.method == "delong"
    assert found.p_value < 0.001


def test_patients_with_several_cases_are_redrawn_whole() -> None:
    groups = [f"p{place // 4}" for place in range(80)]
    one, two = scores(1, 1.5), scores(1, 0.5, seed=1)
    found = paired(draw(LABELS, one, groups=groups, draws=2000), draw(LABELS, two, groups=groups, draws=2000))
    known = bootstrap_test(LABELS, one[0], two[0], groups=groups)
    assert found.method == "bootstrap"
    assert (found.difference, found.low, found.high) == pytest.approx((known.difference, known.low, known.high))


def test_a_method_does_not_differ_from_itself() -> None:
    rows = scores(3, 1.0)
    found = paired(draw(LABELS, rows), draw(LABELS, rows))
    assert found.difference == 0
    assert found.p_value > 0.9
    assert found.low < 0 < found.high


def test_flipping_the_labels_gives_one_minus_auroc() -> None:
    rows = scores(2, 1.0)
    there, back = draw(LABELS, rows), draw(~LABELS, rows)
    np.testing.assert_allclose(there.values, 1 - back.values)


def test_one_class_alone_has_no_figure_and_no_test() -> None:
    healthy = draw(np.zeros(80, bool), scores(1, 0))
    assert over_seeds(healthy)["value"] is None
    with pytest.raises(SettingError, match="two patients"):
        paired(healthy, healthy)


def test_other_cases_are_refused() -> None:
    with pytest.raises(ShapeError, match="same cases"):
        paired(draw(LABELS, scores(1, 1)), draw(~LABELS, scores(1, 1)))
