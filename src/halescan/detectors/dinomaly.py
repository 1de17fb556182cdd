"""Dinomaly: what can a transformer not draw that has no eye for single places and learned behind a noisy bottleneck?"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.teacher import Taught, Teacher
from halescan.errors import SettingError
from halescan.networks.distillation import disagreement, distillation_loss
from halescan.networks.token_decoder import TokenDecoder, gather, parted
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores

GROUPS = 2  # of levels, shallow and deep, each drawn as a whole
_RAMP = 0.1  # share of the steps in which more and more places come to count as easy
_WARM_UP = 0.01  # share of the steps in which the learning rate climbs
_EASY_GRADIENT = 0.1
_LONGEST_GRID = 128  # tokens along a side


class Dinomaly(Taught):
    """A transformer draws a frozen network's features in two loose groups; the map is where it fails.

    Four things keep it from copying what is ill: a bottleneck that loses numbers at random while learning, attention
    without softmax, targets that are groups of levels instead of single ones, and a loss that learns less from the
    places it already draws well. Made for vision transformers, of which the tokens are taken; of a convolutional
    backbone, the default because its weights are small, each place of the levels laid on one grid is a token.

    Args:
        backbone: Name of the teacher; "dinov2_base" is the paper's kind. Where it is not at hand, or for "own", an
            encoder is trained.
        levels: Its levels, shallow ones first: layers of a transformer, blocks 1 to 17 of MobileNetV2. The first half
            is one group, the second the other.
        side: The image's longest side in pixels as the teacher sees it; for a transformer in whole patches.
        grid: Tokens along the longer side; None takes the finest level's.
        width: Numbers a token in the decoder.
        depth: Layers of the decoder, two or more.
        heads: Of attention; must divide the width.
        dropout: Share of the bottleneck's numbers lost while learning, in [0, 1).
        easy: Share of the places that come to count as easy, in [0, 1); their gradient is a tenth.
        steps: Steps of learning.
        batch_size: Images a step.
        learning_rate: Highest of the curve.
        encoder_steps: Steps of training where an encoder has to be trained.

    Source:
        Guo et al. 2024, arXiv:2405.14325. We differ: convolutional backbones too; a linear head draws each group; patch
        tokens alone, with fixed positions added; numbers are lost in the bottleneck's hidden layer alone, not before
        and behind it; AdamW instead of its stable variant, falling to 0 instead of a tenth; the share of easy places
        grows over the first tenth of the steps.
    """

    name = "dinomaly"
    summary = (
        "a transformer without an eye for single places draws a network's features; the map is what it cannot draw"
    )
    source = "https://arxiv.org/abs/2405.14325"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "backbone": "dinov2_base",
            "levels": (3, 4, 5, 6, 7, 8, 9, 10),
            "side": 392,
            "grid": None,
            "width": 768,
            "depth": 8,
            "heads": 12,
            "steps": 10_000,
        },
    }

    def __init__(
        self,
        *,
        backbone: str = "mobilenet_v2",
        levels: Sequence[int] = (3, 6, 10, 13),
        side: int = 128,
        grid: int | None = 16,
        width: int = 128,
        depth: int = 2,
        heads: int = 4,
        dropout: float = 0.2,
        easy: float = 0.9,
        steps: int = 500,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        encoder_steps: int = 300,
    ) -> None:
        if grid is not None and not 1 <= grid <= _LONGEST_GRID:
            raise SettingError(
                f"grid must lie in [1, {_LONGEST_GRID}] tokens, or null for the finest level's, got {grid}; "
                "null is usual"
            )
        if not 0 <= dropout < 1 or not 0 <= easy < 1:
            raise SettingError(f"dropout and easy must lie in [0, 1), got {dropout} and {easy}; 0.2 and 0.9 are usual")
        if depth < GROUPS or width < 1 or heads < 1 or width % heads:
            raise SettingError(
                f"depth must be {GROUPS} or more and heads divide the width, got {depth}, {heads} and {width}; "
                "2, 4 and 128 work"
            )
        self._set_teacher(backbone, levels, side, encoder_steps)
        self.grid, self.width, self.depth, self.heads = grid, width, depth, heads
        self.dropout, self.easy = dropout, easy
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        self._extractor = self._find_teacher(normal, run)
        inside, groups = self._widths(normal.take([0]).images.shape[1:])
        with seeded(run.seed, self.name, "weights"):
            self._decoder = self._build(inside, groups)
        settings = Schedule(
            self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=1e-4,
            curve="one-cycle",
            climb=_WARM_UP,
            clip=0.1,
        )
        learn(self._decoder, self._loss, images=normal, check=check, settings=settings, run=run, stage=self.name)

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        shown, wanted = self._shown(to_tensors(batch, home(self._decoder)).images)
        return Scores(map=to_array(disagreement(wanted, self._decoder(shown)) / len(wanted)))

    def _state(self) -> dict[str, np.ndarray]:
        return self._ready().state() | module_arrays(self._decoder, prefix="decoder/")

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._extractor = Teacher.from_state(state, side=self.side)
        inside, groups = self._widths(shape)
        self._decoder = put_arrays(lambda: self._build(inside, groups), state, prefix="decoder/")

    def _build(self, inside: int, groups: Sequence[int]) -> TokenDecoder:
        return TokenDecoder(inside, groups, width=self.width, depth=self.depth, heads=self.heads, dropout=self.dropout)

    def _widths(self, shape: Sequence[int]) -> tuple[int, list[int]]:
        """Channels of what is shown and of each group."""
        shown, wanted = self._shown(torch.zeros(1, *shape))
        return shown.shape[1], [group.shape[1] for group in wanted]

    def _shown(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the decoder is shown, `(n, d, gh, gw)`, and the groups that it is to draw."""
        teacher = self._ready()
        levels = teacher.levels(teacher.look(images))
        finest = max((tuple(level.shape[2:]) for level in levels), key=lambda sides: sides[0] * sides[1])
        longest = max(finest)
        grid = [max(1, round(length * (self.grid or longest) / longest)) for length in finest]
        groups = [[levels[number] for number in part] for part in parted(len(levels), GROUPS)]
        return gather(levels, grid), [gather(group, grid) for group in groups]

    def _loss(self, decoder: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        assert isinstance(decoder, TokenDecoder)
        shown, wanted = self._shown(batch.images)
        drawn = decoder(shown)
        easy = self.easy * min(1.0, int(decoder.taken) / (_RAMP * self.steps))
        if decoder.training:
            decoder.taken += 1
        return distillation_loss("global", wanted, drawn, easy=easy, easy_gradient=_EASY_GRADIENT)
