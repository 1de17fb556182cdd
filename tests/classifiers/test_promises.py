"""What every classifier promises, asked of every row of the table."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from halescan.classifiers import CLASSIFIERS, Classifier, find_classifier, load_classifier
from halescan.errors import HalescanError, ModelError, NotFitted, SettingError, ShapeError, TrainingError
from halescan.training.run import Run
from tests.classifiers.specks import auroc, chance_spread, halves, patches

RUN = Run(seed=1, device="cpu", precision="32")
OWN: dict[str, Any] = {"backbone": "own", "levels": (1, 2), "encoder_steps": 10, "folds": 3}
TINY: dict[str, dict[str, Any]] = {  # enough to find specks in a second or two
    "frozen-head": OWN,
    "fine-tuned": {**OWN, "blocks": 1, "steps": 10, "batch_size": 8},
    "small-cnn": {"widths": (8, 16, 16), "steps": 150, "batch_size": 8, "learning_rate": 3e-3, "dropout": 0.0},
    "firefly-svm": {"fireflies": 5, "rounds": 4, "folds": 3},
}
named = pytest.mark.parametrize("name", list(CLASSIFIERS))


def build(name: str) -> Classifier:
    return find_classifier(name)(**TINY.get(name, {}))


def examples(healthy: int = 32, abnormal: int = 16, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels = halves(healthy, abnormal, seed=seed)
    images, groups = patches(labels, seed=seed)
    return images, labels, groups


def learn(name: str) -> Classifier:
    images, labels, groups = examples()
    return build(name).fit(images, labels, groups=groups, run=RUN)


@cache
def learned(name: str) -> Classifier:
    return learn(name)


def unseen(healthy: int = 30, abnormal: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of other patients."""
    images, labels, _ = examples(healthy, abnormal, seed=7)
    return images, labels


@named
def test_a_planted_signal_is_found_in_other_patients(name: str) -> None:
    images, labels = unseen()
    assert auroc(learned(name).predict(images), labels) > 0.9


@named
def test_random_labels_teach_nothing(name: str) -> None:
    images, labels, groups = examples(24, 24, seed=3)
    shuffled = np.random.default_rng(5).permutation(labels)
    fresh, truth = unseen()
    blind = np.random.default_rng(6).permutation(truth)
    found = auroc(build(name).fit(images, shuffled, groups=groups, run=RUN).predict(fresh), blind)
    assert abs(found - 0.5) < 3.29 * chance_spread(blind)  # 99.9 %


@named
def test_a_rare_class_is_found_at_the_usual_threshold(name: str) -> None:
    labels, truth = halves(80, 4, seed=2), halves(30, 30, seed=7)
    images, groups = patches(labels, stain=0.28, seed=2)  # faint: what weighs by number calls many of them healthy
    fresh, _ = patches(truth, stain=0.28, seed=7)
    said = build(name).fit(images, labels, groups=groups, run=RUN).predict(fresh)
    assert auroc(said, truth) > 0.9
    assert (said[truth == 1] > 0.5).mean() > 0.85
    assert (said[truth == 0] > 0.5).mean() < 0.25


@named
def test_an_image_alone_is_judged_as_in_a_batch(name: str) -> None:
    images, _ = unseen()
    whole = learned(name).predict(images)
    alone = np.concatenate([learned(name).predict(image[None]) for image in images[:5]])
    np.testing.assert_allclose(alone, whole[:5], atol=1e-6)


@named
def test_an_answer_is_a_probability_an_image(name: str) -> None:
    images, _ = unseen()
    said = learned(name).predict(images)
    assert said.shape == (len(images),)
    assert ((said >= 0) & (said <= 1)).all()
    assert learned(name).predict(images[:0]).shape == (0,)


@named
def test_predicting_changes_neither_weights_nor_images(name: str) -> None:
    images, _ = unseen()
    before, given = {key: value.copy() for key, value in learned(name).state().items()}, images.copy()
    first, second = learned(name).predict(images), learned(name).predict(images)
    after = learned(name).state()
    assert np.array_equal(first, second)
    assert set(before) == set(after)
    assert all(np.array_equal(before[key], after[key]) for key in before)
    assert np.array_equal(images, given)


@named
def test_the_same_seed_gives_the_same_answers(name: str) -> None:
    images, _ = unseen()
    np.testing.assert_allclose(learn(name).predict(images), learned(name).predict(images), atol=1e-6)


@named
def test_a_saved_classifier_answers_as_before(name: str, tmp_path: Path) -> None:
    images, _ = unseen()
    learned(name).save(tmp_path / "kept")
    again = load_classifier(tmp_path / "kept", device="cpu")
    assert again.name == name
    assert again.settings == learned(name).settings
    assert again.learned_from == {"images": 48, "abnormal": 16, "groups": 8}
    np.testing.assert_allclose(again.predict(images), learned(name).predict(images), atol=1e-6)


@named
def test_what_is_saved_are_arrays_and_json(name: str, tmp_path: Path) -> None:
    learned(name).save(tmp_path / "kept")
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"model.json", "weights.safetensors"}
    assert all(value.dtype != object for value in learned(name).state().values())


@named
def test_no_group_stands_on_both_sides_of_an_inner_split(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels, groups = examples()
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    split = StratifiedGroupKFold.split

    def watched(self: Any, *args: Any) -> Any:
        for train, held in split(self, *args):
            seen.append((train, held))
            yield train, held

    monkeypatch.setattr(StratifiedGroupKFold, "split", watched)
    classifier = build(name).fit(images, labels, groups=groups, run=RUN)
    assert bool(seen) == classifier.selects
    assert all(not set(groups[train]) & set(groups[held]) for train, held in seen)


@named
@pytest.mark.parametrize(
    ("labels", "error", "says"),
    [
        (np.zeros(48), TrainingError, "each class"),
        (np.eye(48)[0], TrainingError, "two|2 or more"),
        (np.r_[np.nan, np.ones(20), np.zeros(27)], TrainingError, "NaN"),
        (np.r_[-np.ones(20), np.ones(28)], TrainingError, "0 .healthy. and 1 .abnormal., got -1"),
        (np.r_[np.zeros(20), np.ones(20)], ShapeError, "48 images"),
        (np.array(["a"] * 48), TrainingError, "words"),
    ],
    ids=["one class", "one example", "NaN", "minus one", "too few", "words"],
)
def test_labels_that_cannot_be_learned_from_are_refused(
    name: str, labels: np.ndarray, error: type[HalescanError], says: str
) -> None:
    images, _, _ = examples()
    with pytest.raises(error, match=says):
        build(name).fit(images, labels, run=RUN)


@named
def test_groups_of_another_number_are_refused(name: str) -> None:
    images, labels, groups = examples()
    with pytest.raises(ShapeError, match="groups"):
        build(name).fit(images, labels, groups=groups[:-1], run=RUN)


@named
def test_an_image_that_is_not_finite_is_refused(name: str) -> None:
    images, labels, groups = examples()
    images[5, 0, 3, 3] = np.nan
    with pytest.raises(TrainingError, match=r"image 5 .*NaN"):
        build(name).fit(images, labels, groups=groups, run=RUN)
    with pytest.raises(ShapeError, match="NaN"):
        learned(name).predict(images[5:6])


@named
def test_images_of_another_kind_are_refused(name: str) -> None:
    with pytest.raises(ShapeError, match="shape"):
        learned(name).predict(np.zeros((1, 1, 32, 32), np.float32))
    labels = halves(4, 4)
    with pytest.raises(ShapeError, match="channels"):
        build(name).fit(np.zeros((8, 2, 32, 32), np.float32), labels, run=RUN)


@named
def test_asked_before_it_has_learned_it_says_so(name: str, tmp_path: Path) -> None:
    for ask in (lambda: build(name).predict(unseen()[0]), lambda: build(name).save(tmp_path / "nothing")):
        with pytest.raises(NotFitted, match="fit"):
            ask()


@named
def test_both_sizes_and_the_facts_are_there(name: str) -> None:
    kind = find_classifier(name)
    assert kind.name == name
    assert kind.summary
    assert kind.source.startswith("https://")
    for size in ("cpu", "paper"):
        settings = kind.preset(size).settings
        assert kind(**settings).settings == settings
    with pytest.raises(SettingError, match="size"):
        kind.preset("huge")


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(SettingError, match="frozen-head"):
        find_classifier("oracle")


def test_a_folder_with_other_settings_than_its_weights_is_refused(tmp_path: Path) -> None:
    cnn = learned("small-cnn")
    cnn.widths = (8, 16, 32)
    try:
        cnn.save(tmp_path / "odd")
    finally:
        cnn.widths = (8, 16, 16)
    with pytest.raises(ModelError, match="do not fit"):
        load_classifier(tmp_path / "odd")
    with pytest.raises(ModelError, match="not a model"):
        load_classifier(tmp_path)
