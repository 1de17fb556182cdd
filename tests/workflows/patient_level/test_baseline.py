"""The share of red pixels: counted on the file's own pixels, and judged as the methods are."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halescan.data.item import Item
from halescan.io import source_of
from halescan.workflows.patient_level.baseline import RED, judge_untaught, red_of_patches, red_shares
from halescan.workflows.patient_level.decide import Rules, judge
from halescan.workflows.patient_level.study import Patches, Study
from tests.workflows.patient_level.made_answers import answered, blind, good

Cohort = tuple[Study, Patches, np.ndarray, np.ndarray]


def written(folder: Path, name: str, red: int, *, grey: bool = False) -> Item:
    """A blue picture of 20 x 20 with so many red pixels."""
    pixels = np.tile(np.array([170, 180, 220], np.uint8), (20, 20, 1))
    pixels[-1] = (160, 170, 210)  # a picture of one colour is refused
    pixels.reshape(-1, 3)[:red] = (140, 60, 40)
    Image.fromarray(pixels[..., 0] if grey else pixels).save(folder / name)
    return Item(source_of(folder / name))


def all_measured(count: int) -> Patches:
    zero, no = np.zeros(count, np.int8), np.zeros(count, bool)
    places = np.arange(count)
    return Patches(places, zero, zero, no, ~no, places, np.full(count, -1))


def test_the_share_is_that_of_the_files_pixels(tmp_path: Path) -> None:
    items = [written(tmp_path, f"{red}.png", red) for red in (0, 1, 100)]
    assert [float(share[0]) for share in red_shares(items, jobs=2) if share is not None] == [0, 1 / 400, 0.25]


def test_without_colour_there_is_none(tmp_path: Path) -> None:
    items = [written(tmp_path, "a.png", 3), written(tmp_path, "b.png", 3, grey=True)]
    assert red_shares(items, jobs=1)[1] is None
    assert red_of_patches(items, all_measured(2), tmp_path, jobs=1) is None
    assert not (tmp_path / "red.npy").exists()


def test_it_is_counted_once(tmp_path: Path) -> None:
    items = [written(tmp_path, f"{red}.png", red) for red in (0, 40)]
    first = red_of_patches(items, all_measured(2), tmp_path, jobs=1)
    for item in items:
        item.source.path.unlink()
    assert first is not None
    assert first.tolist() == [0, 0.1]
    np.testing.assert_array_equal(red_of_patches(items, all_measured(2), tmp_path, jobs=1), first)


@pytest.mark.parametrize("pooling", ["share", "attention-mil"])
def test_it_is_judged_as_a_detector_with_the_same_numbers_would_be(cohort: Cohort, pooling: str) -> None:
    study, patches, fold, truth = cohort
    raw = good(truth, np.random.default_rng(0))
    models = answered(patches, fold, truth, blind)
    found = judge_untaught(RED, raw, study, patches, fold, models, Rules(pooling))  # type: ignore[arg-type]
    assert found.name == RED
    np.testing.assert_array_equal(found.raw, raw)
    assert np.mean(found.positive == study.positive) > 0.9
    learned = judge(study, patches, fold, models, Rules())[0]["detector"]
    assert np.mean(learned.positive == study.positive) < 0.8


def test_what_is_said_of_a_folds_patients_does_not_move_its_own_cuts(cohort: Cohort) -> None:
    study, patches, fold, truth = cohort
    raw = good(truth, np.random.default_rng(0))
    models = answered(patches, fold, truth, blind)
    mine = fold[patches.patient] == 2
    moved = np.where(mine, 100 - raw, raw)
    before, after = (judge_untaught(RED, one, study, patches, fold, models, Rules()) for one in (raw, moved))
    assert before.patch_cuts[2] == after.patch_cuts[2]
    assert before.patient_cuts[2] == after.patient_cuts[2]
    assert before.patch_cuts[1] != after.patch_cuts[1]
