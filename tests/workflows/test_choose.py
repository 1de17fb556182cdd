"""Choosing without labels: the detector that sees what was planted comes first, and the reasons say so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import spearmanr

from halescan.data.profiles import load_profile
from halescan.detectors.healthy_atlas import HealthyAtlas
from halescan.errors import SettingError, ShapeError
from halescan.types import Batch, Scores, Stack
from halescan.workflows.choose import Candidate, Choice, choose, gather, rank, rank_correlation, synthetic_auroc
from halescan.workflows.measure import Measure
from halescan.workflows.model import load_model

PROFILE = load_profile("generic", {"size": [32, 32], "smooth_px": 0})
SHARP = {"pooling": "top", "top_share": 0.02}


def healthy(count: int, seed: int) -> np.ndarray:
    """Images `(count, 1, 32, 32)` of one smooth anatomy with a little noise."""
    anatomy = ndimage.gaussian_filter(np.random.default_rng(99).standard_normal((32, 32)), 3)
    grain = np.random.default_rng(seed).normal(0, 0.02, (count, 1, 32, 32))
    return (0.5 + 0.1 * anatomy / anatomy.std() + grain).astype(np.float32)


class Counting(HealthyAtlas):
    """An atlas that counts the images it was asked about."""

    asked = 0

    def _measure(self, batch: Batch) -> Scores:
        self.asked += len(batch)
        return super()._measure(batch)


class Blind(HealthyAtlas):
    """Gives maps that have nothing to do with the image but its grain."""

    def _measure(self, batch: Batch) -> Scores:
        seeds = (batch.images * 1e4).astype(np.int64).sum(axis=(1, 2, 3))
        return Scores(map=np.stack([np.random.default_rng(abs(int(s))).random((8, 8), np.float32) for s in seeds]))


def measure_of(kind: type[HealthyAtlas] = HealthyAtlas, *, seed: int = 0, **changes: Any) -> Measure:
    learned = kind().fit(Stack(healthy(20, seed)))
    return Measure(learned, PROFILE.model_copy(update={**SHARP, **changes}))


def test_what_sees_the_planted_comes_before_what_is_blind() -> None:
    found = choose(
        [Candidate("blind", (measure_of(Blind),)), Candidate("atlas", (measure_of(),))], Stack(healthy(8, 5))
    )
    assert [row.name for row in found.ranking] == ["atlas", "blind"]
    assert found.best.synthetic["value"] > 0.8
    blind = found.ranking[1]
    assert blind.synthetic["low"] < 0.5 < blind.synthetic["high"]
    assert blind.behind_best["low"] > 0
    assert found.tied == ()


def test_the_same_recipe_twice_is_a_tie_and_says_so() -> None:
    one = measure_of()
    found = choose([Candidate("first", (one,)), Candidate("second", (one,))], Stack(healthy(6, 5)))
    assert found.tied == ("second",)
    assert "not told apart" in found.lines()[1]
    assert found.ranking[1].behind_best["value"] == 0


def test_poolings_share_the_maps_of_one_detector() -> None:
    detector = Counting().fit(Stack(healthy(20, 0)))
    candidates = [
        Candidate(how, (Measure(detector, PROFILE.model_copy(update={"pooling": how})),)) for how in ("mean", "max")
    ]
    choose(candidates, Stack(healthy(4, 5)), kinds=["blob", "noise"])
    assert detector.asked == 4 * 3


def test_sharing_gives_what_asking_each_alone_gives() -> None:
    detector = HealthyAtlas().fit(Stack(healthy(20, 0)))
    by_mean, by_max = (Measure(detector, PROFILE.model_copy(update={"pooling": how})) for how in ("mean", "max"))
    together = gather([Candidate("mean", (by_mean,)), Candidate("max", (by_max,))], Stack(healthy(4, 5)))
    alone = gather([Candidate("max", (by_max,))], Stack(healthy(4, 5)))
    np.testing.assert_array_equal(together.scores["max"], alone.scores["max"])


def test_agreement_is_of_two_seeds_and_silent_with_one() -> None:
    pair = Candidate("pair", (measure_of(seed=0), measure_of(seed=1)))
    noisy = Candidate("noisy", (measure_of(Blind, seed=0), measure_of(seed=1)))
    single = Candidate("single", (measure_of(),))
    rows = {row.name: row for row in choose([pair, noisy, single], Stack(healthy(6, 5))).ranking}
    assert rows["single"].agreement is None
    assert rows["single"].map_agreement is None
    assert rows["pair"].agreement > 0.9 > 0.5 > rows["noisy"].agreement
    assert rows["pair"].map_agreement > rows["noisy"].map_agreement


def test_the_same_seed_chooses_the_same_and_the_record_is_plain() -> None:
    candidates = [Candidate("atlas", (measure_of(),))]
    first, again = (choose(candidates, Stack(healthy(4, 5)), seed=3).summary() for _ in range(2))
    assert first == again
    assert first["ranking"][0]["by_kind"].keys() == set(first["kinds"])


def test_the_mean_of_the_kinds_is_the_whole() -> None:
    best = choose([Candidate("atlas", (measure_of(),))], Stack(healthy(5, 5))).best
    assert best.synthetic["value"] == pytest.approx(np.mean(list(best.by_kind.values())), abs=1e-9)


def test_scores_that_are_all_equal_give_one_half() -> None:
    evidence = gather([Candidate("atlas", (measure_of(),))], Stack(healthy(4, 5)), kinds=["blob"])
    flat = type(evidence)(evidence.planted, evidence.origin, evidence.kind, {"flat": np.zeros((1, 8))}, {"flat": None})
    found: Choice = rank(flat)
    assert found.best.synthetic["value"] == found.best.synthetic["low"] == 0.5


def test_one_recipe_alone_has_a_figure_in_masks_too() -> None:
    mask = np.zeros((6, 32, 32), bool)
    mask[:, 4:28, 4:28] = True
    figure = synthetic_auroc(measure_of(), Batch(healthy(6, 5), mask), kinds=["blob", "cutpaste"])
    assert 0.5 < figure["low"] <= figure["value"] <= figure["high"] <= 1


def test_rank_correlation_is_spearmans() -> None:
    first, second = np.random.default_rng(0).integers(0, 9, (2, 50))
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert rank_correlation(first, np.zeros(50)) == 0


def test_a_saved_model_can_be_asked(model_folder: Path) -> None:
    model = load_model(model_folder)
    shape = (4, *model.detector.learned_shape)
    images = np.random.default_rng(0).random(shape, np.float32)
    assert 0 <= synthetic_auroc(model, Stack(images), kinds=["blob"])["value"] <= 1


def test_what_cannot_be_is_refused() -> None:
    one = Candidate("one", (measure_of(),))
    with pytest.raises(SettingError, match="nothing to choose"):
        choose([], Stack(healthy(4, 5)))
    with pytest.raises(SettingError, match="name of its own"):
        choose([one, one], Stack(healthy(4, 5)))
    with pytest.raises(SettingError, match="cutpaste"):
        choose([one], Stack(healthy(4, 5)), kinds=["ghost"])
    with pytest.raises(ShapeError, match="two held-out"):
        choose([one], Stack(healthy(1, 5)))
