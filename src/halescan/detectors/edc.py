"""Encoder-decoder contrast: reverse distillation whose encoder learns the anatomy, too."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from halescan.detectors.teacher import Taught, Teacher
from halescan.errors import SettingError
from halescan.networks.distillation import KINDS, disagreement, distillation_loss, feature_spread
from halescan.networks.feature_decoder import FeatureDecoder, grids_of
from halescan.training.chance import seeded
from halescan.training.device import home, to_array, to_tensors
from halescan.training.loop import learn
from halescan.training.run import Run
from halescan.training.schedule import Schedule, Tensors, Turn
from halescan.training.weights import module_arrays, put_arrays
from halescan.types import Batch, Images, Scores


class EDC(Taught):
    """A decoder draws an encoder's levels from the deepest of them, while both learn; the map is where it fails.

    The encoder learns only by what it hands down at its deepest level: as targets, its levels are fixed, and the loss
    compares whole levels. So it comes to describe this anatomy and not only photographs, and does not collapse to
    features that are easy because they are all alike; the history holds `spread` to watch that.

    Args:
        backbone: Name of the encoder to begin with; where it is not at hand, or for "own", one is trained.
        levels: Its levels, finest first, as the backbone numbers them; the last is what the others are drawn from.
        side: The image's longest side in pixels as the encoder sees it.
        width: Channels of the decoder's storeys; None takes those of the level that each draws.
        loss: "global" (whole levels), or "places" (every place alike), which holds a collapse up less well.
        steps: Steps of learning.
        batch_size: Images a step.
        learning_rate: Highest of the cosine curve, for the decoder.
        encoder_rate: The same for the encoder; 0 leaves it as it is.
        encoder_steps: Steps of training where an encoder has to be trained.

    Source:
        Guo et al. 2024, doi:10.1109/TMI.2023.3327720. We differ: another backbone by default; its batch norms always
        stay as they came, which the source does for OCT alone; encoder and decoder take turns within a step, and the
        map is the levels' sum, not their mean.
    """

    name = "edc"
    summary = (
        "a decoder draws an encoder's features from the deepest of them, and both learn; the map is what it cannot"
    )
    source = "https://doi.org/10.1109/TMI.2023.3327720"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "cpu": {},
        "paper": {
            "backbone": "resnet50",
            "levels": (1, 2, 3, 4),
            "side": 256,
            "width": None,
            "steps": 4000,
            "batch_size": 32,
            "learning_rate": 5e-4,
        },
    }

    def __init__(
        self,
        *,
        backbone: str = "mobilenet_v2",
        levels: Sequence[int] = (3, 6, 13, 17),
        side: int = 128,
        width: int | None = 64,
        loss: Literal["global", "places"] = "global",
        steps: int = 400,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        encoder_rate: float = 1e-5,
        encoder_steps: int = 300,
    ) -> None:
        if len(levels) < 2:
            raise SettingError(
                f"levels must be two or more, the last of which draws the others, got {list(levels)}; "
                "[3, 6, 13, 17] is usual"
            )
        if width is not None and width < 1:
            raise SettingError(f"width must be 1 or more, or null for the levels' own, got {width}; null is usual")
        if loss not in KINDS[:2]:
            raise SettingError(f"loss must be one of {', '.join(KINDS[:2])}, got {loss!r}")
        if not 0 <= encoder_rate < 1:
            raise SettingError(f"encoder_rate must lie in [0, 1), got {encoder_rate}; 0.00001 is usual")
        if batch_size < 2:
            raise SettingError(
                f"batch_size must be 2 or more for the decoder's batch norms, got {batch_size}; 16 is usual"
            )
        self._set_teacher(backbone, levels, side, encoder_steps)
        self.width, self.loss = width, loss
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.encoder_rate = encoder_rate

    def _learn(self, normal: Images, check: Images | None, run: Run) -> None:
        teacher = self._extractor = self._find_teacher(normal, run)
        widths = teacher.widths(normal.take([0]).images.shape[1:])
        if len(widths) < 2:
            raise SettingError(
                f"levels {self.levels} lie on one grid in the encoder trained here; choose some that are further apart"
            )
        with seeded(run.seed, self.name, "weights"):
            pair = _Pair(teacher.backbone.network, self._build(widths))
        turns = [Turn("decoder", list(pair.decoder.parameters()), self._decoder_loss, beside=("spread",))]
        if self.encoder_rate:
            pair.encoder.requires_grad_(True)
            turns.append(
                Turn("encoder", list(pair.encoder.parameters()), self._encoder_loss, learning_rate=self.encoder_rate)
            )
        settings = Schedule(self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate, weight_decay=1e-4)
        learn(pair, turns, images=normal, check=check, settings=settings, run=run, stage=self.name)
        pair.encoder.requires_grad_(False)
        self._decoder = pair.decoder

    @torch.no_grad()
    def _measure(self, batch: Batch) -> Scores:
        teacher = self._ready()
        levels = teacher.levels(teacher.look(to_tensors(batch, home(self._decoder)).images))
        return Scores(map=to_array(disagreement(levels[:-1], _drawn(self._decoder, levels))))

    def _state(self) -> dict[str, np.ndarray]:
        return self._ready().state() | module_arrays(self._decoder, prefix="decoder/")

    def _restore(self, state: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self._extractor = Teacher.from_state(state, side=self.side)
        widths = self._extractor.widths(shape)
        self._decoder = put_arrays(lambda: self._build(widths), state, prefix="decoder/")

    def _build(self, widths: Sequence[int]) -> FeatureDecoder:
        return FeatureDecoder(widths[-1], widths[:-1], width=self.width)

    def _decoder_loss(self, pair: nn.Module, batch: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
        """What the decoder learns from, and how much the features still vary."""
        assert isinstance(pair, _Pair)
        teacher = self._ready()
        levels = teacher.levels(teacher.look(batch.images))
        loss = distillation_loss(self.loss, levels[:-1], _drawn(pair.decoder, levels))
        return {"decoder": loss, "spread": feature_spread(levels)}

    def _encoder_loss(self, pair: nn.Module, batch: Tensors, generator: torch.Generator) -> Tensor:
        """The same, with the way open to the encoder through its deepest level alone."""
        assert isinstance(pair, _Pair)
        teacher = self._ready()
        levels = teacher.learning_levels(teacher.look(batch.images))
        wanted = [level.detach() for level in levels[:-1]]
        return distillation_loss(self.loss, wanted, _drawn(pair.decoder, levels))


class _Pair(nn.Module):
    """Encoder and decoder; the encoder's batch norms stay as they are while both learn."""

    def __init__(self, encoder: nn.Module, decoder: FeatureDecoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.encoder.eval()
        return self


def _drawn(decoder: FeatureDecoder, levels: Sequence[Tensor]) -> list[Tensor]:
    """All levels but the deepest, drawn from it."""
    drawn: list[Tensor] = decoder(levels[-1], grids_of(levels[:-1]))
    return drawn
