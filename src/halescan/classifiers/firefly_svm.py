"""Firefly SVM: texture features and a support vector machine, both chosen by a swarm on held-out patients."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from halescan.classifiers.base import Classifier, as_probability, check_positive
from halescan.classifiers.firefly import firefly_search
from halescan.classifiers.labels import Fold, inner_folds
from halescan.classifiers.linear_head import Standard
from halescan.classifiers.support_vectors import SupportVectors
from halescan.classifiers.texture import texture_names, texture_row
from halescan.errors import ModelError, SettingError
from halescan.training.chance import numbers
from halescan.training.learner import not_fitted
from halescan.training.run import Progress, Run
from halescan.training.weights import part_of
from halescan.types import Batch, Images

WORTH_OF_ACCURACY = 0.9  # the rest rewards few features
USUAL_PLACE = 0.5  # of penalty and kernel width, where there are too few patients to choose


class FireflySVM(Classifier):
    """An RBF support vector machine on texture features that a binary firefly search selected.

    A firefly's place says which features are in (above one half), how strict the machine is and how wide its kernel;
    its brightness is 0.9 times the balanced accuracy on held-out patients and 0.1 times the share of features left out.
    Decisions become probabilities by a logistic curve through the held-out ones. What is kept are support vectors.

    Args:
        fireflies: How many search.
        rounds: How often each flies.
        folds: Inner folds at most.

    Source:
        Firefly search: Yang 2009, doi 10.1007/978-3-642-04944-6_14; with an SVM it is one of the baselines of the CT
        autoencoder's comparison, which gives no settings. We differ from what is usual: selection by patient, classes
        balanced, penalty and kernel searched together with the features.
    """

    name = "firefly-svm"
    summary = "texture features chosen by a firefly search, and a support vector machine on them"
    source = "https://doi.org/10.1007/978-3-642-04944-6_14"
    selects = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {"cpu": {}, "paper": {"fireflies": 30, "rounds": 50}}

    def __init__(self, *, fireflies: int = 20, rounds: int = 30, folds: int = 5) -> None:
        super().__init__()
        check_positive(self.name, fireflies=fireflies, rounds=rounds)
        if folds < 2:
            raise SettingError(f"{self.name}: folds must be 2 or more, got {folds}; 5 is usual")
        self.fireflies, self.rounds, self.folds = fireflies, rounds, folds
        self.chosen = np.zeros(0, bool)
        self.standard: Standard | None = None
        self.machine: SupportVectors | None = None
        self.curve = (1.0, 0.0)

    @property
    def chosen_features(self) -> tuple[str, ...]:
        """Names of the features that were selected; empty before `fit`."""
        names = texture_names(self.learned_shape[0]) if self.learned_shape else ()
        return tuple(name for name, kept in zip(names, self.chosen, strict=False) if kept)

    def _learn(self, images: Images, labels: np.ndarray, groups: np.ndarray, run: Run) -> None:
        rows = self._rows(images, run)
        folds = inner_folds(labels, groups, folds=self.folds, seed=run.seed)
        place = np.concatenate([np.ones(rows.shape[1]), [USUAL_PLACE, USUAL_PLACE]])
        self.curve = (1.0, 0.0)
        if folds:
            place = self._searched(rows, labels, folds, run)
            self.curve = _logistic_curve(_held_out(place, _prepared(rows, labels, folds), len(labels)), labels)
        self.chosen = place[:-2] > 0.5
        self.standard = Standard.of(rows[:, self.chosen])
        self.machine = SupportVectors.of(_machine(place).fit(self.standard(rows[:, self.chosen]), labels))

    def _searched(self, rows: np.ndarray, labels: np.ndarray, folds: Sequence[Fold], run: Run) -> np.ndarray:
        """The brightest place `(d + 2,)`."""
        prepared, seen = _prepared(rows, labels, folds), 0

        def brightness(place: np.ndarray) -> float:
            nonlocal seen
            seen += 1
            run.listen(Progress("fireflies", seen, self.fireflies * (self.rounds + 1)))
            if not (place[:-2] > 0.5).any():
                return 0.0
            decisions = _held_out(place, prepared, len(labels))
            fewer = 1 - float((place[:-2] > 0.5).mean())
            return WORTH_OF_ACCURACY * _balanced_accuracy(decisions, labels) + (1 - WORTH_OF_ACCURACY) * fewer

        return firefly_search(
            brightness,
            dims=rows.shape[1] + 2,
            random=numbers(run.seed, self.name),
            fireflies=self.fireflies,
            rounds=self.rounds,
        ).place

    def _rows(self, images: Images, run: Run) -> np.ndarray:
        """All images as texture rows `(n, d)`."""
        rows = []
        for batch in images:
            rows += [texture_row(image) for image in batch.images]
            run.listen(Progress("features", len(rows), len(images)))
        return np.stack(rows)

    def _predict(self, batch: Batch) -> np.ndarray:
        if self.standard is None or self.machine is None:
            raise not_fitted(self)
        rows = np.stack([texture_row(image) for image in batch.images])[:, self.chosen]
        steep, offset = self.curve
        return as_probability(steep * self.machine.decision(self.standard(rows)) + offset)

    def _state(self) -> dict[str, np.ndarray]:
        assert self.standard is not None
        assert self.machine is not None
        return {
            "chosen": self.chosen,
            "mean": self.standard.mean,
            "spread": self.standard.spread,
            "curve": np.asarray(self.curve, np.float64),
            **{f"machine/{name}": value for name, value in self.machine.state().items()},
        }

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._check_kind(shape)
        self.chosen = np.array(state["chosen"], bool)
        self.standard = Standard(np.array(state["mean"]), np.array(state["spread"]))
        self.machine = SupportVectors.from_state(part_of(state, "machine"))
        self.curve = (float(state["curve"][0]), float(state["curve"][1]))
        features, kept = len(texture_names(shape[0])), int(self.chosen.sum())
        if self.chosen.shape != (features,) or not len(self.standard.mean) == kept == self.machine.vectors.shape[1]:
            raise ModelError(f"{self.name}: the stored machine does not fit its {features} features")


def _machine(place: np.ndarray) -> Any:
    """The support vector machine that a place `(d + 2,)` describes: C in [0.1, 100], gamma a share of 1 / features."""
    from sklearn.svm import SVC

    count = max(1, int((place[:-2] > 0.5).sum()))
    return SVC(C=10 ** (3 * place[-2] - 1), gamma=10 ** (2 * place[-1] - 1) / count, class_weight="balanced")


_Prepared = list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


def _prepared(rows: np.ndarray, labels: np.ndarray, folds: Sequence[Fold]) -> _Prepared:
    """Per fold: training rows and labels, held-out rows and their places; standardised by the training part alone."""
    prepared = []
    for train, held in folds:
        standard = Standard.of(rows[train])
        prepared.append((standard(rows[train]), labels[train], standard(rows[held]), held))
    return prepared


def _held_out(place: np.ndarray, prepared: _Prepared, count: int) -> np.ndarray:
    """Decisions `(n,)` on what each fold held out; NaN where none did."""
    chosen, decisions = place[:-2] > 0.5, np.full(count, np.nan)
    for train, labels, held, where in prepared:
        machine = SupportVectors.of(_machine(place).fit(train[:, chosen], labels))
        decisions[where] = machine.decision(held[:, chosen])
    return decisions


def _balanced_accuracy(decisions: np.ndarray, labels: np.ndarray) -> float:
    """Mean of sensitivity and specificity at 0, over what was held out."""
    known = np.isfinite(decisions)
    right = (decisions[known] > 0) == (labels[known] == 1)
    return float(np.mean([right[labels[known] == label].mean() for label in (0, 1) if (labels[known] == label).any()]))


def _logistic_curve(decisions: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Steepness and offset that turn held-out decisions into probabilities; never falling, so that ranks stay."""
    from sklearn.linear_model import LogisticRegression

    known = np.isfinite(decisions)
    if len(np.unique(labels[known])) < 2:
        return 1.0, 0.0
    spread = max(float(decisions[known].std()), 1e-12)
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(
        decisions[known, None] / spread, labels[known]
    )
    steep = float(model.coef_[0, 0]) / spread
    return (steep, float(model.intercept_[0])) if steep > 0 else (1e-3, 0.0)
