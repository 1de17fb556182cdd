"""Attention MIL: a patient is as abnormal as the few patches that say so, and the weights tell which."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halescan.classifiers.bags import BagClassifier
from halescan.classifiers.base import as_probability, check_positive
from halescan.classifiers.describing import Describer, check_levels
from halescan.classifiers.labels import balanced_order
from halescan.classifiers.linear_head import Standard
from halescan.errors import ModelError, SettingError
from halescan.training.chance import numbers, seeded
from halescan.training.device import as_tensor, home
from halescan.training.learner import not_fitted
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, part_of, put_arrays
from halescan.types import Batch, Images, JoinedImages, SomeImages


class AttentionMIL(BagClassifier):
    """Gated attention over the frozen features of a bag's images, and one decision on their weighted mean.

    Nobody says which images of an abnormal bag are abnormal; the attention finds them, and shows a reader where to look
    first. It is a hint, not a map: an image can be abnormal and get little weight beside one that is more so.

    Args:
        backbone: As `FrozenHead`; an own encoder is trained on the images of all bags.
        levels: As `FrozenHead`.
        width: Numbers an image is squeezed into.
        attention: Width of the attention.
        dropout: Share of them that are silent in a step.
        most: Images of a bag learned from, drawn by the seed where it has more; all are used to predict.
        steps: Steps of learning.
        batch_size: Bags a step.
        learning_rate: Highest of the cosine curve.
        encoder_steps: Steps of training where an encoder has to be trained.

    Source:
        Ilse et al. 2018, arXiv 1802.04712. We differ: the features are frozen and standardised, healthy and abnormal
        bags are drawn equally often.
    """

    name = "attention-mil"
    summary = "a patient from many patches: attention finds those that decide"
    source = "https://arxiv.org/abs/1802.04712"
    needs_weights = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {"backbone": "resnet50", "levels": (3,), "width": 512, "attention": 128, "steps": 2000},
    }

    def __init__(
        self,
        *,
        backbone: str = "mobilenet_v2",
        levels: Sequence[int] = (3, 6, 13, 17),
        width: int = 64,
        attention: int = 32,
        dropout: float = 0.25,
        most: int = 500,
        steps: int = 300,
        batch_size: int = 8,
        learning_rate: float = 1e-3,
        encoder_steps: int = 300,
    ) -> None:
        super().__init__()
        check_levels(self.name, levels)
        check_positive(self.name, width=width, attention=attention, most=most, encoder_steps=encoder_steps)
        if not 0 <= dropout < 1:
            raise SettingError(f"{self.name}: dropout must lie in [0, 1), got {dropout}; 0.25 is usual")
        self.backbone, self.levels = backbone, tuple(levels)
        self.width, self.attention, self.dropout, self.most = width, attention, dropout, most
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.encoder_steps = encoder_steps
        self._schedule()  # refuses what it cannot do now
        self.describer: Describer | None = None
        self.standard: Standard | None = None
        self.network: _Attention | None = None

    def _learn(self, bags: Sequence[Images], labels: np.ndarray, run: Run) -> None:
        describer = Describer.open(
            self.backbone, self.levels, images=JoinedImages(*bags), run=run, steps=self.encoder_steps
        )
        rows = [
            describer.rows(SomeImages(bag, self._drawn(len(bag), number, run)), run) for number, bag in enumerate(bags)
        ]
        standard = Standard.of(np.concatenate(rows))
        with seeded(run.seed, self.name):
            network = self._built(rows[0].shape[1])
        level = [standard(part).astype(np.float32) for part in rows]
        learn(network, _loss, images=_Bags(level, labels), settings=self._schedule(), run=run, stage=self.name)
        self.describer, self.standard, self.network = describer, standard, network

    def _describe(self, batch: Batch) -> np.ndarray:
        return self._ready()[0].describe(as_tensor(batch.images)).cpu().numpy()

    def _judge(self, rows: np.ndarray) -> tuple[float, np.ndarray]:
        _, standard, network = self._ready()
        level = torch.from_numpy(standard(rows).astype(np.float32))[None].to(home(network))
        with torch.inference_mode():
            logit, weights = network(level, torch.ones(level.shape[:2], dtype=torch.bool, device=level.device))
        return float(as_probability(logit.cpu().numpy())[0]), weights[0].double().cpu().numpy()

    def _state(self) -> dict[str, np.ndarray]:
        describer, standard, network = self._ready()
        return {
            **{f"describer/{name}": value for name, value in describer.state().items()},
            "mean": standard.mean,
            "spread": standard.spread,
            **module_arrays(network, prefix="network/"),
        }

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._check_kind(shape)
        self.describer = Describer.from_state(part_of(state, "describer"))
        self.standard = Standard(np.array(state["mean"]), np.array(state["spread"]))
        wide = self.describer.describe(as_tensor(np.zeros((1, shape[0], 64, 64)))).shape[1]
        if self.standard.mean.shape != (wide,) or self.standard.spread.shape != (wide,):
            raise ModelError(f"{self.name}: the stored standardisation does not fit the backbone's {wide} features")
        self.network = put_arrays(lambda: self._built(wide), state, prefix="network/")

    def _drawn(self, count: int, number: int, run: Run) -> np.ndarray:
        """Places of the images of a bag that are learned from."""
        if count <= self.most:
            return np.arange(count)
        return np.sort(numbers(run.seed, self.name, "images", number).permutation(count)[: self.most])

    def _built(self, features: int) -> "_Attention":
        return _Attention(features, width=self.width, attention=self.attention, dropout=self.dropout)

    def _schedule(self) -> Schedule:
        return Schedule(self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, weight_decay=1e-2)

    def _ready(self) -> "tuple[Describer, Standard, _Attention]":
        if self.describer is None or self.standard is None or self.network is None:
            raise not_fitted(self)
        return self.describer, self.standard, self.network


class _Attention(nn.Module):
    """Rows `(n, k, d)` and which of them are there `(n, k)` to logits `(n,)` and weights `(n, k)`."""

    def __init__(self, features: int, *, width: int, attention: int, dropout: float) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Dropout(dropout))
        self.what, self.gate = nn.Linear(width, attention), nn.Linear(width, attention)
        self.weigh, self.decide = nn.Linear(attention, 1), nn.Linear(width, 1)

    def forward(self, rows: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        small = self.squeeze(rows)
        raw = self.weigh(torch.tanh(self.what(small)) * torch.sigmoid(self.gate(small)))[..., 0].float()
        weights = raw.masked_fill(~there, -torch.inf).softmax(1)
        return self.decide((weights[..., None] * small.float()).sum(1))[:, 0], weights


def _loss(module: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
    """Cross-entropy of the bags."""
    assert batch.mask is not None
    logits, _ = module(batch.images, batch.mask[:, 1:])
    return F.binary_cross_entropy_with_logits(logits.float(), batch.mask[:, 0].float())


class _Bags:
    """Described bags as images `(n, k, d)`, filled up with zeros; mask `(n, 1 + k)`: the label, then who is there."""

    def __init__(self, rows: Sequence[np.ndarray], labels: np.ndarray) -> None:
        self.rows, self.labels, self.order = rows, labels, balanced_order(labels)

    def __len__(self) -> int:
        return len(self.order)

    def take(self, indices: Sequence[int]) -> Batch:
        """The bags at these places of the balanced order."""
        where = self.order[np.asarray(indices, np.intp)]
        parts = [self.rows[place] for place in where]
        longest = max(len(part) for part in parts)
        images = np.zeros((len(parts), longest, parts[0].shape[1]), np.float32)
        mask = np.zeros((len(parts), 1 + longest), bool)
        mask[:, 0] = self.labels[where] == 1
        for number, part in enumerate(parts):
            images[number, : len(part)], mask[number, 1 : 1 + len(part)] = part, True
        return Batch(images, mask)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self), 8):
            yield self.take(range(start, min(start + 8, len(self))))
