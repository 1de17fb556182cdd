"""A bag is judged by the few images that decide, whatever their order, and says which they are."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from halescan.classifiers import find_bag_classifier, load_bag_classifier, load_classifier
from halescan.classifiers.attention_mil import AttentionMIL
from halescan.errors import ModelError, NotFitted, ShapeError, TrainingError
from halescan.training.run import Run
from halescan.types import Batch, Stack
from tests.classifiers.specks import auroc, chance_spread, patches

RUN = Run(seed=1, device="cpu", precision="32")


def bags(count: int, *, seed: int) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray]]:
    """Bags of 5 to 9 patches, every other one with two ill patches; the labels; which patches are ill."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    which = []
    for label in labels:
        ill = np.zeros(random.integers(5, 10), int)
        ill[: 2 * label] = 1
        which.append(random.permutation(ill))
    images, _ = patches(np.concatenate(which), seed=seed)
    return np.split(images, np.cumsum([len(ill) for ill in which])[:-1]), labels, which


def build() -> AttentionMIL:
    return AttentionMIL(backbone="own", levels=(1, 2), encoder_steps=10, width=16, attention=8, steps=80)


@cache
def taught() -> AttentionMIL:
    learned, labels, _ = bags(24, seed=0)
    return build().fit(learned, labels, run=RUN)


def test_bags_of_other_patients_are_told_apart() -> None:
    fresh, labels, _ = bags(40, seed=9)
    assert auroc(taught().predict(fresh).probability, labels) > 0.9


def test_the_attention_rests_on_the_ill_images_and_sums_to_one() -> None:
    fresh, labels, which = bags(40, seed=9)
    said = taught().predict(fresh)
    assert all(np.isclose(weights.sum(), 1, atol=1e-5) for weights in said.attention)
    ill = [number for number, label in enumerate(labels) if label]
    share = np.mean([said.attention[number][which[number] == 1].sum() for number in ill])
    even = np.mean([(which[number] == 1).mean() for number in ill])
    assert share > even + 0.2


def test_random_labels_teach_nothing() -> None:
    learned, labels, _ = bags(24, seed=0)
    fresh, truth, _ = bags(40, seed=9)
    random = np.random.default_rng(4)
    said = build().fit(learned, random.permutation(labels), run=RUN).predict(fresh).probability
    blind = random.permutation(truth)
    assert abs(auroc(said, blind) - 0.5) < 3.29 * chance_spread(blind)


def test_order_company_and_how_a_bag_is_handed_over_change_nothing() -> None:
    fresh, _, _ = bags(6, seed=9)
    whole = taught().predict(fresh)
    alone = taught().predict([fresh[2]])
    backwards = taught().predict([Batch(fresh[2][::-1].copy())])
    lazily = taught().predict([Stack(fresh[2], batch_size=2)])
    for other in (alone, backwards, lazily):
        assert other.probability[0] == pytest.approx(whole.probability[2], abs=1e-6)
    np.testing.assert_allclose(backwards.attention[0][::-1], whole.attention[2], atol=1e-6)


def test_a_bag_twice_over_is_judged_the_same() -> None:
    fresh, _, _ = bags(4, seed=9)
    once, twice = taught().predict(fresh), taught().predict([np.concatenate([bag, bag]) for bag in fresh])
    np.testing.assert_allclose(once.probability, twice.probability, atol=1e-6)


def test_the_same_seed_gives_the_same_answers() -> None:
    learned, labels, _ = bags(24, seed=0)
    fresh, _, _ = bags(4, seed=9)
    again = build().fit(learned, labels, run=RUN)
    np.testing.assert_allclose(again.predict(fresh).probability, taught().predict(fresh).probability, atol=1e-6)


def test_a_saved_one_answers_as_before(tmp_path: Path) -> None:
    fresh, _, _ = bags(6, seed=9)
    taught().save(tmp_path / "kept")
    again = load_bag_classifier(tmp_path / "kept", device="cpu")
    assert again.settings == taught().settings
    np.testing.assert_allclose(again.predict(fresh).probability, taught().predict(fresh).probability, atol=1e-6)
    with pytest.raises(ModelError, match="attention-mil"):
        load_classifier(tmp_path / "kept")


def test_predicting_leaves_the_weights() -> None:
    before = {name: value.copy() for name, value in taught().state().items()}
    taught().predict(bags(4, seed=9)[0])
    assert all(np.array_equal(value, before[name]) for name, value in taught().state().items())


def test_large_bags_are_learned_from_in_part() -> None:
    learned, labels, _ = bags(8, seed=0)
    small = AttentionMIL(backbone="own", levels=(1,), encoder_steps=1, steps=2, most=3)
    said = small.fit(learned, labels, run=RUN).predict(learned)
    assert [len(weights) for weights in said.attention] == [len(bag) for bag in learned]


def test_what_cannot_be_learned_from_is_refused() -> None:
    learned, labels, _ = bags(6, seed=0)
    with pytest.raises(TrainingError, match="each class"):
        build().fit(learned, np.zeros(6), run=RUN)
    with pytest.raises(ShapeError, match="6 images"):
        build().fit(learned, labels[:4], run=RUN)
    with pytest.raises(ShapeError, match="bag 1"):
        build().fit([learned[0], learned[1][:0], *learned[2:]], labels, run=RUN)
    with pytest.raises(ShapeError, match="2 shapes"):
        build().fit([learned[0][..., :16], *learned[1:]], labels, run=RUN)
    broken = [learned[0].copy(), *learned[1:]]
    broken[0][0, 0, 0, 0] = np.inf
    with pytest.raises(TrainingError, match="image 0"):
        build().fit(broken, labels, run=RUN)
    with pytest.raises(NotFitted, match="fit"):
        build().predict(learned)
    with pytest.raises(ShapeError, match="without images"):
        taught().predict([learned[0][:0]])


def test_both_sizes_and_the_facts_are_there() -> None:
    kind = find_bag_classifier("attention-mil")
    assert kind.source.startswith("https://")
    for size in ("cpu", "paper"):
        assert kind(**kind.preset(size).settings).settings == kind.preset(size).settings
